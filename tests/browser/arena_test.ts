/** Two players in two browser windows, on each runtime's arena. @module */

import { assert, assertEquals } from "@std/assert";
import { mkdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { type Point, SIZE } from "../../examples/arena_map.ts";
import { type Program, startExample } from "../programs.ts";
import { ROOT } from "../toolchain.ts";
import { launch, whyNoBrowser } from "./chromium.ts";

const skip = whyNoBrowser();
const SCREENSHOTS = `${ROOT}tests/browser/screenshots`;
const DESKTOP = { viewport: { width: 1180, height: 760 } };
const PHONE = { viewport: { width: 390, height: 780 }, hasTouch: true };

interface Dot extends Point {
  readonly id: number;
}

/** A window of its own; whatever goes wrong in its page is an error. */
class Player {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly errors: string[] = [];

  constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.on("pageerror", (error) => this.errors.push(String(error)));
    page.on("console", (message) => {
      // A connection that breaks is reported by the browser itself.
      const isOwn = message.type() === "error" && !message.text().includes("WebSocket");
      if (isOwn) this.errors.push(message.text());
    });
  }

  static async enter(
    browser: Browser,
    url: string,
    options: Parameters<Browser["newContext"]>[0],
  ): Promise<Player> {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(10_000);
    const player = new Player(context, await context.newPage());
    await player.page.goto(url);
    await player.page.locator("body.online #scores li.me").waitFor();
    return player;
  }

  /** What the page has drawn last. */
  async dots(): Promise<readonly Dot[]> {
    return JSON.parse(await this.page.locator("#arena").getAttribute("data-players") ?? "[]");
  }

  async dot(id: number): Promise<Dot> {
    const dot = (await this.dots()).find((dot) => dot.id === id);
    assert(dot !== undefined, `player ${id} is not drawn`);
    return dot;
  }

  /** Waits until the page draws what `isIt` says of a player. */
  async sees(id: number, isIt: (dot: Dot) => boolean): Promise<Dot> {
    for (let i = 0; i < 300; i++) {
      const dot = (await this.dots()).find((dot) => dot.id === id);
      if (dot !== undefined && isIt(dot)) return dot;
      await this.page.waitForTimeout(30);
    }
    throw new Error(`Not seen of player ${id}: ${isIt}; ${JSON.stringify(await this.dots())}`);
  }

  /** Holds a key until the player has come to rest, or has not moved for seconds; says where. */
  async holds(key: string, id: number): Promise<Dot> {
    const from = await this.dot(id);
    await this.page.keyboard.down(key);
    // On a busy machine the first step takes its time.
    for (let i = 0; i < 60; i++) {
      const { x, y } = await this.dot(id);
      if (x !== from.x || y !== from.y) break;
      await this.page.waitForTimeout(50);
    }
    const place = await this.rests(id);
    await this.page.keyboard.up(key);
    return place;
  }

  /** Waits until a player stands still, and says where. */
  async rests(id: number): Promise<Dot> {
    let last = await this.dot(id);
    for (let still = 0; still < 10;) {
      await this.page.waitForTimeout(50);
      const next = await this.dot(id);
      still = next.x === last.x && next.y === last.y ? still + 1 : 0;
      last = next;
    }
    return last;
  }

  /** Where a place of the arena is in the window. */
  async locate(place: Point): Promise<Point> {
    const { x, y, width } = (await this.page.locator("#arena").boundingBox())!;
    return { x: x + place.x * width / SIZE, y: y + place.y * width / SIZE };
  }

  async leave(): Promise<void> {
    assertEquals(this.errors, []);
    await this.context.close();
  }
}

if (skip !== false) test("two people play in Chromium", { skip }, () => {});

