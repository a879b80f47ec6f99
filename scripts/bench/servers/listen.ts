/**
 * The runtime's own TCP sockets with as little around them as can be, for servers that show what these
 * allow.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import net from "node:net";
import { free } from "../../../src/runtime/free.ts";
import type { Output, Peer } from "./peer.ts";

/** How a server goes about its connections. */
export interface Serving {
  /** Bytes that Deno reads at once. */
  readonly readSize: number;
  /** A connection has been opened; `write` writes all of it, or keeps what the system does not take now. */
  create(write: (output: Output) => void): Peer;
  /** The bytes have left and may be used again. */
  written(output: Output): void;
}

/** What the system has not taken yet; of the first output so many bytes have left. */
interface Unsent {
  readonly outputs: Output[];
  sent: number;
}

/** The little of Bun that is used here; there are no types of it in this project. */
interface BunSocket {
  data: { readonly peer: Peer; readonly unsent: Unsent };
  write(bytes: Uint8Array, offset: number, length: number): number;
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
    const { unsent } = socket.data;
    const { outputs } = unsent;
    while (outputs.length > 0) {
      const { bytes, used } = outputs[0];
      unsent.sent += Math.max(0, socket.write(bytes, unsent.sent, used - unsent.sent));
      if (unsent.sent < used) return;
      unsent.sent = 0;
      serving.written(outputs.shift()!);
    }
  };
  const write = (socket: BunSocket, output: Output): void => {
    if (socket.data.unsent.outputs.push(output) === 1) flush(socket);
  };
  const socket = {
    open(socket: BunSocket) {
      socket.setNoDelay(true);
      const peer = serving.create((output) => write(socket, output));
      socket.data = { peer, unsent: { outputs: [], sent: 0 } };
    },
    data(socket: BunSocket, bytes: Uint8Array) {
      socket.data.peer.take(bytes);
      free(bytes);
    },
    drain: flush,
    close: (socket: BunSocket) => socket.data.peer.left(),
  };
  return bun.listen({ hostname: "127.0.0.1", port: 0, socket }).port;
}

/** The bytes to write of an output; no view where all of it is used. */
function bytesOf({ bytes, used }: Output): Uint8Array {
  return used === bytes.length ? bytes : bytes.subarray(0, used);
}

/** Those that write on Deno when all that has come in this round has been read: so do ours. */
const writing: (() => void)[] = [];

function writeAll(): void {
  for (const next of writing) next();
  writing.length = 0;
}

const nobody = (): void => {};

/** Deno writes part of it at a time. */
function denoWriter(conn: Deno.Conn, serving: Serving): (output: Output) => void {
  const unsent: Unsent = { outputs: [], sent: 0 };
  const { outputs } = unsent;
  const next = (): void => {
    const bytes = bytesOf(outputs[0]);
    conn.write(unsent.sent === 0 ? bytes : bytes.subarray(unsent.sent)).then(taken, nobody);
  };
  const taken = (count: number): void => {
    unsent.sent += count;
    if (unsent.sent === outputs[0].used) {
      unsent.sent = 0;
      serving.written(outputs.shift()!);
    }
    if (outputs.length > 0) next();
  };
  return (output) => {
    if (outputs.push(output) > 1) return;
    if (writing.push(next) === 1) queueMicrotask(writeAll);
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
      try {
        conn.close();
      } catch {
        // One that has been reset is closed already.
      }
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

const NOTHING = new Uint8Array(0);

async function listenOnNode(serving: Serving): Promise<number> {
  const server = net.createServer({ noDelay: true }, (socket) => {
    const write = (output: Output): void => {
      socket.write(bytesOf(output));
      if (socket.writableLength === 0) serving.written(output); // the system has all of it
      else socket.write(NOTHING, (error) => error || serving.written(output));
    };
    const peer = serving.create(write);
    socket.on("data", (bytes: Buffer) => {
      peer.take(bytes);
      free(bytes);
    });
    socket.on("error", () => {});
    socket.on("close", () => peer.left());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as net.AddressInfo).port;
}
