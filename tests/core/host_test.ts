import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import { HandshakeError } from "../../src/core/errors.ts";
import { HeaderList } from "../../src/core/headers.ts";
import { checkHost, checkTarget, isHost } from "../../src/core/host.ts";

const fail = (why: string): HandshakeError => new HandshakeError(why);

test("H-21 isHost() takes names, addresses and ports", () => {
  for (
    const host of [
      "a",
      "a.example",
      "a.example:80",
      "127.0.0.1:65535",
      "[::1]",
      "[::1]:8000",
      "a_b",
      "a.example.",
      "a:65535",
      "[::ffff:1.2.3.4]",
      "[2001:DB8::A]",
      "A.Example",
      "x".repeat(255),
      "a:",
      "xn--mnchen-3ya.example",
      "xn--a", // no name on Deno and Bun, but on Node
    ]
  ) assert(isHost(host), host);
  for (
    const host of [
      "",
      "a b",
      "a/b",
      "a:99999",
      "a:x",
      "[::1",
      "[::1]x",
      "[zz]",
      "[:::1]",
      "%00",
      "u@a",
      "a:1:2",
      "x".repeat(256),
      "x".repeat(4096),
      "a:65536",
      "a:000080",
      "[]",
      "[fe80::1%25eth0]",
      "1.2.3.4.5",
      "é",
      "a\n",
      "a#b",
      "a?b",
      "a\\b",
    ]
  ) assert(!isHost(host), host);
});

describe("checkHost()", () => {
  const check = (...hosts: string[]): string => {
    const headers = new HeaderList();
    for (const host of hosts) headers.append("Host", host);
    return checkHost(headers, fail);
  };
  test("H-20 takes one host as it was written", () => assertEquals(check("A:80"), "A:80"));
  test("H-20 rejects none and two, even the same twice", () => {
    assertThrows(() => check(), HandshakeError, "it has 0 Host fields, not one");
    assertThrows(() => check("a", "a"), HandshakeError, "it has 2 Host fields, not one");
  });
  test("H-21 rejects what is no host", () => {
    assertThrows(() => check(""), HandshakeError, 'Host is ""');
    assertThrows(() => check("a, b"), HandshakeError, 'Host is "a, b"');
  });
});

describe("checkTarget()", () => {
  for (
    const [target, expected] of [
      ["/", "/"],
      ["/a?b", "/a?b"],
      ["//evil.example/x", "//evil.example/x"],
      ["/http://b/", "/http://b/"],
      ["http://a:80", "/"],
      ["HTTPS://A:80/x?y", "/x?y"],
      ["ws://a:80?y", "/?y"],
      ["wss://a:80/?y=http://b/", "/?y=http://b/"],
    ]
  ) {
    test(`H-30 H-31 reads ${target} as ${expected}`, () => {
      assertEquals(checkTarget(target, "a:80", fail), expected);
    });
  }
  for (
    const target of [
      "",
      "*",
      "a:80",
      "x",
      "http://a/",
      "http://b:80/",
      "http://a:80.evil.example/",
      "http://a:80@evil.example/",
      "http://u@a:80/",
      "http:///a:80",
      "http://a:80\\b",
      "http:/a:80/",
      "ftp://a:80/",
      "xhttp://a:80/",
      "?http://a:80/",
    ]
  ) {
    test(`H-30 H-31 rejects ${JSON.stringify(target)}`, () => {
      assertThrows(() => checkTarget(target, "a:80", fail), HandshakeError, "neither a path");
    });
  }
  test("H-30 compares hosts in any case", () => {
    assertEquals(checkTarget("http://a.EXAMPLE/x", "A.example", fail), "/x");
  });
  test("H-31 rejects a fragment", () => {
    assertThrows(() => checkTarget("/a#b", "a", fail), HandshakeError, "has a fragment");
    assertThrows(() => checkTarget("http://a/#b", "a", fail), HandshakeError, "has a fragment");
  });
});
