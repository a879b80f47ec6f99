import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { describe, test } from "node:test";
import {
  ClosedError,
  type Conn,
  type Handler,
  HandshakeError,
  keepConnected,
  type KeepConnectedOptions,
  ProtocolError,
  type Retry,
  serve,
  type ServeOptions,
  type Server,
  type TcpAddr,
  type WebSocketSession,
} from "../mod.ts";
import { FakeClock, MemoryListener, memoryPair } from "../src/testing.ts";

const TARGET = "ws://test/";

/** A server in memory, a client that dials it, and the time of both: each pause passes at once. */
class World {
  readonly clock = new FakeClock();
  readonly retries: Retry[] = [];
  readonly #listener = new MemoryListener();
  /** How often the client has dialled. */
  dialled = 0;

  serve(handler: Handler, options: ServeOptions = {}): Promise<Server> {
    return serve({ ...options, listener: this.#listener, clock: this.clock }, handler);
  }

  readonly connect = (): { conn: Conn } => {
    this.dialled++;
    return { conn: this.#listener.connect() };
  };

  /** What the client is given; pauses that are to be seen from within need another `onRetry`. */
  options(more: KeepConnectedOptions = {}): KeepConnectedOptions {
    const { clock, connect, retries } = this;
    return {
      clock,
      prepare: connect,
      backoff: { jitter: 0 },
      random: () => 0,
      onRetry: (retry) => {
        retries.push(retry);
        void clock.advance(retry.delay + 10);
      },
      ...more,
    };
  }

  get delays(): number[] {
    return this.retries.map(({ delay }) => delay);
  }

  get attempts(): number[] {
    return this.retries.map(({ attempt }) => attempt);
  }

  /** Waits for something that happens without time passing. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.clock.turn();
  }
}

/** A connection that fails at once. */
function broken(error: unknown): Conn {
  return {
    read: () => Promise.resolve(null),
    write: () => Promise.reject(error),
    closeWrite: () => Promise.resolve(),
    close: () => {},
  };
}

/** Fails `count` times with `error`, and then so that the iteration ends; returns the pauses. */
async function failing(
  count: number,
  error: unknown,
  options: KeepConnectedOptions = {},
): Promise<Retry[]> {
  const world = new World();
  let attempt = 0;
  const sessions = keepConnected(TARGET, {
    ...world.options(options),
    prepare: () => ({ conn: broken(++attempt > count ? new TypeError("enough") : error) }),
  });
  await assertRejects(() => sessions.next(), TypeError, "enough");
  assertEquals(world.clock.pending, 0);
  return world.retries;
}

async function messages(session: WebSocketSession): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const message of session) all.push(message);
  return all;
}

/** Options of one entry as text. */
function show(options: KeepConnectedOptions): string {
  return Object.entries(options ?? {}).map(([name, value]) => `${name} = ${value}`).join() ||
    `${options}`;
}

async function isSettled(promise: Promise<unknown>, clock: FakeClock): Promise<boolean> {
  let settled = false;
  const settle = (): void => void (settled = true);
  promise.then(settle, settle);
  await clock.settle();
  return settled;
}

describe("keepConnected()", () => {
  test("gives one session after another, one at a time", async () => {
    const world = new World();
    let served = 0;
    const server = await world.serve(async (session, server) => {
      assertEquals(server.sessions.size, 1);
      await session.send(`session ${++served}`);
      await session.close(served < 3 ? 1001 : 1000);
    });
    const all: unknown[] = [];
    for await (const session of keepConnected(TARGET, world.options())) {
      all.push(...await messages(session));
    }
    assertEquals(all, ["session 1", "session 2", "session 3"]);
    assertEquals(world.attempts, [1, 2]);
    await server.shutdown();
    assertEquals(world.clock.pending, 0);
  });

  test("waits for the end of a session that is still open when the next is asked for", async () => {
    const world = new World();
    const server = await world.serve(async (session) => void await session.closed);
    const sessions = keepConnected(TARGET, world.options());
    const first = await sessions.next();
    const second = sessions.next();
    assertEquals(await isSettled(second, world.clock), false);
    assertEquals(world.dialled, 1);
    first.value!.abort();
    const session = (await second).value!;
    assertEquals(world.dialled, 2);
    assertEquals(session.state, "open");
    await sessions.return!();
    await server.shutdown();
  });

  test("answers calls of next() in order", async () => {
    const world = new World();
    const server = await world.serve((session) => session.close(1001));
    const sessions = keepConnected(TARGET, world.options());
    const [first, second] = await Promise.all([sessions.next(), sessions.next()]);
    assert(first.value !== second.value);
    assertEquals(await sessions.return!(), { done: true, value: undefined });
    assertEquals(await sessions.next(), { done: true, value: undefined });
    await server.shutdown();
  });

  test("works with handlers, and with data", async () => {
    const world = new World();
    let served = 0;
    const server = await world.serve(async (session) => {
      await session.send("hello");
      await session.close(++served < 3 ? 1012 : 1000);
    });
    const log: unknown[] = [];
    const sessions = keepConnected<string>(TARGET, {
      ...world.options() as KeepConnectedOptions<string>,
      data: "mine",
      handlers: { message: (session, message) => log.push(session.data, message) },
    });
    for await (const _ of sessions);
    assertEquals(log, ["mine", "hello", "mine", "hello", "mine", "hello"]);
    await server.shutdown();
  });

  for (const how of ["break", "throw", "return()"]) {
    test(`closes the session with 1000 on ${how}, waits for that, and dials no more`, async () => {
      const world = new World();
      const codes: number[] = [];
      const server = await world.serve(async (session) => {
        session.send("hello");
        codes.push((await session.closed).code);
      });
      let last: WebSocketSession | undefined;
      const leave = async (): Promise<void> => {
        const sessions = keepConnected(TARGET, world.options());
        if (how === "return()") {
          last = (await sessions.next()).value!;
          await sessions.return!();
          return;
        }
        for await (const session of sessions) {
          last = session;
          if (how === "throw") throw new Error("mine");
          break;
        }
      };
      if (how === "throw") await assertRejects(leave, Error, "mine");
      else await leave();
      assertEquals(last!.state, "closed");
      await server.shutdown();
      await world.clock.advance(600_000);
      assertEquals(codes, [1000]);
      assertEquals(world.dialled, 1);
      assertEquals(world.retries, []);
      assertEquals(world.clock.pending, 0);
    });
  }

  test("is over, and dials nothing, if it is left before it has begun", async () => {
    const world = new World();
    const sessions = keepConnected(TARGET, world.options());
    await sessions.return!();
    assertEquals((await sessions.next()).done, true);
    assertEquals(world.dialled, 0);
  });

  test("can be left while next() is under way", async () => {
    const clock = new FakeClock();
    const paused = keepConnected(TARGET, {
      clock,
      prepare: () => ({ conn: broken(new Error("no")) }),
    });
    const pausing = paused.next();
    await clock.settle();
    assertEquals(clock.pending, 1);
    await paused.return!();
    assertEquals((await pausing).done, true);

    const [conn] = memoryPair();
    const connecting = keepConnected(TARGET, { clock, prepare: () => ({ conn }) });
    const next = connecting.next();
    await clock.settle();
    await connecting.return!();
    assertEquals((await next).done, true);
    assertEquals(clock.pending, 0);
  });
});

describe("keepConnected() ends", () => {
  test("without an error when the server closes with 1000", async () => {
    const world = new World();
    const server = await world.serve((session) => session.send("all there is"));
    const sessions = keepConnected(TARGET, world.options());
    for await (const session of sessions) assertEquals(await messages(session), ["all there is"]);
    assertEquals(world.dialled, 1);
    await server.shutdown();
    assertEquals(world.clock.pending, 0);
  });

  for (const code of [1002, 1003, 1007, 1008, 1009, 1010]) {
    test(`with an error when the server closes with ${code}`, async () => {
      const world = new World();
      const server = await world.serve((session) => session.close(code, "go away"));
      const sessions = keepConnected(TARGET, world.options());
      const session = (await sessions.next()).value!;
      await messages(session);
      const error = await assertRejects(() => sessions.next(), ClosedError);
      assertEquals(error.message, `The session ended with ${code}: go away`);
      assertEquals(error.status, await session.closed);
      assertEquals((await sessions.next()).done, true);
      assertEquals(world.dialled, 1);
      await server.shutdown();
    });
  }

  test("with an error when the server exceeds our limits, which is its cause", async () => {
    const world = new World();
    const server = await world.serve((session) => session.send("too long for them"));
    const sessions = keepConnected(TARGET, world.options({ limits: { maxMessageSize: 10 } }));
    const session = (await sessions.next()).value!;
    await messages(session);
    const error = await assertRejects(() => sessions.next(), ClosedError);
    assert(error.cause instanceof ProtocolError);
    assertEquals(error.cause.closeCode, 1009);
    await server.shutdown();
  });

  for (const status of [301, 400, 401, 403, 404, 426]) {
    test(`with an error when the server refuses with ${status}`, async () => {
      const world = new World();
      const accept = (): Response => new Response("no", { status });
      const server = await world.serve(() => {}, { accept });
      const sessions = keepConnected(TARGET, world.options());
      const error = await assertRejects(() => sessions.next(), HandshakeError);
      assertEquals(error.status, status);
      assertEquals(world.dialled, 1);
      await server.shutdown();
      assertEquals(world.clock.pending, 0);
    });
  }

  for (
    const [what, url, options, message] of [
      ["what is no URL", "nowhere", {}, "not a URL"],
      ["another scheme", "ftp://test/", {}, "scheme"],
      ["an unknown option of prepare", TARGET, { prepare: () => ({ header: {} }) }, '"header"'],
      [
        "a signal from prepare",
        TARGET,
        { prepare: () => ({ signal: AbortSignal.timeout(1) }) },
        "Option signal is the same for all attempts",
      ],
      [
        "a clock from prepare",
        TARGET,
        { prepare: () => ({ clock: new FakeClock() }) },
        "Option clock is the same for all attempts",
      ],
    ] as [string, string, KeepConnectedOptions, string][]
  ) {
    test(`with a TypeError for ${what}, without trying again`, async () => {
      const retries: Retry[] = [];
      const sessions = keepConnected(url, { onRetry: (retry) => retries.push(retry), ...options });
      await assertRejects(() => sessions.next(), TypeError, message);
      assertEquals(retries, []);
    });
  }
});

describe("keepConnected() rejects at the call", () => {
  for (
    const [options, type, message] of [
      [{ retries: 5 }, TypeError, 'Unknown option "retries"'],
      [{ limits: { maxPayload: 5 } }, TypeError, 'Unknown option "limits.maxPayload"'],
      [{ backoff: { min: 5 } }, TypeError, 'Unknown option "backoff.min"'],
      [{ backoff: { max: 0 } }, RangeError, "backoff.max"],
      [{ maxRetryAfter: 0 }, RangeError, "maxRetryAfter"],
      [{ maxRetryAfter: "1" }, TypeError, "maxRetryAfter"],
      [{ maxRetryAfter: 2 ** 31 }, RangeError, "maxRetryAfter"],
      [{ shouldRetry: true }, TypeError, "shouldRetry is of type boolean, not a function"],
      [{ onRetry: "log" }, TypeError, "onRetry"],
      [{ prepare: {} }, TypeError, "prepare"],
      [{ random: 0.5 }, TypeError, "random"],
      [{ clock: {} }, TypeError, "clock"],
      [{ conn: memoryPair()[0] }, TypeError, "Option conn is good for one session"],
      [{ handshakeTimeout: 0 }, RangeError, "handshakeTimeout"],
      [null, TypeError, "not an object"],
      [5, TypeError, "not an object"],
      [[], TypeError, "not an object"],
    ] as [KeepConnectedOptions, typeof TypeError, string][]
  ) {
    test(`${show(options)}: ${message}`, () => {
      assertThrows(() => keepConnected(TARGET, options), type, message);
    });
  }
});

describe("keepConnected() waits", () => {
  test("1, 2, 4, 8, 16, 30, 30, … seconds at most", async () => {
    const retries = await failing(8, new Error("no"));
    const delays = [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000];
    assertEquals(retries.map(({ delay }) => delay), delays);
    assertEquals(retries.map(({ attempt }) => attempt), [1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("for as long as it says", async () => {
    const clock = new FakeClock();
    const at: number[] = [];
    const sessions = keepConnected(TARGET, {
      clock,
      random: () => 0.5,
      prepare: () => {
        at.push(clock.now());
        return { conn: broken(new Error("no")) };
      },
    });
    const next = sessions.next();
    await clock.advance(490);
    assertEquals(at, [0]);
    await clock.advance(10);
    assertEquals(at, [0, 500]);
    await clock.advance(999);
    assertEquals(at, [0, 500]);
    await clock.advance(1);
    assertEquals(at, [0, 500, 1500]);
    await sessions.return!();
    await next;
  });

  test("at random by itself, and within the bounds", async () => {
    const backoff = { first: 1000, max: 1000 };
    const random = undefined;
    const delays = (await failing(200, new Error("no"), { backoff, random }))
      .map(({ delay }) => delay);
    assert(delays.every((delay) => delay > 0 && delay <= 1000), `${delays}`);
    assert(new Set(delays).size > 150);
    const mean = delays.reduce((a, b) => a + b) / delays.length;
    assert(mean > 400 && mean < 600, `${mean}`); // that it is not has a chance of 1 in 10^6
  });

  test("from the beginning again once a session has lived for backoff.max", async () => {
    const cases: [number, number[]][] = [[29_000, [1, 2, 3, 4]], [31_000, [1, 2, 1, 2]]];
    for (const [lifetime, attempts] of cases) {
      const world = new World();
      const server = await world.serve(async (session) => void await session.closed);
      let dialled = 0;
      const prepare = (): { conn: Conn } =>
        ++dialled === 3 ? world.connect() : { conn: broken(new Error("no")) };
      const shouldRetry = (): boolean => dialled < 5;
      const sessions = keepConnected(
        TARGET,
        world.options({ prepare, shouldRetry, keepalive: false }),
      );
      const session = (await sessions.next()).value!;
      const next = assertRejects(() => sessions.next(), Error, "no");
      await world.clock.advance(lifetime);
      session.abort();
      await next;
      assertEquals(world.attempts, attempts);
      await server.shutdown();
    }
  });

  test("no shorter because the loop took its time after the session's end", async () => {
    const world = new World();
    const server = await world.serve((session) => session.abort());
    for await (const session of keepConnected(TARGET, world.options())) {
      await session.closed;
      await world.clock.advance(60_000);
      if (world.retries.length === 3) break;
    }
    assertEquals(world.delays, [1000, 2000, 4000]);
    await server.shutdown();
  });

  test("longer and longer for a server that accepts and drops at once", async () => {
    const world = new World();
    const server = await world.serve((session) => session.abort());
    const shouldRetry = (_: unknown, { attempt }: { attempt: number }): boolean => attempt <= 6;
    const sessions = keepConnected(TARGET, world.options({ shouldRetry }));
    const error = await assertRejects(async () => {
      for await (const session of sessions) await messages(session);
    }, ClosedError);
    assertEquals(error.status!.code, 1006);
    assertEquals(world.delays, [1000, 2000, 4000, 8000, 16_000, 30_000]);
    await server.shutdown();
  });

  for (
    const [what, headers, delay] of [
      ["in seconds", { "retry-after": "7" }, 8000],
      [
        "as a date",
        {
          "date": "Sat, 21 Nov 2026 12:00:00 GMT",
          "retry-after": "Sat, 21 Nov 2026 12:00:30 GMT",
        },
        31_000,
      ],
      ["for longer than maxRetryAfter", { "retry-after": "86400" }, 101_000],
      ["in no known form", { "retry-after": "soon" }, 1000],
    ] as [string, Record<string, string>, number][]
  ) {
    for (const status of [503, 429]) {
      test(`as Retry-After of a ${status} asks ${what}`, async () => {
        const world = new World();
        let asked = 0;
        const accept = (): Response | undefined =>
          ++asked === 1 ? new Response("", { status, headers }) : undefined;
        const server = await world.serve(() => {}, { accept });
        const sessions = keepConnected(TARGET, world.options({ maxRetryAfter: 100_000 }));
        for await (const session of sessions) await messages(session);
        assertEquals(world.delays, [delay]);
        assertEquals((world.retries[0].error as HandshakeError).status, status);
        await server.shutdown();
      });
    }
  }

  test("5 to 30 seconds after 1012, 30 to 60 after 1013", async () => {
    for (const [code, from, to] of [[1012, 5000, 30_000], [1013, 30_000, 60_000]]) {
      for (const random of [0, 0.5, 0.999]) {
        const world = new World();
        let served = 0;
        const server = await world.serve((session) => session.close(++served === 1 ? code : 1000));
        const sessions = keepConnected(TARGET, world.options({ random: () => random }));
        for await (const session of sessions) await messages(session);
        assertEquals(world.delays, [from + (to - from) * random]);
        await server.shutdown();
      }
    }
  });

  test("after saying so, and survives an onRetry that throws", async () => {
    const world = new World();
    const reported: unknown[] = [];
    let attempt = 0;
    const sessions = keepConnected(
      TARGET,
      world.options({
        prepare: () => ({ conn: broken(++attempt < 3 ? new Error("no") : new TypeError("end")) }),
        onError: (error) => reported.push((error as Error).message),
        onRetry: ({ delay }) => {
          void world.clock.advance(delay + 10);
          throw new Error("from onRetry");
        },
      }),
    );
    await assertRejects(() => sessions.next(), TypeError, "end");
    assertEquals(reported, ["from onRetry", "from onRetry"]);
  });
});

describe("Option shouldRetry", () => {
  test("is asked with the error, how often it has failed, and what would be done", async () => {
    const world = new World();
    let served = 0;
    const server = await world.serve((session) => session.close([1001, 1008, 1000][served++]));
    const asked: unknown[] = [];
    const sessions = keepConnected(
      TARGET,
      world.options({
        shouldRetry: (error, { attempt, isTemporary }) => {
          asked.push([(error as ClosedError).status!.code, attempt, isTemporary]);
          return Promise.resolve(attempt < 3);
        },
      }),
    );
    for await (const session of sessions) await messages(session);
    assertEquals(asked, [[1001, 1, true], [1008, 2, false], [1000, 3, false]]);
    await server.shutdown();
  });

  test("can go on after a refusal or 1000", async () => {
    const world = new World();
    let asked = 0;
    const accept = (): Response | undefined =>
      ++asked === 1 ? new Response("", { status: 404 }) : undefined;
    const server = await world.serve(() => {}, { accept });
    let count = 0;
    for await (const session of keepConnected(TARGET, world.options({ shouldRetry: () => true }))) {
      await messages(session);
      if (++count === 2) break;
    }
    assertEquals(world.retries.length, 2);
    await server.shutdown();
  });

  test("ends the iteration with what it throws", async () => {
    const shouldRetries = [
      () => Promise.reject(new Error("mine")),
      () => {
        throw new Error("mine");
      },
    ];
    for (const shouldRetry of shouldRetries) {
      const world = new World();
      const prepare = (): { conn: Conn } => ({ conn: broken(new Error("no")) });
      const sessions = keepConnected(TARGET, world.options({ prepare, shouldRetry }));
      await assertRejects(() => sessions.next(), Error, "mine");
      assertEquals(world.retries, []);
    }
  });
});

describe("url and option prepare, as functions,", () => {
  test("are called before each attempt, and waited for", async () => {
    const world = new World();
    const seen: string[] = [];
    const server = await world.serve(async (session) => {
      seen.push(`${session.request.target} ${session.request.headers.get("authorization")}`);
      await session.close(seen.length < 3 ? 1001 : 1000);
    });
    let calls = 0;
    const sessions = keepConnected(
      () => Promise.resolve(`ws://test/?after=${calls * 10}`),
      world.options({
        headers: { authorization: "never seen" },
        prepare: async () => {
          await world.clock.turn();
          return { ...world.connect(), headers: { authorization: `token ${++calls}` } };
        },
      }),
    );
    for await (const session of sessions) await messages(session);
    assertEquals(seen, ["/?after=0 token 1", "/?after=10 token 2", "/?after=20 token 3"]);
    await server.shutdown();
  });

  test("may fail: that is reported, and tried again", async () => {
    const world = new World();
    const server = await world.serve(() => {});
    const reported: unknown[] = [];
    let calls = 0;
    const sessions = keepConnected(
      () => {
        if (++calls === 1) throw new TypeError("fetch failed");
        return TARGET;
      },
      world.options({
        onError: (error) => reported.push((error as Error).message),
        prepare: () => {
          if (calls === 2) return Promise.reject(new TypeError("no token"));
          return world.connect();
        },
      }),
    );
    for await (const session of sessions) await messages(session);
    assertEquals(reported, ["fetch failed", "no token"]);
    assertEquals(world.attempts, [1, 2]);
    await server.shutdown();
  });

  test("take an object of class URL, too, and no options at all", async () => {
    const server = await serve({ port: 0 }, () => {});
    const url = new URL(`ws://127.0.0.1:${(server.addr as TcpAddr).port}/`);
    for await (const session of keepConnected(url)) await messages(session);
    for await (const session of keepConnected(() => url)) await messages(session);
    await server.shutdown();
  });
});

describe("Option signal ends the iteration without an error", () => {
  test("before it has begun: nothing is dialled", async () => {
    const world = new World();
    const options = world.options({ signal: AbortSignal.abort(new Error("mine")) });
    for await (const _ of keepConnected(TARGET, options)) throw new Error("there was a session");
    assertEquals(world.dialled, 0);
    assertEquals(world.clock.pending, 0);
  });

  for (
    const [when, options] of [
      ["while url is waited for", {}],
      ["while prepare is waited for", { prepare: () => new Promise<never>(() => {}) }],
      ["while it connects", { prepare: () => ({ conn: memoryPair()[0] }) }],
      ["while shouldRetry is waited for", {
        prepare: () => ({ conn: broken(new Error("no")) }),
        shouldRetry: () => new Promise<never>(() => {}),
      }],
      ["in a pause", { prepare: () => ({ conn: broken(new Error("no")) }) }],
    ] as [string, KeepConnectedOptions][]
  ) {
    test(when, async () => {
      const clock = new FakeClock();
      const controller = new AbortController();
      const told: unknown[] = [];
      const url = when.includes("url") ? () => new Promise<never>(() => {}) : TARGET;
      const sessions = keepConnected(url, {
        clock,
        signal: controller.signal,
        onError: (error) => told.push(error),
        onRetry: ({ error }) => told.push((error as Error).message),
        ...options,
      });
      const next = sessions.next();
      assertEquals(await isSettled(next, clock), false);
      controller.abort(new Error("mine"));
      assertEquals(await next, { done: true, value: undefined });
      assertEquals(await sessions.next(), { done: true, value: undefined });
      assertEquals(told, when === "in a pause" ? ["no"] : []);
      assertEquals(clock.pending, 0);
    });
  }

  test("from within url, prepare and onRetry", async () => {
    for (const where of ["url", "prepare", "onRetry"]) {
      const clock = new FakeClock();
      const controller = new AbortController();
      const stopIn = (name: string): void => name === where ? controller.abort() : undefined;
      const sessions = keepConnected(() => (stopIn("url"), TARGET), {
        clock,
        signal: controller.signal,
        prepare: () => (stopIn("prepare"), { conn: broken(new Error("no")) }),
        onRetry: () => stopIn("onRetry"),
      });
      assertEquals(await sessions.next(), { done: true, value: undefined });
      assertEquals(clock.pending, 0);
    }
  });

  test("just when a session has opened: closes it, and hands it out no more", async () => {
    const world = new World();
    const controller = new AbortController();
    const codes: number[] = [];
    const server = await world.serve(async (session) => {
      codes.push((await session.closed).code);
    });
    const options = world.options({
      signal: controller.signal,
      handlers: { open: () => controller.abort() },
    });
    for await (const _ of keepConnected(TARGET, options)) throw new Error("there was a session");
    await world.until(() => codes.length > 0);
    assertEquals(codes, [1000]);
    await server.shutdown();
    assertEquals(world.clock.pending, 0);
  });

  test("while a session is open: closes it with 1000, and its messages end", async () => {
    const world = new World();
    const controller = new AbortController();
    const codes: number[] = [];
    const server = await world.serve(async (session) => {
      session.send("hello");
      codes.push((await session.closed).code);
    });
    const all: unknown[] = [];
    const { signal } = controller;
    const shouldRetry = (): never => {
      throw new Error("nobody wants to know");
    };
    for await (
      const session of keepConnected(TARGET, world.options({ signal, shouldRetry }))
    ) {
      for await (const message of session) {
        all.push(message);
        controller.abort();
        assertEquals(session.state, "closing");
      }
      assertEquals((await session.closed).wasClean, true);
    }
    assertEquals(all, ["hello"]);
    await world.until(() => codes.length > 0);
    assertEquals(codes, [1000]);
    assertEquals(world.dialled, 1);
    await server.shutdown();
    assertEquals(world.clock.pending, 0);
  });

  test("and is then left alone", async () => {
    const world = new World();
    const server = await world.serve(() => {});
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    };
    for await (const session of keepConnected(TARGET, world.options({ signal }))) {
      assertEquals(listeners, 1);
      await messages(session);
    }
    assertEquals(listeners, 0);
    await server.shutdown();
  });
});

describe("A server that goes away and comes back", () => {
  test("is found again, on a real port", async () => {
    const hello: Handler = async (session) => {
      await session.send("hello");
      await session.closed;
    };
    let server = await serve({ port: 0 }, hello);
    const { port } = server.addr as TcpAddr;
    const clock = new FakeClock();
    const retries: Retry[] = [];
    const sessions = keepConnected(`ws://127.0.0.1:${port}/`, {
      clock,
      keepalive: false,
      onRetry: (retry) => {
        retries.push(retry);
        void (async () => {
          if (retries.length === 3) server = await serve({ port }, hello);
          await clock.advance(retry.delay + 10);
        })();
      },
    });
    const greetings: unknown[] = [];
    for await (const session of sessions) {
      greetings.push(await session.receive());
      if (greetings.length === 2) break;
      const [rest] = await Promise.all([messages(session), server.shutdown()]);
      assertEquals(rest, []);
    }
    assertEquals(greetings, ["hello", "hello"]);
    const [first, second, third] = retries.map(({ error }) => error as Error);
    assertEquals((first as ClosedError).status!.code, 1001);
    for (const error of [second, third]) assertStringIncludes(error.message, "connection refused");
    assertEquals(retries.length, 3);
    await server.shutdown();
    assertEquals(clock.pending, 0);
  });
});
