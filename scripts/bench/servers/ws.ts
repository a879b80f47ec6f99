/**
 * The server of npm's `ws`, on Node. Its arguments are the option `perMessageDeflate` and what it
 * does: `echo`, or `loop` (a text that is a number asks for as many messages to all).
 *
 * @module
 */

import type { AddressInfo } from "node:net";
import { createRequire } from "node:module";
import process from "node:process";
import { broadcastPayload } from "../known_frames.ts";

// Installed for the tests.
const require = createRequire(new URL("../../../tests/package.json", import.meta.url));
const { WebSocketServer } = require("ws") as typeof import("npm-ws");

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: JSON.parse(process.argv[2]),
});
const isEcho = (process.argv[3] ?? "echo") === "echo";
const news = broadcastPayload();
server.on("connection", (socket) => {
  if (isEcho) socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  else socket.on("message", (data) => broadcast(Number(data)));
});

function broadcast(times: number): void {
  for (let i = 0; i < times; i++) {
    for (const socket of server.clients) socket.send(news);
  }
}

server.on("listening", () => console.log((server.address() as AddressInfo).port));
process.stdin.resume().on("end", () => process.exit()); // with whoever started it
