/**
 * A small chat for the command line: `deno run -A cli.ts ws://127.0.0.1:8000/`, once for each person.
 *
 * `greeter_chat.ts` is its handler; `tests/examples/greeter_test.ts` shows how to test such a handler
 * without a port and without waiting.
 *
 * @module
 */

import { serve } from "../mod.ts";
import { chat } from "./greeter_chat.ts";
import { runServer } from "./program.ts";

await runServer(
  { file: "greeter.ts", title: "Greeter" },
  ({ hostname, port }) => serve({ hostname, port }, chat),
);
