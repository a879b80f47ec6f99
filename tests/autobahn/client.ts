/**
 * The client that the Autobahn testsuite tests: goes through all cases of the suite's server and
 * sends every message back.
 *
 * ```sh
 * deno run -N tests/autobahn/client.ts ws://127.0.0.1:9001 [max-message-size] [max-fragments]
 * ```
 *
 * @module
 */

import process from "node:process";
import { connect, type ConnectOptions } from "../../mod.ts";

const [base, maxMessageSize, maxFragments] = process.argv.slice(2);

const options: ConnectOptions = {
  compress: { contextTakeover: true },
  limits: { maxMessageSize: Number(maxMessageSize), maxFragments: Number(maxFragments) },
};

async function countCases(): Promise<number> {
  const session = await connect(`${base}/getCaseCount`);
  const count = Number(await session.receive());
  await session.close(1000);
  return count;
}

async function runCase(number: number): Promise<void> {
  const session = await connect(`${base}/runCase?case=${number}&agent=twoway`, options);
  for await (const message of session) session.send(message);
  await session.closed;
}

async function writeReports(): Promise<void> {
  const session = await connect(`${base}/updateReports?agent=twoway`);
  await session.closed;
}

const count = await countCases();
for (let number = 1; number <= count; number++) await runCase(number);
await writeReports();
