/** The echo server of npm's `ws`, on Node. Its argument is the option `perMessageDeflate`. @module */

import type { AddressInfo } from "node:net";
import { createRequire } from "node:module";
import process from "node:process";

// Installed for the tests.
const require = createRequire(new URL("../../../tests/package.json", import.meta.url));
const { WebSocketServer } = require("ws") as typeof import("npm-ws");

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: JSON.parse(process.argv[2]),
});
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.on("listening", () => console.log((server.address() as AddressInfo).port));
process.stdin.resume().on("end", () => process.exit()); // with whoever started it
