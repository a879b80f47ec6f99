/**
 * The runtime's own TCP sockets with as little around them as can be, for servers that show what these
 * allow.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import net from "node:net";

/** Bytes to write: the first `used` of these. */
export interface Output {
  readonly bytes: Uint8Array;
  used: number;
}

/** What a server makes of one connection. */
export interface Peer {
  /** Bytes have come, valid until it returns. */
  take(bytes: Uint8Array): void;
  left(): void;
}

/** How a server goes about its connections. */
export interface Serving {
  /** Bytes that Deno reads at once. */
  readonly readSize: number;
  /** A connection has been opened; `write` writes all of it, or keeps what the system does not take now. */
  create(write: (output: Output) => void): Peer;
  /** The bytes have left and may be used again. Of some it is never said. */
  written(output: Output): void;
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

/** Listens on any port of 127.0.0.1, and returns it. */
export async function listen(serving: Serving): Promise<number> {
  const { Bun: bun } = globalThis as unknown as { Bun?: BunNet };
  if (bun !== undefined) return listenOnBun(bun, serving);
  return "Deno" in globalThis ? listenOnDeno(serving) : await listenOnNode(serving);
}

function listenOnBun(bun: BunNet, serving: Serving): number {
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
  const write = (socket: BunSocket, output: Output): void => {
    const { rest } = socket.data;
    const bytes = output.bytes.subarray(0, output.used);
    const count = rest.length > 0 ? 0 : Math.max(0, socket.write(bytes));
    if (count < bytes.length) rest.push(bytes.slice(count));
    serving.written(output);
  };
  const socket = {
    open(socket: BunSocket) {
      socket.setNoDelay(true);
      socket.data = { peer: serving.create((output) => write(socket, output)), rest: [] };
    },
    data: (socket: BunSocket, bytes: Uint8Array) => socket.data.peer.take(bytes),
    drain: flush,
    close: (socket: BunSocket) => socket.data.peer.left(),
  };
  return bun.listen({ hostname: "127.0.0.1", port: 0, socket }).port;
}

/** Deno writes part of it at a time. */
function denoWriter(conn: Deno.Conn, serving: Serving): (output: Output) => void {
  const waiting: Output[] = [];
  let sent = 0;
  const next = (): void => {
    const { bytes, used } = waiting[0];
    conn.write(bytes.subarray(sent, used)).then(taken, () => {}); // the reader is told, too
  };
  const taken = (count: number): void => {
    sent += count;
    if (sent === waiting[0].used) {
      sent = 0;
      serving.written(waiting.shift()!);
    }
    if (waiting.length > 0) next();
  };
  return (output) => {
    if (waiting.push(output) === 1) next();
  };
}

function listenOnDeno(serving: Serving): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serve = (conn: Deno.TcpConn): void => {
    conn.setNoDelay(true);
    const peer = serving.create(denoWriter(conn, serving));
    const buffer = new Uint8Array(serving.readSize);
    const over = (): void => {
      peer.left();
      conn.close();
    };
    const received = (count: number | null): void => {
      if (count === null) return over();
      peer.take(buffer.subarray(0, count));
      conn.read(buffer).then(received, over);
    };
    conn.read(buffer).then(received, over);
  };
  const accept = async (): Promise<void> => {
    while (true) {
      try {
        serve(await listener.accept());
      } catch {
        // One that was reset before it was accepted: the next may be fine.
      }
    }
  };
  void accept();
  return listener.addr.port;
}

async function listenOnNode(serving: Serving): Promise<number> {
  const server = net.createServer({ noDelay: true }, (socket) => {
    const write = (output: Output): void => {
      socket.write(output.bytes.subarray(0, output.used));
      // Else Node still has some of it, and nobody tells when it has not.
      if (socket.writableLength === 0) serving.written(output);
    };
    const peer = serving.create(write);
    socket.on("data", (bytes: Buffer) => peer.take(bytes));
    socket.on("error", () => {});
    socket.on("close", () => peer.left());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as net.AddressInfo).port;
}
