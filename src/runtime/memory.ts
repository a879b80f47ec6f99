/**
 * Connections in memory: two Conns wired together, for tests without ports. They keep the contract
 * of {@linkcode Conn} to the letter, and can be made to behave as badly as a network does.
 *
 * @module
 */

import { AcceptQueue } from "./accept_queue.ts";
import { concat } from "./bytes.ts";
import type { Addr, Conn, Listener } from "./conn.ts";

/**
 * How a pair of Conns behaves.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type MemoryOptions, memoryPair } from "@twoway/websocket/testing";
 *
 * const byteByByte: MemoryOptions = { cut: () => 1 };
 * const [client, server] = memoryPair(byteByByte);
 * await client.write(Uint8Array.of(1, 2, 3));
 * assertEquals([...(await server.read())!], [1]);
 * ```
 */
export interface MemoryOptions {
  /** Bytes on the way to a reader from which on the writer has to wait. @default {65_536} */
  readonly highWaterMark?: number;
  /** How many of the bytes that are there, at least one, the next read gets. @default {all} */
  readonly cut?: (available: number) => number;
  /** Waited for before each read returns and each write begins: a script's delays. @default {none} */
  readonly delay?: () => Promise<void>;
  /** After so many bytes in either direction the connection breaks as a reset does. @default {never} */
  readonly resetAfter?: number;
  /** After so many bytes of the first Conn, its direction ends; the rest is lost. @default {never} */
  readonly endAfter?: number;
  /** The address that the second Conn's peer, the client, is seen at. */
  readonly remoteAddr?: Addr;
}

/** What `read()` fills bytes with that are no longer valid, so that nobody gets away with keeping them. */
const SCRIBBLE = 0xdd;

/** Bytes on their way in one direction. */
class Pipe {
  readonly #options: MemoryOptions;
  #chunks: Uint8Array[] = [];
  #size = 0;
  #hasEnded = false;
  #error: Error | null = null;
  /** Whoever waits for a change. */
  #waiting: (() => void)[] = [];

  constructor(options: MemoryOptions) {
    this.#options = options;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#options.delay?.();
    this.#check();
    this.#chunks.push(bytes.slice());
    this.#size += bytes.length;
    this.#changed();
    while (this.#size > (this.#options.highWaterMark ?? 65_536)) {
      await this.#change();
      this.#check();
    }
  }

  async read(): Promise<Uint8Array | null> {
    await this.#options.delay?.();
    while (this.#size === 0 && !this.#hasEnded && this.#error === null) await this.#change();
    if (this.#error !== null) throw this.#error;
    return this.#size === 0 ? null : this.#take();
  }

  /** The writer's FIN. */
  end(): void {
    this.#hasEnded = true;
    this.#changed();
  }

  /** Nothing gets through any more. */
  fail(error: Error): void {
    this.#error ??= error;
    this.#chunks = [];
    this.#size = 0;
    this.#changed();
  }

  #check(): void {
    if (this.#error !== null) throw this.#error;
    if (this.#hasEnded) throw new Error("The connection is closed for writing");
  }

  #take(): Uint8Array {
    const all = this.#chunks.length === 1 ? this.#chunks[0] : concat(this.#chunks);
    const wanted = this.#options.cut?.(all.length) ?? all.length;
    const count = Math.max(1, Math.min(all.length, wanted));
    this.#chunks = count < all.length ? [all.subarray(count)] : [];
    this.#size -= count;
    this.#changed();
    return all.slice(0, count);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/**
 * One end of a connection in memory.
 *
 * @example
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { type MemoryConn, memoryPair } from "@twoway/websocket/testing";
 *
 * const [client, server]: [MemoryConn, MemoryConn] = memoryPair();
 * await client.write(Uint8Array.of(1));
 * client.reset(); // and the byte is lost
 * const error = await assertRejects(() => server.read(), Error);
 * assertEquals(error.message, "The connection was reset");
 * ```
 */
export class MemoryConn implements Conn {
  readonly remoteAddr: Addr | undefined;
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;
  /** Bytes that can still be written until the connection breaks, or this direction ends. */
  #untilReset: number;
  #untilEnd: number;
  #last = new Uint8Array(0);
  #isClosed = false;

  /** Use {@linkcode memoryPair}. */
  constructor(incoming: Pipe, outgoing: Pipe, options: MemoryOptions) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.remoteAddr = options.remoteAddr;
    this.#untilReset = options.resetAfter ?? Infinity;
    this.#untilEnd = options.endAfter ?? Infinity;
  }

  async read(): Promise<Uint8Array | null> {
    this.#last.fill(SCRIBBLE);
    if (this.#isClosed) return null;
    try {
      const bytes = await this.#incoming.read();
      if (bytes === null || this.#isClosed) return null;
      this.#last = bytes as Uint8Array<ArrayBuffer>;
      return bytes;
    } catch (error) {
      if (this.#isClosed) return null;
      throw error;
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#isClosed) throw new Error("The connection is closed");
    this.#untilReset -= bytes.length;
    if (this.#untilReset < 0) this.reset();
    const rest = this.#untilEnd;
    this.#untilEnd -= bytes.length;
    if (this.#untilEnd >= 0) return await this.#outgoing.write(bytes);
    if (rest > 0) await this.#outgoing.write(bytes.subarray(0, rest));
    this.#outgoing.end();
  }

  // deno-lint-ignore require-await -- the interface's: a transport may take its time
  async closeWrite(): Promise<void> {
    if (this.#isClosed) throw new Error("The connection is closed");
    this.#outgoing.end();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#outgoing.end();
    this.#incoming.fail(new Error("The connection was closed by the peer"));
  }

  /** Breaks the connection as a TCP reset does: bytes on their way are lost, both sides fail. */
  reset(): void {
    const error = Object.assign(new Error("The connection was reset"), { code: "ECONNRESET" });
    this.#incoming.fail(error);
    this.#outgoing.fail(error);
  }
}

/**
 * Two Conns, each of which reads what the other writes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { memoryPair } from "@twoway/websocket/testing";
 *
 * const [client, server] = memoryPair();
 * await client.write(Uint8Array.of(1, 2, 3));
 * assertEquals([...(await server.read())!], [1, 2, 3]);
 * ```
 */
export function memoryPair(options: MemoryOptions = {}): [client: MemoryConn, server: MemoryConn] {
  const up = new Pipe(options);
  const down = new Pipe(options);
  const { remoteAddr: _, ...client } = options;
  const { endAfter: __, ...server } = options;
  return [new MemoryConn(down, up, client), new MemoryConn(up, down, server)];
}

/**
 * A listener in memory.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, serve } from "@twoway/websocket";
 * import { MemoryListener } from "@twoway/websocket/testing";
 *
 * const listener = new MemoryListener();
 * const server = await serve({ listener }, (session) => session.send("no port needed"));
 * const session = await connect("ws://test/", { conn: listener.connect() });
 * assertEquals(await session.receive(), "no port needed");
 * await session.close();
 * await server.shutdown();
 * ```
 */
export class MemoryListener implements Listener {
  readonly addr: Addr = { transport: "unix", path: "memory" };
  readonly secure: boolean = false;
  readonly #queue = new AcceptQueue();

  /** A new connection's client side; closed at once if nobody listens any more. */
  connect(options: MemoryOptions = {}): MemoryConn {
    const [client, server] = memoryPair(options);
    this.#queue.push(server);
    return client;
  }

  accept(): Promise<Conn | null> {
    return this.#queue.accept();
  }

  close(): void {
    this.#queue.close();
  }
}
