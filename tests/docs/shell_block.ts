/**
 * Runs the commands of a page. A line is one of these, and nothing else is left out:
 *
 * - it installs this package: its name is checked;
 * - `deno task …`: there is such a task;
 * - it starts, on a runtime, a file of the repository or a block of the page that has that name.
 *
 * @module
 */

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import process from "node:process";
import { PACKAGE } from "../installed_package.ts";
import { executable, ROOT, type RuntimeName, RUNTIMES } from "../toolchain.ts";
import type { Block } from "./markdown.ts";
import { fileNameOf, freePort, runModule } from "./module_block.ts";
import { startPeer } from "./peers.ts";
import { runProgram } from "./processes.ts";
import type { Workspace } from "./workspace.ts";

const INSTALL =
  /^(?:(?:npm (?:install|i)|bun add|npx jsr add|bunx jsr add) |deno add (?:jsr|npm):)(\S+)$/;
const TASKS: Readonly<Record<string, unknown>> =
  JSON.parse(readFileSync(`${ROOT}deno.json`, "utf8")).tasks;

/** The commands of a block, without comments. */
export function readCommands({ code }: Block): string[] {
  return code.split("\n").map((line) => line.replace(/(^|\s+)# .*$/, "").trim()).filter(Boolean);
}

/** Runs a command if it is for this runtime, and throws an `Error` where it fails. */
export async function runCommand(
  line: string,
  block: Block,
  page: readonly Block[],
  runtime: RuntimeName,
  workspace: Workspace,
): Promise<void> {
  const place = `${block.page}:${block.line}: ${line}`;
  const installed = INSTALL.exec(line)?.[1];
  if (installed !== undefined) {
    if (installed === PACKAGE.name) return;
    throw new Error(`${place}: the package is ${PACKAGE.name}`);
  }
  const task = /(?:^| )deno task (\w+)/.exec(line)?.[1];
  if (task !== undefined) {
    if (task in TASKS) return;
    throw new Error(`${place}: there is no such task`);
  }
  const [, starter, flags, script] =
    /\b(deno run|bun run|bun|node)((?: -\S+)*) ([\w/]+\.ts)/.exec(line) ?? [];
  const wanted = RUNTIMES.find((name) => starter?.startsWith(name));
  if (wanted === undefined) throw new Error(`${place}: there is no way to run it`);
  if (wanted !== runtime) return;
  if (existsSync(ROOT + script)) return await runHere(line, script, block, place, workspace);
  const named = page.filter((other) => fileNameOf(other) === script);
  if (named.length !== 1) throw new Error(`${place}: the page has no block "// ${script}"`);
  const words = [...starter.split(" ").slice(1), ...flags.trim().split(" ")].filter(Boolean);
  await runModule(named, runtime, workspace, { name: script, flags: words });
}

/** Runs a command line at the root of the repository, until it ends or says where it listens. */
async function runHere(
  line: string,
  script: string,
  block: Block,
  place: string,
  workspace: Workspace,
): Promise<void> {
  const peer = block.peer === undefined ? undefined : await startPeer(block.peer);
  try {
    // Examples listen on 8000 unless they are told otherwise.
    const takesPort = script.startsWith("examples/") &&
      /--port|\brunServer\(/.test(readFileSync(ROOT + script, "utf8"));
    const listens = takesPort || line.includes("--listen");
    const port = String(listens || peer === undefined ? await freePort() : peer.port);
    // The program in place of the shell, so that it gets the signal.
    const start = line.includes("|") ? "" : "exec ";
    const command = start + line.replaceAll(/\b8000\b/g, port) + (takesPort ? " --port 0" : "");
    const bin = createBin(workspace);
    const result = await runProgram({
      command: "/bin/sh",
      args: ["-c", command],
      cwd: ROOT,
      env: { ...workspace.env, PATH: `${bin}:${process.env.PATH}` },
      isEnough: (output) => listens && /\b(?:http|ws):\/\/\S+\s/.test(output),
    });
    if (result.stopped || result.status === 0) return;
    const fault = result.timedOut ? "it took too long" : `status ${result.status}`;
    throw new Error(`${place}: ${fault}\n${result.stdout}${result.stderr}`);
  } finally {
    await peer?.stop();
  }
}

/** A folder with the runtimes, where `npx -y` and `bunx` start them, too, in place of a download. */
function createBin({ npm }: Workspace): string {
  const bin = `${npm}bin`;
  if (existsSync(bin)) return bin;
  mkdirSync(bin);
  for (const runtime of RUNTIMES) symlinkSync(executable(runtime), `${bin}/${runtime}`);
  for (const name of ["npx", "bunx"]) {
    writeFileSync(`${bin}/${name}`, '#!/bin/sh\n[ "$1" = -y ] && shift\nexec "$@"\n');
    chmodSync(`${bin}/${name}`, 0o755);
  }
  return bin;
}
