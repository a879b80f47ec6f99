import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { describe, test } from "node:test";
import { ClosedError, type CloseStatus, ProtocolError, TimeoutError } from "../mod.ts";
import { FakeClock } from "../src/fake_clock.ts";
import type { Conn } from "../src/runtime/conn.ts";
import type { WebSocketSession } from "../src/session.ts";
import { encodeFrame, joinBytes, MASK } from "./frames.ts";
import {
  createSession,
  type PairOptions,
  readAll,
  sessionAndPeer,
  sessionPair,
} from "./session_pair.ts";
import { settle } from "./settle.ts";

const hex = (text: string): Uint8Array => decodeHex(text.replaceAll(" ", ""));

const echo = async (session: WebSocketSession): Promise<void> => {
  for await (const message of session) await session.send(message);
};

/** What a promise has come to by now. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  const pending = Symbol("pending");
  const result = await Promise.race([
    promise.catch((error) => error),
    settle().then(() => pending),
  ]);
  return result === pending ? "pending" : result;
}

describe("sending and receiving", () => {
  test("messages arrive in order, text as text, bytes as bytes", async () => {
    const { client, server } = sessionPair({ run: echo });
    const messages = [
      "",
      "a",
      "ÿ€😀\ufeff",
      new Uint8Array(0),
      Uint8Array.of(1, 2),
      "x".repeat(99_999),
    ];
    for (const message of messages) client.send(message);
    for (const message of messages) assertEquals(await client.receive(), message);
    await client.close();
    assertEquals((await server.closed).wasClean, true);
  });

  test("A-1 any view of a buffer sends exactly its slice", async () => {
    const { client } = sessionPair({ run: echo });
    const { buffer } = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7);
    client.send(buffer);
    client.send(new Uint8Array(buffer, 2, 3));
    client.send(new DataView(buffer, 1, 2));
    client.send(new Uint16Array(buffer, 4, 1));
    const received = [];
    for (let i = 0; i < 4; i++) received.push(Array.from(await client.receive() as Uint8Array));
    assertEquals(received, [[0, 1, 2, 3, 4, 5, 6, 7], [2, 3, 4], [1, 2], [4, 5]]);
    await client.close();
  });

  test("A-1 anything else is a TypeError, and nothing is written", async () => {
    const { session, peer } = sessionAndPeer("server");
    for (const value of [null, undefined, 1, {}, [], true, Symbol("x"), () => {}, new Date()]) {
      await assertRejects(() => session.send(value as string), TypeError, "Cannot send");
    }
    session.abort();
    assertEquals((await readAll(peer)).length, 0);
  });

  test("A-4 bytes are taken as they are at the call, and never changed", async () => {
    const { client } = sessionPair({ run: echo });
    for (const size of [4, 70_000, 300_000]) {
      const bytes = new Uint8Array(size).fill(1);
      client.send(bytes);
      assertEquals(bytes.every((byte) => byte === 1), true);
      bytes.fill(2);
      const received = await client.receive() as Uint8Array;
      assertEquals(received.every((byte) => byte === 1), true);
    }
    await client.close();
  });

  test("A-6 a received message is the receiver's own, for good", async () => {
    const { client } = sessionPair({ run: echo, memory: { cut: (size) => Math.min(size, 100) } });
    const kept: Uint8Array[] = [];
    for (let i = 0; i < 300; i++) {
      client.send(new Uint8Array(i).fill(i));
      kept.push(await client.receive() as Uint8Array);
    }
    for (const [i, message] of kept.entries()) {
      assertEquals([message.length, message.buffer.byteLength], [i, i]);
      assert(message.every((byte) => byte === (i & 0xff)));
    }
    await client.close();
  });

  test("calls of receive() queue in order", async () => {
    const { client, server } = sessionPair();
    const calls = [server.receive(), server.receive(), server.receive()];
    client.send("1");
    client.send("2");
    await client.close();
    assertEquals(await Promise.all(calls), ["1", "2", null]);
    assertEquals(await server.receive(), null);
  });

  test("break leaves the session open, and another loop goes on", async () => {
    const { client, server } = sessionPair();
    for (const message of ["1", "2", "3"]) client.send(message);
    for await (const message of server) {
      assertEquals(message, "1");
      break;
    }
    const rest = [];
    const closed = client.close();
    for await (const message of server) rest.push(message);
    assertEquals(rest, ["2", "3"]);
    assertEquals((await closed).code, 1005);
  });

  test("receive() on a session with handlers is a TypeError", async () => {
    const { server, client } = sessionPair({ handlers: { message: () => {} } });
    assertThrows(() => server.receive(), TypeError, "handlers");
    await client.close();
  });

  test("writes of one turn leave in one write", async () => {
    const { session, conn, peer } = sessionAndPeer("server");
    let writes = 0;
    const write = conn.write.bind(conn);
    conn.write = (bytes) => {
      writes++;
      return write(bytes);
    };
    for (let i = 0; i < 100; i++) session.send("message");
    assertEquals((await readAll(peer, 900)).length, 900);
    assertEquals(writes, 1);
    session.abort();
  });
});

describe("flow control", () => {
  test("send() waits while the backlog is above the high-water mark", async () => {
    const { session, peer } = sessionAndPeer("server", { memory: { highWaterMark: 1 } });
    const first = session.send(new Uint8Array(60_000));
    assertEquals(await outcome(first), undefined);
    const second = session.send(new Uint8Array(60_000));
    assertEquals(await outcome(second), "pending");
    assertEquals(session.bufferedAmount, 120_000);
    await readAll(peer, 60_000 + 4 + 60_000 + 4);
    assertEquals(await outcome(second), undefined);
    assertEquals(session.bufferedAmount, 0);
    session.abort();
  });

  for (
    const user of [
      { handlers: { message: (session, message) => session.send(message) } },
      { run: echo },
    ] satisfies PairOptions[]
  ) {
    const name = "run" in user ? "iteration" : "a handler";
    test(`an answer that ${name} waits for waits for nobody, though more has come`, async () => {
      const { session, peer, clock } = sessionAndPeer("server", user);
      clock.turn = () => new Promise(() => {}); // the others' turn never comes
      const payload = new Uint8Array(70_000); // above the high-water mark
      const frame = encodeFrame({ opcode: 2, payload, mask: MASK });
      void peer.write(joinBytes(frame, frame));
      const size = 2 * (10 + payload.length);
      assertEquals((await readAll(peer, size)).length, size);
      session.abort();
    });
  }

  test("M-10 messages without a byte are a backlog, too", async () => {
    for (const text of ["", "a"]) {
      const { session, peer } = sessionAndPeer("server", {
        memory: { highWaterMark: 1 }, // the peer reads nothing
        handlers: { message: (session, message) => session.send(message) },
      });
      const frame = encodeFrame({ opcode: 1, payload: new TextEncoder().encode(text), mask: MASK });
      const frames = joinBytes(...Array(1000).fill(frame));
      let taken = 0;
      let isTaken = true;
      while (isTaken && taken < 200) {
        isTaken = false;
        const count = (): void => {
          isTaken = true;
          taken++;
        };
        void peer.write(frames).then(count, () => {}); // the session ends at last
        for (let rounds = 0; !isTaken && rounds < 100; rounds++) await settle();
      }
      assert(taken > 10 && taken < 50, `${taken} thousand messages of ${text.length} bytes`);
      session.abort();
    }
  });

  test("M-10 nobody can send more of them than the cap allows", async () => {
    const { session } = sessionAndPeer("server", {
      memory: { highWaterMark: 1 },
      limits: { maxSendBacklog: 100_000 },
    });
    let count = 0;
    while (session.state === "open" && count < 200_000) {
      session.send("");
      count++;
    }
    assertEquals(count, 50_001);
    assertEquals((await session.closed).code, 1006);
  });

  test("M-9 a backlog at its cap ends the session, never a silent drop", async () => {
    const { session } = sessionAndPeer("server", {
      memory: { highWaterMark: 1 },
      limits: { maxSendBacklog: 100_000 },
    });
    const sends = [session.send(new Uint8Array(500_000))]; // any size onto an empty backlog
    assertEquals(await outcome(sends[0]), "pending");
    const error = await assertRejects(() => session.send("one more"), ClosedError);
    const status = await session.closed;
    assertEquals([status.code, status.wasClean], [1006, false]);
    assertEquals(
      String(status.error),
      "RangeError: The backlog has reached 100000 bytes (limits.maxSendBacklog)",
    );
    assertEquals(error.status, status);
    await assertRejects(() => sends[0], ClosedError);
  });

  test("a session that is not read stops reading its Conn", async () => {
    const { client, server } = sessionPair({ memory: { highWaterMark: 1000 } });
    let sent = 0;
    const sending = (async () => {
      for (; sent < 10_000; sent++) await client.send("x".repeat(100));
    })();
    for (let i = 0; i < 20; i++) await settle();
    assert(sent < 2000, `${sent} messages left although nobody read them`);
    let received = 0;
    while (received < 10_000) {
      await server.receive();
      received++;
    }
    await sending;
    const closed = client.close();
    assertEquals(await server.receive(), null);
    await closed;
  });

  test("what arrives behind our close() and has no place leaves no gap", async () => {
    const { client, server } = sessionPair({ limits: { receiveQueue: 4 } });
    for (let i = 0; i < 6; i++) client.send(`${i}`);
    await settle();
    const closed = server.close(1000);
    for (let i = 6; i < 12; i++) client.send(`${i}`);
    await settle();
    const received = [await server.receive(), await server.receive()];
    client.send("late");
    await settle();
    for (let message = await server.receive(); message !== null;) {
      received.push(message);
      message = await server.receive();
    }
    void client.receive();
    await closed;
    assertEquals(received, ["0", "1", "2", "3"]);
  });

  test("a promise of the message handler delays the next message", async () => {
    const log: string[] = [];
    const { client } = sessionPair({
      handlers: {
        async message(session, message) {
          log.push(`begin ${message}`);
          await settle();
          log.push(`end ${message}`);
          session.send(message);
        },
      },
    });
    for (const message of ["1", "2", "3"]) client.send(message);
    for (const message of ["1", "2", "3"]) assertEquals(await client.receive(), message);
    assertEquals(log, ["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"]);
    await client.close();
  });

  test("a flood of small frames lets others have their turn", async () => {
    let handled = 0;
    const { session, peer, clock } = sessionAndPeer("server", {
      memory: { highWaterMark: 1e6 },
      handlers: { message: () => void handled++ },
    });
    await peer.write(hex("818000000000".repeat(10_000)));
    const seen: number[] = [];
    while (handled < 10_000) {
      await clock.turn();
      seen.push(handled);
    }
    assert(seen.length > 50, `only ${seen.length} turns`);
    session.abort();
  });
});

describe("pings", () => {
  test("ping() resolves with the round trip, and latency keeps it", async () => {
    const { client, server, clock } = sessionPair();
    assertEquals(client.latency, undefined);
    const [one, two] = [client.ping(), client.ping()];
    await clock.advance(0);
    assertEquals([await one, await two], [0, 0]);
    assertEquals(client.latency, 0);
    const { session, peer, clock: other } = sessionAndPeer("server");
    const ping = session.ping();
    const frame = await readAll(peer, 6);
    await other.advance(70);
    await peer.write(Uint8Array.of(0x8a, 0x84, 0, 0, 0, 0, ...frame.subarray(2)));
    assertEquals(await ping, 70);
    session.abort();
    await client.close();
    await server.closed;
  });

  test("F-50 pongs that answer nothing mean nothing", async () => {
    const { session, peer } = sessionAndPeer("server");
    const ping = session.ping();
    await readAll(peer, 6);
    await peer.write(hex("8a8000000000 8a84 00000000 ffffffff 8a85 00000000 0000000100"));
    assertEquals(await outcome(ping), "pending");
    session.abort();
    await assertRejects(() => ping, ClosedError);
  });

  test("F-51 a ping is answered although nobody reads the session", async () => {
    const { session, peer } = sessionAndPeer("server");
    await peer.write(hex("8982 00000000 6869"));
    assertEquals(encodeHex(await readAll(peer, 4)), "8a026869");
    session.abort();
  });
});

describe("closing", () => {
  test("X-5 both sides agree on code and reason, one status each", async () => {
    for (
      const [code, reason, seen] of [[1000, "bye", 1000], [4999, "", 4999], [
        undefined,
        "",
        1005,
      ]] as const
    ) {
      const { client, server } = sessionPair({ run: echo });
      const status = await client.close(code, reason);
      assertEquals(status, { code: seen, reason: "", wasClean: true });
      assertEquals(await server.closed, { code: seen, reason, wasClean: true });
    }
  });

  test("X-5 both sides close at once", async () => {
    const { client, server } = sessionPair();
    const statuses = await Promise.all([client.close(4001, "c"), server.close(4002, "s")]);
    assertEquals(statuses, [
      { code: 4002, reason: "s", wasClean: true },
      { code: 4001, reason: "c", wasClean: true },
    ]);
  });

  test("a Close is answered once every earlier message has been dealt with", async () => {
    const { client, server } = sessionPair({ run: echo });
    for (let i = 0; i < 50; i++) client.send(`${i}`);
    const closed = client.close(1000);
    for (let i = 0; i < 50 && i < 16; i++) assertEquals(await client.receive(), `${i}`);
    assertEquals((await closed).wasClean, true);
    assertEquals((await server.closed).wasClean, true);
  });

  test("a Close is answered after closeTimeout if the user never asks for more", async () => {
    const { client, server, clock } = sessionPair({}, { closeTimeout: 20_000 });
    client.send("unread");
    const closed = client.close(1000);
    await settle();
    assertEquals(await outcome(closed), "pending");
    await clock.advance(10_020);
    assertEquals((await closed).code, 1000);
    assertEquals((await server.closed).code, 1000);
    assertEquals([await server.receive(), await server.receive()], ["unread", null]);
  });

  test("a session that only sends answers a Close at once", async () => {
    const { client, server } = sessionPair({ run: (session) => session.closed });
    assertEquals((await client.close(1000)).code, 1000);
    assertEquals((await server.closed).code, 1000);
  });

  test("close() inside the loop ends it after the queued messages", async () => {
    const { client, server } = sessionPair();
    for (const message of ["1", "2", "3"]) client.send(message);
    await settle();
    const seen = [];
    for await (const message of server) {
      seen.push(message);
      if (message === "1") server.close(1000);
    }
    assertEquals(seen, ["1", "2", "3"]);
    await client.closed;
  });

  test("X-3 wrong codes and reasons reject, and nothing is written", async () => {
    const { session, peer } = sessionAndPeer("server");
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535, 1.5, NaN, -1]) {
      await assertRejects(() => session.close(code), RangeError, `${code}`);
    }
    await assertRejects(() => session.close(1000, "é".repeat(62)), RangeError, "124 bytes");
    await assertRejects(() => session.close(1000, "\ud800"), TypeError, "surrogate");
    await assertRejects(() => session.close("1000" as unknown as number), TypeError);
    await assertRejects(() => session.close(1000, 5 as unknown as string), TypeError);
    await assertRejects(() => session.close(undefined, "reason"), TypeError);
    session.send("still open");
    assertEquals((await readAll(peer, 12)).length, 12);
    session.abort();
  });

  test("X-8 after the end, send and ping reject with the status, close resolves with it", async () => {
    const { client, server } = sessionPair({ run: echo });
    const closed = client.close(4000);
    await assertRejects(() => client.send("x"), ClosedError, "closing");
    await assertRejects(() => client.ping(), ClosedError, "closing");
    const status = await closed;
    const error = await assertRejects(() => client.send("x"), ClosedError, "closed (4000)");
    assertEquals(error.status, status);
    await assertRejects(() => client.ping(), ClosedError);
    assertEquals(await client.close(1000), status);
    client.abort(new Error("too late"));
    assertEquals(await client.closed, status);
    await server.closed;
  });

  test("X-6 what comes after a Close is ignored and not kept", async () => {
    const { session, peer } = sessionAndPeer("server");
    const received = session.receive();
    await peer.write(hex("8882 00000000 03e8 8181 00000000 61 8980 00000000 8882 00000000 0fa0"));
    assertEquals(await received, null);
    assertEquals(encodeHex(await readAll(peer)), "880203e8");
    peer.close();
    assertEquals(await session.closed, { code: 1000, reason: "", wasClean: true });
  });

  test("F-1 a broken rule gets its Close, FIN, and an unclean status with the error", async () => {
    const { session, peer } = sessionAndPeer("server", { run: echo });
    await peer.write(hex("8181 00000000 61 8102 6869"));
    const bytes = encodeHex(await readAll(peer));
    assert(bytes.startsWith("810161" + "88") && bytes.slice(10, 14) === "03ea", bytes);
    peer.close();
    const status = await session.closed;
    assertEquals([status.code, status.wasClean], [1006, false]);
    assert(status.error instanceof ProtocolError);
    assertEquals(status.error.closeCode, 1002);
  });

  test("N-5 FIN without a Close is 1006, after the messages before it", async () => {
    const { session, peer } = sessionAndPeer("server");
    await peer.write(hex("8181 00000000 61 8185 00000000 61"));
    await peer.closeWrite();
    assertEquals([await session.receive(), await session.receive()], ["a", null]);
    assertEquals(await session.closed, { code: 1006, reason: "", wasClean: false });
    assertEquals(await peer.read().catch(() => null), null);
  });

  test("N-5 from a FIN without a Close on nothing can be sent, while what was sent still leaves", async () => {
    const { session, peer } = sessionAndPeer("server", { memory: { highWaterMark: 1 } });
    session.send("sent before");
    await peer.write(hex("8181 00000000 61"));
    assertEquals([await session.receive(), session.state], ["a", "open"]);
    await peer.closeWrite();
    assertEquals([await session.receive(), session.state], [null, "closing"]);
    await assertRejects(() => session.send("too late"), ClosedError, "closing");
    await assertRejects(() => session.ping(), ClosedError, "closing");
    const closed = session.close();
    assertEquals(encodeHex(await readAll(peer)), "810b" + encodeHex("sent before") + "8800");
    assertEquals(await closed, { code: 1006, reason: "", wasClean: false });
  });

  test("N-3 a reset is 1006 with the error", async () => {
    const { session, peer } = sessionAndPeer("client");
    const ping = session.ping();
    const sends = [session.send("x"), session.send("y".repeat(1e6))];
    await settle();
    peer.reset();
    const status = await session.closed;
    assertEquals([status.code, status.wasClean], [1006, false]);
    assertEquals(String(status.error), "Error: The connection was reset");
    await assertRejects(() => ping, ClosedError);
    await assertRejects(() => sends[1], ClosedError);
    assertEquals(await session.receive(), null);
  });

  test("ends in good order when the peer goes before our Close counts as written", async () => {
    for (const fault of [null, new Error("EPIPE")]) {
      const reads = [hex("8802 0fa0")];
      let isClosed = false;
      const conn: Conn = {
        // deno-lint-ignore require-await -- it throws, and this rejects
        async read(): Promise<Uint8Array | null> {
          const bytes = reads.shift();
          if (bytes === undefined) throw new Error("ECONNRESET");
          return bytes;
        },
        async write(): Promise<void> {
          for (let i = 0; i < 50; i++) await null;
          assertEquals(isClosed, false);
          if (fault !== null) throw fault;
        },
        closeWrite: () => Promise.resolve(),
        close: () => void (isClosed = true),
      };
      const session = createSession(conn, "client", new FakeClock(), {});
      const { code, wasClean } = await session.closed;
      assertEquals([code, wasClean, isClosed], [4000, fault === null, true]);
    }
  });

  test("abort() drops the connection now, with its error in the status", async () => {
    const { client, server } = sessionPair({ run: echo });
    const reading = client.receive();
    const error = new Error("no more");
    client.abort(error);
    assertEquals(await client.closed, { code: 1006, reason: "", wasClean: false, error });
    assertEquals(await reading, null);
    assertEquals((await server.closed).code, 1006);
  });

  test("await using closes with 1000", async () => {
    const { client, server } = sessionPair({ run: echo });
    await client[Symbol.asyncDispose]();
    assertEquals((await server.closed).code, 1000);
    await client[Symbol.asyncDispose]();
  });

  test("X-10 close() behind a long backlog and a deaf peer ends at closeTimeout", async () => {
    const { session, clock } = sessionAndPeer("server", {
      memory: { highWaterMark: 1 },
      writeStallTimeout: Infinity,
    });
    session.send(new Uint8Array(1_000_000));
    const closed = session.close(1000);
    await clock.advance(9990);
    assertEquals(await outcome(closed), "pending");
    await clock.advance(20);
    const status = await closed;
    assertEquals(status.code, 1006);
    assert(status.error instanceof TimeoutError);
    assertEquals(clock.pending, 0);
  });
});

describe("X-9 what users throw", () => {
  test("goes to onError, closes with 1011, and is the status's error", async () => {
    const boom = new Error("boom");
    const errors: unknown[] = [];
    const { client, server } = sessionPair({
      run: () => Promise.reject(boom),
      onError: (error) => errors.push(error),
    });
    assertEquals((await client.closed).code, 1011);
    assertEquals((await server.closed).error, boom);
    assertEquals(errors, [boom]);
  });

  test("ends the handler's work: it gets no message after the one it failed on", async () => {
    const handled: unknown[] = [];
    const { client, server } = sessionPair({
      handlers: {
        message(_, message) {
          handled.push(message);
          throw new Error("boom");
        },
      },
    });
    for (const message of ["1", "2", "3"]) client.send(message);
    await settle();
    client.send("4");
    assertEquals((await client.closed).code, 1011);
    assertEquals((await server.closed).wasClean, true);
    assertEquals(handled, ["1"]);
  });

  test("drops what was waiting: for a handler that rejects, and for one that stops receiving", async () => {
    const handled: unknown[] = [];
    const boom = new Error("boom");
    const handlers = sessionPair({
      handlers: {
        message(_, message) {
          handled.push(message);
          return Promise.reject(boom);
        },
      },
    });
    const run = sessionPair({
      async run(session) {
        handled.push(await session.receive());
        await settle(); // more has come
        throw boom;
      },
    });
    for (const { client, server } of [handlers, run]) {
      for (const message of ["1", "2", "3"]) client.send(message);
      assertEquals((await client.closed).code, 1011);
      assertEquals((await server.closed).error, boom);
      assertEquals(await client.receive(), null);
    }
    assertEquals(handled, ["1", "1"]);
    assertEquals(await run.server.receive(), null);
  });

  test("in the close handler only goes to onError", async () => {
    const errors: unknown[] = [];
    const { client, server } = sessionPair({
      handlers: { close: () => Promise.reject(new Error("late")) },
      onError: (error) => errors.push(error),
    });
    await client.close();
    await server.closed;
    await settle();
    assertEquals(errors.map(String), ["Error: late"]);
  });
});

describe("timers", () => {
  test("T-3 a silent peer is pinged after the interval and dropped after the timeout", async () => {
    const { session, peer, clock } = sessionAndPeer("server");
    await clock.advance(24_990);
    const first = peer.read();
    assertEquals(await outcome(first), "pending");
    await clock.advance(30);
    assertEquals((await first)![0], 0x89);
    await clock.advance(19_900);
    assertEquals(await outcome(session.closed), "pending");
    await clock.advance(200);
    const status = await session.closed;
    assert(status.error instanceof TimeoutError);
    assertEquals(
      [status.code, status.error.message],
      [1006, "The peer was silent for 25000 + 20000 ms (keepalive)"],
    );
    assertEquals(clock.pending, 0);
  });

  test("T-3 any byte counts as life", async () => {
    const { session, peer, clock } = sessionAndPeer("server", {
      keepalive: { interval: 100, timeout: 300 },
    });
    for (let i = 0; i < 50; i++) {
      await clock.advance(390);
      await peer.write(Uint8Array.of(i === 0 ? 0x8a : i === 1 ? 0xfd : 0)); // a pong, byte by byte
    }
    assertEquals(await outcome(session.closed), "pending");
    session.abort();
  });

  test("healthy sessions are never dropped", async () => {
    const { client, server, clock } = sessionPair({ keepalive: { interval: 50, timeout: 20 } }, {
      keepalive: { interval: 20, timeout: 50 },
    });
    await clock.advance(5000);
    assertEquals([await outcome(client.closed), await outcome(server.closed)], [
      "pending",
      "pending",
    ]);
    await client.close();
    await server.closed;
    assertEquals(clock.pending, 0);
  });

  test("keepalive stands still while the session itself holds back reading", async () => {
    const { session, peer, clock } = sessionAndPeer("server");
    for (let i = 0; i < 20; i++) await peer.write(hex("8181 00000000 61"));
    await clock.advance(200_000);
    assertEquals(await outcome(session.closed), "pending");
    for (let i = 0; i < 20; i++) assertEquals(await session.receive(), "a");
    await clock.advance(24_000);
    assertEquals(await outcome(session.closed), "pending");
    await clock.advance(46_000);
    assertEquals((await session.closed).code, 1006);
  });

  test("keepalive: false never pings", async () => {
    const { session, peer, clock } = sessionAndPeer("server", { keepalive: false });
    await clock.advance(10_000_000);
    assertEquals(await outcome(peer.read()), "pending");
    session.abort();
  });

  test("T-5 a write that makes no progress ends the session after writeStallTimeout", async () => {
    const { session, clock } = sessionAndPeer("server", {
      memory: { highWaterMark: 1 },
      keepalive: false,
    });
    const send = session.send(new Uint8Array(1_000_000));
    await clock.advance(29_900);
    assertEquals(await outcome(send), "pending");
    await clock.advance(200);
    const status = await session.closed;
    assert(status.error instanceof TimeoutError);
    assertEquals(
      status.error.message,
      "The peer took more than 30000 ms for one write (writeStallTimeout)",
    );
    await assertRejects(() => send, ClosedError);
  });

  test("T-5 slow progress is progress", async () => {
    const { session, peer, clock } = sessionAndPeer("server", {
      memory: { highWaterMark: 1 },
      keepalive: false,
    });
    const send = session.send(new Uint8Array(2_000_000));
    let read = 0;
    while (read < 2_000_000) {
      await clock.advance(25_000);
      read += (await peer.read())!.length;
    }
    await send;
    session.abort();
  });

  for (const answer of [false, true]) {
    test(`T-4 X-7 a peer that ${answer ? "answers but never ends" : "never answers"} a Close is dropped`, async () => {
      const { session, peer, clock } = sessionAndPeer("server");
      const closed = session.close(1000);
      await readAll(peer, 4);
      if (answer) await peer.write(hex("8882 00000000 0fa0"));
      await clock.advance(9900);
      assertEquals(await outcome(closed), "pending");
      await clock.advance(200);
      const { code, wasClean, error } = await closed as CloseStatus;
      assertEquals([code, wasClean], answer ? [4000, true] : [1006, false]);
      assertEquals(error instanceof TimeoutError, !answer);
      assertEquals(clock.pending, 0);
    });
  }

  test("T-6 a stopped process does not drop its healthy peers", async () => {
    const { client, server, clock } = sessionPair({ run: echo });
    await clock.advance(26_000);
    await clock.standStill(600_000);
    await clock.advance(50_000);
    assertEquals(await outcome(server.closed), "pending");
    await client.close();
    await server.closed;
    assertEquals(clock.pending, 0);
  });

  test("T-6 a peer that is dead after a standstill is dropped in its usual time", async () => {
    const { session, peer, clock } = sessionAndPeer("server");
    await clock.advance(20_000);
    const resumed = clock.standStill(600_000);
    void peer.write(hex("8a80 00000000")); // read before the timers notice; the last sign of life
    await resumed;
    await clock.advance(44_000);
    assertEquals(await outcome(session.closed), "pending");
    await clock.advance(3000);
    assertEquals((await outcome(session.closed) as CloseStatus).code, 1006);
  });
});

describe("the end of a session with handlers", () => {
  /** A session whose first message is dealt with when the test says so, and what it is told of. */
  function slowSession(): {
    log: string[];
    finish: () => void;
    parts: ReturnType<typeof sessionAndPeer>;
  } {
    const log: string[] = [];
    let finish!: () => void;
    const first = new Promise<void>((resolve) => finish = resolve);
    const parts = sessionAndPeer("server", {
      closeTimeout: 1000,
      handlers: {
        message: (_, message) => {
          log.push(String(message));
          if (log.length === 1) return first;
        },
        close: (_, { code }) => void log.push(`closed ${code}`),
      },
    });
    return { log, finish, parts };
  }

  test("N-3 is told behind the messages that wait, also after a reset", async () => {
    const { log, finish, parts: { session, peer } } = slowSession();
    await peer.write(hex("81 81 00000000 61 81 81 00000000 62 81 81 00000000 63"));
    await settle();
    peer.reset();
    await session.closed;
    await settle();
    assertEquals(log, ["a"]);
    finish();
    await settle();
    assertEquals(log, ["a", "b", "c", "closed 1006"]);
  });

  test("does not wait longer than closeTimeout for a handler", async () => {
    const { log, finish, parts: { session, peer, clock } } = slowSession();
    await peer.write(hex("81 81 00000000 61 81 81 00000000 62"));
    await settle();
    peer.reset();
    await session.closed;
    await clock.advance(999);
    assertEquals(log, ["a"]);
    await clock.advance(1);
    assertEquals(log, ["a", "closed 1006"]);
    finish();
    await settle();
    assertEquals(log, ["a", "closed 1006", "b"]);
    assertEquals(clock.pending, 0);
  });
});
