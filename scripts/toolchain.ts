/**
 * Installs what the tests need from npm, with nothing but Deno: the packages of `tests/package.json`
 * and of the examples with frameworks, and Bun and Node as the packages of this platform
 * (`tests/runtimes`). Everything is pinned, and checked against the lock files beside it. No install
 * script of a package runs.
 *
 * @module
 */

import { ROOT, runtimesFolder } from "../tests/toolchain.ts";
import { run } from "./process.ts";

const ATTEMPTS = 3;
const TIMEOUT = 300_000;

/** Installs what is missing or out of date. */
export async function installToolchain(): Promise<void> {
  await install(`${ROOT}tests/`);
  await install(`${ROOT}examples/frameworks/`);
  const runtimes = runtimesFolder();
  if (await readText(`${runtimes}package.json`) === null) {
    const named = ["TWOWAY_BUN", "TWOWAY_NODE"].every((name) => Deno.env.get(name));
    if (!named) throw new Error(`No packages for this platform: set TWOWAY_BUN and TWOWAY_NODE`);
  } else {
    await install(runtimes);
  }
}

/** `deno install` in a folder, unless what it asks for is what was installed last. */
export async function install(folder: string): Promise<void> {
  const wanted = await readText(`${folder}package.json`) +
    await Deno.readTextFile(`${folder}deno.lock`);
  const stamp = `${folder}node_modules/.installed`;
  if (wanted === await readText(stamp)) return;
  console.log(`Installing ${folder.slice(ROOT.length)}package.json`);
  await retry(() => denoInstall(folder));
  await Deno.writeTextFile(stamp, wanted);
}

async function denoInstall(folder: string): Promise<void> {
  const options = { cwd: folder, timeout: TIMEOUT };
  const { code, output } = await run(Deno.execPath(), ["install", "--frozen"], options);
  if (code !== 0) throw new Error(`Cannot install ${folder}package.json\n${output}`);
}

/** Registries fail now and then. */
async function retry(action: () => Promise<void>): Promise<void> {
  for (let attempt = 1; attempt < ATTEMPTS; attempt++) {
    try {
      return await action();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, attempt * 2_000));
    }
  }
  await action();
}

async function readText(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

if (import.meta.main) await installToolchain();
