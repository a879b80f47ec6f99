/**
 * Calls `json_rpc_server.ts`: `deno run -N examples/json_rpc_demo.ts ws://127.0.0.1:8000/`.
 *
 * @module
 */

import process from "node:process";
import { openJsonRpc } from "./json_rpc.ts";
import { JsonRpcError } from "./json_rpc_error.ts";
import type { ExampleMethods } from "./json_rpc_methods.ts";

async function main(url: string = "ws://127.0.0.1:8000/"): Promise<void> {
  const client = await openJsonRpc<ExampleMethods>(url, {
    onNotification: (method, params) => console.log(method, JSON.stringify(params)),
  });
  const [slow, quick] = [client.call("sleep", { ms: 50 }), client.call("add", { a: 2, b: 3 })];
  console.log("2 + 3 =", await quick);
  console.log("sleep:", await slow);
  console.log("count:", await client.call("count", { to: 3 }));
  await client.call("divide", { a: 1, b: 0 }).catch((error) => {
    if (!(error instanceof JsonRpcError)) throw error;
    console.log(`divide: error ${error.code}, ${error.message}`);
  });
  await client.call("sleep", { ms: 5000 }, { timeout: 50 }).catch((error) => {
    console.log(error.name, error.message);
  });
  await client.close();
}

main(process.argv[2]).catch((error) => {
  console.error(error.message);
  process.exit(1);
});
