/**
 * A chat: one port serves the page and the WebSockets. `--help` lists the options.
 *
 * `chat_room.ts` is the chat without sockets, `chat_page.ts` what the browser gets; here they meet.
 *
 * @module
 */

import { CloseCode, serve, type WebSocketSession } from "../mod.ts";
import { createPage } from "./chat_page.ts";
import { Chat, type Visitor } from "./chat_room.ts";
import { serveDocument } from "./page.ts";
import { runServer } from "./program.ts";

const chat = new Chat({
  now: () => Date.now(),
  createToken: () => crypto.randomUUID(),
  schedule: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
});

function enter(session: WebSocketSession<Visitor>): void {
  session.data = chat.connect({
    send: (message) => void session.send(JSON.stringify(message)),
    replace: () => void session.close(4000, "You have come back on another connection"),
  });
}

await runServer({ file: "chat.ts", title: "Chat" }, ({ hostname, port }) =>
  serve<Visitor>({
    hostname,
    port,
    protocols: ["chat.v1"],
    fetch: serveDocument(createPage),
    // What people type is short. Who does not read for long is dropped, and gets it on return.
    limits: { maxMessageSize: 16_384, maxSendBacklog: 1_048_576, maxConnections: 1000 },
  }, {
    open: enter,
    message(session, message) {
      const isKnown = typeof message === "string" && session.data.receive(message);
      if (!isKnown) void session.close(CloseCode.PolicyViolation, "Not a message of this chat");
    },
    close: (session) => session.data.disconnect(),
  }));
