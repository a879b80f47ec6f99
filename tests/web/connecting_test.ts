/** Handshakes of the web's classes: to each host one after another. @module */

import { assert, assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { serve, type ServeOptions, type TcpAddr } from "../../mod.ts";
import { WebSocket, WebSocketStream } from "../../src/web/mod.ts";
import { closing, logOf, next } from "./events.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs against a server that counts the handshakes under way, each of which takes 30 ms. */
async function withSlowServer(
  run: (port: number, seen: { most: number; paths: string[] }) => Promise<void>,
): Promise<void> {
  const seen = { most: 0, paths: [] as string[] };
  let pending = 0;
  const accept: ServeOptions["accept"] = async ({ target }) => {
    seen.paths.push(target);
    seen.most = Math.max(seen.most, ++pending);
    await pause(30);
    pending--;
    if (target === "/no") return new Response(null, { status: 403 });
  };
  await using server = await serve({ port: 0, accept }, {});
  await run((server.addr as TcpAddr).port, seen);
}

describe("connections to one host", () => {
  test("are made one after another, in order, whether the one before succeeds or fails", async () => {
    await withSlowServer(async (port, seen) => {
      const base = `ws://127.0.0.1:${port}`;
      const first = new WebSocket(`${base}/1`);
      const refused = new WebSocket(`${base}/no`);
      const stream = new WebSocketStream(`${base}/2`);
      const last = new WebSocket(`${base}/3`);
      const failed = closing(refused);
      await Promise.all([next(first, "open"), failed, stream.opened, next(last, "open")]);
      assertEquals(seen, { most: 1, paths: ["/1", "/no", "/2", "/3"] });
      first.close();
      stream.close();
      last.close();
      await Promise.all([closing(first), stream.closed, closing(last)]);
    });
  });

  test("do not wait for those to another host", async () => {
    await withSlowServer((one, seen) =>
      withSlowServer(async (other, { paths }) => {
        const sockets = [one, other].map((port) => new WebSocket(`ws://127.0.0.1:${port}/`));
        const opened = next(sockets[1], "open");
        await next(sockets[0], "open");
        assertEquals([seen.paths, paths], [["/"], ["/"]]);
        await opened;
        for (const socket of sockets) socket.close();
        await Promise.all(sockets.map(closing));
      })
    );
  });

  test("that are given up while they wait are never made, and hold nobody up", async () => {
    await withSlowServer(async (port, seen) => {
      const base = `ws://127.0.0.1:${port}`;
      const first = new WebSocket(`${base}/1`);
      const given = new WebSocket(`${base}/2`);
      const last = new WebSocket(`${base}/3`);
      const log = logOf(given);
      const end = closing(given);
      given.close();
      assertEquals(log, []);
      assertEquals(await end, [1006, "", false]);
      assertEquals(log, ["error 3", "close 3"]);
      assertEquals(first.readyState, WebSocket.CONNECTING);
      await next(last, "open");
      assert(first.readyState === WebSocket.OPEN);
      assertEquals(seen, { most: 1, paths: ["/1", "/3"] });
      first.close();
      last.close();
      await Promise.all([closing(first), closing(last)]);
    });
  });
});
