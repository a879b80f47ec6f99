/**
 * A folder in which the package is installed as it is here: programs in it import it by its name,
 * and `@std/assert`.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../toolchain.ts";
import { PACKAGE, readEntryPoints } from "./doc_comments.ts";

/** Flags by which Deno resolves the same names: the package's own configuration. */
export const DENO_FLAGS: readonly string[] = [`--config=${ROOT}deno.json`, "--frozen"];

/** Makes the folder; whoever made it removes it by {@linkcode removeFolder}. */
export function createPackageFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "twoway-examples-")));
  const installed = join(folder, "node_modules", PACKAGE);
  mkdirSync(installed, { recursive: true });
  mkdirSync(join(folder, "node_modules/@std"));
  // Junctions: links to folders for which Windows wants no privilege. Node strips no types below
  // node_modules, but it goes by where a link leads.
  symlinkSync(ROOT, join(installed, "checkout"), "junction");
  symlinkSync(
    `${ROOT}tests/node_modules/@std/assert`,
    join(folder, "node_modules/@std/assert"),
    "junction",
  );
  const exports = Object.fromEntries(
    Array.from(readEntryPoints(), ([specifier, file]) => [
      `.${specifier.slice(PACKAGE.length)}`,
      `./checkout/${file}`,
    ]),
  );
  const manifest = { name: PACKAGE, type: "module", exports };
  writeFileSync(join(installed, "package.json"), JSON.stringify(manifest));
  return folder;
}

/** Removes a folder and the links in it, not what they lead to. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
