import { assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import { HandshakeError } from "../src/core/errors.ts";
import { checkHost, checkOrigin, checkOriginPolicy, type OriginPolicy } from "../src/origin.ts";

function passes(
  origin: string | null,
  host: string,
  isSecure?: boolean,
  policy: OriginPolicy = "same-origin",
): boolean {
  try {
    checkOrigin(origin, { host, isSecure }, policy);
    return true;
  } catch (error) {
    assertEquals((error as HandshakeError).status, 403);
    return false;
  }
}

describe("S-1 same-origin", () => {
  for (
    const [origin, host, expected] of [
      [null, "example.com", true],
      ["http://example.com", "example.com", true],
      ["https://example.com", "example.com", true],
      ["http://example.com", "example.com:80", true],
      ["https://example.com", "example.com:443", true],
      ["https://example.com", "example.com:80", false],
      ["http://example.com:8000", "example.com:8000", true],
      ["http://example.com:8000", "example.com:8001", false],
      ["http://example.com", "example.com:8000", false],
      ["http://EXAMPLE.com", "example.COM", true],
      ["http://sub.example.com", "example.com", false],
      ["http://evil-example.com", "example.com", false],
      ["http://example.com.evil.com", "example.com", false],
      ["http://example.com.", "example.com", false],
      ["http://xn--bcher-kva.example", "xn--bcher-kva.example", true],
      ["http://bücher.example", "xn--bcher-kva.example", true],
      ["http://[::1]:8000", "[::1]:8000", true],
      ["http://127.0.0.1:8000", "localhost:8000", false],
      ["null", "example.com", false],
      ["", "example.com", false],
      ["example.com", "example.com", false],
      ["http://example.com/", "example.com", false],
      ["http://user@example.com", "example.com", false],
      ["http://a http://example.com", "example.com", false],
      ["http://example.com:99999", "example.com:99999", false],
      ["file://", "example.com", false],
      ["chrome-extension://abc", "abc", false],
      ["ftp://example.com", "example.com", false],
    ] as [string | null, string, boolean][]
  ) {
    test(`${expected ? "lets" : "does not let"} ${origin} reach ${host}`, () => {
      assertEquals(passes(origin, host), expected);
    });
  }
});

test("S-3 The scheme counts where it is known", () => {
  assertEquals(passes("https://example.com", "example.com", true), true);
  assertEquals(passes("http://example.com", "example.com", true), false);
  assertEquals(passes("https://example.com", "example.com", false), false);
  assertEquals(passes("http://example.com", "example.com", false), true);
});

test("S-1 A list adds origins to the server's own", () => {
  const policy = ["https://app.example", "chrome-extension://abc"];
  const results = [
    "https://app.example",
    "https://APP.example:443",
    "chrome-extension://abc",
    "http://example.com",
    "http://app.example",
    "https://app.example.evil",
    "null",
  ].map((origin) => passes(origin, "example.com", undefined, policy));
  assertEquals(results, [true, true, true, true, false, false, false]);
});

test('S-1 "any" does not check', () => {
  assertEquals(passes("null", "example.com", true, "any"), true);
});

test("S-1 A refusal names the origin and the option", () => {
  assertThrows(
    () =>
      checkOrigin(
        "https://evil.example",
        { host: "a", isSecure: undefined },
        "same-origin",
      ),
    HandshakeError,
    'origin "https://evil.example" is neither that of the server nor in the list of option "origin"',
  );
});

test("checkOriginPolicy() rejects what would match nothing", () => {
  checkOriginPolicy(["https://app.example:8443", "app://x"]);
  for (
    const policy of ["*", "https://app.example", null, [1], [
      "https://app.example/",
    ]]
  ) {
    assertThrows(
      () => checkOriginPolicy(policy as OriginPolicy),
      TypeError,
      "Option origin",
    );
  }
});

test("S-2 allowedHosts stops DNS rebinding", () => {
  const allowed = ["example.com", "Other.example:8000", "[::1]"];
  const result = (host: string): number => {
    try {
      checkHost(host, allowed);
      return 200;
    } catch (error) {
      return (error as HandshakeError).status!;
    }
  };
  assertEquals(
    [
      "example.com",
      "EXAMPLE.com:1234",
      "other.example:8000",
      "[::1]:80",
      "[::1]",
    ].map(result),
    [200, 200, 200, 200, 200],
  );
  assertEquals(
    ["attacker.tld:8000", "other.example:8001", "sub.example.com", "[::2]"].map(
      result,
    ),
    [403, 403, 403, 403],
  );
  checkHost("anything", undefined);
});
