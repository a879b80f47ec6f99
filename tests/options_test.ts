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
