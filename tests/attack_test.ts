/**
 * The attacks of `deno task attack` in short versions, against the echo server on the runtime that
 * this test runs on: each ends as it must, an honest client is answered, and the memory stays.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { connect } from "../mod.ts";
import { type AttackCase, CASES } from "../scripts/attack/cases.ts";
import { forgetPeak, readMemory } from "../scripts/attack/process_watch.ts";
import { frame, RawClient, within } from "../scripts/attack/raw_client.ts";
import { type Program, startProgram } from "./programs.ts";
import { runtimeCommand } from "./toolchain.ts";

const RUNTIME = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";

/** How much of each attack is run. */
const SCALE = 0.02;

/**
 * MiB that a server may have over its baseline, at the peak of each attack and after all of them:
 * less than what each attack offers to one who would keep it, more than a collector's habits.
 */
const GROWTH = 96;

/** The longest that an echo may take during an attack on a busy machine, in milliseconds. */
const PATIENCE = 2000;

const ECHO = "examples/echo.ts";

async function warmUp(url: string): Promise<void> {
  for (let i = 0; i < 10; i++) {
    const client = await RawClient.open(url);
    for (let j = 0; j < 5; j++) await client.write(frame(0x82, new Uint8Array(1_000_000)));
    await client.write(frame(0x88));
    await client.ended;
    client.close();
  }
}

/** Sends small messages while `attack` runs; returns the longest time that one took. */
async function longestEcho(url: string, attack: Promise<unknown>): Promise<number> {
  const session = await connect(url);
  let isOver = false;
  attack.then(() => isOver = true, () => isOver = true);
  let longest = 0;
  do {
    const started = performance.now();
    await session.send("are you there?");
    // A broadcast reaches it, too.
    let message = await session.receive();
    while (message instanceof Uint8Array) message = await session.receive();
    assertEquals(message, "are you there?");
    longest = Math.max(longest, performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, 5));
  } while (!isOver);
  await session.close(1000);
  return longest;
}

/** Cases that one server can take one after the other. */
const groups = Map.groupBy(
  CASES,
  ({ server = ECHO, flags = [] }: AttackCase) => [server, ...flags].join(" "),
);

for (const [name, cases] of groups) {
  describe(`attacks on ${name}`, () => {
    let program: Program;
    let baseline = 0;

    before(async () => {
      const [server, ...flags] = name.split(" ");
      const own = server === ECHO ? ["--port", "0", ...flags] : flags;
      const { command, args } = runtimeCommand(RUNTIME, server, own, ["-N"]);
      program = await startProgram(command, args);
      await warmUp(program.url);
      baseline = readMemory(program.process.pid!)?.now ?? 0;
    });
    after(async () => {
      // Not asked to end in good order: some of its clients are deaf.
      process.kill(program.process.pid!, "SIGKILL");
      await program.ended;
    });

    for (const { id, what, run } of cases) {
      test(`${id} ${what}`, async () => {
        const pid = program.process.pid!;
        const isPeakKept = forgetPeak(pid);
        const attack = run({ url: program.url, scale: SCALE });
        const longest = await longestEcho(program.url, attack);
        const result = await within(30_000, attack);
        assert(result !== null, "the attack goes on");
        assert(longest < PATIENCE, `an honest client waited ${longest} ms`);
        const growth = isPeakKept ? readMemory(pid)!.peak - baseline : 0;
        assert(growth <= GROWTH, `${Math.round(growth)} MiB more at the peak`);
      });
    }

    test(`O4 memory is within ${GROWTH} MiB of what it was`, async () => {
      let growth = Infinity;
      for (let i = 0; i < 20 && growth > GROWTH; i++) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        growth = (readMemory(program.process.pid!)?.now ?? 0) - baseline;
      }
      assert(growth <= GROWTH, `${Math.round(growth)} MiB more`);
    });
  });
}
