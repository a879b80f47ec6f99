/** What compression saves, and what it costs. @module */

import { type Benchmark, describeMachine } from "./benchmark.ts";
import { measureEcho } from "./echo.ts";
import { checkMemory } from "./memory.ts";
import { measureSettings } from "./settings.ts";

/** The benchmark of permessage-deflate. */
export const compression: Benchmark = {
  name: "compression",
  page: "README.md",
  async run(options) {
    const echo = await measureEcho(options);
    const settings = await measureSettings(options.runtimes);
    const memory = await checkMemory(options.runtimes);
    const machine = describeMachine(options.runtimes);
    const where = `Measured by \`deno task bench compression\` on ${machine}.`;
    const report = [echo.report, settings, memory.report, where].join("\n\n");
    return { report, results: null, isGood: echo.isGood && memory.isGood };
  },
};
