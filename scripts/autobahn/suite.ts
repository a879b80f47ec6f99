/**
 * The Autobahn testsuite itself: a Python 2.7 program, installed into a virtual environment of its
 * own, and run in both of its roles.
 *
 * @module
 */

import { ROOT } from "../../tests/toolchain.ts";
import { run } from "../process.ts";
import type { Selection } from "./results.ts";

/** The version whose results are committed. */
export const SUITE = "autobahntestsuite 25.10.1";

const FOLDER = `${ROOT}tests/autobahn/.suite/`;
const PYTHON = `${FOLDER}venv/bin/python`;
const STAMP = `${FOLDER}.installed`;

const INSTALL_TIMEOUT = 300_000;

const HELP =
  `The Autobahn testsuite is a Python 2.7 program. To install it, put \`python2.7\` on the PATH \
(with pyenv: \`pyenv install 2.7.18\`), or name it in TWOWAY_PYTHON2, and let pip reach PyPI; \`deno task autobahn\` does the rest.`;

/** Installs the suite unless it is there. Throws an error that says what is missing. */
export async function installSuite(): Promise<void> {
  if (await readText(STAMP) === SUITE) return;
  const python = await findPython();
  console.log(`Installing ${SUITE}`);
  await Deno.mkdir(FOLDER, { recursive: true });
  const tool = `${FOLDER}virtualenv`;
  await pip(python, ["-m", "pip", "install", "--quiet", "--target", tool, "virtualenv<20.22"]);
  await pip(python, ["-m", "virtualenv", "--quiet", `${FOLDER}venv`], { PYTHONPATH: tool });
  await pip(PYTHON, ["-m", "pip", "install", "--quiet", SUITE.replace(" ", "==")]);
  await Deno.writeTextFile(STAMP, SUITE);
}

async function pip(
  python: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<void> {
  // Registries fail now and then.
  for (let attempt = 1;; attempt++) {
    const result = await run(python, args, { timeout: INSTALL_TIMEOUT, env });
    if (result.code === 0) return;
    if (attempt === 3) throw new Error(`Cannot install the suite: ${result.output}\n${HELP}`);
    await new Promise((resolve) => setTimeout(resolve, attempt * 2000));
  }
}

async function findPython(): Promise<string> {
  for (const candidate of await pythons()) {
    try {
      const { code, output } = await run(candidate, ["--version"], { timeout: 10_000 });
      if (code === 0 && output.includes("Python 2.7")) return candidate;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Error(`Cannot find Python 2.7. ${HELP}`);
}

/** Where Python 2.7 may be: named, on the PATH, among pyenv's versions. */
async function pythons(): Promise<string[]> {
  const roots = [Deno.env.get("PYENV_ROOT"), `${Deno.env.get("HOME")}/.pyenv`];
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    if (folder.endsWith("/shims")) roots.push(folder.slice(0, -"/shims".length));
  }
  const found = [Deno.env.get("TWOWAY_PYTHON2"), "python2.7"];
  for (const root of roots) {
    if (root === undefined) continue;
    for await (const { name } of readDir(`${root}/versions`)) {
      if (name.startsWith("2.7")) found.push(`${root}/versions/${name}/bin/python2.7`);
    }
  }
  return found.filter((path) => path !== undefined);
}

async function* readDir(path: string): AsyncGenerator<Deno.DirEntry> {
  try {
    yield* Deno.readDir(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Lets the suite test the server at `url`; returns its `index.json`. */
export async function testServer(
  url: string,
  { cases, without }: Selection,
  timeout: number,
): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "autobahn-" });
  try {
    const spec = {
      outdir: folder,
      servers: [{ agent: "twoway", url }],
      cases,
      "exclude-cases": without,
      "exclude-agent-cases": {},
    };
    await Deno.writeTextFile(`${folder}/spec.json`, JSON.stringify(spec));
    const args = ["-m", "autobahntestsuite.wstest", "-m", "fuzzingclient", "-s", "spec.json"];
    const result = await run(PYTHON, args, { cwd: folder, timeout });
    if (result.timedOut || result.code !== 0) throw new Error(`The suite failed: ${result.output}`);
    return await Deno.readTextFile(`${folder}/index.json`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs the suite as a server while `testClient` runs its clients; returns its `index.json`. */
export async function testClients(
  { cases, without }: Selection,
  testClient: (url: string) => Promise<void>,
): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "autobahn-" });
  const url = `ws://127.0.0.1:${freePort()}`;
  const spec = {
    url,
    outdir: folder,
    cases,
    "exclude-cases": without,
    "exclude-agent-cases": {},
  };
  await Deno.writeTextFile(`${folder}/spec.json`, JSON.stringify(spec));
  const server = new Deno.Command(PYTHON, {
    // Without a port of 0 it also serves its pages, to everybody, on port 8080.
    args: [
      ...["-m", "autobahntestsuite.wstest", "-m", "fuzzingserver", "-s", "spec.json"],
      ...["--webport", "0"],
    ],
    cwd: folder,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let hasEnded = false;
  const ended = server.status.then(() => hasEnded = true);
  try {
    await Promise.race([waitForPort(Number(new URL(url).port)), ended]);
    if (hasEnded) throw new Error(`The suite did not start at ${url}`);
    await Promise.race([testClient(url), ended]);
    if (hasEnded) throw new Error("The suite ended before its clients");
    return await Deno.readTextFile(`${folder}/index.json`);
  } finally {
    if (!hasEnded) server.kill("SIGKILL");
    await ended;
    await Deno.remove(folder, { recursive: true });
  }
}

/** A port that was free a moment ago, and is none of those that the system gives to clients. */
function freePort(): number {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

async function waitForPort(port: number): Promise<void> {
  for (let attempt = 0; attempt < 150; attempt++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error("The suite does not listen");
}

async function readText(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
