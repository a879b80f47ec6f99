/**
 * Vite's dev server and WebSockets on one port: `node vite.ts [port]`. Vite's own socket, by which it
 * reloads the page when a file below `site` changes, goes on working.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { createServer, type Plugin } from "vite";
import { attach } from "../../src/node.ts"; // or "@twoway/websocket/node"
import { announce, chat, port } from "./common.ts";

/** Also for a `vite.config.ts`. */
const websocket: Plugin = {
  name: "websocket",
  configureServer({ httpServer }) {
    attach(httpServer!, { path: "/chat" }, chat);
  },
};

const vite = await createServer({
  root: fileURLToPath(new URL("site", import.meta.url)),
  configFile: false,
  logLevel: "warn",
  plugins: [websocket],
  server: { host: "127.0.0.1", port, strictPort: true },
});
await vite.listen();
announce(vite.httpServer!); // Vite ends by itself on SIGTERM
