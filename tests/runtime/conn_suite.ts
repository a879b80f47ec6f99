/**
 * What every Conn has to do, whatever is below it: the same tests for each adapter, plain, TLS and
 * Unix, and for memory.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, test } from "node:test";
import type { Conn, ConnFlow, ConnSink, Listener } from "../../src/runtime/conn.ts";

/** A transport under test. */
export interface Transport {
  /** A listener, and how to connect to it. */
  open(): Promise<{ listener: Listener; dial(): Promise<Conn> }>;
  /** Breaks the connection from this end as a TCP reset does; missing where nothing can. */
  reset?(conn: Conn): void;
}

const MIB = 1_048_576;

/** Runs a test with both ends of a connection. */
async function withPair(
  transport: Transport,
  run: (client: Conn, server: Conn) => Promise<void>,
): Promise<void> {
  const { listener, dial } = await transport.open();
  const accepting = listener.accept();
  const dialling = dial();
  const server = await accepting;
  assert(server !== null);
  // TLS: both ends must be at work for the handshake to get on.
  const first = server.read();
  const client = await dialling;
  await client.write(Uint8Array.of(42));
  assertEquals(Array.from((await first)!), [42]);
  try {
    await run(client, server);
  } finally {
    client.close();
    server.close();
    listener.close();
  }
}

/** A byte for each position, so that loss, doubling and disorder show. */
function pattern(position: number): number {
  return (position * 31 + (position >> 8) * 7) & 0xff;
}

async function writePattern(
  conn: Conn,
  total: number,
  size: number,
  start: number = 0,
): Promise<void> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < total; at += size) {
    for (let i = 0; i < size; i++) bytes[i] = pattern(start + at + i);
    await conn.write(bytes.subarray(0, total - at));
  }
}

async function readPattern(conn: Conn, total: number): Promise<void> {
  let at = 0;
  while (at < total) {
    const bytes = await conn.read();
    assert(bytes !== null, `the stream ended after ${at} of ${total} bytes`);
    assert(bytes.length > 0, "read() returned no bytes");
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== pattern(at + i)) throw new Error(`The byte at ${at + i} is wrong`);
    }
    bytes.fill(0); // it is ours to change
    at += bytes.length;
  }
  assertEquals(at, total);
}

/** Checks what comes, and is not ready for more after every third piece, for a moment or longer. */
class SlowSink implements ConnSink {
  readonly ended: Promise<void>;
  flow: ConnFlow | null = null;
  size = 0;
  readonly #start: number;
  #isReady: boolean;
  #pieces = 0;
  #end!: () => void;
  #fail!: (error: unknown) => void;
  #hasEnded = false;

  constructor(start: number, isReady: boolean = true) {
    this.#start = start;
    this.#isReady = isReady;
    this.ended = new Promise((resolve, reject) => {
      this.#end = resolve;
      this.#fail = reject;
    });
    this.ended.catch(() => {});
  }