// The page is the same from each runtime, and tests/examples/arena_test.ts runs all three.
for (const runtime of skip === false ? ["node"] as const : []) {
  describe(`the arena on ${runtime}`, () => {
    let browser: Browser;
    let arena: Program;
    before(async () => {
      mkdirSync(SCREENSHOTS, { recursive: true });
      arena = await startExample(runtime, "examples/arena.ts", ["--port", "0"]);
      browser = await launch();
    });
    after(async () => {
      await browser?.close();
      assertEquals(await arena?.stop(), 0);
    });

    test("two players see each other move, by keys, mouse and finger", async () => {
      const ada = await Player.enter(browser, arena.url, DESKTOP);
      const bob = await Player.enter(browser, arena.url, PHONE);
      assertEquals(await ada.page.locator("#scores li").count(), 2);

      // By arrows to where a wall is, and by letters back.
      for (
        const [there, back, axis] of [["ArrowUp", "KeyS", "y"], ["ArrowLeft", "KeyD", "x"]] as const
      ) {
        const wall = await ada.holds(there, 1);
        await ada.page.keyboard.down(back);
        await bob.sees(1, (dot) => dot[axis] > wall[axis] + 45); // the middle has room for 56
        await ada.page.keyboard.up(back);
      }
      // Keys let go: she stands still, and both see her at the same place.
      const place = await ada.rests(1);
      assertEquals(await bob.dot(1), place);

      // By the mouse: the dot comes to rest under it. That way is free, she has just come along it.
      const aim = await ada.locate({ x: place.x - 40, y: place.y });
      await ada.page.mouse.move(aim.x, aim.y);
      await ada.page.mouse.down();
      await bob.sees(
        1,
        (dot) => Math.abs(dot.x - place.x + 40) < 3 && Math.abs(dot.y - place.y) < 3,
      );
      await ada.page.mouse.up();

      await slide(bob, 2);
      const moved = await bob.rests(2);
      await ada.sees(2, ({ x, y }) => x === moved.x && y === moved.y);

      for (const [{ page }, size] of [[ada, "desktop"], [bob, "phone"]] as const) {
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          await page.waitForTimeout(100); // until it is drawn anew
          await page.screenshot({
            path: `${SCREENSHOTS}/arena-${runtime}-${colorScheme}-${size}.png`,
          });
        }
      }
      await bob.leave();
      await ada.page.locator("#scores li").nth(1).waitFor({ state: "detached" });
      await ada.leave();
    });

    test("a player comes back when the server does", async () => {
      const ada = await Player.enter(browser, arena.url, DESKTOP);
      await arena.stop();
      await ada.page.locator("body:not(.online)").waitFor();
      const { port } = new URL(arena.url);
      arena = await startExample(runtime, "examples/arena.ts", ["--port", port]);
      await ada.page.locator("body.online").waitFor();
      await ada.sees(1, () => true);
      // One of these ways is free, wherever she has come to stand.
      const from = await ada.rests(1);
      let moved = 0;
      for (const key of ["ArrowLeft", "ArrowRight"]) {
        moved = Math.max(moved, Math.abs((await ada.holds(key, 1)).x - from.x));
      }
      assert(moved > 20, `moved by ${moved}`);
      await ada.leave();
    });
  });
}

/** Holds a finger beside the dot, where no wall is in its way, until it has come there. */
async function slide(player: Player, id: number): Promise<void> {
  const client = await player.context.newCDPSession(player.page);
  const touch = (type: "touchStart" | "touchEnd", touchPoints: Point[]) =>
    client.send("Input.dispatchTouchEvent", { type, touchPoints });
  const from = await player.dot(id);
  for (const [x, y] of [[-60, 0], [60, 0], [0, -60], [0, 60]]) {
    await touch("touchStart", [await player.locate({ x: from.x + x, y: from.y + y })]);
    await player.page.waitForTimeout(200); // or it has not begun to move
    const rest = await player.rests(id);
    await touch("touchEnd", []);
    if (Math.hypot(rest.x - from.x, rest.y - from.y) > 40) return;
  }
  throw new Error(`Player ${id} does not follow the finger from ${JSON.stringify(from)}`);
}
