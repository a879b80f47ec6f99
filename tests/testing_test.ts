/** What `@twoway/websocket/testing` promises. @module */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, test } from "node:test";
import { connect, serve, TimeoutError } from "../mod.ts";
import { FakeClock, faultScript, MemoryListener, memoryPair } from "../src/testing.ts";

async function readToEnd(conn: { read(): Promise<Uint8Array | null> }): Promise<number> {
  let size = 0;
  for (;;) {
    const bytes = await conn.read();
    if (bytes === null) return size;
    size += bytes.length;
  }
}

describe("option clock", () => {
  test("of serve() and connect() decides when time limits fall due", async () => {
    const clock = new FakeClock();
    const listener = new MemoryListener();
    const server = await serve({ listener, clock, handshakeTimeout: 60_000 }, {});
    const silent = listener.connect();
    while (server.stats().pendingHandshakes === 0) await clock.turn();
    await clock.advance(59_000);
    assertEquals(server.stats().pendingHandshakes, 1);
    await clock.advance(2000);
    assertEquals(server.stats().pendingHandshakes, 0);
    assert(await readToEnd(silent) > 0, "there was no 408");
    silent.close();

    const session = await connect("ws://test/", { conn: listener.connect(), clock });
    assertEquals(clock.pending, 2); // one wheel each
    await session.close();
    await clock.advance(2000);
    await server.shutdown();
    assertEquals(clock.pending, 0);

    const [conn] = memoryPair();
    const attempt = connect("ws://test/", { conn, clock });
    const failed = assertRejects(() => attempt, TimeoutError);
    await clock.advance(10_100);
    await failed;
  });

  test("rejects what is no clock", async () => {
    for (const clock of [{}, 1, null, { now: () => 0 }]) {
      const options = { clock: clock as unknown as FakeClock };
      await assertRejects(() => serve({ port: 0, ...options }, {}), TypeError, "clock");
      await assertRejects(() => connect("ws://127.0.0.1:1/", options), TypeError, "clock");
    }
  });
});

describe("faultScript()", () => {
  test("gives the same fate for the same seed, and all kinds of it for many", async () => {
    const fate = async (seed: number): Promise<string> => {
      const [left, right] = memoryPair(faultScript(seed));
      const sizes: number[] = [];
      const reading = (async () => {
        for (;;) {
          const bytes = await right.read();
          if (bytes === null) return "end";
          sizes.push(bytes.length);
        }
      })().catch((error) => (error as { code: string }).code);
      const writing = (async () => {
        for (let i = 0; i < 60; i++) await left.write(new Uint8Array(5000));
        await left.closeWrite();
      })().catch(() => {});
      const how = await reading;
      left.close();
      await writing;
      return `${how} ${sizes.length > 60 ? "cut" : "whole"} ${sizes.reduce((a, b) => a + b, 0)}`;
    };
    const fates = new Set<string>();
    for (let seed = 0; seed < 120; seed++) {
      const first = await fate(seed);
      assertEquals(await fate(seed), first);
      fates.add(first.replace(/\d+$/, (size) => size === "300000" ? "all" : "some"));
    }
    for (const kind of ["end whole all", "end cut all", "end whole some", "ECONNRESET"]) {
      assert([...fates].some((fate) => fate.startsWith(kind)), `${kind} of ${[...fates]}`);
    }
  });

  test("without breaks and cuts is a good connection", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const [left, right] = memoryPair(faultScript(seed, { breaks: false, cuts: false }));
      await left.write(new Uint8Array(1000));
      await left.closeWrite();
      assertEquals(await readToEnd(right), 1000);
    }
  });
});
