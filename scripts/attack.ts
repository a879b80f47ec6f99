/**
 * Attacks `examples/echo.ts` on each runtime in the ways of the catalogue's section 6, and watches
 * its memory and what a second, honest client notices.
 *
 * ```sh
 * deno task attack [--runtime deno,bun,node] [--case M-3,M-6] [--scale 0.1] [--soak minutes]
 * ```
 *
 * The server runs on one core, attacker and honest client on another (by `taskset`, where there is
 * one). Every attack has a server of its own, which warms up with ordinary traffic of every kind and
 * is kept at work: the peak over what it has then, in the middle, must stay below the gate, 32 MiB above
 * what TCP alone costs the runtime where an attack holds thousands of connections. V8's heap is bounded to
 * what such a server needs, and Bun is told that memory is scarce, because with gigabytes to spare both
 * put collections off, and that looks like growth. Where the server has one core, Node gets one thread for
 * collections, as Deno takes by itself, and as docs/deployment.md says: of the four that it would start, all
 * share that core with the server.
 * The honest client sends a message every 10 ms: 99 % of its echoes must come within 50 ms, those
 * counted that it could not send because it was still waiting. Beside it stands how late the client's
 * own timers were: it shares its core with the attacker; and for how much of the time the host gave the
 * server's core to other machines. When all have left, the server's files must be closed, too.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { startProgram } from "../tests/programs.ts";
import { joinBytes } from "../tests/frames.ts";
import { runtimeCommand, type RuntimeName, RUNTIMES } from "../tests/toolchain.ts";
import { type Attack, type AttackCase, CASES, soak } from "./attack/cases.ts";
import type { Notes } from "./attack/honest_client.ts";
import { countFiles, forgetPeak, readMemory, stolenTime } from "./attack/process_watch.ts";
import { frame, RawClient, repeat } from "./attack/raw_client.ts";
import { installToolchain } from "./toolchain.ts";

const MIB = 1_048_576;

/** The peak over the baseline, in MiB. */
const MEMORY_GATE = 32;

/**
 * KiB that a runtime holds for an accepted connection before anything of ours comes, as
 * docs/benchmarks.md has measured it: no attack can be cheaper.
 */
const TCP_KIB: Record<RuntimeName, number> = { deno: 5.7, bun: 1.8, node: 3.8 };

/** What a case may add on a runtime, in MiB. */
function gateOf({ gate = MEMORY_GATE, holds = 0 }: AttackCase, runtime: RuntimeName): number {
  return gate + Math.round(holds * TCP_KIB[runtime] / 1024);
}

/** The 99th percentile of the honest client's round trips, in milliseconds. */
const LATENCY_GATE = 50;

/** The MiB of RAM that Bun is told of: beyond four fifths of them in use it collects without a pause. */
const BUN_RAM = 160;

/** How long the honest client is measured without an attack, in milliseconds. */
const QUIET = 2000;

/** In this time, in milliseconds, a server has closed what its clients have left. */
const CLOSING = 12_000;

/** What a runtime may open for itself. */
const SPARE_FILES = 8;

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
  /** MiB over the baseline, and how much is allowed. */
  readonly growth: number;
  readonly gate: number;
  /** Milliseconds, without and with the attack. */
  readonly quiet: Latency;
  readonly attacked: Latency;
  /** The part of the attack's time for which others had the server's core; `null` if not known. */
  readonly stolen: number | null;
}

/** What the honest client saw, in milliseconds. */
interface Latency {
  readonly p99: number;
  readonly longest: number;
  /** The 99th percentile of how late its own timers were. */
  readonly lag: number;
}

const NO_ECHO: Latency = { p99: Infinity, longest: Infinity, lag: 0 };

/** Follows the memory that a process has. */
class MemoryWatch {
  readonly #pid: number;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Whether the kernel keeps the peak; otherwise it is the most of what was seen. */
  #isKept = false;
  #seen: number[] = [];
  /** The most, in MiB. */
  peak = 0;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.look(), 50);
  }

  /** Starts anew. */
  reset(): void {
    this.#isKept = forgetPeak(this.#pid);
    this.#seen = [];
    this.peak = 0;
    this.look();
  }

  /** What the process had in the middle: from moment to moment collections make it more and less. */
  get middle(): number {
    return this.#seen.toSorted((a, b) => a - b)[this.#seen.length >> 1] ?? 0;
  }

  look(): void {
    const memory = readMemory(this.#pid);
    if (memory === null) return;
    this.#seen.push(memory.now);
    this.peak = Math.max(this.peak, this.#isKept ? memory.peak : memory.now);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** What the honest client sees while `during` runs. */
async function measureLatency(url: string, during: () => Promise<void>): Promise<Latency> {
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
  const { times, lags } = JSON.parse(text.slice(text.indexOf("{"))) as Notes;
  return { p99: percentile99(times), longest: Math.max(...times), lag: percentile99(lags) };
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

/** A message in a thousand frames. */
const FRAGMENTED = joinBytes(
  frame(0x02, Uint8Array.of(1)),
  repeat(frame(0x00, Uint8Array.of(2)), 998),
  frame(0x80, Uint8Array.of(3)),
);

/**
 * Ordinary traffic of every kind, so that the runtime's memory has grown to what it works with: the
 * compilers of Bun alone take 20 MiB when some code begins to be busy.
 */
async function warmUp(url: string): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: 20 }, async () => {
      const client = await RawClient.open(url);
      for (let i = 0; i < 10; i++) await client.write(LARGE[i % LARGE.length]);
      for (let i = 0; i < 500; i++) await client.write(frame(0x82, new Uint8Array(20)));
      for (let i = 0; i < 50; i++) await client.write(FRAGMENTED);
      await client.write(frame(0x88));
      await client.ended;
      client.close();
    }));
  }
  await sleep(1000);
}

