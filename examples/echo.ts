/**
 * Sends every message back as it came. `--help` lists the options.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { type Handler, type Handlers, serve, type ServeOptions } from "../mod.ts";

const USAGE = `Usage: echo.ts [options]
  --hostname NAME        address to listen on (127.0.0.1)
  --port N               port to listen on, 0 for any (8000)
  --origin ORIGIN        let pages of this origin in, too; "any" lets all in
  --handlers             use handlers in place of iteration
  --max-message-size N   longest message, in bytes
  --max-fragments N      most frames in one message
  --max-connections N    most open sessions
  --compress             compress messages (permessage-deflate)
  --context-takeover     with --compress: refer to earlier messages, too`;

const iterate: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

const handlers: Handlers = {
  message: (session, message) => session.send(message),
};

/** Reads the command line; throws a `TypeError` or `RangeError` for what is wrong with it. */
function parse(args: string[]): { options: ServeOptions; useHandlers: boolean; help: boolean } {
  const { values } = parseArgs({
    args,
    options: {
      hostname: { type: "string", default: "127.0.0.1" },
      port: { type: "string", default: "8000" },
      origin: { type: "string" },
      handlers: { type: "boolean", default: false },
      compress: { type: "boolean", default: false },
      "context-takeover": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      "max-message-size": { type: "string" },
      "max-fragments": { type: "string" },
      "max-connections": { type: "string" },
    },
  });
  const options: ServeOptions = {
    hostname: values.hostname,
    port: toNumber("--port", values.port, 0, 65_535),
    origin: values.origin === undefined || values.origin === "any"
      ? values.origin
      : [values.origin],
    compress: values.compress && { contextTakeover: values["context-takeover"] },
    limits: {
      maxMessageSize: toNumber("--max-message-size", values["max-message-size"], 1),
      maxFragments: toNumber("--max-fragments", values["max-fragments"], 1),
      maxConnections: toNumber("--max-connections", values["max-connections"], 1),
    },
  };
  return { options, useHandlers: values.handlers, help: values.help };
}

function toNumber(flag: string, text: string, min: number, max?: number): number;
function toNumber(flag: string, text: string | undefined, min: number): number | undefined;
function toNumber(
  flag: string,
  text: string | undefined,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= min && number <= max) return number;
  throw new RangeError(`${flag} is "${text}", not a whole number from ${min} to ${max}`);
}

async function main(): Promise<void> {
  const { options, useHandlers, help } = parse(process.argv.slice(2));
  if (help) return console.log(USAGE);
  const server = await serve(options, useHandlers ? handlers : iterate).catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => server.shutdown().then(() => process.exit(0)));
  }
  if (server.addr.transport === "tcp") {
    const { hostname, port } = server.addr;
    const host = hostname.includes(":") ? `[${hostname}]` : hostname;
    console.log(`listening on ws://${host}:${port}/`);
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exit(2);
});
