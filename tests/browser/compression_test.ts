/** Chromium's WebSocket, compressing, with each runtime's echo server. @module */

import { assert, assertEquals } from "@std/assert";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import { startProgram } from "../programs.ts";
import { runtimeCommand, RUNTIMES } from "../toolchain.ts";
import { launch, whyNoBrowser } from "./chromium.ts";

const skip = whyNoBrowser();

/** What the page reports. */
interface Report {
  readonly extensions: string;
  readonly code: number;
  /** The sizes of what came back equal to what was sent. */
  readonly equal: readonly number[];
}

/** Runs in the page: sends messages, and compares what comes back. */
function exchange(url: string): Promise<Report> {
  const messages: (string | Uint8Array)[] = [
    "",
    "hello",
    "ÿ€😀".repeat(1000),
    JSON.stringify(Array.from({ length: 500 }, (_, i) => ({ id: i, name: `user ${i % 9}` }))),
    new Uint8Array(70_000).map((_, i) => (i * i) >> 3),
    "x".repeat(600_000),
    "the last one",
  ];
  const equal: number[] = [];
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => messages.forEach((message) => socket.send(message as string));
  let count = 0;
  socket.onmessage = ({ data }) => {
    const sent = messages[count++];
    const same = typeof sent === "string" ? sent === data : `${new Uint8Array(data)}` === `${sent}`;
    if (same) equal.push(sent.length);
    if (count === messages.length) socket.close(1000);
  };
  return new Promise((resolve) => {
    socket.onclose = ({ code }) => resolve({ extensions: socket.extensions, code, equal });
  });
}

// A group that is skipped counts for nothing on Bun: a test that is skipped does.
if (skip) test("Chromium compresses both ways", { skip }, () => {});
else {describe("Chromium", () => {
    let browser: Browser;
    const pages = createServer((_, response) => {
      response.setHeader("content-type", "text/html");
      response.end("<!doctype html><title>compression</title>");
    });

    before(async () => {
      browser = await launch();
      pages.listen(0, "127.0.0.1");
      await once(pages, "listening");
    });
    after(async () => {
      await browser.close();
      pages.close();
    });

    for (const runtime of RUNTIMES) {
      for (const flags of [[], ["--context-takeover"]]) {
        test(`compresses both ways with a server on ${runtime} ${flags.join(" ")}`, async () => {
          const { port } = pages.address() as AddressInfo;
          const origin = `http://127.0.0.1:${port}`;
          const program = await startProgram(
            ...command(runtime, [...flags, "--origin", origin]),
          );
          try {
            const page = await browser.newPage();
            await page.goto(`${origin}/`);
            const report = await page.evaluate(exchange, program.url) as Report;
            assert(report.extensions.startsWith("permessage-deflate"), report.extensions);
            assertEquals(report.extensions.includes("no_context_takeover"), flags.length === 0);
            assertEquals([report.code, report.equal.length], [1000, 7]);
            await page.close();
          } finally {
            assertEquals(await program.stop(), 0);
          }
        });
      }
    }
  });}

function command(runtime: typeof RUNTIMES[number], args: string[]): [string, string[]] {
  const { command, args: all } = runtimeCommand(
    runtime,
    "examples/echo.ts",
    ["--port", "0", "--compress", ...args],
    ["-N"],
  );
  return [command, all];
}
