/**
 * A chat: one port serves the page and the WebSockets. `--help` lists the options.
 *
 * `chat_room.ts` is the chat without sockets, `chat_page.ts` what the browser gets; here they meet.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { CloseCode, serve, type WebSocketSession } from "../mod.ts";
import { createPage } from "./chat_page.ts";
import { Chat, type Visitor } from "./chat_room.ts";

const USAGE = `Usage: chat.ts [options]
  --hostname NAME   address to listen on (127.0.0.1)
  --port N          port to listen on, 0 for any (8000)`;

const { randomUUID } = globalThis.crypto;

const chat = new Chat({
  now: () => Date.now(),
  createToken: () => randomUUID.call(crypto),
  schedule: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
});

/** Lets the page load nothing but itself, run nothing but its own script, and connect only back. */
function respond(request: Request): Response {
  const { pathname, host } = new URL(request.url);
  if (pathname !== "/") return new Response("Not found\n", { status: 404 });
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response("Only GET and HEAD\n", { status: 405, headers: { allow: "GET, HEAD" } });
  }
  const nonce = crypto.randomUUID();
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    `connect-src 'self' ws://${host} wss://${host}`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return new Response(createPage(nonce), {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy.join("; "),
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
  });
}

function enter(session: WebSocketSession<Visitor>): void {
  session.data = chat.connect({
    send: (message) => void session.send(JSON.stringify(message)),
    replace: () => void session.close(4000, "You have come back on another connection"),
  });
}

/** Reads the command line; throws a `TypeError` or `RangeError` for what is wrong with it. */
function parse(args: string[]): { hostname: string; port: number; help: boolean } {
  const { values } = parseArgs({
    args,
    options: {
      hostname: { type: "string", default: "127.0.0.1" },
      port: { type: "string", default: "8000" },
      help: { type: "boolean", default: false },
    },
  });
  const port = Number(values.port);
  if (!/^\d+$/.test(values.port) || port > 65_535) {
    throw new RangeError(`--port is "${values.port}", not a whole number from 0 to 65535`);
  }
  return { hostname: values.hostname, port, help: values.help };
}

async function main(): Promise<void> {
  const { hostname, port, help } = parse(process.argv.slice(2));
  if (help) return console.log(USAGE);
  const server = await serve<Visitor>({
    hostname,
    port,
    protocols: ["chat.v1"],
    fetch: respond,
    // What people type is short. Who does not read for long is dropped, and gets it on return.
    limits: { maxMessageSize: 16_384, maxSendBacklog: 1_048_576, maxConnections: 1000 },
  }, {
    open: enter,
    message(session, message) {
      const isKnown = typeof message === "string" && session.data.receive(message);
      if (!isKnown) void session.close(CloseCode.PolicyViolation, "Not a message of this chat");
    },
    close: (session) => session.data.disconnect(),
  }).catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => server.shutdown().then(() => process.exit(0)));
  }
  if (server.addr.transport !== "tcp") return;
  const host = server.addr.hostname.includes(":")
    ? `[${server.addr.hostname}]`
    : server.addr.hostname;
  console.log(`Chat on http://${host}:${server.addr.port}/`);
}

main().catch((error) => {
  console.error(error.message);
  process.exit(2);
});
