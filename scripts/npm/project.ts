/** Someone's new project, with the package installed from its tarball. @module */

import { ROOT } from "../../tests/toolchain.ts";
import { demand } from "./checks.ts";
import { readmeProgram } from "./readme.ts";
import { type Engine, tool, type Workshop } from "./workshop.ts";

const FIXTURES = `${ROOT}tests/package/fixtures/`;

/** The README's first program among the fixtures. */
export const README_PROGRAM = "readme.js";

/** A folder with the fixtures, ready for the package to be installed. Returns it with a slash. */
export async function createProject(workshop: Workshop, name: string): Promise<string> {
  const folder = `${workshop.folder}${name.replaceAll(" ", "-")}/`;
  await Deno.mkdir(folder);
  await Deno.writeTextFile(`${folder}package.json`, `{ "private": true, "type": "module" }`);
  for await (const { name } of Deno.readDir(FIXTURES)) {
    await Deno.copyFile(`${FIXTURES}${name}`, `${folder}${name}`);
  }
  const readme = await Deno.readTextFile(`${ROOT}README.md`);
  const program = readmeProgram(readme, workshop.deno.name);
  await Deno.writeTextFile(`${folder}${README_PROGRAM}`, program);
  return folder;
}

/** Installs the tarball, and nothing else: there is no registry. */
export async function installPackage(
  { tarball }: Workshop,
  { kind, command, env }: Engine,
  cwd: string,
): Promise<void> {
  const args = kind === "bun" ? ["add"] : [tool("npm/bin/npm-cli.js"), "install"];
  await demand(command, [...args, tarball], { cwd, env });
}

/** Runs a program that says `ok` at its end, and nothing else may hold it. */
export async function runProgram(
  { command, env }: Engine,
  cwd: string,
  args: readonly string[],
): Promise<void> {
  const output = await demand(command, args, { cwd, env, timeout: 30_000 });
  if (!/(?:^|\n)ok\r?\n$/.test(output)) throw new Error(`it did not say ok\n${output}`);
}
