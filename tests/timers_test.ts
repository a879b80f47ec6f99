/** Every time limit, to within a tenth of its length, on a clock that tests hold in their hands. @module */

import { decodeHex } from "@std/encoding/hex";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, test } from "node:test";
import { type CloseStatus, connect, serve, TimeoutError } from "../mod.ts";
import { AddressSet } from "../src/address.ts";
import { Timers } from "../src/clock.ts";
import type { Role } from "../src/core/receiver.ts";
import { Incoming, type IncomingOptions } from "../src/incoming.ts";
import { resolveSessionOptions } from "../src/options.ts";
import type { Conn } from "../src/runtime/conn.ts";
import { MemoryListener, memoryPair } from "../src/runtime/memory.ts";
import type { WebSocketSession } from "../src/session.ts";
import { FakeClock } from "../src/fake_clock.ts";
import { settle } from "./settle.ts";
import { latin1 } from "./latin1.ts";
import { REQUEST } from "./raw_peer.ts";
import { readAll, sessionAndPeer, sessionPair } from "./session_pair.ts";

const hex = (text: string): Uint8Array => decodeHex(text.replaceAll(" ", ""));

const ROLES: readonly Role[] = ["server", "client"];

/** Whether a promise has been settled by now, and with what. */
async function outcome<T>(promise: Promise<T>): Promise<T | "pending"> {
  return await Promise.race([promise, settle().then(() => "pending" as const)]);
}

/**
 * Asserts that `promise` settles at `ms`, give or take a tenth; `each` is called every fiftieth of
 * that, as long as the promise is pending.
 */
async function assertSettlesAt<T>(
  clock: FakeClock,
  ms: number,
  promise: Promise<T>,
  each: () => unknown = () => {},
): Promise<T> {
  let result: { readonly value: T } | null = null;
  promise.then((value) => result = { value });
  for (let percent = 2; percent <= 110; percent += 2) {
    await clock.advance(ms / 50);
    if (result !== null) {
      assert(percent > 90, `settled after ${percent} % of ${ms} ms`);
      return (result as { readonly value: T }).value;
    }
    each();
  }
  throw new Error(`Nothing happened within 110 % of ${ms} ms`);
}

const POLICY: IncomingOptions<unknown>["policy"] = {
  protocols: [],
  accept: undefined,
  origin: "any",
  allowedHosts: undefined,
  trustedProxies: new AddressSet([]),
  compress: false,
};

/** A connection on its way in, its client, and a promise that the handshake's time limit is over. */
function incoming(
  context: Partial<IncomingOptions<unknown>> = {},
  isSecure = false,
): { clock: FakeClock; peer: Conn; conn: Conn; done: Promise<void> } {
  const clock = new FakeClock();
  const [peer, conn] = memoryPair();
  const done = new Promise<void>((resolve) => {
    const pending = new Incoming<unknown>({ conn, isSecure }, {
      options: resolveSessionOptions({}),
      policy: POLICY,
      fetch: undefined,
      timers: new Timers(clock),
      admit: () => {},
      release: () => {},
      mayRefuse: () => true,
      onUpgraded: () => {},
      onDecided: () => resolve(),
      onDone: () => {},
      onError: () => {},
      ...context,
    });
    void pending.run();
  });
  return { clock, peer, conn, done };
}

/** The text of everything that a peer gets. */
async function textOf(clock: FakeClock, peer: Conn): Promise<string> {
  const all = readAll(peer);
  await clock.advance(5000);
  return String.fromCharCode(...await all);
}

describe("T-1 handshakeTimeout", () => {
  for (const start of ["", REQUEST.slice(0, 50), REQUEST.slice(0, -1)]) {
    test(`H-53 ends a handshake that stops after ${start.length} bytes with 408`, async () => {
      const { clock, peer, done } = incoming();
      await peer.write(latin1(start));
      await assertSettlesAt(clock, 10_000, done);
      assertStringIncludes(await textOf(clock, peer), "HTTP/1.1 408 ");
      assertEquals(clock.pending, 0);
    });
  }

  test("H-53 counts from the beginning, however many bytes arrive", async () => {
    const { clock, peer, done } = incoming();
    let at = 0;
    await assertSettlesAt(clock, 10_000, done, () => peer.write(latin1(REQUEST[at++])));
    assert(at > 40, `${at} bytes`);
    assertStringIncludes(await textOf(clock, peer), "HTTP/1.1 408 ");
  });

  test("counts the time that accept takes, and tells it", async () => {
    let signal: AbortSignal | undefined;
    const { clock, peer, done } = incoming({
      policy: {
        ...POLICY,
        accept: (_, context) => {
          signal = context.signal;
          return new Promise<void>(() => {});
        },
      },
    });
    await peer.write(latin1(REQUEST));
    await assertSettlesAt(clock, 10_000, done);
    assertEquals(signal!.aborted, true);
    assertStringIncludes(await textOf(clock, peer), "HTTP/1.1 408 ");
  });

  test("H-53 counts a TLS handshake, and closes without an answer that it could not carry", async () => {
    const { clock, peer, done } = incoming({}, true);
    await assertSettlesAt(clock, 10_000, done);
    assertEquals(await textOf(clock, peer), "");
    assertEquals(clock.pending, 0);
  });

  test("counts a 101 that the transport does not take", async () => {
    const { clock, peer, conn, done } = incoming();
    const writing = new Promise<void>((resolve) => {
      conn.write = () => {
        resolve();
        return new Promise<void>(() => {});
      };
    });
    await peer.write(latin1(REQUEST));
    await writing; // the hash is made elsewhere, in real time
    await assertSettlesAt(clock, 10_000, done);
    assertEquals(await textOf(clock, peer), "");
    assertEquals(clock.pending, 0);
  });
});

