#!/usr/bin/env node
/**
 * WebSockets on the command line: a client, and a server to test clients with, line by line.
 *
 * ```sh
 * deno run -A cli.ts wss://example.com/chat
 * bun cli.ts --listen 8000 --echo
 * node cli.ts --help
 * ```
 *
 * @module
 */

import process from "node:process";
import { parseCommand, USAGE, VERSION } from "./src/cli/arguments.ts";
import { runClient } from "./src/cli/client.ts";
import { ExitStatus, Failure } from "./src/cli/failure.ts";
import { runServer } from "./src/cli/server.ts";
import { Terminal } from "./src/cli/terminal.ts";
import { splitLines } from "./src/cli/text.ts";

const { stdin, stdout, stderr } = process;

/** Aborted by the first Ctrl-C, or when nobody reads our output any more. */
const interrupt = new AbortController();

function onSignal(): void {
  if (interrupt.signal.aborted) process.exit(ExitStatus.Interrupted);
  interrupt.abort();
}

async function run(args: readonly string[], terminal: Terminal): Promise<ExitStatus> {
  const command = parseCommand(args);
  switch (command.action) {
    case "help":
      terminal.answer(USAGE);
      return ExitStatus.Ok;
    case "version":
      terminal.answer(VERSION);
      return ExitStatus.Ok;
    case "connect":
      terminal.isQuiet = command.quiet;
      return await runClient(command, terminal, splitLines(stdin), interrupt.signal);
    case "listen":
      terminal.isQuiet = command.quiet;
      return await runServer(command, terminal, splitLines(stdin), interrupt.signal);
  }
}

async function main(): Promise<void> {
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, onSignal);
  stdout.on("error", () => interrupt.abort()); // whoever read it has left: `cli.ts … | head`
  stderr.on("error", () => {});
  const isForPeople = stdout.isTTY || stderr.isTTY;
  const terminal = new Terminal({
    stdout,
    stderr,
    hasColours: isForPeople && !process.env.NO_COLOR,
  });
  let status: ExitStatus;
  try {
    status = await run(process.argv.slice(2), terminal);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    terminal.error(error.message);
    status = error.status;
  }
  await terminal.drain();
  // An exit code alone would not do: standard input may be open, and keep the process.
  process.exit(status);
}

await main();
