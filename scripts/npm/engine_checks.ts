/** The package on one runtime: installed, each entry point used, and its command. @module */

import type { Check } from "./checks.ts";
import { CLI, COMMAND } from "./package_json.ts";
import { createProject, installPackage, README_PROGRAM, runProgram } from "./project.ts";
import { type Engine, tool, type Workshop } from "./workshop.ts";

/** What is checked on a runtime, in this order. */
export async function engineChecks(workshop: Workshop, engine: Engine): Promise<Check[]> {
  const folder = await createProject(workshop, engine.name);
  const check = (name: string, check: () => Promise<void>): Check => {
    return { name: `${engine.name}: ${name}`, check };
  };
  const runs = (name: string, ...args: string[]) =>
    check(name, () => runProgram(engine, folder, args));
  const entries = Object.keys(workshop.deno.exports).filter((name) => name !== CLI);
  return [
    check("installs the tarball", () => installPackage(workshop, engine, folder)),
    runs("the README's first program", README_PROGRAM),
    ...entries.map((name) => runs(`uses ${name}`, fixtureOf(name))),
    runs("is required by CommonJS", "required.cjs"),
    runs("notices that a tunnel is lost", "lost_tunnel.js"),
    runs("imports have no effects", "effects.js"),
    ...[COMMAND, workshop.deno.name].map((name) => {
      const shown = `${engine.kind === "bun" ? "bunx" : "npx"} ${name}`;
      return runs(`an echo by ${shown}`, "command.js", ...commandRunner(engine), name);
    }),
  ];
}

/** The program that uses an entry point: `echo_web.js` for `./web`. */
export function fixtureOf(entry: string): string {
  return `echo_${entry === "." ? "main" : entry.slice("./".length)}.js`;
}

/** `npx`, or `bunx`, which by itself would leave a program that is for Node to Node. */
function commandRunner({ kind, command }: Engine): string[] {
  return kind === "bun"
    ? [command, "x", "--bun", "--no-install"]
    : [command, tool("npm/bin/npx-cli.js")];
}
