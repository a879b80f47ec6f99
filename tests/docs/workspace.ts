/**
 * A user's project: a folder in which `@twoway/websocket` is installed, on each runtime in its own
 * way, without touching a line of the code. What is installed is this checkout.
 *
 * @module
 */

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { createCertificates } from "../runtime/certificates.ts";
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

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
}

/** What deno.json says of the package. */
export const PACKAGE: Manifest = JSON.parse(readFileSync(`${ROOT}deno.json`, "utf8"));

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
  const { ca, cert, key } = await createCertificates();
  for (const to of [workspace.deno, workspace.npm]) {
    writeFileSync(`${to}ca.pem`, ca);
    writeFileSync(`${to}cert.pem`, cert);
    writeFileSync(`${to}key.pem`, key);
  }
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
  const { name, exports } = PACKAGE;
  writeFileSync(`${folder}package.json`, JSON.stringify({ private: true, type: "module" }));
  const target = `${folder}node_modules/${name}/`;
  mkdirSync(target, { recursive: true });
  writeFileSync(`${target}package.json`, JSON.stringify({ name, type: "module", exports }));
  // Node strips no types below node_modules; a link counts as what it points to.
  for (const entry of ["mod.ts", "cli.ts", "src"]) symlinkSync(ROOT + entry, target + entry);
  const installed = `${ROOT}tests/node_modules/`;
  for (const entry of readdirSync(installed)) {
    if (!entry.startsWith(".")) symlinkSync(installed + entry, `${folder}node_modules/${entry}`);
  }
}
