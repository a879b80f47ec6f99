/**
 * Deno's own server. Its argument is what it does: `echo`, or `loop` (a text that is a number asks
 * for as many messages to all).
 *
 * @module
 */

import process from "node:process";
import { broadcastPayload } from "../known_frames.ts";

const work = process.argv[2] ?? "echo";
const sockets = new Set<WebSocket>();
const news = broadcastPayload();

function broadcast(times: number): void {
  for (let i = 0; i < times; i++) {
    for (const socket of sockets) socket.send(news);
  }
}

const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
  socket.binaryType = "arraybuffer";
  socket.onopen = () => sockets.add(socket);
  socket.onmessage = work === "echo"
    ? ({ data }) => socket.send(data)
    : ({ data }) => broadcast(Number(data));
  socket.onclose = () => sockets.delete(socket);
  return response;
});
console.log(server.addr.port);
process.stdin.resume().on("end", () => process.exit()); // with whoever started it