describe("T-1 handshakeTimeout of a client", () => {
  const ANSWER = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n";
  for (
    const [name, head, drip] of [["silence", "", 0], ["half a 101", ANSWER, 0], [
      "1 byte/10 ms",
      "",
      10,
    ]] as const
  ) {
    test(`R-42 ends ${name} in time, in real time`, async () => {
      const [conn, peer] = memoryPair();
      await peer.write(latin1(head));
      let at = 0;
      const next = (): void =>
        void peer.write(latin1(ANSWER[at++ % ANSWER.length])).catch(() => {});
      const timer = drip === 0 ? undefined : setInterval(next, drip);
      const start = performance.now();
      const error = await connect("ws://memory/", { conn, handshakeTimeout: 300 }).catch((e) => e);
      const took = performance.now() - start;
      clearInterval(timer);
      assert(error instanceof TimeoutError, String(error));
      assert(took >= 295 && took < 1300, `${took} ms`);
      assertEquals(await readAll(peer).then((bytes) => bytes.length > 100), true);
    });
  }
});

describe("T-2 T-3 keepalive", () => {
  for (const role of ROLES) {
    test(`pings a silent ${role === "server" ? "client" : "server"} at the interval and drops it at the timeout`, async () => {
      const { session, peer, clock } = sessionAndPeer(role, {
        keepalive: { interval: 5000, timeout: 3000 },
      });
      const ping = (await assertSettlesAt(clock, 5000, peer.read()))!;
      assertEquals(ping[0], 0x89);
      const { code, error } = await assertSettlesAt(clock, 3000, session.closed);
      assert(error instanceof TimeoutError);
      assertEquals([code, clock.pending], [1006, 0]);
    });
  }

  test("pings at the interval again, however long an answer may take", async () => {
    const { session, peer, clock } = sessionAndPeer("server", {
      keepalive: { interval: 5000, timeout: 60_000 },
    });
    for (let i = 0; i < 3; i++) {
      const ping = (await assertSettlesAt(clock, 5000, peer.read()))!;
      assertEquals(ping[0], 0x89);
      await peer.write(hex("8a80 00000000")); // any byte counts
    }
    assertEquals((await assertSettlesAt(clock, 5000, peer.read()))![0], 0x89);
    const { error } = await assertSettlesAt(clock, 60_000, session.closed);
    assert(error instanceof TimeoutError);
  });

  test("goes on where a late answer has no limit", async () => {
    const { session, peer, clock } = sessionAndPeer("server", {
      keepalive: { interval: 5000, timeout: Infinity },
    });
    assertEquals((await assertSettlesAt(clock, 5000, peer.read()))![0], 0x89);
    await clock.advance(12_000); // the answer is late
    await peer.write(hex("8a80 00000000"));
    const next = peer.read();
    await clock.advance(10_000);
    assertEquals((await next)![0], 0x89);
    session.abort();
  });

  test("goes on while the session is not read, but judges nobody", async () => {
    const { session, peer, clock } = sessionAndPeer("server", { limits: { receiveQueue: 1 } });
    await peer.write(hex("8180 00000000 8180 00000000 8180 00000000"));
    for (let i = 0; i < 5; i++) {
      assertEquals((await assertSettlesAt(clock, 25_000, peer.read()))![0], 0x89);
    }
    assertEquals(session.state, "open");
    assertEquals(await session.receive(), "");
    session.abort();
  });

  test("notices that the connection is gone, though the session is not read", async () => {
    const { session, peer, clock } = sessionAndPeer("server", { limits: { receiveQueue: 1 } });
    await peer.write(hex("8180 00000000 8180 00000000 8180 00000000"));
    await clock.advance(1000);
    peer.reset();
    await clock.advance(25_000 + 10_000); // a ping, and the time for what the peer may have sent
    assertEquals(((await outcome(session.closed)) as CloseStatus).code, 1006);
    assertEquals(clock.pending, 0);
  });

  test("is not put off by what we send", async () => {
    const { session, peer, clock } = sessionAndPeer("server", { memory: { highWaterMark: 1e6 } });
    const closed = assertSettlesAt(clock, 45_000, session.closed, () => session.send("a"));
    const { error } = await closed;
    assert(error instanceof TimeoutError);
    peer.close();
  });

  test("is put off by every byte received", async () => {
    const { session, peer, clock } = sessionAndPeer("server");
    const binary = hex("82fe 7fff 00000000");
    for (const byte of [...binary, 1, 2, 3]) {
      await clock.advance(24_000);
      await peer.write(Uint8Array.of(byte));
    }
    const first = (await assertSettlesAt(clock, 25_000, peer.read()))!;
    assertEquals(first[0], 0x89);
    session.abort();
  });

  test("N-8 notices at both ends that a relay has stopped forwarding", async () => {
    let isForwarding = true;
    const delay = (): Promise<void> => isForwarding ? Promise.resolve() : new Promise(() => {});
    const { client, server, clock } = sessionPair({ memory: { delay } });
    await clock.advance(130_000); // pings pass
    assertEquals(await outcome(Promise.race([client.closed, server.closed])), "pending");
    isForwarding = false;
    await clock.advance(49_000 + 25_000); // the last byte may be 25 s old, or has just come
    const statuses = await outcome(Promise.all([client.closed, server.closed]));
    for (const { error } of statuses as CloseStatus[]) assert(error instanceof TimeoutError);
    assertEquals(clock.pending, 0);
  });

  test("H-54 ends a client that reads nothing from its 101 on", async () => {
    const { session, clock } = sessionAndPeer("server", { memory: { highWaterMark: 1 } });
    const { error } = await assertSettlesAt(clock, 45_000, session.closed);
    assert(error instanceof TimeoutError);
    assertEquals(clock.pending, 0);
  });
});