/**
 * One client's ordinary traffic, for so many milliseconds: a server that sleeps gives back memory that
 * it needs for the next message, and takes that again.
 */
async function keepBusy(url: string, ms: number): Promise<void> {
  const client = await RawClient.open(url);
  const started = performance.now();
  for (let i = 0; performance.now() - started < ms; i++) {
    await client.write(i % 3 < 2 ? LARGE[i % 3] : FRAGMENTED);
    await sleep(20);
  }
  await client.leave();
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function attack(
  runtime: RuntimeName,
  one: AttackCase,
  scale: number,
): Promise<Outcome> {
  const { server = "examples/echo.ts", flags = [], run } = one;
  const own = server === "examples/echo.ts" ? ["--port", "0", ...flags] : flags;
  const { command, args } = runtimeCommand(runtime, server, own, ["-N"]);
  if (runtime === "bun") args.unshift("--smol");
  const program = await startProgram(...pinned(0, command, args));
  const pid = program.process.pid!;
  const watch = new MemoryWatch(pid);
  try {
    await warmUp(program.url);
    const quiet = await measureLatency(program.url, () => sleep(QUIET));
    watch.reset();
    await keepBusy(program.url, QUIET);
    const baseline = watch.middle;
    const files = countFiles(pid);
    watch.reset();
    let result = "";
    const begun = performance.now();
    const stolenBefore = hasTaskset ? stolenTime(0) : null;
    const attacked = await measureLatency(program.url, async () => {
      const target: Attack = { url: program.url, scale };
      const started = performance.now();
      // A hundred echoes and more, so that the slowest in a hundred is not just the slowest.
      do result = await run(target).catch((error) => `WRONG: ${error.message}`); while (
        performance.now() - started < AT_LEAST && !result.startsWith("WRONG")
      );
    }).catch((error) => {
      result = `WRONG: ${error.message}`;
      return NO_ECHO;
    });
    const stolen = stolenBefore === null
      ? null
      : (stolenTime(0)! - stolenBefore) / (performance.now() - begun);
    watch.look();
    const growth = watch.peak - baseline;
    const gate = gateOf(one, runtime);
    if (!result.startsWith("WRONG")) result += await leftFiles(pid, files);
    const isGood = !result.includes("WRONG") && growth <= gate &&
      attacked.p99 <= LATENCY_GATE;
    return { result, isGood, growth, gate, quiet, attacked, stolen };
  } finally {
    watch.stop();
    await program.stop();
  }
}

/** What is wrong with a process's open files once they had the time of a closing handshake. */
async function leftFiles(pid: number, before: number | null): Promise<string> {
  let left = 0;
  for (let waited = 0; waited <= CLOSING; waited += 100) {
    left = (countFiles(pid) ?? 0) - (before ?? Infinity);
    if (left <= SPARE_FILES) return "";
    await sleep(100);
  }
  return `; WRONG: ${left} more files are open`;
}

function print(
  runtime: RuntimeName,
  one: AttackCase,
  outcome: Outcome,
): void {
  const { id, what } = one;
  const { isGood, growth, gate, quiet, attacked, stolen, result } = outcome;
  const share = stolen === null ? "" : `, ${Math.round(stolen * 100)} % of the core stolen`;
  console.log(
    `${isGood ? "ok  " : "FAIL"} ${runtime.padEnd(5)} ${id.padEnd(5)} ${what.padEnd(66)} ` +
      `+${growth.toFixed(0).padStart(3)} of ${gate.toFixed(0).padStart(3)} MiB  ` +
      `p99 ${quiet.p99.toFixed(1).padStart(5)} → ${attacked.p99.toFixed(1).padStart(5)} ms ` +
      `(longest ${attacked.longest.toFixed(0).padStart(4)}, own lag ` +
      `${attacked.lag.toFixed(0).padStart(3)}${share})  ${result}`,
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
  Deno.env.set("NODE_OPTIONS", hasTaskset ? `${heap} --v8-pool-size=1` : heap);
  Deno.env.set("DENO_V8_FLAGS", heap.replace(" ", ","));
  Deno.env.set("BUN_JSC_forceRAMSize", `${BUN_RAM * MIB}`);
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
