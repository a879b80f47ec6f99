/**
 * Attacks `examples/echo.ts` on each runtime in the ways of the catalogue's section 6, and watches
 * its memory and what a second, honest client notices.
 *
 * ```sh
 * deno task attack [--runtime deno,bun,node] [--case M-3,M-6] [--scale 0.1] [--soak minutes]
 * ```
 *
 * The server runs on one core, attacker and honest client on another (by `taskset`, where there is
 * one). Every attack has a server of its own, which warms up with ordinary traffic of the same kind
 * first: the peak over the memory it has then must stay below the gate, 32 MiB for all attacks but
 * those whose connections need some by themselves (24 KiB each). V8's heap is bounded to what such a
 * server needs, and Bun is told that memory is scarce, because with gigabytes to spare both put
 * collections off, and that looks like growth.
 * The honest client sends a message every 10 ms: 99 % of its echoes must come within 50 ms.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { startProgram } from "../tests/programs.ts";
import { runtimeCommand, type RuntimeName, RUNTIMES } from "../tests/toolchain.ts";
import { type Attack, type AttackCase, CASES, soak } from "./attack/cases.ts";
import { frame, RawClient } from "./attack/raw_client.ts";
import { installToolchain } from "./toolchain.ts";

const MIB = 1_048_576;

/** The peak over the baseline, in MiB. */
const MEMORY_GATE = 32;
/** The 99th percentile of the honest client's round trips, in milliseconds. */
const LATENCY_GATE = 50;

/** How long the honest client is measured without an attack, in milliseconds. */
const QUIET = 2000;

/** Short attacks are repeated for so long, in milliseconds. */
const AT_LEAST = 3000;

const hasTaskset = await new Deno.Command("taskset", { args: ["-V"], stdout: "null" }).output()
  .then(({ success }) => success, () => false);

/** A command, pinned to a core where that can be done. */
function pinned(core: number, command: string, args: readonly string[]): [string, string[]] {
  if (!hasTaskset) return [command, [...args]];
  return ["taskset", ["-c", `${core}`, command, ...args]];
}

interface Outcome {
  readonly result: string;
  readonly isGood: boolean;
  /** MiB over the baseline. */
  readonly growth: number;
  /** Milliseconds, without and with the attack. */
  readonly quiet: number;
  readonly attacked: number;
}

/** Resident memory of a process, in MiB. */
async function residentMemory(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) / 1024;
}

/** Looks at a process's memory again and again, and keeps the most. */
class MemoryWatch {
  readonly #pid: number;
  readonly #timer: ReturnType<typeof setInterval>;
  peak = 0;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.look(), 50);
  }

  async look(): Promise<number> {
    const memory = await residentMemory(this.#pid).catch(() => 0);
    this.peak = Math.max(this.peak, memory);
    return memory;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** The honest client's round trips while `during` runs, in milliseconds. */
async function measureLatency(url: string, during: () => Promise<void>): Promise<number[]> {
  const { command, args } = runtimeCommand("deno", "scripts/attack/honest_client.ts", [url]);
  const [program, all] = pinned(1, command, args);
  const child = new Deno.Command(program, { args: all, stdin: "piped", stdout: "piped" }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("ready\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error("The honest client could not connect");
    text += value;
  }
  try {
    await during();
  } finally {
    await child.stdin.close();
  }
  for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
  const { success } = await child.status;
  if (!success) throw new Error("The honest client was dropped");
  return JSON.parse(text.slice(text.indexOf("[")));
}

function percentile99(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Infinity;
}

/** Messages as long as they may be. */
const LARGE = [
  frame(0x82, new Uint8Array(MIB)),
  frame(0x81, new TextEncoder().encode("€".repeat(349_525))),
];

/** Ordinary traffic, so that the runtime's memory has grown to what it works with. */
async function warmUp(url: string): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: 20 }, async () => {
      const client = await RawClient.open(url);
      for (let i = 0; i < 10; i++) await client.write(LARGE[i % LARGE.length]);
      for (let i = 0; i < 500; i++) await client.write(frame(0x82, new Uint8Array(20)));
      await client.write(frame(0x88));
      await client.ended;
      client.close();
    }));
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
}