describe("T-4 closeTimeout", () => {
  for (const role of ROLES) {
    const mask = role === "server" ? "80" : "00";
    const frame = (first: string, size: number, payload = ""): Uint8Array =>
      hex(
        first + (Number.parseInt(mask, 16) | size).toString(16).padStart(2, "0") +
          (role === "server" ? "00000000" : "") + payload,
      );

    test(`X-7 a ${role} waits that long for a Close, whatever else comes`, async () => {
      const { session, peer, clock } = sessionAndPeer(role, { closeTimeout: 4000 });
      const closed = session.close(1000);
      const drip = (): void => void peer.write(frame("81", 1, "61")).catch(() => {});
      const { code, wasClean, error } = await assertSettlesAt(clock, 4000, closed, drip);
      assertEquals([code, wasClean, clock.pending], [1006, false, 0]);
      assert(error instanceof TimeoutError);
    });

    test(`X-7 a ${role} waits that long for FIN`, async () => {
      const { session, peer, clock } = sessionAndPeer(role, { closeTimeout: 4000 });
      const closed = session.close(1000);
      await clock.advance(0);
      await peer.write(frame("88", 2, "03e8"));
      const { code, wasClean } = await assertSettlesAt(clock, 4000, closed);
      assertEquals([code, wasClean, clock.pending], [1000, true, 0]);
    });

    test(`X-7 a ${role} that answers a Close waits that long for FIN`, async () => {
      const { session, peer, clock } = sessionAndPeer(role, { closeTimeout: 4000 });
      await peer.write(frame("88", 2, "03e8"));
      const received = session.receive();
      await clock.advance(0);
      assertEquals(await outcome(received), null);
      const { code, wasClean } = await assertSettlesAt(clock, 4000, session.closed);
      assertEquals([code, wasClean, clock.pending], [1000, true, 0]);
    });

    test(`X-7 a ${role} sees FIN without a Close, or a reset, at once`, async () => {
      for (const end of ["closeWrite", "reset"] as const) {
        const { session, peer, clock } = sessionAndPeer(role);
        const closed = session.close(1000);
        await clock.advance(0);
        void peer[end]();
        const { code, wasClean } = await outcome(closed) as CloseStatus;
        assertEquals([code, wasClean, clock.pending], [1006, false, 0]);
      }
    });

    test(`X-10 a ${role} does not wait longer for a deaf peer to take its backlog`, async () => {
      const { session, clock } = sessionAndPeer(role, {
        memory: { highWaterMark: 1 },
        keepalive: false,
      });
      session.send(new Uint8Array(16_000_000)).catch(() => {});
      const { code } = await assertSettlesAt(clock, 10_000, session.close(1000));
      assertEquals([code, clock.pending], [1006, 0]);
    });
  }
});

