/** N-3 A reset at any moment of a connection that `attach()` has taken over. @module */

import { assert, assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import type { CloseStatus } from "../../mod.ts";
import { attach, type AttachOptions } from "../../src/node.ts";
import { until } from "../catalogue/servers.ts";
import { clientFrame, REQUEST, requestWith } from "../raw_peer.ts";
import { ByteClient, withHttp } from "./http_server.ts";

/** What comes before the reset, and what the server does. */
interface Moment {
  readonly name: string;
  readonly options?: AttachOptions;
  readonly play?: (client: ByteClient) => Promise<void>;
  /** Sessions that have been open. */
  readonly opened?: number;
  /** The server closes each session at once. */
  readonly closes?: boolean;
}

const forever = (): Promise<never> => new Promise(() => {});

async function open(client: ByteClient): Promise<void> {
  await client.send(REQUEST);
  await client.until("\r\n\r\n");
}

const MOMENTS: readonly Moment[] = [
  { name: "at TCP's accept" },
  { name: "inside the request", play: (client) => client.send(REQUEST.slice(0, 60)) },
  {
    name: "during accept",
    options: {
      accept: (_, { signal }) =>
        new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
    },
    play: (client) => client.send(REQUEST),
  },
  {
    name: "while the framework renders the refusal",
    options: { refuse: forever },
    play: (client) => client.send(requestWith("Origin: http://evil.example")),
  },
  {
    name: "inside a refusal that the framework renders",
    options: {
      refuse(_, response) {
        response.write("x".repeat(100_000));
        setTimeout(() => response.end("more, to nobody"), 30);
      },
    },
    play: async (client) => {
      await client.send(requestWith("Origin: http://evil.example"));
      await client.until("xxx");
    },
  },
  { name: "behind the 101", play: open, opened: 1 },
  {
    name: "inside a frame",
    play: async (client) => {
      await open(client);
      await client.send(clientFrame(0x81, "hello").slice(0, 7));
    },
    opened: 1,
  },
  {
    name: "inside a message",
    play: async (client) => {
      await open(client);
      await client.send(clientFrame(0x01, "hello"));
    },
    opened: 1,
  },
  {
    name: "inside a large message",
    play: async (client) => {
      await open(client);
      await client.send(`\x82\xff\0\0\0\0\0\x0f\0\0\x01\x02\x03\x04${"x".repeat(500_000)}`);
    },
    opened: 1,
  },
  { name: "during our own Close", play: open, opened: 1, closes: true },
];

describe("N-3 a reset", () => {
  for (const { name, options = {}, play, opened = 0, closes = false } of MOMENTS) {
    for (const pause of [0, 20]) {
      test(`${name}${pause === 0 ? "" : `, ${pause} ms later`}, harms nobody`, async () => {
        const statuses: CloseStatus[] = [];
        await withHttp(async (server) => {
          const sockets = attach(
            server,
            { handshakeTimeout: 60_000, closeTimeout: 500, ...options },
            {
              open: (session) => void (closes && session.close(4000)),
              close: (_, status) => void statuses.push(status),
            },
          );
          for (let i = 0; i < 5; i++) {
            const client = await ByteClient.connect(server);
            await play?.(client);
            if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
            client.socket.resetAndDestroy();
          }
          await until(() => statuses.length === 5 * opened);
          await until(() => Object.values(sockets.stats()).every((count) => count === 0));
          for (const { code, wasClean } of statuses) assertEquals([code, wasClean], [1006, false]);
          await sockets.shutdown();
        });
      });
    }
  }

  test("before the event has run leaves nothing behind", async () => {
    await withHttp(async (server) => {
      let count = 0;
      server.on("upgrade", (_, socket) => {
        count++;
        socket.destroy(); // as a listener before ours may
      });
      const sockets = attach(server, {}, () => assert(false, "a session has been opened"));
      const client = await ByteClient.connect(server);
      await client.exchange(REQUEST);
      assertEquals(count, 1);
      await until(() => Object.values(sockets.stats()).every((count) => count === 0));
      await sockets.shutdown();
    });
  });
});
