/**
 * What the command line can be told.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { ExitStatus, Failure } from "./failure.ts";

/** The version of the package. */
export const VERSION = "0.1.0";

/** What `--help` prints. */
export const USAGE = `Usage: twoway [options] URL
       twoway [options] --listen [HOST:]PORT

Talks to a WebSocket server, or is one. Each line of standard input is sent as a message. Messages
received go to standard output, everything else to standard error.

  --header "NAME: VALUE"  adds a header field to the request; repeatable
  --protocol NAME         offers a subprotocol (--listen: chooses it); repeatable
  --origin ORIGIN         the Origin to send (--listen: to let in, or "any")
  --compress              compresses messages, where the peer does, too
  --binary                lines are hexadecimal, and are sent as binary messages
  --json                  indents messages that are JSON
  --ping SECONDS          sends a ping that often, and shows the round trips
  --wait SECONDS          leaves when nothing has come for that long after the end of the input
                          (1); "inf" stays until the server closes
  --timeout SECONDS       for connecting, and for closing (10)
  --ca FILE               trusts the authorities in this PEM file, too
  --listen [HOST:]PORT    is a server, on 127.0.0.1 unless told otherwise; lines go to all
  --echo                  with --listen: sends each message back to where it came from
  --quiet                 prints only messages and errors
  --version, --help

Messages of up to 64 MiB are taken. Binary ones are shown as "[3 bytes] 0a0b0c".
Ctrl-C closes with 1000, a server with 1001; a second one ends everything at once.

Exit status: 0 if closed in good order with 1000, 1001 or no code; 1 if there was no connection, by
a refusal or else, or no address to listen on; 2 for wrong arguments or lines; 3 for any other end
of the connection; 130 if interrupted while connecting, or twice.`;

/** What clients and servers are told alike. Durations are in milliseconds. */
export interface CommonOptions {
  readonly protocols: readonly string[];
  readonly origin: string | undefined;
  readonly compress: boolean;
  readonly binary: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
  /** Between pings; `undefined` sends none. */
  readonly ping: number | undefined;
  readonly timeout: number;
}

/** To be a client. */
export interface ClientCommand extends CommonOptions {
  readonly action: "connect";
  readonly url: string;
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  /** Of silence after the end of the input; may be `Infinity`. */
  readonly wait: number;
  /** The path of a PEM file. */
  readonly ca: string | undefined;
}

/** To be a server. */
export interface ServerCommand extends CommonOptions {
  readonly action: "listen";
  readonly hostname: string;
  readonly port: number;
  readonly echo: boolean;
}

/** What the command line asks for. */
export type Command =
  | ClientCommand
  | ServerCommand
  | { readonly action: "help" }
  | { readonly action: "version" };

const OPTIONS = {
  header: { type: "string", multiple: true },
  protocol: { type: "string", multiple: true },
  origin: { type: "string" },
  compress: { type: "boolean" },
  binary: { type: "boolean" },
  json: { type: "boolean" },
  ping: { type: "string" },
  wait: { type: "string" },
  timeout: { type: "string" },
  ca: { type: "string" },
  listen: { type: "string" },
  echo: { type: "boolean" },
  quiet: { type: "boolean" },
  version: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** Options that only one of the two knows. */
const CLIENT_ONLY = ["header", "wait", "ca"] as const;
const SERVER_ONLY = ["echo"] as const;

/** Reads the arguments. Throws a {@linkcode Failure} that says what is wrong with them. */
export function parseCommand(args: readonly string[]): Command {
  const { values, positionals } = parse(args);
  if (values.help) return { action: "help" };
  if (values.version) return { action: "version" };
  const isServer = values.listen !== undefined;
  const wrong = (isServer ? CLIENT_ONLY : SERVER_ONLY)
    .find((name) => values[name] !== undefined);
  if (wrong !== undefined) {
    throw misuse(`--${wrong} does not go ${isServer ? "with" : "without"} --listen`);
  }
  const expected = isServer ? 0 : 1;
  if (positionals.length > expected) {
    throw misuse(`Unexpected argument "${positionals[expected]}"`);
  }
  if (positionals.length < expected) throw misuse("A URL is missing, or --listen");
  const common = {
    protocols: values.protocol ?? [],
    origin: values.origin,
    compress: values.compress ?? false,
    binary: values.binary ?? false,
    json: values.json ?? false,
    quiet: values.quiet ?? false,
    ping: values.ping === undefined ? undefined : toMilliseconds("--ping", values.ping),
    timeout: toMilliseconds("--timeout", values.timeout ?? "10"),
  };
  if (values.listen !== undefined) {
    return { action: "listen", ...common, ...toAddress(values.listen), echo: values.echo ?? false };
  }
  return {
    action: "connect",
    ...common,
    url: positionals[0],
    headers: (values.header ?? []).map(toHeader),
    wait: toWait(values.wait ?? "1"),
    ca: values.ca,
  };
}

function parse(args: readonly string[]): ReturnType<typeof parseStrictly> {
  try {
    return parseStrictly(args);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw misuse(error.message.split("\n")[0]); // the rest is advice
  }
}

function parseStrictly(args: readonly string[]) {
  return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
}

function misuse(message: string): Failure {
  return new Failure(`${message} (--help lists the options)`, ExitStatus.Usage);
}

function toHeader(text: string): [name: string, value: string] {
  const colon = text.indexOf(":");
  // Not quoted: it may be a secret.
  if (colon < 1) throw misuse(`--header is not of the form "Name: value"`);
  return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()];
}

function toAddress(text: string): { hostname: string; port: number } {
  const match = /^(?:([^:[\]]+|\[[^\]]+\]):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) {
    throw misuse(`--listen is "${text}", not a port or host:port`);
  }
  return { hostname: match[1]?.replace(/^\[|\]$/g, "") ?? "127.0.0.1", port };
}

/** The longest that timers can wait, in seconds, rounded down. */
const MAX_SECONDS = 2_147_483;

function toMilliseconds(flag: string, text: string): number {
  const seconds = Number(text);
  if (/^\d*\.?\d+$/.test(text) && seconds >= 0.001 && seconds <= MAX_SECONDS) return seconds * 1000;
  throw misuse(`${flag} is "${text}", not a number of seconds from 0.001 to ${MAX_SECONDS}`);
}

function toWait(text: string): number {
  if (text === "inf") return Infinity;
  return Number(text) === 0 && text !== "" ? 0 : toMilliseconds("--wait", text);
}