async function attack(
  runtime: RuntimeName,
  { server = "examples/echo.ts", flags = [], gate = MEMORY_GATE, run }: AttackCase,
  scale: number,
): Promise<Outcome> {
  const own = server === "examples/echo.ts" ? ["--port", "0", ...flags] : flags;
  const { command, args } = runtimeCommand(runtime, server, own, ["-N"]);
  if (runtime === "bun") args.unshift("--smol");
  const program = await startProgram(...pinned(0, command, args));
  const watch = new MemoryWatch(program.process.pid!);
  try {
    await warmUp(program.url);
    const quiet = await measureLatency(
      program.url,
      () => new Promise((resolve) => setTimeout(resolve, QUIET)),
    );
    let baseline = await watch.look();
    watch.peak = 0;
    let result = "";
    const attacked = await measureLatency(program.url, async () => {
      const target: Attack = { url: program.url, scale };
      const started = performance.now();
      // A hundred echoes and more, so that the slowest in a hundred is not just the slowest.
      do result = await run(target).catch((error) => `WRONG: ${error.message}`); while (
        performance.now() - started < AT_LEAST && !result.startsWith("WRONG")
      );
    });
    baseline = Math.min(baseline, watch.peak);
    const growth = watch.peak - baseline;
    const [before, during] = [percentile99(quiet), percentile99(attacked)];
    const isGood = !result.startsWith("WRONG") && growth <= gate && during <= LATENCY_GATE;
    return { result, isGood, growth, quiet: before, attacked: during };
  } finally {
    watch.stop();
    await program.stop();
  }
}

function print(
  runtime: string,
  { id, what, gate = MEMORY_GATE }: AttackCase,
  outcome: Outcome,
): void {
  const { isGood, growth, quiet, attacked, result } = outcome;
  console.log(
    `${isGood ? "ok  " : "FAIL"} ${runtime.padEnd(5)} ${id.padEnd(5)} ${what.padEnd(66)} ` +
      `+${growth.toFixed(0).padStart(3)} of ${`${gate}`.padStart(3)} MiB  ` +
      `p99 ${quiet.toFixed(1).padStart(5)} → ${attacked.toFixed(1).padStart(5)} ms  ${result}`,
  );
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      runtime: { type: "string", default: RUNTIMES.join(",") },
      case: { type: "string" },
      scale: { type: "string", default: "1" },
      soak: { type: "string" },
    },
  });
  await installToolchain();
  const heap = "--max-old-space-size=128 --max-semi-space-size=8";
  Deno.env.set("NODE_OPTIONS", heap);
  Deno.env.set("DENO_V8_FLAGS", heap.replace(" ", ","));
  Deno.env.set("BUN_JSC_forceRAMSize", `${64 * MIB}`);
  if (hasTaskset) {
    const args = ["-c", "-p", "1", `${Deno.pid}`];
    await new Deno.Command("taskset", { args, stdout: "null" }).output();
  } else console.log("Without taskset attacker and server may share a core");
  const cases = selectCases(values.case, values.soak);
  let failed = 0;
  let passed = 0;
  for (const runtime of values.runtime.split(",") as RuntimeName[]) {
    for (const one of cases) {
      const outcome = await attack(runtime, one, Number(values.scale));
      print(runtime, one, outcome);
      if (outcome.isGood) passed++;
      else failed++;
    }
  }
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function selectCases(ids: string | undefined, minutes: string | undefined): readonly AttackCase[] {
  if (minutes !== undefined) {
    const run = (attack: Attack): Promise<string> => soak(attack, Number(minutes) * 60_000);
    return [{ id: "M-15", what: `a random mix for ${minutes} minutes`, run }];
  }
  if (ids === undefined) return CASES;
  return ids.split(",").map((id) => {
    const found = CASES.find((one) => one.id === id);
    if (found === undefined) throw new TypeError(`There is no case "${id}"`);
    return found;
  });
}

if (import.meta.main) Deno.exit(await main());
