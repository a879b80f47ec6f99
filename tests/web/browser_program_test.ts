/** A program written for browsers, with our WebSocket on the runtime that runs this file. @module */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { type Handler, serve, type TcpAddr } from "../../mod.ts";
import { WebSocket } from "../../src/web/mod.ts";
import { browserProgram, TRANSCRIPT } from "./browser_program.ts";

const echo: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

test("a program written for browsers runs unchanged", async () => {
  await using server = await serve({ port: 0 }, echo);
  const url = `ws://127.0.0.1:${(server.addr as TcpAddr).port}/`;
  assertEquals(await browserProgram(url, WebSocket as unknown as typeof globalThis.WebSocket), [
    ...TRANSCRIPT,
  ]);
});
