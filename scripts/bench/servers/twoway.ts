/**
 * Our echo server, on any runtime. Its argument is the option `compress`; of the lines on standard
 * input `gc` collects garbage and answers with the bytes that live on, and `burst N TEXT` sends a message N times to every session at once.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { serve } from "../../../mod.ts";
import { liveBytes } from "../heap.ts";

const server = await serve({
  port: 0,
  compress: JSON.parse(process.argv[2]),
  keepalive: false,
  handshakeTimeout: 60_000, // on a busy machine, too, none may fail
  limits: { maxConnections: 20_000, maxPendingHandshakes: 20_000 },
}, { message: (session, message) => session.send(message) });

/** Sends everything before the first one of them is through; returns how many there were. */
async function burst(times: number, text: string): Promise<number> {
  const sends: Promise<void>[] = [];
  for (const session of server.sessions.values()) {
    for (let i = 0; i < times; i++) sends.push(Promise.resolve(session.send(text)));
  }
  await Promise.all(sends);
  return sends.length;
}

const lines = createInterface({ input: process.stdin });
lines.on("close", () => process.exit()); // with whoever started it
lines.on("line", async (line) => {
  const [, times, text] = /^burst (\d+) (.*)$/.exec(line) ?? [];
  console.log(times === undefined ? await liveBytes() : await burst(Number(times), text));
});
const { addr } = server;
if (addr.transport === "tcp") console.log(addr.port);
