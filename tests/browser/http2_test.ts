/** A browser's WebSocket over HTTP/2: Chromium takes the connection that the page came by. @module */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { startEcho, stopEcho } from "../interop/http2_program.ts";
import { RUNTIMES } from "../toolchain.ts";
import { launch, whyNoBrowser } from "./chromium.ts";

const skip = whyNoBrowser();

/** Runs in the page: what a WebSocket of the browser's own gets. */
async function program(url: string): Promise<string[]> {
  const socket = new WebSocket(url);
  const said: string[] = [];
  await new Promise((resolve) => {
    socket.onopen = () => {
      said.push(socket.extensions.split(";")[0]);
      socket.send("hello");
      socket.send("x".repeat(200_000));
    };
    socket.onmessage = ({ data }) => {
      said.push(`${data.slice(0, 20)} ${data.length}`);
      if (said.length === 4) socket.close(4000, "enough");
    };
    socket.onerror = () => said.push("error");
    socket.onclose = ({ code, wasClean }) => resolve(said.push(`close ${code} ${wasClean}`));
  });
  return said;
}

const SAID = [
  "permessage-deflate",
  "/chat?a by 2.0 14",
  "hello 5",
  `${"x".repeat(20)} 200000`,
  "close 4000 true",
];

for (const runtime of RUNTIMES) {
  test(
    `Chromium opens WebSockets on the HTTP/2 connection that the page came by, from ${runtime}`,
    {
      skip,
      timeout: 60_000,
    },
    async () => {
      const server = await startEcho(runtime);
      const browser = await launch();
      try {
        const context = await browser.newContext({ ignoreHTTPSErrors: true });
        const page = await context.newPage();
        await page.goto(server.url.replace("wss:", "https:"));
        assertEquals(await page.title(), "2.0");
        const several = [1, 2, 3].map(() => page.evaluate(program, `${server.url}/chat?a`));
        assertEquals(await Promise.all(several), [SAID, SAID, SAID]);
      } finally {
        await browser.close();
        await stopEcho(server, runtime);
      }
    },
  );
}
