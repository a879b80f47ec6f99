import { assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { resolveSessionOptions, type SessionOptions } from "../src/options.ts";

const LIMITS = Object.keys(resolveSessionOptions({}).limits);

/** Options with one of them, named by its path, set to any value. */
function withOption(path: string, value: unknown): SessionOptions {
  const [first, second] = path.split(".");
  return { [first]: second === undefined ? value : { [second]: value } };
}

const NUMBERS = [
  ...LIMITS.map((name) => `limits.${name}`),
  "handshakeTimeout",
  "closeTimeout",
  "writeStallTimeout",
  "keepalive.interval",
  "keepalive.timeout",
];

test("Defaults are those of the README", () => {
  assertEquals(resolveSessionOptions({}), {
    compress: false,
    limits: {
      maxMessageSize: 1_048_576,
      maxFragments: 65_536,
      maxPendingPongs: 128,
      maxHeaderSize: 16_384,
      maxHeaderLine: 8192,
      maxHeaders: 100,
      maxBodySize: 1_048_576,
      sendHighWaterMark: 65_536,
      maxSendBacklog: 16_777_216,
      receiveQueue: 16,
      turnFrames: 64,
      turnBytes: 262_144,
      turnTime: 5,
      maxConnections: 10_000,
      maxPendingHandshakes: 1000,
      maxConnectionsPerAddress: Infinity,
    },
    keepalive: { interval: 25_000, timeout: 20_000 },
    handshakeTimeout: 10_000,
    closeTimeout: 10_000,
    writeStallTimeout: 30_000,
  });
});

for (const path of NUMBERS) {
  test(`A-2 ${path} rejects what is no bound`, () => {
    for (const value of ["1", null, true, {}, 1n]) {
      assertThrows(
        () => resolveSessionOptions(withOption(path, value)),
        TypeError,
        path,
      );
    }
    for (const value of [0, -0, -1, NaN, -Infinity]) {
      assertThrows(
        () => resolveSessionOptions(withOption(path, value)),
        RangeError,
        path,
      );
    }
  });

  test(`A-2 ${path} takes a number, Infinity, and undefined for the default`, () => {
    const [first, second] = path.split(".");
    const read = (value: unknown): unknown => {
      const resolved = resolveSessionOptions(
        withOption(path, value),
      ) as unknown as Record<
        string,
        Record<string, unknown>
      >;
      return second === undefined ? resolved[first] : resolved[first][second];
    };
    assertEquals(read(7), 7);
    assertEquals(read(Infinity), Infinity);
    assertEquals(read(undefined), read(undefined));
    assertEquals(typeof read(undefined), "number");
  });
}

test("A-2 Sizes are whole numbers that can be counted to", () => {
  for (const value of [1.5, 2 ** 53]) {
    assertThrows(
      () => resolveSessionOptions({ limits: { maxMessageSize: value } }),
      RangeError,
      `limits.maxMessageSize is ${value}, not a whole number`,
    );
  }
  assertEquals(
    resolveSessionOptions({ limits: { maxMessageSize: 2 ** 32 } }).limits
      .maxMessageSize,
    2 ** 32,
  );
});

test("A-2 Durations beyond what timers can wait are rejected", () => {
  assertThrows(
    () => resolveSessionOptions({ closeTimeout: 2 ** 31 }),
    RangeError,
    "closeTimeout is 2147483648 ms, more than 2147483647",
  );
  assertEquals(
    resolveSessionOptions({ closeTimeout: 2 ** 31 - 1 }).closeTimeout,
    2 ** 31 - 1,
  );
});

test("Unknown names are rejected, also those of Object.prototype", () => {
  const options = (text: string): SessionOptions => JSON.parse(text);
  for (const name of ["maxPayload", "constructor", "__proto__", "toString"]) {
    assertThrows(
      () => resolveSessionOptions(options(`{"${name}":1}`)),
      TypeError,
      `Unknown option "${name}"`,
    );
    assertThrows(
      () => resolveSessionOptions(options(`{"limits":{"${name}":1}}`)),
      TypeError,
      `Unknown option "limits.${name}"`,
    );
  }
});

test("Groups of options must be objects", () => {
  for (const value of [1, "x", true, []]) {
    assertThrows(
      () => resolveSessionOptions(withOption("limits", value)),
      TypeError,
      "limits",
    );
    assertThrows(
      () => resolveSessionOptions(withOption("keepalive", value)),
      TypeError,
      "keepalive",
    );
  }
});

test("keepalive: false switches it off", () => {
  assertEquals(resolveSessionOptions({ keepalive: false }).keepalive, false);
});

test("compress: true means the defaults of the README", () => {
  const defaults = {
    threshold: 1024,
    level: 1,
    windowBits: 15,
    memLevel: 8,
    contextTakeover: false,
    contextBudget: 67_108_864,
  };
  assertEquals(resolveSessionOptions({ compress: true }).compress, defaults);
  assertEquals(resolveSessionOptions({ compress: {} }).compress, defaults);
  const given = { threshold: 0, level: 1, windowBits: 8, memLevel: 9, contextTakeover: true };
  assertEquals(resolveSessionOptions({ compress: given }).compress, { ...defaults, ...given });
});

test("A-2 compress rejects what zlib does not take, and names the option", () => {
  const wrong: [string, unknown, typeof TypeError][] = [
    ["level", 0, RangeError],
    ["level", 10, RangeError],
    ["level", 1.5, RangeError],
    ["windowBits", 7, RangeError],
    ["windowBits", 16, RangeError],
    ["windowBits", NaN, RangeError],
    ["memLevel", 0, RangeError],
    ["memLevel", 10, RangeError],
    ["threshold", -1, RangeError],
    ["threshold", 0.5, RangeError],
    ["contextBudget", 0, RangeError],
    ["level", "6", TypeError],
    ["threshold", null, TypeError],
    ["contextTakeover", 1, TypeError],
    ["strategy", 1, TypeError],
  ];
  for (const [name, value, type] of wrong) {
    const compress = { [name]: value } as SessionOptions["compress"];
    assertThrows(() => resolveSessionOptions({ compress }), type, `compress.${name}`);
  }
  for (const name of ["limits", "keepalive"]) {
    assertThrows(() => resolveSessionOptions({ [name]: null }), TypeError, name);
  }
  for (const value of [null, 1, "yes", []]) {
    assertThrows(
      () => resolveSessionOptions({ compress: value as unknown as boolean }),
      TypeError,
      "compress",
    );
  }
  resolveSessionOptions({ compress: { threshold: Infinity, contextBudget: Infinity } });
});
