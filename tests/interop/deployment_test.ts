/** What `docs/deployment.md` shows besides proxies: the program, and its unit for systemd. @module */

import { assertEquals } from "@std/assert";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { connect } from "../../mod.ts";
import { runtimeName } from "../../src/runtime/mod.ts";
import { executable, ROOT, type RuntimeName } from "../toolchain.ts";
import { readBlock, replaceAll, whyNot } from "./reverse_proxies.ts";

/** With the permissions that the page says. */
const FLAGS: Record<RuntimeName, string[]> = {
  deno: ["run", "--no-check", "-N", "-E=HOST,PORT"],
  bun: [],
  node: [],
};

const ANALYZE = "/usr/bin/systemd-analyze";

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(`${tmpdir()}/twoway-`);
  try {
    await run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Starts the page's program on this runtime; resolves when it listens. */
async function start(folder: string): Promise<{ child: ChildProcess; port: string }> {
  const module = JSON.stringify(pathToFileURL(`${ROOT}mod.ts`).href);
  const script = `${folder}/server.ts`;
  writeFileSync(script, replaceAll(readBlock("ts"), [['"@twoway/websocket"', module]]));
  const child = spawn(executable(runtimeName), [...FLAGS[runtimeName], script], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, PORT: "0" },
  });
  let output = "";
  for await (const data of child.stdout) {
    output += data;
    const port = /port: (\d+)/.exec(output)?.[1];
    if (port !== undefined) return { child, port };
  }
  throw new Error(`The program ended: ${output}`);
}

/** What systemd says about a unit. */
function complaints(folder: string, unit: string): string[] {
  writeFileSync(`${folder}/app.service`, unit);
  const { error, stderr } = spawnSync(ANALYZE, ["verify", "--man=no", `${folder}/app.service`]);
  if (error) throw error;
  return `${stderr}`.split("\n").filter((line) => line.includes("app.service"));
}

test("the program echoes, is healthy, and ends with 1001 on SIGTERM", async () => {
  await withFolder(async (folder) => {
    const { child, port } = await start(folder);
    const ended = once(child, "exit");
    assertEquals(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "ok\n");
    const session = await connect(`ws://127.0.0.1:${port}/`);
    session.send("hello");
    assertEquals(await session.receive(), "hello");
    // Not child.kill(): under Deno that reports the signal in place of the exit status.
    process.kill(child.pid!, "SIGTERM");
    assertEquals(await session.receive(), null);
    assertEquals(await session.closed, { code: 1001, reason: "", wasClean: true });
    assertEquals((await ended)[0], 0);
  });
});

const skip = whyNot({ command: ANALYZE });
test("systemd-analyze finds nothing to say about the unit", { skip }, async () => {
  await withFolder((folder) => {
    const unit = replaceAll(readBlock("ini"), [["/usr/bin/node", process.execPath]]);
    assertEquals(complaints(folder, unit), []);
    assertEquals(complaints(folder, unit.replace("ProtectHome", "ProtectHouse")).length, 1);
    return Promise.resolve();
  });
});
