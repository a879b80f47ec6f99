/**
 * What the four examples have in common: a chat, its page, and the ends of a program.
 *
 * @module
 */

import type { Server as HttpServer } from "node:http";
import process from "node:process";
import type { Handler, Server } from "../../src/node.ts"; // or "@twoway/websocket/node"

/** The port that the command line names, 0 for any. */
export const port: number = Number(process.argv[2] ?? 8000);

/** Everybody gets what one says. */
export const chat: Handler = async (session, server) => {
  for await (const message of session) server.broadcast(message);
};

/** A page that talks to the chat at `/chat` of its own server. */
export const page = `<!doctype html>
<meta charset="utf-8">
<title>Chat</title>
<form><input autofocus> <button>Say</button></form>
<ul></ul>
<script>
const socket = new WebSocket(location.href.replace("http", "ws") + "chat");
const [form, input, list] = ["form", "input", "ul"].map((name) => document.querySelector(name));
socket.onmessage = ({ data }) => {
  const item = document.createElement("li");
  item.textContent = data;
  list.append(item);
};
form.onsubmit = (event) => {
  event.preventDefault();
  socket.send(input.value);
  input.value = "";
};
</script>
`;

/** Prints the address. */
export function announce(http: Pick<HttpServer, "address">): void {
  const { port } = http.address() as { port: number };
  console.log(`listening on http://127.0.0.1:${port}/`);
}

/** Ends in good order on Ctrl-C: first the chat, then the pages. */
export function endOnSignal(sockets: Server, close: () => unknown): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, async () => {
      await sockets.shutdown();
      await close();
      process.exit(0); // browsers keep connections open for their next page
    });
  }
}
