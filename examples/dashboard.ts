/**
 * A live dashboard: the server measures itself ten times a second, and pages draw it. Run it with
 * `deno run -N`, `bun` or `node`, and open the address that it prints; `--help` lists the options.
 *
 * `dashboard_board.ts` is what it sends to whom, `dashboard_page.ts` what the browser gets.
 *
 * @module
 */

import { serve } from "../mod.ts";
import { Board, createMeter, INTERVAL } from "./dashboard_board.ts";
import { PAGE } from "./dashboard_page.ts";
import { servePage } from "./page.ts";
import { runServer } from "./program.ts";

await runServer({ file: "dashboard.ts", title: "Dashboard" }, async ({ hostname, port }) => {
  const board = new Board();
  const server = await serve({
    hostname,
    port,
    fetch: servePage(PAGE),
    // Pages only listen.
    limits: { maxMessageSize: 1, maxConnections: 1000 },
  }, board);
  const measure = createMeter();
  const timer = setInterval(() => board.publish(measure(server.sessions.size), server), INTERVAL);
  server.finished.then(() => clearInterval(timer));
  return server;
});
