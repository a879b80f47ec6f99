import { assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import { HeaderList } from "../../src/core/headers.ts";
import { encodeRequest, encodeResponse } from "../../src/core/http.ts";

describe("encodeRequest(), encodeResponse()", () => {
  const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

  test("what is written is read", () => {
    const headers = new HeaderList();
    headers.append("Host", "a");
    headers.append("X", "\xe9");
    const head = { method: "GET", target: "/?a", headers };
    assertEquals(text(encodeRequest(head)), "GET /?a HTTP/1.1\r\nhost: a\r\nx: \xe9\r\n\r\n");
    assertEquals(
      text(encodeResponse({ status: 404, headers: [["X-A", "b"]] })),
      "HTTP/1.1 404 Not Found\r\nX-A: b\r\n\r\n",
    );
    assertEquals(text(encodeResponse({ status: 299, headers: [] })), "HTTP/1.1 299 \r\n\r\n");
    assertEquals(
      text(encodeResponse({ status: 200, reason: "Fine", headers: [] })),
      "HTTP/1.1 200 Fine\r\n\r\n",
    );
  });

  test("A-3 what can't stand in a head is a TypeError", () => {
    assertThrows(() => encodeResponse({ status: 200, headers: [["a b", "c"]] }), TypeError);
    assertThrows(() => encodeResponse({ status: 200, headers: [["a", "b\r\nc"]] }), TypeError);
    assertThrows(() => encodeResponse({ status: 200, reason: "a\r\nb", headers: [] }), TypeError);
    for (const status of [0, 99, 1000, 200.5, NaN]) {
      assertThrows(() => encodeResponse({ status, headers: [] }), TypeError, "three digits");
    }
    assertEquals(text(encodeResponse({ status: 100, headers: [] })).slice(9, 12), "100");
    assertEquals(text(encodeResponse({ status: 999, headers: [] })).slice(9, 12), "999");
    const headers = new HeaderList();
    for (const method of ["", "G T", "GET\r\n"]) {
      assertThrows(() => encodeRequest({ method, target: "/", headers }), TypeError, "Method");
    }
    for (const target of ["", "/ ", "/\r\nX: y", "/é", "/\0"]) {
      assertThrows(() => encodeRequest({ method: "GET", target, headers }), TypeError, "target");
    }
    headers.append("a b", "c");
    assertThrows(() => encodeRequest({ method: "GET", target: "/", headers }), TypeError);
  });
});
