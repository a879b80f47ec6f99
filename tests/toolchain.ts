/**
 * Where the three runtimes are, so that a test on one of them can start a program on another. The
 * versions are pinned in `tests/runtimes`, and installed by `deno task test`.
 *
 * @module
 */

import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** A JavaScript runtime that the library supports. */
export type RuntimeName = "deno" | "bun" | "node";

/** All of them, in the order in which the tests run. */
export const RUNTIMES: readonly RuntimeName[] = ["deno", "bun", "node"];

/** The root of the repository, with a slash at the end. */
export const ROOT: string = fileURLToPath(new URL("../", import.meta.url));

/** A program to start and its arguments, as `spawn()` of `node:child_process` takes them. */
export interface Command {
  readonly command: string;
  readonly args: string[];
}

/** The folder whose `package.json` pins Bun and Node for this machine; it may not exist. */
export function runtimesFolder(): string {
  return `${ROOT}tests/runtimes/${process.platform}-${process.arch}/`;
}

/**
 * The executable of a runtime. `TWOWAY_DENO`, `TWOWAY_BUN` and `TWOWAY_NODE` name another one, for
 * machines that npm has no package for.
 */
export function executable(runtime: RuntimeName): string {
  const named = process.env[`TWOWAY_${runtime.toUpperCase()}`];
  if (named) return named;
  if (runtime === "deno") {
    return process.versions.deno ? process.execPath : "deno";
  }
  const suffix = process.platform === "win32" ? ".exe" : "";
  const path = `${runtimesFolder()}node_modules/${runtime}/bin/${runtime}${suffix}`;
  if (existsSync(path)) return path;
  throw new Error(`Cannot find ${path}: \`deno task test\` installs it`);
}

/**
 * The command that runs `script` (a path below the root, as `examples/echo.ts`) on a runtime.
 * `permissions` are Deno's flags; the other runtimes have none.
 */
export function runtimeCommand(
  runtime: RuntimeName,
  script: string,
  args: readonly string[] = [],
  permissions: readonly string[] = ["-A"],
): Command {
  const flags = {
    deno: ["run", "--no-check", ...permissions],
    bun: ["--no-install"],
    node: [],
  }[runtime];
  return {
    command: executable(runtime),
    args: [...flags, `${ROOT}${script}`, ...args],
  };
}
