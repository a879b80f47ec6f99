/** How to test a handler without a port: connections in memory, and a clock that obeys. @module */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { chat, type Person } from "../../examples/greeter_chat.ts";
import { connect, serve, type Server, type WebSocketSession } from "../../mod.ts";
import { FakeClock, MemoryListener } from "../../src/testing.ts";
import { startExample } from "../programs.ts";
import { REQUEST } from "../raw_peer.ts";
import { RUNTIMES } from "../toolchain.ts";

interface Chat {
  readonly server: Server<Person>;
  readonly clock: FakeClock;
  readonly listener: MemoryListener;
  enter(name: string): Promise<WebSocketSession>;
}

async function openChat(): Promise<Chat> {
  const listener = new MemoryListener();
  const clock = new FakeClock();
  const server = await serve<Person>({ listener, clock }, chat);
  return {
    server,
    clock,
    listener,
    async enter(name) {
      const session = await connect("ws://chat/", { conn: listener.connect(), clock });
      await session.send(name);
      return session;
    },
  };
}

test("everybody hears who comes, what they say, and who leaves", async () => {
  const { server, enter } = await openChat();
  const ada = await enter("Ada");
  assertEquals(await ada.receive(), "Ada is here");
  const bob = await enter("Bob");
  assertEquals(await ada.receive(), "Bob is here");
  assertEquals(await bob.receive(), "Bob is here");
  await bob.send("hello");
  assertEquals(await ada.receive(), "Bob: hello");
  await bob.close();
  assertEquals(await ada.receive(), "Bob has left");
  await ada.close();
  await server.shutdown();
});

test("who gives no name is asked to leave", async () => {
  const { server, enter } = await openChat();
  const nobody = await enter("");
  assertEquals((await nobody.closed).code, 1008);
  assertEquals((await nobody.closed).reason, "say your name first");
  await server.shutdown();
});

test("who falls silent for 45 seconds is gone, and the test takes none of them", async () => {
  const { server, clock, listener, enter } = await openChat();
  const ada = await enter("Ada");
  assertEquals(await ada.receive(), "Ada is here");
  // A connection that is open, and whose other end says nothing any more: not even a pong.
  const ghost = listener.connect();
  await ghost.write(new TextEncoder().encode(REQUEST));
  while (server.sessions.size < 2) await clock.turn();
  await clock.advance(44_000);
  assertEquals(server.sessions.size, 2);
  await clock.advance(2000);
  assertEquals(server.sessions.size, 1);
  await ada.close();
  await server.shutdown();
});

for (const runtime of RUNTIMES) {
  test(`examples/greeter.ts runs on ${runtime}, too`, async () => {
    const greeter = await startExample(runtime, "examples/greeter.ts", ["--port", "0"]);
    const ada = await connect(greeter.url.replace("http", "ws"));
    await ada.send("Ada");
    assertEquals(await ada.receive(), "Ada is here");
    await ada.close();
    assertEquals(await greeter.stop(), 0);
  });
}
