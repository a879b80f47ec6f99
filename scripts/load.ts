/**
 * Puts `examples/echo.ts` under load on each runtime and watches its memory: a million messages of
 * 20 bytes, a thousand of 1 MiB, five thousand connections at once.
 *
 * ```sh
 * deno task load [--runtime deno,bun,node] [--handlers]
 * ```
 *
 * @module
 */

import { parseArgs } from "node:util";
import { connect } from "../mod.ts";
import type { WebSocketSession } from "../src/session.ts";
import { type Program, startExample } from "../tests/programs.ts";
import { type RuntimeName, RUNTIMES } from "../tests/toolchain.ts";

const MIB = 1_048_576;

/** What the memory may have grown by when all connections are gone again, in MiB. */
const MAX_GROWTH = 32;

/** How often each load runs before the memory is looked at, and between that and the second look. */
const WARM_UPS = 4;
const ROUNDS = 4;

/** Connections that are being opened at the same time. */
const DIALS = 500;

interface Load {
  readonly name: string;
  run(url: string): Promise<void>;
}

const LOADS: readonly Load[] = [
  { name: "1 000 000 messages of 20 B", run: (url) => echoAll(url, 20, 20_000, 50) },
  { name: "1 000 messages of 1 MiB", run: (url) => echoAll(url, MIB, 250, 4) },
  { name: "5 000 connections at once", run: (url) => openAll(url, 5000) },
];

/** Sends `count` messages over each of `connections`, and checks what comes back. */
async function echoAll(
  url: string,
  size: number,
  count: number,
  connections: number,
): Promise<void> {
  await Promise.all(Array.from({ length: connections }, async (_, id) => {
    const session = await connect(url, { limits: { maxMessageSize: 2 * MIB } });
    const sending = sendAll(session, id, size, count);
    for (let i = 0; i < count; i++) {
      const message = await session.receive();
      if (!(message instanceof Uint8Array) || message.length !== size) {
        const cause = message === null ? await session.closed : message;
        throw new Error(`Message ${i} of connection ${id} is missing or of the wrong size`, {
          cause,
        });
      }
      const view = new DataView(message.buffer);
      if (view.getUint32(0) !== id || view.getUint32(size - 4) !== i) {
        throw new Error(`Message ${i} of connection ${id} is another one`);
      }
    }
    await sending;
    await expectClean(session);
  }));
}

/** Every message carries its connection's number and its own, so that none can stand for another. */
async function sendAll(
  session: WebSocketSession,
  id: number,
  size: number,
  count: number,
): Promise<void> {
  const message = new Uint8Array(size);
  const view = new DataView(message.buffer);
  for (let i = 0; i < count; i++) {
    view.setUint32(0, id);
    view.setUint32(size - 4, i);
    await session.send(message);
  }
}

async function openAll(url: string, count: number): Promise<void> {
  const sessions: WebSocketSession[] = [];
  while (sessions.length < count) {
    const length = Math.min(DIALS, count - sessions.length);
    sessions.push(...await Promise.all(Array.from({ length }, () => connect(url))));
  }
  await Promise.all(sessions.map(async (session, i) => {
    session.send(`${i}`);
    if (await session.receive() !== `${i}`) throw new Error(`Connection ${i} got no echo`);
  }));
  await Promise.all(sessions.map(expectClean));
}

async function expectClean(session: WebSocketSession): Promise<void> {
  const status = await session.close(1000);
  if (!status.wasClean) {
    throw new Error("A connection did not end cleanly", { cause: status.error });
  }
}

/** Resident memory of a process, in MiB. */
async function residentMemory({ process }: Program): Promise<number> {
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "rss=", "-p", `${process.pid}`] })
    .output();
  return Number(new TextDecoder().decode(stdout)) / 1024;
}

async function measure(
  runtime: RuntimeName,
  load: Load,
  flags: readonly string[],
): Promise<boolean> {
  const program = await startExample(runtime, "examples/echo.ts", [
    "--port",
    "0",
    "--max-message-size",
    `${2 * MIB}`,
    ...flags,
  ]);
  try {
    // The runtime's own memory grows with its first work, and stays.
    for (let i = 0; i < WARM_UPS; i++) await load.run(program.url);
    const before = await settledMemory(program);
    const started = performance.now();
    for (let i = 0; i < ROUNDS; i++) await load.run(program.url);
    const seconds = (performance.now() - started) / 1000 / ROUNDS;
    const growth = await settledMemory(program, before + MAX_GROWTH) - before;
    const isGood = growth <= MAX_GROWTH;
    console.log(
      `${isGood ? "ok  " : "FAIL"} ${runtime.padEnd(5)} ${load.name.padEnd(28)} ` +
        `${seconds.toFixed(1).padStart(6)} s  ${before.toFixed(0).padStart(4)} MiB before, ` +
        `${growth >= 0 ? "+" : ""}${growth.toFixed(0)} MiB after`,
    );
    return isGood;
  } finally {
    await program.stop();
  }
}

/**
 * Memory after the garbage collector has had some idle time: two seconds, or as many as it takes to
 * come down to `wanted` MiB, but no more than thirty.
 */
async function settledMemory(program: Program, wanted = Infinity): Promise<number> {
  let memory = Infinity;
  for (let seconds = 0; seconds < 30 && (seconds < 2 || memory > wanted); seconds++) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    memory = await residentMemory(program);
  }
  return memory;
}

// With gigabytes to spare V8 puts off its collections, and what it has not got round to looks like
// growth. A heap of 128 MiB shows what is really kept: with a leak the server would not survive.
const HEAP = "--max-old-space-size=128 --max-semi-space-size=8";
Deno.env.set("NODE_OPTIONS", HEAP);
Deno.env.set("DENO_V8_FLAGS", HEAP.replace(" ", ","));

const { values } = parseArgs({
  args: Deno.args,
  options: {
    runtime: { type: "string", default: RUNTIMES.join(",") },
    handlers: { type: "boolean", default: false },
  },
});
let failed = 0;
for (const runtime of values.runtime.split(",") as RuntimeName[]) {
  for (const load of LOADS) {
    if (!await measure(runtime, load, values.handlers ? ["--handlers"] : [])) failed++;
  }
}
if (failed > 0) Deno.exit(1);
