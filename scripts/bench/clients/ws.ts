/** The client of npm's `ws`, on Node. Its argument is a `ClientJob`. @module */

import { createRequire } from "node:module";
import process from "node:process";
import { type ClientJob, driveClients } from "../client_job.ts";

// Installed for the tests.
const require = createRequire(new URL("../../../tests/package.json", import.meta.url));
const { WebSocket } = require("ws") as typeof import("npm-ws");

const job: ClientJob = JSON.parse(process.argv[2]);
await driveClients(job, async (url, onMessage) => {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on("message", onMessage);
  await new Promise((resolve) => socket.once("open", resolve));
  return (message) => socket.send(message);
});
