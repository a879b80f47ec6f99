/** Two people in two browser windows, on each runtime's chat server. @module */

import { assert, assertEquals } from "@std/assert";
import { mkdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { type Program, startExample } from "../programs.ts";
import { ROOT, RUNTIMES } from "../toolchain.ts";
import { launch, whyNoBrowser } from "./chromium.ts";

const skip = whyNoBrowser();
const SCREENSHOTS = `${ROOT}tests/browser/screenshots`;

/** A window of its own, with its own storage; whatever goes wrong in its page is an error. */
async function openWindow(
  browser: Browser,
  url: string,
  options: Parameters<Browser["newContext"]>[0] = {},
): Promise<{ page: Page; context: BrowserContext; errors: string[] }> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    // A connection that breaks is reported by the browser itself.
    const isOwn = message.type() === "error" && !message.text().includes("WebSocket");
    if (isOwn) errors.push(message.text());
  });
  await page.goto(url);
  return { page, context, errors };
}

async function enter(page: Page, name: string): Promise<void> {
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Enter" }).click();
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.keyboard.press("Enter");
}

/** Waits until the log shows a message with this text, and returns how many do. */
async function sees(page: Page, text: string): Promise<number> {
  const bubbles = page.locator("#log .group:not(.waiting) .bubble").filter({ hasText: text });
  await bubbles.first().waitFor();
  return await bubbles.count();
}

if (skip !== false) test("two people chat in Chromium", { skip }, () => {});

