/** Chromium, a page and its WebSocket, behind the proxies of `docs/deployment.md`. @module */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { serve } from "../../mod.ts";
import { REVERSE_PROXIES, whyNot, withReverseProxy } from "../interop/reverse_proxies.ts";
import { launch, whyNoBrowser } from "./chromium.ts";

/** Runs in the page. */
function exchange(): Promise<[protocol: string | undefined, message: string, code: number]> {
  const [page] = performance.getEntriesByType("navigation") as { nextHopProtocol?: string }[];
  const socket = new WebSocket(location.href.replace("https:", "wss:"));
  let message = "";
  socket.onopen = () => socket.send("hello");
  socket.onmessage = ({ data }) => {
    message = data;
    socket.close(1000);
  };
  return new Promise((resolve) => {
    socket.onclose = ({ code }) => resolve([page.nextHopProtocol, message, code]);
  });
}

for (const proxy of REVERSE_PROXIES) {
  const skip = whyNoBrowser() || whyNot(proxy);

  test(`Chromium, behind ${proxy.name}`, { skip, timeout: 30_000 }, async () => {
    const headers = { "content-type": "text/html" };
    const fetch = (): Response => new Response("<!doctype html><title>a page</title>", { headers });
    const origins: (string | null)[] = [];
    const server = await serve(
      { port: 0, trustedProxies: ["127.0.0.1"], fetch },
      async (session) => {
        origins.push(session.request.headers.get("origin"));
        for await (const message of session) await session.send(message);
      },
    );
    await withReverseProxy(proxy, { backend: server.addr }, async ({ host }) => {
      const browser = await launch();
      const context = await browser.newContext({ ignoreHTTPSErrors: true });
      const page = await context.newPage();
      await page.goto(`https://${host}/`);
      assertEquals(await page.evaluate(exchange), ["h2", "hello", 1000]);
      assertEquals(origins, [`https://${host}`]);
      await browser.close();
    });
    await server.shutdown();
  });
}
