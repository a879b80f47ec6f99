/**
 * A user's project: a folder in which `@twoway/websocket` is installed, on each runtime in its own
 * way, without touching a line of the code. What is installed is this checkout.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { installPackage, PACKAGE, writeCertificates } from "../installed_package.ts";
import { ROOT } from "../toolchain.ts";

/** A folder to run programs in. */
export interface Workspace {
  /** Where Deno's programs go, with a slash at the end. */
  readonly deno: string;
  /** Where those of Node and Bun go. */
  readonly npm: string;
  /** The environment of its programs. */
  readonly env: Readonly<Record<string, string>>;
  remove(): void;
}

/** Makes a project with the package, all that the tests use, and a certificate in PEM files. */
export async function createWorkspace(): Promise<Workspace> {
  const folder = mkdtempSync(`${tmpdir()}/twoway-docs-`);
  // Node is quicker when it strips types once.
  const env = { NODE_COMPILE_CACHE: `${folder}/cache/` };
  const workspace = { deno: `${folder}/deno/`, npm: `${folder}/npm/`, env };
  mkdirSync(workspace.deno);
  mkdirSync(workspace.npm);
  installForDeno(workspace.deno);
  installForNpm(workspace.npm);
  await writeCertificates(workspace.deno);
  await writeCertificates(workspace.npm);
  return { ...workspace, remove: () => rmSync(folder, { recursive: true }) };
}

function installForDeno(folder: string): void {
  const imports: Record<string, string> = {};
  for (const [name, target] of Object.entries(PACKAGE.exports)) {
    imports[PACKAGE.name + name.slice(1)] = ROOT + target.slice(2);
  }
  for (const [name, target] of Object.entries(PACKAGE.imports)) {
    imports[name] = target.replace(/^\.\//, ROOT);
  }
  const compilerOptions = { types: [PACKAGE.imports["@types/node"]] };
  const config = { nodeModulesDir: "none", imports, compilerOptions };
  writeFileSync(`${folder}deno.json`, JSON.stringify(config));
}

function installForNpm(folder: string): void {
  writeFileSync(`${folder}package.json`, JSON.stringify({ private: true, type: "module" }));
  installPackage(`${folder}node_modules`);
  const installed = `${ROOT}tests/node_modules/`;
  for (const entry of readdirSync(installed)) {
    if (!entry.startsWith(".")) symlinkSync(installed + entry, `${folder}node_modules/${entry}`);
  }
}
