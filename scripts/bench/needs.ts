/**
 * What every message costs beside the sockets, whoever echoes it, by the fastest means that we know: of a
 * binary one the mask is taken off, the application gets an array of its own, and a copy of it is made
 * to be sent; texts that come in one read are unmasked and decoded together, and each is encoded to be
 * sent. In a process of its own; its argument is the {@linkcode EchoLoad}, and the microseconds for one
 * message go to standard output.
 *
 * @module
 */

import process from "node:process";
import { asciiScratch, encodeAscii } from "../../src/core/ascii.ts";
import { createBuffer } from "../../src/core/buffer_pool.ts";
import { copyMasked } from "../../src/core/mask.ts";
import { ReadWindow } from "../../src/core/read_window.ts";
import { TextBatch } from "../../src/core/text_batch.ts";
import { tuneCore } from "../../src/tuning.ts";
import { median } from "./benchmark.ts";
import { repeatFrame, requestFrame } from "./known_frames.ts";
import type { EchoLoad } from "./load.ts";

/** How long one round takes at least, in milliseconds, and how many there are. */
const ROUND = 40;
const ROUNDS = 9;

const KEY = 0x37fa213d;

const { size, isText, inFlight }: EchoLoad = JSON.parse(process.argv[2]);
tuneCore();

/** What comes in one read. */
const together = isText ? inFlight : 1;
const frame = requestFrame(size, isText);
const input = repeatFrame(frame, together);
const window = new ReadWindow();
const batch = new TextBatch();
const output = createBuffer(frame.length);
/** The last messages, so that none is left out as unused. */
const kept: (string | Uint8Array)[] = ["", "", "", ""];

function echoBinary(i: number): void {
  window.renew(input); // of each read a payload only once
  const message = window.unmask(input, frame.length - size, size, KEY);
  kept[i & 3] = message;
  copyMasked(output, 2, message, 0, size, 0);
}

function echoText(i: number): void {
  const index = i % together;
  if (index === 0) batch.renew(input);
  const text = batch.take(input, (index + 1) * frame.length - size, size, KEY)!;
  kept[i & 3] = text;
  if (!encodeAscii(text)) throw new Error("The text is not ASCII");
  copyMasked(output, 2, asciiScratch, 0, size, 0);
}

const echo = isText ? echoText : echoBinary;

/** The microseconds of one call, in the middle of many rounds. */
function measure(run: (times: number) => void): number {
  let times = 1;
  const rounds: number[] = [];
  while (rounds.length < ROUNDS) {
    const started = performance.now();
    run(times);
    const elapsed = performance.now() - started;
    if (elapsed < ROUND) times *= 2;
    else rounds.push(elapsed * 1000 / times);
  }
  return median(rounds);
}

const needs = measure((times) => {
  for (let i = 0; i < times; i++) echo(i);
});
console.log(needs);
process.exit();
