/**
 * What makes a server a program, for the examples: flags, one line for each error, and an orderly end
 * on SIGINT and SIGTERM.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import type { Addr } from "../mod.ts";

/** A flag whose value is a whole number. */
export interface NumberFlag {
  readonly help: string;
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

/** What a program is called, and which flags it has besides `--hostname`, `--port` and `--help`. */
export interface Program<Flag extends string> {
  /** The file's name, for `--help`. */
  readonly file: string;
  /** What to call the server once it listens. */
  readonly title: string;
  readonly flags?: Readonly<Record<Flag, NumberFlag>>;
}

/** The values of the flags. */
export type Values<Flag extends string> =
  & { readonly hostname: string }
  & {
    readonly [name in Flag | "port"]: number;
  };

/** Of a server, only what a program needs. */
interface Service {
  readonly addr: Addr;
  shutdown(): Promise<unknown>;
}

const PORT: NumberFlag = {
  help: "port to listen on, 0 for any",
  default: 8000,
  min: 0,
  max: 65_535,
};

/**
 * Runs the server that `start` makes of the flags, and says where it listens. Exits with status 2 for a
 * wrong flag, 1 when the server cannot start, 0 when it was asked to end.
 */
export async function runServer<Flag extends string = never>(
  program: Program<Flag>,
  start: (values: Values<Flag>) => Promise<Service>,
): Promise<void> {
  const flags: Record<string, NumberFlag> = { port: PORT, ...program.flags };
  const values = orExit(2, () => parse<Flag>(flags));
  if (values === null) return console.log(usage(program.file, flags));
  const server = await start(values).catch((error) => exit(1, error));
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => server.shutdown().then(() => process.exit(0)));
  }
  if (server.addr.transport === "tcp") {
    console.log(`${program.title} on http://${hostOf(server.addr)}/`);
  }
}

function hostOf({ hostname, port }: { hostname: string; port: number }): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

/** Reads the command line, `null` for `--help`; throws a `TypeError` or `RangeError`. */
function parse<Flag extends string>(flags: Record<string, NumberFlag>): Values<Flag> | null {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: process.argv.slice(2),
    options: {
      ...Object.fromEntries(Object.keys(flags).map((name) => [name, text])),
      hostname: { type: "string", default: "127.0.0.1" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const given = new Map<string, unknown>(Object.entries(values));
  const numbers = Object.entries(flags).map(([name, flag]) => {
    return [name, toNumber(name, flag, given.get(name))];
  });
  return { hostname: values.hostname, ...Object.fromEntries(numbers) } as Values<Flag>;
}

function toNumber(name: string, flag: NumberFlag, text: unknown): number {
  if (text === undefined) return flag.default;
  const number = Number(text);
  if (/^\d+$/.test(String(text)) && number >= flag.min && number <= flag.max) return number;
  throw new RangeError(
    `--${name} is "${text}", not a whole number from ${flag.min} to ${flag.max}`,
  );
}

function usage(file: string, flags: Record<string, NumberFlag>): string {
  const lines = Object.entries(flags).map(([name, flag]) =>
    `  ${`--${name} N`.padEnd(18)} ${flag.help} (${flag.default})`
  );
  const first = "  --hostname NAME    address to listen on (127.0.0.1)";
  return [`Usage: ${file} [options]`, first, ...lines].join("\n");
}

/** The result of `action`; if it throws, the program ends with one line about it. */
export function orExit<T>(status: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    exit(status, error);
  }
}

function exit(status: number, error: unknown): never {
  console.error(error instanceof Error ? error.message : error);
  process.exit(status);
}
