import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import { HandshakeError, ProtocolError } from "../src/core/errors.ts";
import { ClosedError, TimeoutError } from "../src/errors.ts";
import {
  type BackoffOptions,
  computeDelay,
  isTemporary,
  readRetryAfter,
  resolveBackoff,
} from "../src/retry.ts";

/** The smallest and about the largest number that `random` may return. */
const LOW = 0;
const HIGH = 1 - 2 ** -32;

function delay(
  error: unknown,
  count: number,
  { random = LOW, maxRetryAfter = 300_000, ...backoff }: BackoffOptions & {
    random?: number;
    maxRetryAfter?: number;
  } = {},
): number {
  const policy = { backoff: resolveBackoff(backoff), maxRetryAfter, random: () => random };
  return computeDelay(error, count, policy);
}

function ended(code: number, error?: unknown): ClosedError {
  return new ClosedError("The session ended", { code, reason: "", wasClean: true, error });
}

function refused(status?: number, headers: [string, string][] = []): HandshakeError {
  return new HandshakeError("No", { status, headers });
}

const LOST = new Error("The connection was reset");

describe("computeDelay()", () => {
  test("doubles the bound from 1 second to 30, and stays there", () => {
    const counts = [1, 2, 3, 4, 5, 6, 7, 1000, 1_000_000];
    assertEquals(
      counts.map((count) => delay(LOST, count)),
      [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000],
    );
  });

  test("goes by the options of backoff", () => {
    const backoff = { first: 10, max: 100, factor: 3 };
    assertEquals([1, 2, 3, 4].map((count) => delay(LOST, count, backoff)), [10, 30, 90, 100]);
    assertEquals(delay(LOST, 5, { factor: 1 }), 1000);
    assertEquals(delay(LOST, 1, { max: 100 }), 100);
  });

  test("draws each pause between (1 - jitter) of the bound and the bound", () => {
    for (const [jitter, least] of [[1, 0], [0.5, 2000], [0, 4000]]) {
      assertEquals(delay(LOST, 3, { jitter, random: LOW }), 4000);
      const shortest = delay(LOST, 3, { jitter, random: HIGH });
      assert(shortest >= least && shortest - least < 0.001, `${shortest} with jitter ${jitter}`);
      assertEquals(delay(LOST, 3, { jitter, random: 0.5 }), (4000 + least) / 2);
    }
    assert(delay(LOST, 1, { random: HIGH }) > 0);
  });

  test("waits for what Retry-After says, and then as the backoff does", () => {
    for (const status of [503, 429, 500, undefined]) {
      assertEquals(delay(refused(status, [["retry-after", "7"]]), 2), 7000 + 2000);
      assertEquals(delay(refused(status, [["retry-after", "0"]]), 2), 2000);
    }
  });

  test("bounds what the server asks for by maxRetryAfter", () => {
    const error = refused(503, [["retry-after", "99999999999999999999"]]);
    assertEquals(delay(error, 1), 300_000 + 1000);
    assertEquals(delay(error, 1, { maxRetryAfter: 10 }), 10 + 1000);
    assertEquals(delay(ended(1012), 1, { maxRetryAfter: 2000 }), 2000);
    // Timers of the runtimes fire at once beyond this.
    assertEquals(delay(error, 1, { maxRetryAfter: Infinity }), 2 ** 31 - 1);
  });

  test("waits 5 to 30 seconds after 1012, 30 to 60 after 1013", () => {
    for (const [code, from, to] of [[1012, 5000, 30_000], [1013, 30_000, 60_000]]) {
      assertEquals(delay(ended(code), 1, { random: LOW }), from);
      assertEquals(delay(ended(code), 1, { random: 0.5 }), (from + to) / 2);
      assert(Math.abs(delay(ended(code), 1, { random: HIGH }) - to) < 0.001);
      // A long backoff is not cut short.
      assertEquals(delay(ended(code), 9, { max: 100_000, jitter: 0 }), 100_000);
    }
    assertEquals(delay(ended(1001), 1), 1000);
  });

  test("rejects chance that is none", () => {
    for (const random of [1, -0.1, NaN, Infinity]) {
      assertThrows(() => delay(LOST, 1, { random }), RangeError, `random returned ${random}`);
    }
  });
});