for (const runtime of skip === false ? RUNTIMES : []) {
  describe(`the chat on ${runtime}`, () => {
    let browser: Browser;
    let chat: Program;
    before(async () => {
      mkdirSync(SCREENSHOTS, { recursive: true });
      chat = await startExample(runtime, "examples/chat.ts", ["--port", "0"]);
      browser = await launch();
    });
    after(async () => {
      await browser?.close();
      assertEquals(await chat?.stop(), 0);
    });

    test("two people see each other, whatever happens between", async () => {
      const ada = await openWindow(browser, chat.url, { viewport: { width: 1180, height: 760 } });
      const bob = await openWindow(browser, chat.url, {
        viewport: { width: 390, height: 780 },
        colorScheme: "dark",
      });

      await enter(ada.page, "Ada");
      await enter(bob.page, "ada"); // taken, in any case: asked for again
      await bob.page.getByRole("alert").filter({ hasText: "called ada already" }).waitFor();
      await enter(bob.page, "Bob");
      await ada.page.locator("#people").getByText("Bob").waitFor();
      await ada.page.locator("#log").getByText("Bob came in").waitFor();

      await say(ada.page, "Hello Bob");
      assertEquals(await sees(bob.page, "Hello Bob"), 1);
      await say(
        bob.page,
        "Hi Ada, two lines:\n<b>bold</b><img src=x onerror=\"document.title='hacked'\">",
      );
      assertEquals(await sees(ada.page, "<b>bold</b><img src=x"), 1);
      assertEquals(await ada.page.locator("#log img, #log b:not(.by b)").count(), 0);
      assert(!(await ada.page.title()).includes("hacked"));
      assertEquals(await sees(ada.page, "Hello Bob"), 1);

      await say(ada.page, "/msg Bob just between us");
      assertEquals(await sees(bob.page, "just between us"), 1);
      await ada.page.locator(".whisper").filter({ hasText: "Ada → Bob" }).waitFor();

      // A newcomer gets what was said in the room, and nothing private.
      const eve = await openWindow(browser, chat.url);
      await enter(eve.page, "Eve");
      assertEquals(await sees(eve.page, "Hello Bob"), 1);
      assertEquals(await eve.page.locator("#log").getByText("just between us").count(), 0);

      // Rooms: what is said in one is not seen in the other.
      await say(ada.page, "/join games");
      await ada.page.locator("#title").getByText("games").waitFor();
      await eve.page.locator("#rooms").getByText("# games").click();
      await eve.page.locator("#title").getByText("games").waitFor();
      await say(ada.page, "Chess, anyone?");
      assertEquals(await sees(eve.page, "Chess, anyone?"), 1);
      assertEquals(await bob.page.locator("#log").getByText("Chess, anyone?").count(), 0);
      await say(ada.page, "/leave");
      await ada.page.locator("#title").getByText("lobby").waitFor();

      // Gone and back again: nothing lost, nothing doubled, nobody told.
      await bob.context.setOffline(true);
      await bob.page.reload().catch(() => {});
      await say(ada.page, "said while Bob was away");
      await bob.context.setOffline(false);
      await bob.page.goto(chat.url);
      assertEquals(await sees(bob.page, "said while Bob was away"), 1);
      assertEquals(await sees(bob.page, "Hello Bob"), 1);
      await say(bob.page, "back again");
      assertEquals(await sees(ada.page, "back again"), 1);
      assertEquals(await ada.page.locator("#log").getByText("Bob left").count(), 0);
      assertEquals(await ada.page.locator("#log").getByText("Bob came in").count(), 1);

      await ada.page.screenshot({ path: `${SCREENSHOTS}/${runtime}-light.png` });
      await bob.page.screenshot({ path: `${SCREENSHOTS}/${runtime}-dark-phone.png` });
      for (const { errors, context } of [ada, bob, eve]) {
        assertEquals(errors, []);
        await context.close();
      }
    });

    test("what is too long or too fast is refused with a notice, and not lost", async () => {
      const { page, context, errors } = await openWindow(browser, chat.url);
      await enter(page, "Hasty");
      await page.locator("body.online").waitFor();
      const box = page.getByLabel("Message", { exact: true });
      const long = "x".repeat(2001);
      await say(page, long);
      await page.getByRole("alert").filter({ hasText: "2001 characters long" }).waitFor();
      assertEquals(await box.inputValue(), long);

      await page.evaluate(() => {
        type Element = { value: string; requestSubmit(): void };
        const { document } = globalThis as unknown as {
          document: { querySelector(selector: string): Element };
        };
        // At once: what comes back must not meet what is being written.
        for (let i = 0; i < 14; i++) {
          document.querySelector("#text").value = `quick ${i}`;
          document.querySelector("#composer").requestSubmit();
        }
      });
      await page.getByRole("alert").filter({ hasText: "too fast" }).waitFor();
      await page.waitForFunction(() => {
        const { document } = globalThis as unknown as {
          document: { querySelector(selector: string): { value: string } };
        };
        return document.querySelector("#text").value.includes("quick"); // back in the composer
      });
      assertEquals(errors, []);
      await context.close();
    });

    test("messages written while the connection is gone leave once, when it is back", async () => {
      const writer = await openWindow(browser, chat.url);
      const reader = await openWindow(browser, chat.url);
      // Keeps the page's sockets within reach, to break one as a network would.
      await writer.page.addInitScript(() => {
        const sockets: WebSocket[] = [];
        const Kept = class extends WebSocket {
          constructor(url: string | URL, protocols?: string | string[]) {
            super(url, protocols);
            sockets.push(this);
          }
        };
        Object.assign(globalThis, { sockets, WebSocket: Kept });
      });
      await writer.page.reload();
      await enter(writer.page, "Writer");
      await enter(reader.page, "Reader");
      await writer.page.locator("#people").getByText("Reader").waitFor();
      await writer.page.evaluate(() => {
        const { sockets } = globalThis as unknown as { sockets: WebSocket[] };
        for (const socket of sockets) socket.close();
      });
      await writer.page.locator("body:not(.online)").waitFor();
      await say(writer.page, "written offline");
      assertEquals(await sees(reader.page, "written offline"), 1);
      assertEquals(await sees(writer.page, "written offline"), 1);
      assertEquals(await reader.page.locator("#log").getByText("Writer left").count(), 0);
      for (const { errors, context } of [writer, reader]) {
        assertEquals(errors, []);
        await context.close();
      }
    });
  });
}
