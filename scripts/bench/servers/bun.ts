/** Bun's own echo server. Its argument is the option `perMessageDeflate`. @module */

import process from "node:process";

/** The little of Bun that is used here; there are no types of it in this project. */
interface Bun {
  serve(options: {
    hostname: string;
    port: number;
    fetch(request: Request, server: { upgrade(request: Request): boolean }): Response | undefined;
    websocket: {
      perMessageDeflate: unknown;
      message(socket: { send(data: unknown, compress: boolean): number }, data: unknown): void;
    };
  }): { readonly port: number };
}

const { Bun } = globalThis as unknown as { Bun: Bun };
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response(null, { status: 400 });
  },
  websocket: {
    perMessageDeflate: JSON.parse(process.argv[2]),
    message: (socket, data) => void socket.send(data, true),
  },
});
console.log(server.port);
process.stdin.resume().on("end", () => process.exit()); // with whoever started it
