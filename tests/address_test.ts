import { assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import { addressKey, AddressSet, parseIp, readForwarded } from "../src/address.ts";
import { HeaderList } from "../src/core/headers.ts";
import type { Addr } from "../src/runtime/conn.ts";

const tcp = (hostname: string): Addr => ({
  transport: "tcp",
  hostname,
  port: 1,
});
const unix: Addr = { transport: "unix", path: "/s" };

describe("parseIp()", () => {
  for (
    const [text, bytes] of [
      ["127.0.0.1", [127, 0, 0, 1]],
      ["255.255.255.255", [255, 255, 255, 255]],
      ["::", new Array(16).fill(0)],
      ["::1", [...new Array(15).fill(0), 1]],
      ["2001:db8::ff:1", [
        0x20,
        1,
        0x0d,
        0xb8,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0xff,
        0,
        1,
      ]],
      ["1:2:3:4:5:6:7:8", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
      ["1:2:3:4:5:6:1.2.3.4", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 1, 2, 3, 4]],
      ["fe80::1%eth0", [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
      ["::ffff:10.1.2.3", [10, 1, 2, 3]],
    ] as [string, number[]][]
  ) {
    test(`reads ${text}`, () => assertEquals(Array.from(parseIp(text)!), bytes));
  }

  for (
    const text of [
      "",
      "1.2.3",
      "1.2.3.256",
      "1.2.3.4.5",
      "a.b.c.d",
      ":::",
      "1::2::3",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1:2:3:4:5:6:7::8",
      "12345::",
      "g::1",
      "1.2.3.4::",
      "1:2:3:4:5:6:7:1.2.3.4",
      ":1",
      "1:",
    ]
  ) {
    test(`rejects "${text}"`, () => assertEquals(parseIp(text), null));
  }
});

test("S-5 One key for an IPv4 address however it is written, and for an IPv6 /64", () => {
  assertEquals(addressKey(tcp("::ffff:10.1.2.3")), addressKey(tcp("10.1.2.3")));
  assertEquals(
    addressKey(tcp("2001:db8:1:2::1")),
    addressKey(tcp("2001:db8:1:2:ffff::9")),
  );
  const keys = [
    tcp("10.1.2.3"),
    tcp("10.1.2.4"),
    tcp("2001:db8:1:2::1"),
    tcp("2001:db8:1:3::1"),
    tcp("a-name"),
    unix,
    undefined,
  ].map(addressKey);
  assertEquals(new Set(keys).size, keys.length);
});

describe("AddressSet", () => {
  const set = new AddressSet([
    "10.0.0.0/8",
    "192.168.1.7",
    "2001:db8::/33",
    "0.0.0.0/32",
    "unix",
  ]);

  for (
    const [addr, expected] of [
      [tcp("10.255.0.1"), true],
      [tcp("11.0.0.1"), false],
      [tcp("::ffff:10.0.0.1"), true],
      [tcp("192.168.1.7"), true],
      [tcp("192.168.1.8"), false],
      [tcp("2001:db8:7fff::1"), true],
      [tcp("2001:db8:8000::1"), false],
      [tcp("somewhere"), false],
      [unix, true],
      [undefined, false],
    ] as [Addr | undefined, boolean][]
  ) {
    test(`${expected ? "has" : "has not"} ${JSON.stringify(addr)}`, () => {
      assertEquals(set.has(addr), expected);
    });
  }

  test("of everything", () => {
    assertEquals(new AddressSet(["0.0.0.0/0"]).has(tcp("1.2.3.4")), true);
    assertEquals(new AddressSet(["0.0.0.0/0"]).has(tcp("::1")), false);
  });

  for (
    const text of [
      "",
      "x",
      "1.2.3.4/33",
      "::/129",
      "1.2.3.4/",
      "1.2.3.4/8/8",
      "1.2.3.4/-1",
      "1.2.3.4/1e1",
    ]
  ) {
    test(`rejects "${text}"`, () => {
      assertThrows(
        () => new AddressSet([text]),
        TypeError,
        JSON.stringify(text),
      );
    });
  }
});

describe("readForwarded()", () => {
  const trusted = new AddressSet(["10.0.0.0/8", "unix"]);

  function read(peer: Addr | undefined, fields: [string, string][]): unknown {
    const headers = new HeaderList();
    for (const [name, value] of fields) headers.append(name, value);
    const { remoteAddr, host, isSecure } = readForwarded(
      peer,
      headers,
      trusted,
    );
    const from = remoteAddr?.transport === "tcp" ? remoteAddr.hostname : remoteAddr?.transport;
    return [from, host, isSecure];
  }

  test("S-5 believes nobody but trusted proxies", () => {
    const fields: [string, string][] = [
      ["X-Forwarded-For", "1.1.1.1"],
      ["X-Forwarded-Host", "evil"],
      ["X-Forwarded-Proto", "https"],
    ];
    assertEquals(read(tcp("9.9.9.9"), fields), [
      "9.9.9.9",
      undefined,
      undefined,
    ]);
    assertEquals(read(undefined, fields), [undefined, undefined, undefined]);
    assertEquals(read(tcp("10.0.0.1"), fields), ["1.1.1.1", "evil", true]);
    assertEquals(read(unix, fields), ["1.1.1.1", "evil", true]);
  });

  test("S-5 takes the last address that is not itself a trusted proxy", () => {
    const from = (value: string): unknown =>
      (read(tcp("10.0.0.1"), [["x-forwarded-for", value]]) as unknown[])[0];
    assertEquals(from("6.6.6.6, 1.1.1.1"), "1.1.1.1");
    assertEquals(from("6.6.6.6, 1.1.1.1, 10.0.0.2, 10.0.0.3"), "1.1.1.1");
    assertEquals(from("10.0.0.2, 10.0.0.3"), "10.0.0.2");
    assertEquals(from("6.6.6.6, not-an-address"), "10.0.0.1");
    assertEquals(from(""), "10.0.0.1");
    assertEquals(from("1.1.1.1:5678"), "1.1.1.1");
    assertEquals(from("[2001:db8::1]:5678"), "2001:db8::1");
    assertEquals(from("[2001:db8::1]"), "2001:db8::1");
  });

  test("knows the protocol that the client uses", () => {
    const secure = (value: string): unknown =>
      (read(tcp("10.0.0.1"), [["x-forwarded-proto", value]]) as unknown[])[2];
    assertEquals(["https", "wss", "HTTPS", "http", "ws"].map(secure), [
      true,
      true,
      true,
      false,
      false,
    ]);
  });
});
