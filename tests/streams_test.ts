/** A session's messages as web streams, and what is left of a session that has ended. @module */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { describe, test } from "node:test";
import { ClosedError, type Message } from "../mod.ts";
import { sessionAndPeer, sessionPair } from "./session_pair.ts";

describe("session.readable and session.writable", () => {
  test("are made once, and carry one message a chunk", async () => {
    const { client, server } = sessionPair();
    assert(server.readable === server.readable && server.writable === server.writable);
    const piping = server.readable.pipeTo(server.writable);
    const reader = client.readable.getReader();
    const writer = client.writable.getWriter();
    for (const message of ["text", Uint8Array.of(1, 2, 3), ""]) {
      await writer.write(message);
      assertEquals(await reader.read(), { done: false, value: message as Message });
    }
    await writer.close();
    assertEquals(await reader.read(), { done: true, value: undefined });
    await piping; // an end in good order is none of an error
    assertEquals([client.state, server.state], ["closed", "closed"]);
    assertEquals((await server.closed).code, 1000);
  });

  test("cancelling and aborting close with 1000", async () => {
    for (const how of ["cancel", "abort"] as const) {
      const { client, server } = sessionPair();
      if (how === "cancel") await client.readable.cancel("why");
      else await client.writable.abort("why");
      const { code, wasClean } = await server.closed;
      assertEquals([code, wasClean], [1000, true]);
    }
  });

  test("error with a ClosedError when the session is lost", async () => {
    const { client, server } = sessionPair();
    const reader = client.readable.getReader();
    const writer = client.writable.getWriter();
    server.abort();
    const error = await assertRejects(() => reader.read(), ClosedError);
    assertEquals(error.status?.code, 1006);
    assertInstanceOf(await writer.closed.catch((error) => error), ClosedError);
  });

  test("piping an idle source into a session that has ended ends", async () => {
    const { client, server } = sessionPair();
    const piping = new ReadableStream({ start() {} }).pipeTo(server.writable);
    const ended = assertRejects(() => piping, ClosedError);
    void client.close(1000);
    for await (const _ of server);
    await ended;
  });

  test("a write behind an end in good order fails", async () => {
    const { client, server } = sessionPair();
    const writer = client.writable.getWriter();
    void server.close(1000);
    for await (const _ of client);
    await client.closed;
    await assertRejects(() => writer.write("late"), ClosedError);
  });

  test("a session with handlers has nothing to read", async () => {
    const { client, server } = sessionPair({ handlers: { message: () => {} } });
    await assertRejects(() => server.readable.getReader().read(), TypeError, "handlers");
    client.abort();
    server.abort();
  });
});

describe("session.state and session.bufferedAmount", () => {
  test("open, closing, closed", async () => {
    const { client, server } = sessionPair();
    assertEquals([client.state, server.state], ["open", "open"]);
    const closing = client.close();
    assertEquals(client.state, "closing");
    for await (const _ of server);
    await Promise.all([closing, server.closed]);
    assertEquals([client.state, server.state], ["closed", "closed"]);
  });

  test("what was not taken when the session ended stays counted", async () => {
    const { session } = sessionAndPeer("client");
    session.send(new Uint8Array(5000));
    assertEquals(session.bufferedAmount, 5000);
    session.abort();
    assertEquals([session.state, session.bufferedAmount], ["closed", 5000]);
    await session.closed;
    assertEquals(session.bufferedAmount, 5000);
  });
});
