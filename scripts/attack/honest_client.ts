/**
 * The other user of a server under attack: sends a small message every ten milliseconds and notes
 * how long its echo takes. Ends, and prints the times in milliseconds as JSON, when its input does.
 *
 * @module
 */

import process from "node:process";
import { connect } from "../../mod.ts";

const PAUSE = 10;

const [url] = process.argv.slice(2);
const times: number[] = [];
let isOver = false;
process.stdin.on("end", () => isOver = true).resume();

/** Round trips that are not counted: the first ones tell of this program's own start. */
const WARM_UP = 50;

const session = await connect(url);
for (let i = 0; !isOver; i++) {
  if (i === WARM_UP) console.log("ready");
  const started = performance.now();
  await session.send("are you there?");
  let message = await session.receive();
  while (message instanceof Uint8Array) message = await session.receive(); // a broadcast
  if (message === null) throw new Error("The server has dropped an honest client");
  if (i >= WARM_UP) times.push(Math.round((performance.now() - started) * 100) / 100);
  await new Promise((resolve) => setTimeout(resolve, PAUSE));
}
await session.close(1000);
console.log(JSON.stringify(times));
