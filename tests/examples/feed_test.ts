import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, test } from "node:test";
import { accept, Feed, type FeedEvent, follow, publishTo } from "../../examples/feed_events.ts";
import { connect, HandshakeError, serve, type TcpAddr } from "../../mod.ts";
import { MemoryListener } from "../../src/testing.ts";
import { runExample } from "../programs.ts";
import { RUNTIMES } from "../toolchain.ts";

for (const runtime of RUNTIMES) {
  test(`examples/feed.ts on ${runtime} loses connections, and no event`, async () => {
    const { status, stdout, stderr } = await runExample(runtime, "examples/feed.ts", []);
    assertEquals([status, stderr], [0, ""]);
    const lines = stdout.trim().split("\n");
    assert(/^the feed is at ws:\/\/127\.0\.0\.1:\d+\/$/.test(lines[0]), lines[0]);
    assertEquals(lines.filter((line) => /^\d/.test(line)), [
      "1 apple",
      "2 banana",
      "3 cherry",
      "4 date",
      "5 elderberry",
      "6 fig",
      "7 grape",
    ]);
    assert(lines.filter((line) => /^lost; again in \d+ ms$/.test(line)).length >= 1, stdout);
  });
}

describe("the feed", () => {
  test("gives its events in order from any number on, and ends", async () => {
    const feed = new Feed();
    const all = async (id: number): Promise<string> => {
      let text = "";
      for await (const event of feed.after(id)) text += `${event.id}${event.text} `;
      return text;
    };
    feed.publish("a");
    const [first, second, none] = [all(0), all(1), all(99)];
    assertEquals(feed.publish("b"), 2);
    feed.publish("c");
    feed.end();
    assertEquals([await first, await second, await none], ["1a 2b 3c ", "2b 3c ", ""]);
  });

  test("refuses what is no number", async () => {
    const listener = new MemoryListener();
    const server = await serve<number>({ listener, accept }, publishTo(new Feed()));
    for (const after of ["", "x", "-1", "1.5", "1e3", "9".repeat(16)]) {
      const conn = listener.connect();
      const error = await assertRejects(
        () => connect(`ws://feed/?after=${after}`, { conn }),
        HandshakeError,
      );
      assertEquals(error.status, 400);
    }
    await server.shutdown();
  });

  test("is followed without gap or repetition when every event costs a connection", async () => {
    const feed = new Feed();
    const server = await serve<number>({ port: 0, accept }, publishTo(feed));
    let lost = 0;
    const events: FeedEvent[] = [];
    feed.publish("event 1");
    const { port } = server.addr as TcpAddr;
    for await (const event of follow(`ws://127.0.0.1:${port}/`, () => lost++)) {
      events.push(event);
      if (event.id === 4) feed.end();
      else {
        for (const session of server.sessions.values()) session.abort();
        feed.publish(`event ${event.id + 1}`);
      }
    }
    assertEquals(events.map(({ text }) => text), ["event 1", "event 2", "event 3", "event 4"]);
    assertEquals(lost, 3);
    await server.shutdown();
  });
});
