/**
 * Imports modules one after another and writes how each went to a file, a line of JSON each:
 *
 * ```sh
 * deno run -A run_modules.ts <file of results> <module>...
 * ```
 *
 * @module
 */

import { appendFileSync } from "node:fs";
import process from "node:process";
import { clearTimeout, setTimeout } from "node:timers";
import { pathToFileURL } from "node:url";

/** Milliseconds that one module may take, and the process until it ends behind the last. */
const PATIENCE = 5000;

async function runModule(path: string): Promise<string> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLong = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`It takes more than ${PATIENCE} ms`), PATIENCE);
  });
  const imported = import(pathToFileURL(path).href).then(
    () => "ok",
    (error) => error?.stack?.includes(error.message) ? error.stack : `${error?.message ?? error}`,
  );
  const outcome = await Promise.race([imported, tooLong]);
  clearTimeout(timer);
  return outcome;
}

const [results, ...modules] = process.argv.slice(2);
for (const path of modules) {
  appendFileSync(results, JSON.stringify([path, await runModule(path)]) + "\n");
}

// Only what does not end by itself is still there then.
setTimeout(() => {
  console.error("Something that a module has opened keeps the process alive");
  process.exit(1);
}, PATIENCE).unref();
