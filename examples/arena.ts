/**
 * A game at 30 ticks a second with binary messages: collect coins. Run it with `deno run -N`, `bun` or
 * `node`, and open the address that it prints in two windows; `--help` lists the options.
 *
 * `arena_world.ts` is the game without sockets, `arena_codec.ts` its messages as bytes, `arena_game.ts`
 * what sessions may do and get, `arena_loop.ts` the clockwork, `arena_page.ts` what the browser gets.
 *
 * @module
 */

import { serve } from "../mod.ts";
import { INPUT_SIZE } from "./arena_codec.ts";
import { accept, Arena, type Seat } from "./arena_game.ts";
import { startLoop } from "./arena_loop.ts";
import { PAGE } from "./arena_page.ts";
import { TICK_RATE, World } from "./arena_world.ts";
import { servePage } from "./page.ts";
import { runServer } from "./program.ts";

const players = { help: "players at once; who comes later watches", default: 16, min: 1, max: 32 };

const program = { file: "arena.ts", title: "Arena", flags: { players } };

await runServer(program, async ({ hostname, port, players }) => {
  const arena = new Arena(new World(players, Math.random));
  const server = await serve<Seat>({
    hostname,
    port,
    accept,
    fetch: servePage(PAGE),
    // Room for an input, and for what is wrong with it to be said.
    limits: { maxMessageSize: 4 * INPUT_SIZE, maxSendBacklog: 16_384, maxConnections: 200 },
  }, arena);
  const stop = startLoop(TICK_RATE, (steps) => arena.step(steps, server));
  server.finished.then(stop);
  return server;
});
