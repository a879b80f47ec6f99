/** How much lives on in this process; for servers that are measured. @module */

import process from "node:process";
import { createInterface } from "node:readline";

/** Collects garbage, and returns the bytes that live on. */
export async function liveBytes(): Promise<number> {
  const { gc, Bun } = globalThis as {
    gc?: () => void;
    Bun?: { gc(isSynchronous: boolean): void };
  };
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (Bun !== undefined) Bun.gc(true);
    else gc?.();
  }
  if (Bun === undefined) {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  }
  const jsc = "bun:jsc"; // a name that other runtimes need not know
  const { heapSize, extraMemorySize } = (await import(jsc)).heapStats();
  return heapSize + extraMemorySize;
}

/** Answers each line on standard input that asks `gc`, and ends with whoever started the process. */
export function answerHeapQuestions(): void {
  const lines = createInterface({ input: process.stdin });
  lines.on("close", () => process.exit());
  lines.on("line", async () => console.log(await liveBytes()));
}
