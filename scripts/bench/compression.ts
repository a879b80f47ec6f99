/** What compression saves, and what it costs. @module */

import { cpus } from "node:os";
import { spawnSync } from "node:child_process";
import { executable, type RuntimeName } from "../../tests/toolchain.ts";
import type { Benchmark } from "./benchmark.ts";
import { measureEcho } from "./echo.ts";
import { checkMemory } from "./memory.ts";
import { measureSettings } from "./settings.ts";

/** The benchmark of permessage-deflate. */
export const compression: Benchmark = {
  name: "compression",
  async run(options) {
    const echo = await measureEcho(options);
    const settings = await measureSettings(options.runtimes);
    const memory = await checkMemory(options.runtimes);
    const report = [echo.report, settings, memory.report, where(options.runtimes)].join("\n\n");
    return { report, isGood: echo.isGood && memory.isGood };
  },
};

/** The machine and the runtimes' versions. */
function where(runtimes: readonly RuntimeName[]): string {
  const versions = runtimes.map((runtime) => {
    const { stdout } = spawnSync(executable(runtime), ["--version"], { encoding: "utf8" });
    return `${runtime} ${/\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? "of an unknown version"}`;
  });
  const cores = cpus();
  return `Measured by \`deno task bench compression\` on ${Deno.build.os} ${Deno.build.arch}, ` +
    `${cores.length} cores (${cores[0]?.model.trim()}), with ${versions.join(", ")}.`;
}
