/**
 * Bun's own server. Its arguments are the option `perMessageDeflate` and what it does: `echo`,
 * `publish` (a text that is a number asks for as many messages to all) or `loop` (the same, one by
 * one).
 *
 * @module
 */

import process from "node:process";
import { broadcastPayload } from "../known_frames.ts";

interface Socket {
  send(data: unknown, compress: boolean): number;
  subscribe(topic: string): void;
}

/** The little of Bun that is used here; there are no types of it in this project. */
interface Bun {
  serve(options: {
    hostname: string;
    port: number;
    fetch(request: Request, server: Server): Response | undefined;
    websocket: {
      perMessageDeflate: unknown;
      open(socket: Socket): void;
      message(socket: Socket, data: unknown): void;
      close(socket: Socket): void;
    };
  }): Server;
}
interface Server {
  readonly port: number;
  upgrade(request: Request): boolean;
  publish(topic: string, data: unknown): number;
}

const { Bun } = globalThis as unknown as { Bun: Bun };
const work = process.argv[3] ?? "echo";
const sockets = new Set<Socket>();
const news = broadcastPayload();

function broadcast(times: number): void {
  for (let i = 0; i < times; i++) {
    if (work === "publish") server.publish("all", news);
    else for (const socket of sockets) socket.send(news, false);
  }
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response(null, { status: 400 });
  },
  websocket: {
    perMessageDeflate: JSON.parse(process.argv[2]),
    open(socket) {
      if (work === "publish") socket.subscribe("all");
      sockets.add(socket);
    },
    message: work === "echo"
      ? (socket, data) => void socket.send(data, true)
      : (_, data) => broadcast(Number(data)),
    close: (socket) => void sockets.delete(socket),
  },
});
console.log(server.port);
process.stdin.resume().on("end", () => process.exit()); // with whoever started it
