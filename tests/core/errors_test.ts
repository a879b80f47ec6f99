import { test } from "node:test";
import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { CloseCode } from "../../src/core/close_code.ts";
import { HandshakeError, ProtocolError } from "../../src/core/errors.ts";

test("a ProtocolError carries 1002 unless it is given another close code", () => {
  const error = new ProtocolError("Reserved bit 1 is set");
  assertInstanceOf(error, Error);
  assertEquals([error.name, error.message], ["ProtocolError", "Reserved bit 1 is set"]);
  assertEquals(error.closeCode, CloseCode.ProtocolError);
  assertEquals(new ProtocolError("Too big", CloseCode.MessageTooBig).closeCode, 1009);
});

test("a HandshakeError without a response has no status, no headers and an empty body", () => {
  const error = new HandshakeError("The connection ended");
  assertInstanceOf(error, Error);
  assertEquals([error.name, error.message], ["HandshakeError", "The connection ended"]);
  assertStrictEquals(error.status, undefined);
  assertEquals(error.headers, []);
  assertEquals(error.body, new Uint8Array(0));
  assertEquals("cause" in error, false);
});

test("a HandshakeError keeps the response and the cause", () => {
  const cause = new Error("reset");
  const body = new Uint8Array([1, 2]);
  const headers = new Map([["retry-after", "1"]]);
  const error = new HandshakeError("Refused", { status: 503, headers, body, cause });
  assertEquals(error.status, 503);
  assertEquals(error.headers, [["retry-after", "1"]]);
  assertEquals(error.body, body);
  assertStrictEquals(error.cause, cause);
});

test("a HandshakeError copies the headers: later changes to the given ones do not show", () => {
  const headers: Array<readonly [string, string]> = [["a", "1"]];
  const error = new HandshakeError("Refused", { headers });
  headers.push(["b", "2"]);
  assertEquals(error.headers, [["a", "1"]]);
});