describe("readRetryAfter()", () => {
  const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);

  for (
    const [value, date, ms] of [
      ["120", undefined, 120_000],
      ["0", undefined, 0],
      ["Sat, 21 Nov 2026 12:00:30 GMT", undefined, 30_000],
      ["Sat, 21 Nov 2026 11:00:00 GMT", undefined, 0],
      // By the server's clock, which is an hour late.
      ["Sat, 21 Nov 2026 11:00:30 GMT", "Sat, 21 Nov 2026 11:00:00 GMT", 30_000],
      ["Sat, 21 Nov 2026 12:00:30 GMT", "yesterday", 30_000],
      ["", undefined, undefined],
      ["-1", undefined, undefined],
      ["1.5", undefined, undefined],
      ["soon", undefined, undefined],
      ["1, 2", undefined, undefined],
      ["0x10", undefined, undefined],
      ["2026-11-21T12:00:30Z", undefined, undefined],
      ["Sat, 41 Nov 2026 12:00:30 GMT", undefined, undefined],
      ["Sat, 21 Xyz 2026 12:00:30 GMT", undefined, undefined],
    ] as [string, string | undefined, number | undefined][]
  ) {
    test(`reads ${JSON.stringify(value)}${date ? ` of ${date}` : ""} as ${ms} ms`, () => {
      const headers: [string, string][] = [["retry-after", value]];
      if (date !== undefined) headers.push(["date", date]);
      assertEquals(readRetryAfter(headers, NOW), ms);
    });
  }

  test("goes by the time of day", () => {
    const headers: [string, string][] = [
      ["retry-after", new Date(Date.now() + 60_000).toUTCString()],
    ];
    const ms = readRetryAfter(headers)!;
    assert(ms > 50_000 && ms <= 60_000, `${ms}`);
  });

  test("finds nothing where there is nothing", () => {
    assertEquals(readRetryAfter([], NOW), undefined);
  });
});

describe("isTemporary()", () => {
  for (const status of [101, 200, 204, 301, 302, 307, 400, 401, 403, 404, 410, 426, 431, 451]) {
    test(`says no to status ${status}`, () => assertEquals(isTemporary(refused(status)), false));
  }
  for (const status of [408, 425, 429, 500, 501, 502, 503, 504, 599, undefined]) {
    test(`says yes to status ${status}`, () => assertEquals(isTemporary(refused(status)), true));
  }
  for (const code of [1000, 1002, 1003, 1007, 1008, 1009, 1010]) {
    test(`says no to close code ${code}`, () => assertEquals(isTemporary(ended(code)), false));
  }
  for (const code of [1001, 1005, 1006, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
    test(`says yes to close code ${code}`, () => assertEquals(isTemporary(ended(code)), true));
  }

  test("says no to a peer that broke the protocol, whatever it said at the end", () => {
    for (const code of [1002, 1005, 1006]) {
      assertEquals(isTemporary(ended(code, new ProtocolError("No"))), false);
    }
    assertEquals(isTemporary(ended(1006, new TimeoutError("Silent"))), true);
    assertEquals(isTemporary(ended(1011, new TypeError("A handler's"))), true);
  });

  test("says no to misuse, and yes to all else", () => {
    for (const error of [new TypeError("No URL"), new RangeError("No bound")]) {
      assertEquals(isTemporary(error), false);
    }
    for (const error of [LOST, new TimeoutError("Late"), new ClosedError("Closing"), "x", null]) {
      assertEquals(isTemporary(error), true);
    }
  });
});

describe("resolveBackoff()", () => {
  test("has the defaults of the README", () => {
    const defaults = { first: 1000, max: 30_000, factor: 2, jitter: 1 };
    assertEquals(resolveBackoff(), defaults);
    assertEquals(resolveBackoff({ jitter: 0, max: undefined }), { ...defaults, jitter: 0 });
  });

  for (
    const [backoff, type, message] of [
      [{ first: 0 }, RangeError, "backoff.first"],
      [{ first: -1 }, RangeError, "backoff.first"],
      [{ first: Infinity }, RangeError, "backoff.first is Infinity, not finite"],
      [{ max: NaN }, RangeError, "backoff.max"],
      [{ max: 2 ** 31 }, RangeError, "backoff.max"],
      [{ max: Infinity }, RangeError, "backoff.max is Infinity, not finite"],
      [{ max: "1" }, TypeError, "backoff.max"],
      [{ factor: 0.9 }, RangeError, "backoff.factor is 0.9, less than 1"],
      [{ jitter: 1.1 }, RangeError, "backoff.jitter is 1.1, more than 1"],
      [{ jitter: -0.1 }, RangeError, "backoff.jitter"],
      [{ jitter: true }, TypeError, "backoff.jitter"],
      [{ initial: 1 }, TypeError, 'Unknown option "backoff.initial"'],
      [5, TypeError, "backoff"],
      [null, TypeError, "backoff"],
    ] as [BackoffOptions, typeof TypeError, string][]
  ) {
    const shown = JSON.stringify(
      backoff,
      (_, value) => typeof value === "number" ? `${value}` : value,
    );
    test(`rejects ${shown} with ${message}`, () => {
      assertThrows(() => resolveBackoff(backoff), type, message);
    });
  }
});
