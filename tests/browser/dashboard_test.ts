/** The dashboard's page in a real browser. @module */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { startExample } from "../programs.ts";
import { launch, whyNoBrowser } from "./chromium.ts";

const skip = whyNoBrowser();

/** How many pixels of the first plot have the plot's own colour. */
const countPixels = `(() => {
  const canvas = document.querySelector("canvas");
  const [red, green, blue] = getComputedStyle(canvas).color.match(/\\d+/g).map(Number);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i] === red && data[i + 1] === green && data[i + 2] === blue) count++;
  }
  return count;
})()`;

test("the page draws in its colours, stands still on request, and comes back", {
  skip,
  timeout: 60_000,
}, async () => {
  let program = await startExample("node", "examples/dashboard.ts", ["--port", "0"]);
  const browser = await launch();
  try {
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await browser.newPage({ colorScheme });
      const errors: string[] = [];
      page.on("pageerror", (error) => errors.push(`${error}`));
      page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
      await page.goto(program.url);
      // Not waitForFunction(): the page's policy lets nobody evaluate texts in it.
      while (await page.evaluate(countPixels) as number <= 20) await page.waitForTimeout(50);
      assert(/^\d+\.\d$/.test((await page.textContent("output"))!));
      assertEquals(errors, []);
      await page.close();
    }
    const page = await browser.newPage();
    await page.goto(program.url);
    await page.waitForSelector("body.online");
    await page.click("#pause");
    assertEquals(await page.textContent("#pause"), "Go on");
    await page.click("#pause");
    assertEquals(await page.textContent("#pause"), "Pause");
    const { port } = new URL(program.url);
    await program.stop();
    await page.waitForSelector("body:not(.online)");
    program = await startExample("node", "examples/dashboard.ts", ["--port", port]);
    await page.waitForSelector("body.online");
    assert(await page.textContent("#state-text") === "connected");
  } finally {
    await browser.close();
    await program.stop();
  }
});
