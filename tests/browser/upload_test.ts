/** Files from a browser window, to each runtime's upload server. @module */

import { assert, assertEquals } from "@std/assert";
import { mkdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { crc32 } from "node:zlib";
import { Buffer } from "node:buffer";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { type Program, startExample } from "../programs.ts";
import { ROOT } from "../toolchain.ts";
import { launch, whyNoBrowser } from "./chromium.ts";

const skip = whyNoBrowser();
const SCREENSHOTS = `${ROOT}tests/browser/screenshots`;
const MIB = 1_048_576;
const DESKTOP = { width: 1180, height: 760 };
const PHONE = { width: 390, height: 780 };

interface Window {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly errors: string[];
}

/** A window of its own; whatever goes wrong in its page is an error. */
async function openWindow(
  browser: Browser,
  url: string,
  options: Parameters<Browser["newContext"]>[0] = {},
): Promise<Window> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(url);
  await page.locator("#file:enabled").waitFor({ state: "attached" });
  return { page, context, errors };
}

async function choose(page: Page, name: string, bytes: Uint8Array): Promise<void> {
  const file = { name, mimeType: "application/octet-stream", buffer: Buffer.from(bytes) };
  await page.locator("#file").setInputFiles(file);
}

/** Drops a file of so many bytes, all of them 7, from outside the window. */
async function drop(page: Page, name: string, size: number): Promise<void> {
  const dataTransfer = await page.evaluateHandle(([name, size]) => {
    const { DataTransfer } = globalThis as unknown as {
      DataTransfer: new () => { items: { add(file: File): void } };
    };
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(size as number).fill(7)], name as string));
    return transfer;
  }, [name, size]);
  await page.dispatchEvent("#drop", "drop", { dataTransfer });
}

function bytesOf(size: number): Uint8Array {
  return new Uint8Array(size).map((_, i) => (i * 31) ^ (i >> 8));
}

const checksum = (bytes: Uint8Array): string => crc32(bytes).toString(16).padStart(8, "0");

if (skip !== false) test("files are uploaded from Chromium", { skip }, () => {});

// The page is the same from each runtime, and tests/examples/upload_test.ts runs all three.
for (const runtime of skip === false ? ["node"] as const : []) {
  describe(`the upload on ${runtime}`, () => {
    let browser: Browser;
    let fast: Program;
    let slow: Program;
    before(async () => {
      mkdirSync(SCREENSHOTS, { recursive: true });
      const limit = ["--port", "0", "--max-size", `${8 * MIB}`];
      fast = await startExample(runtime, "examples/upload.ts", limit);
      slow = await startExample(runtime, "examples/upload.ts", [...limit, "--slow", "20"]);
      browser = await launch();
    });
    after(async () => {
      await browser?.close();
      assertEquals(await fast?.stop(), 0);
      assertEquals(await slow?.stop(), 0);
    });

    test("a file of some megabytes arrives unchanged, chosen or dropped", async () => {
      const { page, context, errors } = await openWindow(browser, fast.url, { viewport: DESKTOP });
      await page.getByText("up to 8.0 MiB").waitFor();
      const bytes = bytesOf(5 * MIB + 123);
      await choose(page, "five <b>megabytes</b>.bin", bytes);
      const first = page.locator("#done li").filter({ hasText: "five <b>megabytes</b>.bin" });
      await first.getByText("✓ arrived unchanged").waitFor();
      await first.getByText(`CRC-32 ${checksum(bytes)}`).waitFor();
      await first.getByText(/^\d.* MiB\/s$/).waitFor();
      await drop(page, "dropped.bin", 100_000);
      const second = page.locator("#done li").filter({ hasText: "dropped.bin" });
      await second.getByText("✓ arrived unchanged").waitFor();
      await second.getByText(`CRC-32 ${checksum(new Uint8Array(100_000).fill(7))}`).waitFor();
      await choose(page, "empty", new Uint8Array());
      await page.locator("#done li").filter({ hasText: "CRC-32 00000000" }).waitFor();
      assertEquals(await page.locator("#done li").count(), 3);

      await choose(page, "too large.bin", new Uint8Array(8 * MIB + 1));
      const reason = "The file has 8388609 bytes, and this server takes 8388608 at most";
      await page.getByRole("alert").getByText(reason).waitFor();
      await page.screenshot({ path: `${SCREENSHOTS}/upload-${runtime}-light.png` });
      await page.emulateMedia({ colorScheme: "dark" });
      await page.screenshot({ path: `${SCREENSHOTS}/upload-${runtime}-dark.png` });
      assertEquals(errors, []);
      await context.close();
    });

    test("what arrives slowly is shown, held back, and can be cancelled", async () => {
      const { page, context, errors } = await openWindow(browser, slow.url, {
        viewport: PHONE,
        colorScheme: "dark",
      });
      await page.evaluate(() => {
        const send = WebSocket.prototype.send;
        const seen = { sent: 0, buffered: 0 };
        WebSocket.prototype.send = function (data: string | ArrayBuffer) {
          send.call(this, data);
          if (typeof data !== "string") seen.sent += data.byteLength;
          seen.buffered = Math.max(seen.buffered, this.bufferedAmount);
        };
        Object.assign(globalThis, { seen });
      });
      await choose(page, "a name that is much too long for a telephone.bin", bytesOf(8 * MIB));
      await page.locator("#arrived").filter({ hasText: /^(256|512|768) KiB of 8\.0 MiB/ })
        .waitFor();
      const { sent, buffered } = await page.evaluate(() =>
        (globalThis as unknown as { seen: { sent: number; buffered: number } }).seen
      );
      assert(sent > 0 && sent <= 2.5 * MIB, `${sent}`); // a window beyond what has arrived
      assert(buffered <= 262_144 + 2 * 65_536, `${buffered}`);
      await page.screenshot({ path: `${SCREENSHOTS}/upload-${runtime}-dark-phone.png` });
      await page.emulateMedia({ colorScheme: "light" });
      await page.screenshot({ path: `${SCREENSHOTS}/upload-${runtime}-light-phone.png` });

      await page.getByRole("button", { name: "Cancel" }).click();
      await page.locator("#job").waitFor({ state: "hidden" });
      assertEquals(await page.locator("#done li").count(), 0);
      await choose(page, "next.bin", bytesOf(100));
      await page.locator("#done li").getByText(`CRC-32 ${checksum(bytesOf(100))}`).waitFor();
      assertEquals(errors, []);
      await context.close();
    });

    test("the policy lets the page run nothing but its own script", async () => {
      const response = await fetch(fast.url);
      const policy = response.headers.get("content-security-policy") ?? "";
      const html = await response.text();
      const nonce = /script-src 'nonce-([^']+)'/.exec(policy)?.[1];
      assert(policy.startsWith("default-src 'none'"), policy);
      assertEquals([...html.matchAll(/<script nonce="([^"]+)"/g)].map(([, used]) => used), [nonce]);
    });
  });
}
