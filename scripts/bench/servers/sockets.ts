/**
 * What the runtime's sockets alone allow: no frame is read, unmasked, copied or made here. So many
 * bytes that come are a message, and for each one its answer, which is known, is written; the request
 * is not looked at, either, but where handshakes are measured, its key is hashed as ours has to be, by
 * `crypto.subtle`. Ours can't be faster than that. Its first argument is the load, as in load.ts; with
 * `iteration` as the second, a loop takes the messages one by one, and awaits each answer.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import net from "node:net";
import process from "node:process";
import { broadcastPayload, echoFrame, repeatFrame, requestFrame } from "../known_frames.ts";
import type { Work } from "../load.ts";

/** Writes all of it, or keeps what the system does not take now. */
type Write = (bytes: Uint8Array) => void;

// The answer to the one key that the load has (RFC 6455 section 1.3).
const ACCEPTED = new TextEncoder().encode(
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
);

/** The key, and what is hashed with it (RFC 6455 section 1.3). */
const HASHED = new TextEncoder().encode(
  "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
);

const work: Work = JSON.parse(process.argv[2]);
const isIterating = process.argv[3] === "iteration";
/** What Deno reads at once. */
const READ_SIZE = work.kind === "echo" ? 262_144 : 512;
const all = new Set<Peer>();

/** How many bytes a message takes, and the answers to as many as may come at once. */
function answersOf(): { size: number; reply: number; replies: Uint8Array } {
  if (work.kind === "echo") {
    const { size, isText, inFlight } = work;
    const reply = echoFrame(size, isText);
    const { length } = requestFrame(size, isText);
    return { size: length, reply: reply.length, replies: repeatFrame(reply, inFlight) };
  }
  const burst = work.kind === "broadcast" ? work.burst : 1;
  const news = repeatFrame(echoFrame(broadcastPayload().length, false), burst);
  return { size: requestFrame(0, true, `${burst}`).length, reply: news.length, replies: news };
}

const { size, reply, replies } = answersOf();

const SENT = Promise.resolve();

/** The least that a loop over messages with an awaited call can be; answers them when none is left. */
class Loop implements AsyncIterableIterator<number> {
  readonly #answer: (count: number) => void;
  #waiting = 0;
  #sent = 0;
  #resolve: ((result: IteratorResult<number>) => void) | null = null;

  constructor(answer: (count: number) => void) {
    this.#answer = answer;
    void this.#run();
  }

  push(count: number): void {
    this.#waiting += count;
    const resolve = this.#resolve;
    if (resolve === null) return;
    this.#resolve = null;
    resolve(this.#take());
  }

  next(): Promise<IteratorResult<number>> {
    if (this.#waiting > 0) return Promise.resolve(this.#take());
    return new Promise((resolve) => this.#resolve = resolve);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): IteratorResult<number> {
    return { done: false, value: this.#waiting-- };
  }

  async #run(): Promise<void> {
    for await (const message of this) await this.#send(message);
  }

  #send(_message: number): Promise<void> {
    this.#sent++;
    if (this.#waiting > 0) return SENT;
    this.#answer(this.#sent);
    this.#sent = 0;
    return SENT;
  }
}

/** One connection. */
class Peer {
  readonly #write: Write;
  readonly #loop: Loop | null;
  #isOpen = false;
  #received = 0;

  constructor(write: Write) {
    this.#write = write;
    this.#loop = isIterating ? new Loop((count) => this.#answer(count)) : null;
  }

  take(count: number): void {
    if (!this.#isOpen) {
      this.#isOpen = true;
      all.add(this);
      if (work.kind === "handshake") void this.#accept();
      else this.#write(ACCEPTED);
      return;
    }
    this.#received += count;
    const messages = Math.floor(this.#received / size);
    if (messages === 0) return;
    this.#received -= messages * size;
    if (this.#loop !== null) this.#loop.push(messages);
    else if (work.kind === "echo") this.#answer(messages);
    else for (const peer of all) peer.#write(replies);
  }

  #answer(messages: number): void {
    this.#write(replies.subarray(0, messages * reply));
  }

  async #accept(): Promise<void> {
    await crypto.subtle.digest("SHA-1", HASHED);
    if (all.has(this)) this.#write(ACCEPTED);
  }

  left(): void {
    all.delete(this);
  }
}

/** The little of Bun that is used here; there are no types of it in this project. */
interface BunSocket {
  /** `rest` is what the system has not taken yet. */
  data: { peer: Peer; rest: Uint8Array[] };
  write(bytes: Uint8Array): number;
  setNoDelay(on: boolean): void;
}
interface BunNet {
  listen(options: object): { readonly port: number };
}

function listenOnBun(bun: BunNet): number {
  const flush = (socket: BunSocket): void => {
    const { rest } = socket.data;
    while (rest.length > 0) {
      const count = Math.max(0, socket.write(rest[0]));
      if (count < rest[0].length) {
        rest[0] = rest[0].subarray(count);
        return;
      }
      rest.shift();
    }
  };
  const write = (socket: BunSocket, bytes: Uint8Array): void => {
    if (socket.data.rest.push(bytes) === 1) flush(socket);
  };
  const socket = {
    open(socket: BunSocket) {
      socket.setNoDelay(true);
      socket.data = { peer: new Peer((bytes) => write(socket, bytes)), rest: [] };
    },
    data: (socket: BunSocket, bytes: Uint8Array) => socket.data.peer.take(bytes.length),
    drain: flush,
    close: (socket: BunSocket) => socket.data.peer.left(),
  };
  return bun.listen({ hostname: "127.0.0.1", port: 0, socket }).port;
}

/** Deno writes part of it at a time. */
function denoWriter(conn: Deno.Conn): Write {
  const rest: Uint8Array[] = [];
  const flush = async (): Promise<void> => {
    while (rest.length > 0) {
      const count = await conn.write(rest[0]);
      if (count < rest[0].length) rest[0] = rest[0].subarray(count);
      else rest.shift();
    }
  };
  return (bytes) => {
    if (rest.push(bytes) === 1) flush().catch(() => {}); // the reader is told, too
  };
}

function listenOnDeno(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serve = async (conn: Deno.TcpConn): Promise<void> => {
    conn.setNoDelay(true);
    const peer = new Peer(denoWriter(conn));
    const buffer = new Uint8Array(READ_SIZE);
    try {
      for (let size = await conn.read(buffer); size !== null; size = await conn.read(buffer)) {
        peer.take(size);
      }
    } finally {
      peer.left();
      conn.close();
    }
  };
  const accept = async (): Promise<void> => {
    while (true) {
      try {
        serve(await listener.accept()).catch(() => {});
      } catch {
        // One that was reset before it was accepted: the next may be fine.
      }
    }
  };
  void accept();
  return listener.addr.port;
}

async function listenOnNode(): Promise<number> {
  const server = net.createServer({ noDelay: true }, (socket) => {
    const peer = new Peer((bytes) => socket.write(bytes));
    socket.on("data", (bytes: Buffer) => peer.take(bytes.length));
    socket.on("error", () => {});
    socket.on("close", () => peer.left());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as net.AddressInfo).port;
}

const { Bun: bun } = globalThis as unknown as { Bun?: BunNet };
const port = bun !== undefined
  ? listenOnBun(bun)
  : "Deno" in globalThis
  ? listenOnDeno()
  : await listenOnNode();
console.log(port);
process.stdin.resume().on("end", () => process.exit()); // with whoever started it
