/**
 * A folder in which the package is installed as it is here: programs in it import it by its name,
 * and `@std/assert`.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPackage } from "../installed_package.ts";
import { ROOT } from "../toolchain.ts";

/** Flags by which Deno resolves the same names: the package's own configuration. */
export const DENO_FLAGS: readonly string[] = [`--config=${ROOT}deno.json`, "--frozen"];

/** Makes the folder; whoever made it removes it by {@linkcode removeFolder}. */
export function createPackageFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "twoway-examples-")));
  const modules = join(folder, "node_modules");
  installPackage(modules);
  mkdirSync(join(modules, "@std"));
  symlinkSync(`${ROOT}tests/node_modules/@std/assert`, join(modules, "@std/assert"), "junction");
  return folder;
}

/** Removes a folder and the links in it, not what they lead to. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
