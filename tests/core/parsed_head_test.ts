import { assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import { HandshakeError } from "../../src/core/errors.ts";
import { checkHead, createHead, type ParsedRequest } from "../../src/core/parsed_head.ts";

const LIMITS = { maxHeaderSize: 200, maxHeaderLine: 50, maxHeaders: 4 };

function parsed(change: Partial<ParsedRequest> = {}): ParsedRequest {
  return {
    method: "GET",
    target: "/a?b",
    version: "1.1",
    fields: ["Host", "a.example"],
    ...change,
  };
}

function check(request: ParsedRequest): string {
  return checkHead(request, createHead(request), LIMITS);
}

const refused: readonly [name: string, status: number, change: Partial<ParsedRequest>][] = [
  ["HTTP/1.0", 505, { version: "1.0" }],
  ["a header name that is no token", 400, { fields: ["Host", "a", "x y", ""] }],
  ["a control character in a value", 400, { fields: ["Host", "a", "x", "\0"] }],
  ["a character beyond Latin-1 in a value", 400, { fields: ["Host", "a", "x", "\u0100"] }],
  ["a space in the target", 400, { target: "/a b" }],
  ["a byte above ASCII in the target", 400, { target: "/\xe9" }],
  ["an empty target", 400, { target: "" }],
  ["a fragment", 400, { target: "/a#b" }],
  ["a URL of another host", 400, { target: "http://b.example/" }],
  ["no Host", 400, { fields: [] }],
  ["two Hosts", 400, { fields: ["Host", "a", "host", "a"] }],
  ["a Host that is none", 400, { fields: ["Host", "a/b"] }],
  ["too many fields", 431, { fields: ["Host", "a", ...Array(8).fill("x")] }],
  ["a first line that is too long", 414, { target: `/${"a".repeat(37)}` }],
  ["a header line that is too long", 431, { fields: ["Host", "a", "x", "a".repeat(48)] }],
  ["a head that is too long", 431, {
    target: `/${"a".repeat(36)}`,
    fields: ["Host", "a", ...Array(3).fill(["x", "a".repeat(47)]).flat()],
  }],
];

describe("checkHead()", () => {
  test("returns the target in origin-form", () => {
    assertEquals(check(parsed()), "/a?b");
    assertEquals(check(parsed({ target: "http://A.example/x?y" })), "/x?y");
    assertEquals(check(parsed({ target: "//evil/x" })), "//evil/x");
  });

  test("takes what reaches the limits", () => {
    check(parsed({ target: `/${"a".repeat(36)}` }));
    check(parsed({ fields: ["Host", "a", "x", "a".repeat(47)] }));
    check(parsed({ fields: ["Host", "a", ...Array(6).fill("x")] }));
  });

  for (const [name, status, change] of refused) {
    test(`refuses ${name} with ${status}`, () => {
      const error = assertThrows(() => check(parsed(change)), HandshakeError);
      assertEquals(error.status, status, error.message);
    });
  }
});

describe("createHead()", () => {
  test("keeps repeated fields apart, in their order", () => {
    const { headers } = createHead(parsed({ fields: ["Host", "a", "X", "1", "host", "b"] }));
    assertEquals([...headers], [["host", "a"], ["x", "1"], ["host", "b"]]);
  });

  test("leaves out what is no field, and never throws", () => {
    const fields = ["Host", "a", "x y", "1", "", "2", "x", "b\nhost: c"];
    assertEquals([...createHead(parsed({ fields })).headers], [["host", "a"]]);
    assertThrows(() => check(parsed({ fields })), HandshakeError, "is not a token");
  });
});
