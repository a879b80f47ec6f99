/** Runs a page's modules as a user would, and holds them to what they say they print. @module */

import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { executable, type RuntimeName } from "../toolchain.ts";
import { type Block, isExpected, readExpectations, toModule } from "./markdown.ts";
import { startPeer } from "./peers.ts";
import { type ProgramInit, runProgram } from "./processes.ts";
import type { Workspace } from "./workspace.ts";

/** How programs are started where the page doesn't say. */
const COMMANDS: Readonly<Record<RuntimeName, readonly string[]>> = {
  deno: ["run", "-A", "--no-check", "--no-lock"],
  bun: ["--no-install"],
  node: [],
};

/** The name that a block gives itself in its first line: `// server.ts`. */
export function fileNameOf({ code }: Block): string | undefined {
  return /^\/\/ (\w+\.ts)$/m.exec(code.split("\n", 1)[0])?.[1];
}

/** The file that a program is written to: its place, so that errors show it. */
export function moduleName([{ page, line }]: readonly Block[]): string {
  return `${page.replace(/\W/g, "_")}_${line}.ts`;
}

/**
 * Runs blocks as one module, from `name`, with the arguments in front of it that `flags` gives. Ports
 * 8000 become the peer's, or a free one: that is all that changes in the code.
 */
export async function runModule(
  blocks: readonly Block[],
  runtime: RuntimeName,
  workspace: Workspace,
  { name = moduleName(blocks), flags = COMMANDS[runtime] }: {
    name?: string;
    flags?: readonly string[];
  } = {},
): Promise<void> {
  const peerName = blocks.find(({ peer }) => peer !== undefined)?.peer;
  const peer = peerName === undefined ? undefined : await startPeer(peerName);
  try {
    const port = String(peer?.port ?? await freePort());
    const code = toModule(blocks).replaceAll(/\b8000\b/g, port);
    const cwd = workspace[runtime === "deno" ? "deno" : "npm"];
    writeFileSync(cwd + name, code);
    const program = { command: executable(runtime), args: [...flags, name], cwd };
    await runAndCheck(blocks, code, { ...program, env: workspace.env });
  } finally {
    await peer?.stop();
  }
}

async function runAndCheck(
  blocks: readonly Block[],
  code: string,
  program: Omit<ProgramInit, "isEnough">,
): Promise<void> {
  const expectations = readExpectations(code);
  const missing = (output: string) => {
    const lines = output.split("\n");
    return expectations.filter((text) => !lines.some((line) => isExpected(line, text)));
  };
  const stays = blocks.some((block) => block.stays);
  if (stays && expectations.length === 0) {
    throw new Error("A program that stays must print what it says: console.log(…); // this");
  }
  const isEnough = stays ? (output: string) => missing(output).length === 0 : undefined;
  const result = await runProgram({ ...program, isEnough });
  const fault = result.timedOut
    ? "it took too long"
    : !result.stopped && result.status !== 0
    ? `it ended with status ${result.status}`
    : missing(result.stdout).map((text) => `it did not print: ${text}`)[0];
  if (fault === undefined) return;
  const { page, line } = blocks[0];
  throw new Error(`${page}:${line}: ${fault}\n${result.stdout}${result.stderr}`);
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