  data(bytes: Uint8Array): boolean {
    assert(!this.#hasEnded, "bytes came behind the end");
    assert(bytes.length > 0, "push() gave no bytes");
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== pattern(this.#start + this.size + i)) this.#fail(new Error("wrong bytes"));
    }
    this.size += bytes.length;
    if (!this.#isReady) return false;
    if (++this.#pieces % 3 !== 0) return true;
    setTimeout(() => this.flow!.resume(), 0);
    return false;
  }

  /** Is ready from now on. */
  goOn(): void {
    this.#isReady = true;
    this.flow!.resume();
  }

  end(): void {
    assert(!this.#hasEnded, "the end came twice");
    this.#hasEnded = true;
    this.#end();
  }

  fail(error: unknown): void {
    this.#fail(error);
  }
}

/** Always a promise, also where the transport takes everything at once. */
export async function writeTo(conn: Conn, bytes: Uint8Array): Promise<void> {
  await conn.write(bytes);
}

/** Whether a promise is still pending after a while. */
async function isPending(promise: Promise<unknown>, ms: number = 400): Promise<boolean> {
  const pending = Symbol();
  const timeout = new Promise((resolve) => setTimeout(resolve, ms, pending));
  return await Promise.race([promise.then(() => 0, () => 0), timeout]) === pending;
}

/** Defines the suite's tests for a transport. */
export function testConn(name: string, transport: Transport): void {
  describe(`Conn over ${name}`, () => {
    test("bytes arrive in order, both ways at once, whatever the sizes of the writes", async () => {
      await withPair(transport, async (client, server) => {
        await Promise.all([
          writePattern(client, 8 * MIB, MIB),
          readPattern(server, 8 * MIB),
          writePattern(server, MIB, 1024),
          readPattern(client, MIB),
        ]);
      });
    });

    test("one write of 16 MiB arrives whole", async () => {
      await withPair(transport, async (client, server) => {
        await Promise.all([
          writePattern(server, 16 * MIB, 16 * MIB),
          readPattern(client, 16 * MIB),
        ]);
      });
    });

    test("push() gives what read() would, holds back, and tells the end", async () => {
      await withPair(transport, async (client, server) => {
        if (server.push === undefined) return;
        await client.write(Uint8Array.of(pattern(0)));
        assertEquals(Array.from((await server.read())!), [pattern(0)]);
        const sink = new SlowSink(1);
        sink.flow = server.push(sink);
        await writePattern(client, 4 * MIB, 100_000, 1);
        await client.closeWrite();
        await sink.ended;
        assertEquals(sink.size, 4 * MIB);
        await server.write(Uint8Array.of(7));
        assertEquals(Array.from((await client.read())!), [7]);
      });
    });

    test("push() of a Conn that is held back keeps its peer waiting", async () => {
      await withPair(transport, async (client, server) => {
        if (server.push === undefined) return;
        const sink = new SlowSink(0, false);
        sink.flow = server.push(sink);
        const writing = writePattern(client, 24 * MIB, 24 * MIB);
        assert(await isPending(writing), "24 MiB left although nobody took them");
        assert(sink.size <= MIB, `${sink.size} bytes came though the sink was not ready`);
        sink.goOn();
        await writing;
        await client.closeWrite();
        await sink.ended;
        assertEquals(sink.size, 24 * MIB);
      });
    });

    test("close() tells the sink of a push() that this is the end", async () => {
      await withPair(transport, async (client, server) => {
        if (server.push === undefined) return;
        const sink = new SlowSink(0);
        sink.flow = server.push(sink);
        server.close();
        await sink.ended;
        server.close();
        client.close();
      });
    });

    test("a sink that closes the connection while it takes bytes is told of the end once", async () => {
      await withPair(transport, async (client, server) => {
        if (server.push === undefined) return;
        await client.write(Uint8Array.of(1));
        await isPending(new Promise(() => {})); // it has arrived before the sink is there
        const events: string[] = [];
        server.push({
          data() {
            events.push("data");
            server.close();
            return true;
          },
          end: () => void events.push("end"),
          fail: () => void events.push("fail"),
        });
        await isPending(new Promise(() => {}));
        assertEquals(events, ["data", "end"]);
      });
    });

    test("FIN from one end leaves the other direction open", async () => {
      await withPair(transport, async (client, server) => {
        await client.write(Uint8Array.of(1));
        await client.closeWrite();
        assertEquals(Array.from((await server.read())!), [1]);
        assertEquals(await server.read(), null);
        assertEquals(await server.read(), null);
        await Promise.all([writePattern(server, MIB, MIB), readPattern(client, MIB)]);
        await server.closeWrite();
        assertEquals(await client.read(), null);
      });
    });

    test("a writer waits for a reader that does not read, and then everything arrives", async () => {
      await withPair(transport, async (client, server) => {
        const writing = writePattern(client, 64 * MIB, 64 * MIB);
        assert(await isPending(writing), "64 MiB left although nobody read them");
        await readPattern(server, 64 * MIB);
        await writing;
      });
    });

    test("close() ends a pending read with null, and the peer's stream", async () => {
      await withPair(transport, async (client, server) => {
        const reading = client.read();
        client.close();
        client.close();
        assertEquals(await reading, null);
        assertEquals(await client.read(), null);
        await assertRejects(() => writeTo(client, Uint8Array.of(1)));
        // FIN or reset: either tells.
        assertEquals(await server.read().catch(() => null), null);
      });
    });

    test("close() behind the peer's FIN ends the stream in good order, without a reset", async () => {
      await withPair(transport, async (client, server) => {
        await client.closeWrite();
        assertEquals(await server.read(), null);
        await server.write(Uint8Array.of(1, 2, 3));
        server.close();
        assertEquals(Array.from((await client.read())!), [1, 2, 3]);
        assertEquals(await client.read(), null);
      });
    });

    test("close() rejects a pending write", async () => {
      await withPair(transport, async (client) => {
        const writing = writeTo(client, new Uint8Array(64 * MIB));
        writing.catch(() => {});
        assert(await isPending(writing));
        client.close();
        await assertRejects(() => writing);
      });
    });

    test("writing to a peer that has left rejects in the end", async () => {
      await withPair(transport, async (client, server) => {
        server.close();
        await assertRejects(async () => {
          for (let i = 0; i < 1000; i++) await client.write(new Uint8Array(65_536));
        });
      });
    });

    test("closeWrite() on a closed connection rejects", async () => {
      await withPair(transport, async (client) => {
        client.close();
        await assertRejects(() => client.closeWrite());
      });
    });

    test("a closed listener accepts nobody, and closes those who wait", async () => {
      const { listener, dial } = await transport.open();
      const accepting = listener.accept();
      listener.close();
      listener.close();
      assertEquals(await accepting, null);
      assertEquals(await listener.accept(), null);
      const late = await dial().catch(() => null);
      assertEquals(await late?.read().catch(() => null) ?? null, null);
      late?.close();
    });

    if (transport.reset !== undefined) {
      test("a reset rejects the pending read and the pending write", async () => {
        await withPair(transport, async (client, server) => {
          const reading = server.read();
          const writing = writeTo(server, new Uint8Array(64 * MIB));
          for (const promise of [reading, writing]) promise.catch(() => {});
          assert(await isPending(Promise.race([reading, writing])));
          transport.reset!(client);
          await assertRejects(() => reading);
          await assertRejects(() => writing);
          server.close();
          assertEquals(await server.read(), null);
        });
      });
    }
  });
}
