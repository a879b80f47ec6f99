/** The runtime's own `WebSocket`. Its argument is a `ClientJob`. @module */

import process from "node:process";
import { type ClientJob, driveClients } from "../client_job.ts";

const job: ClientJob = JSON.parse(process.argv[2]);
await driveClients(job, async (url, onMessage) => {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  socket.onmessage = onMessage;
  socket.onerror = () => process.exit(1);
  await new Promise((resolve) => socket.onopen = resolve);
  return (message) => socket.send(message);
});
