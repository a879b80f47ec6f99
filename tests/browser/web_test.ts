/** The program that our WebSocket runs, with Chromium's own: both must say the same. @module */

import { assertEquals } from "@std/assert";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { type Handler, serve, type TcpAddr } from "../../mod.ts";
import { browserProgram, TRANSCRIPT } from "../web/browser_program.ts";
import { launch, whyNoBrowser } from "./chromium.ts";

const skip = whyNoBrowser();

const echo: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

test("Chromium's WebSocket says what ours says", { skip }, async () => {
  const pages = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>program</title>");
  });
  pages.listen(0, "127.0.0.1");
  await once(pages, "listening");
  const browser = await launch();
  try {
    await using server = await serve({ port: 0, origin: "any" }, echo);
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}/`);
    const url = `ws://127.0.0.1:${(server.addr as TcpAddr).port}/`;
    const said = await page.evaluate(`(${browserProgram})(${JSON.stringify(url)}, WebSocket)`);
    assertEquals(said, [...TRANSCRIPT]);
  } finally {
    await browser.close();
    pages.close();
  }
});
