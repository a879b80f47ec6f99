/**
 * A feed over a bad network, server and client in one program: connections are lost, events are not.
 * `feed_events.ts` shows how.
 *
 * @module
 */

import { serve } from "../mod.ts";
import { accept, Feed, follow, publishTo } from "./feed_events.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const feed = new Feed();
const server = await serve({ port: 0, accept }, publishTo(feed));
if (server.addr.transport !== "tcp") throw new Error("Not a TCP address");
const url = `ws://127.0.0.1:${server.addr.port}/`;
console.log(`the feed is at ${url}`);

async function publish(): Promise<void> {
  while (server.sessions.size === 0) await pause(10);
  for (const fruit of ["apple", "banana", "cherry", "date", "elderberry", "fig", "grape"]) {
    const id = feed.publish(fruit);
    await pause(50);
    if (id % 2 === 0) loseConnections();
  }
  feed.end();
}

function loseConnections(): void {
  for (const session of server.sessions.values()) session.abort();
}

const publishing = publish();
const onLost = (delay: number): void => console.log(`lost; again in ${Math.round(delay)} ms`);
for await (const { id, text } of follow(url, onLost)) console.log(`${id} ${text}`);
await publishing;
await server.shutdown();
