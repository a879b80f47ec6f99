/** Our client, on any runtime: keeps messages in flight. Its argument is a `ClientJob`. @module */

import process from "node:process";
import { connect } from "../../../mod.ts";
import { type ClientJob, driveClients } from "../client_job.ts";

const job: ClientJob = JSON.parse(process.argv[2]);
await driveClients(job, async (url, onMessage) => {
  const session = await connect(url, { handlers: { message: () => onMessage() } });
  return (message) => void session.send(message).catch(fail);
});

function fail(error: unknown): never {
  console.error(error);
  process.exit(1);
}
