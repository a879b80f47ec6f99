/**
 * What a connection costs a runtime before any WebSocket is on it: accepted, with a read of 512 bytes
 * under way, which comes back as it went. The line `gc` on standard input is answered with what lives
 * on.
 *
 * @module
 */

import net from "node:net";
import { answerHeapQuestions } from "../heap.ts";

const READ_SIZE = 512;

/** The little of Bun that is used here; there are no types of it in this project. */
interface BunSocket {
  data: Uint8Array;
  write(bytes: Uint8Array): number;
}
interface BunNet {
  listen(options: object): { readonly port: number };
}

function listenOnBun(bun: BunNet): number {
  const socket = {
    open: (socket: BunSocket) => void (socket.data = new Uint8Array(READ_SIZE)),
    data: (socket: BunSocket, bytes: Uint8Array) => void socket.write(bytes),
  };
  return bun.listen({ hostname: "127.0.0.1", port: 0, socket }).port;
}

function listenOnDeno(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serve = async (conn: Deno.Conn): Promise<void> => {
    const buffer = new Uint8Array(READ_SIZE);
    try {
      for (let size = await conn.read(buffer); size !== null; size = await conn.read(buffer)) {
        await conn.write(buffer.subarray(0, size));
      }
    } finally {
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
  const server = net.createServer((socket) => {
    const buffer = new Uint8Array(READ_SIZE);
    socket.on("data", (bytes) => {
      buffer.set(bytes.subarray(0, READ_SIZE));
      socket.write(bytes);
    });
    socket.on("error", () => {});
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
answerHeapQuestions();
console.log(port);