test("X-11 a shutdown with 1000 clients, 100 of them deaf, is over at closeTimeout", async () => {
  const listener = new MemoryListener();
  const server = await serve({ listener, closeTimeout: 500 }, async (session) => {
    for await (const _ of session);
  });
  const connecting = Array.from({ length: 900 }, async () => {
    const session = await connect("ws://memory/", { conn: listener.connect() });
    void session.receive();
    return session.closed;
  });
  for (let i = 0; i < 100; i++) void listener.connect().write(latin1(REQUEST));
  while (server.stats().sessions < 1000) await settle();
  const start = performance.now();
  await server.shutdown();
  const took = performance.now() - start;
  assert(took >= 450 && took < 1500, `${took} ms`);
  for (const { code, wasClean } of await Promise.all(connecting)) {
    assertEquals([code, wasClean], [1001, true]);
  }
  assertEquals(Object.entries(server.stats()).filter(([, count]) => count > 0), []);
});

describe("T-5 writeStallTimeout", () => {
  for (const role of ROLES) {
    test(`ends a ${role} whose transport takes nothing`, async () => {
      const { session, clock } = sessionAndPeer(role, {
        memory: { highWaterMark: 1 },
        keepalive: false,
        writeStallTimeout: 7000,
      });
      session.send("hello").catch(() => {});
      const { error } = await assertSettlesAt(clock, 7000, session.closed);
      assert(error instanceof TimeoutError);
      assertStringIncludes(error.message, "writeStallTimeout");
      assertEquals(clock.pending, 0);
    });

    test(`counts from a ${role}'s last progress`, async () => {
      const { session, peer, clock } = sessionAndPeer(role, {
        memory: { highWaterMark: 1 },
        keepalive: false,
        writeStallTimeout: 7000,
      });
      session.send(new Uint8Array(1_000_000)).catch(() => {}); // several writes
      for (const ms of [1000, 6000, 3000]) {
        await clock.advance(ms);
        await peer.read();
      }
      await clock.advance(0);
      await assertSettlesAt(clock, 7000, session.closed);
    });
  }

  test("does not count while nothing is to be written", async () => {
    const { session, peer, clock } = sessionAndPeer("server", {
      keepalive: false,
      writeStallTimeout: 7000,
    });
    for (let i = 0; i < 10; i++) {
      session.send("hello");
      await clock.advance(20_000);
    }
    assertEquals(await outcome(session.closed), "pending");
    assertEquals(clock.pending, 0); // idle, without keepalive: no timer at all
    session.abort();
    peer.close();
  });
});

/** Counts what it is asked for. */
class CountingClock extends FakeClock {
  calls = 0;

  override schedule(ms: number, callback: () => void): ReturnType<FakeClock["schedule"]> {
    this.calls++;
    return super.schedule(ms, callback);
  }
}

class CountingTimers extends Timers {
  calls = 0;

  override set<T>(
    ms: number,
    callback: (argument: T) => void,
    argument?: T,
  ): ReturnType<Timers["set"]> {
    this.calls++;
    return super.set(ms, callback, argument!);
  }
}

describe("T-9 cost", () => {
  test("10 000 messages each way, one by one, set no timer", async () => {
    const clock = new CountingClock();
    const timers = new CountingTimers(clock);
    const echo = async (session: WebSocketSession): Promise<void> => {
      for await (const message of session) await session.send(message);
    };
    const { client, server } = sessionPair({ timers, run: echo }, { timers });
    client.send("first");
    await client.receive();
    const before = [timers.calls, clock.calls];
    for (let i = 0; i < 10_000; i++) {
      client.send("a message");
      assertEquals(await client.receive(), "a message");
    }
    assertEquals([timers.calls, clock.calls], before);
    assert(timers.calls <= 4 && clock.calls <= 3, `${timers.calls}, ${clock.calls}`);
    await client.close();
    await server.closed;
    assert(timers.calls <= 6, `${timers.calls} timers`);
    assertEquals(clock.pending, 0);
  });

  test("1000 sessions wait for one call of the clock, and none is left when they have ended", async () => {
    const clock = new CountingClock();
    const timers = new Timers(clock);
    const pairs = Array.from({ length: 500 }, () => sessionPair({ timers }, { timers }));
    await settle();
    assertEquals([clock.pending, clock.calls], [1, 1]);
    for (const { client } of pairs) client.send("hello");
    await settle();
    assertEquals(clock.pending, 1);
    for (const { client } of pairs) void client.close(1000);
    for (const { server } of pairs) assertEquals(await server.receive(), "hello");
    for (const { server } of pairs) assertEquals(await server.receive(), null);
    await Promise.all(pairs.flatMap(({ client, server }) => [client.closed, server.closed]));
    assertEquals(clock.pending, 0);
  });
});
