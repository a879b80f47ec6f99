/** Our server, on any runtime: a text that is a number asks for as many messages to all. @module */

import process from "node:process";
import { serve } from "../../../mod.ts";
import { broadcastPayload } from "../known_frames.ts";

const news = broadcastPayload();
const server = await serve({
  port: 0,
  limits: { maxConnections: 20_000 },
  keepalive: { interval: 600_000 }, // whoever receives here counts bytes, and answers no ping
}, {
  message(_, message) {
    for (let i = 0; i < Number(message); i++) server.broadcast(news);
  },
});
const { addr } = server;
if (addr.transport === "tcp") console.log(addr.port);
process.stdin.resume().on("end", () => process.exit()); // with whoever started it
