/** What each setting saves and costs. @module */

import type { RuntimeName } from "../../tests/toolchain.ts";
import { table } from "./benchmark.ts";
import { canSeeMemory, Child } from "./children.ts";
import type { CodecResult, Setting } from "./codec.ts";
import { connectionMemory, type HoldOptions } from "./memory.ts";

const full = { windowBits: 15, memLevel: 8 };
const small = { windowBits: 11, memLevel: 5 };

/** Those worth a line. */
const SETTINGS: readonly Setting[] = [false, true].flatMap((takeover) => [
  ...[1, 3, 6, 9].map((level) => ({ level, ...full, takeover })),
  { level: 1, ...small, takeover },
]);

const HELD: HoldOptions = { connections: 1000, warmUps: 1, rounds: 1 };

/** Measures all settings on each runtime. */
export async function measureSettings(runtimes: readonly RuntimeName[]): Promise<string> {
  const codecs = new Map<RuntimeName, CodecResult[]>();
  const memory = new Map<RuntimeName, Map<string, number>>();
  for (const runtime of runtimes) {
    codecs.set(runtime, await codecResults(runtime));
    memory.set(runtime, await contextMemory(runtime));
  }
  const rows = SETTINGS.map((setting, i) => {
    const all = (value: (result: CodecResult) => string): string =>
      runtimes.map((runtime) => value(codecs.get(runtime)![i])).join(" / ");
    const time = (size: number) =>
      all((result) => (result[size].deflate + result[size].inflate).toFixed(0));
    const saved = (size: number) => all((result) => (result[size].saved * 100).toFixed(0));
    const held = runtimes.map((runtime) =>
      memory.get(runtime)!.get(memoryKey(setting))?.toFixed(0) ?? "?"
    );
    return [describe(setting), saved(0), saved(1), time(0), time(1), held.join(" / ")];
  });
  const head = [
    "level, window, memLevel",
    "% saved of 1 KiB",
    "of 16 KiB",
    "µs for 1 KiB",
    "for 16 KiB",
    "KiB per connection",
  ];
  return `What each setting saves, the time to compress and inflate a message of JSON, and what a ` +
    `connection holds for it (${runtimes.join(" / ")}):\n\n${table(head, rows)}`;
}

function describe({ level, windowBits, memLevel, takeover }: Setting): string {
  return `${level}, ${windowBits}, ${memLevel}${takeover ? ", takeover" : ""}`;
}

async function codecResults(runtime: RuntimeName): Promise<CodecResult[]> {
  const script = "scripts/bench/codec.ts";
  const child = new Child({ runtime, script, args: [JSON.stringify(SETTINGS)] });
  try {
    const results: CodecResult[] = [];
    for (const setting of SETTINGS) {
      results.push(await child.value());
      console.error(`codec on ${runtime}: ${describe(setting)}`);
    }
    return results;
  } finally {
    await child.stop();
  }
}

/** Levels differ in time, not in what is held between two messages. */
function memoryKey({ windowBits, memLevel, takeover }: Setting): string {
  return takeover ? `${windowBits} ${memLevel}` : "none";
}

/** KiB that a connection holds more than one without compression does. */
async function contextMemory(runtime: RuntimeName): Promise<Map<string, number>> {
  const held = new Map<string, number>();
  if (!canSeeMemory) return held;
  const plain = await connectionMemory(runtime, false, HELD);
  for (const { takeover, windowBits, memLevel } of SETTINGS) {
    const key = memoryKey({ level: 0, takeover, windowBits, memLevel });
    if (held.has(key)) continue;
    const config = { contextTakeover: takeover, contextBudget: 2 ** 30, windowBits, memLevel };
    const { resident, live } = await connectionMemory(runtime, config, HELD);
    // Contexts are zlib's own memory, which no heap counts.
    const size = takeover ? resident - plain.resident : live - plain.live;
    held.set(key, Math.max(0, size));
    console.error(`memory on ${runtime}: ${key}: ${size.toFixed(1)} KiB`);
  }
  return held;
}
