/** Debian's Chromium, driven by playwright-core. @module */

import { existsSync } from "node:fs";
import process from "node:process";
import { type Browser, chromium } from "playwright-core";

const EXECUTABLE = "/usr/bin/chromium";

/** Why the browser tests do not run here, if they don't. Under CI they have to. */
export function whyNoBrowser(): string | false {
  if ("Deno" in globalThis || "Bun" in globalThis) return "the browser is driven from Node";
  if (process.env.CI || existsSync(EXECUTABLE)) return false;
  return `${EXECUTABLE} is not installed`;
}

/** A browser without a window that keeps to this machine. */
export async function launch(): Promise<Browser> {
  return await chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
