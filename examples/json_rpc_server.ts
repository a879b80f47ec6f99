/**
 * A JSON-RPC server; `json_rpc_demo.ts` calls it. Run it with `deno run -N`, `bun` or `node`.
 *
 * `json_rpc_handler.ts` is the protocol, `json_rpc_methods.ts` what can be called.
 *
 * @module
 */

import { serve } from "../mod.ts";
import { SUBPROTOCOL } from "./json_rpc_error.ts";
import { handleJsonRpc } from "./json_rpc_handler.ts";
import { METHODS } from "./json_rpc_methods.ts";
import { runServer } from "./program.ts";

await runServer({ file: "json_rpc_server.ts", title: "JSON-RPC" }, ({ hostname, port }) =>
  serve({
    hostname,
    port,
    protocols: [SUBPROTOCOL],
    limits: { maxMessageSize: 65_536, maxConnections: 1000 },
  }, handleJsonRpc(METHODS)));
