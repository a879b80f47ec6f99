/**
 * The other user of a server under attack: sends a small message every ten milliseconds and notes
 * how long its echo takes. Ends, and prints the times in milliseconds as JSON, when its input does.
 *
 * A message is sent when the one before has come back. What should have been sent meanwhile would
 * have waited, too, and counts: otherwise a server that stands still for a second would be seen as
 * one late echo among hundreds.
 *
 * @module
 */

import process from "node:process";
import { connect } from "../../mod.ts";

const PAUSE = 10;

/** What the client prints. */
export interface Notes {
  /** Milliseconds to each echo. */
  readonly times: number[];
  /** How much later than asked for its own timers fired: what is not the server's doing. */
  readonly lags: number[];
}

/** Round trips that are not counted: the first ones tell of this program's own start. */
const WARM_UP = 50;

/** The time that one echo took, and those of the messages that it has kept from being sent. */
function* withOmitted(time: number): Generator<number> {
  for (let left = time; left > 0; left -= PAUSE) yield Math.round(left * 100) / 100;
}

async function main(url: string): Promise<void> {
  const notes: Notes = { times: [], lags: [] };
  let isOver = false;
  process.stdin.on("end", () => isOver = true).resume();
  const session = await connect(url);
  for (let i = 0; !isOver; i++) {
    if (i === WARM_UP) console.log("ready");
    const started = performance.now();
    await session.send("are you there?");
    let message = await session.receive();
    while (message instanceof Uint8Array) message = await session.receive(); // a broadcast
    if (message === null) throw new Error("The server has dropped an honest client");
    const answered = performance.now();
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    if (i < WARM_UP) continue;
    notes.times.push(...withOmitted(answered - started));
    notes.lags.push(Math.max(0, performance.now() - answered - PAUSE));
  }
  await session.close(1000);
  console.log(JSON.stringify(notes));
}

await main(process.argv[2]);
