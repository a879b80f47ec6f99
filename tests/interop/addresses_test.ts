/**
 * Names with several addresses of which one is dead, by an `/etc/hosts` that only the client sees.
 * The system sorts the addresses, and not alike on all runtimes, so either of the two is the dead one.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect, serve } from "../../mod.ts";
import { runtimeName } from "../../src/runtime/mod.ts";
import { startProgram } from "../programs.ts";
import { runtimeCommand } from "../toolchain.ts";

/** Replaces `/etc/hosts` ($1) for the command that follows, and for nobody else. */
const WITH_HOSTS = 'mount --bind "$1" /etc/hosts && shift && exec "$@"';

const PYTHON = "/usr/bin/python3";

/** Milliseconds: people wait that long, where the system would try for two minutes. */
const PATIENCE = 2000;

const hasMounts = spawnSync("unshare", ["-m", "sh", "-c", WITH_HOSTS, "sh", "/dev/null", "true"])
  .status === 0;
const hasPython = spawnSync(PYTHON, ["--version"]).status === 0;
const skip = hasMounts && hasPython ? false : "needs Linux, root and Python";

async function echoOnce(port: number): Promise<{ message: string; ms: number }> {
  const folder = mkdtempSync(join(tmpdir(), "twoway-"));
  try {
    const hosts = join(folder, "hosts");
    writeFileSync(hosts, "127.0.0.1 two-addresses.test\n127.0.0.2 two-addresses.test\n");
    const url = `ws://two-addresses.test:${port}/`;
    const client = runtimeCommand(runtimeName, "tests/fixtures/echo_once.ts", [url], ["-A"]);
    const child = spawn(
      "unshare",
      ["-m", "sh", "-c", WITH_HOSTS, "sh", hosts, client.command, ...client.args],
      { stdio: ["ignore", "pipe", "inherit"], timeout: 15_000 },
    );
    let output = "";
    child.stdout!.on("data", (data) => output += data);
    await once(child, "close");
    return JSON.parse(output);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("connect() reaches 127.0.0.1 by the name localhost, which may also be ::1", async () => {
  await using server = await serve({ hostname: "127.0.0.1", port: 0 }, (session) => session.closed);
  assert(server.addr.transport === "tcp");
  const session = await connect(`ws://localhost:${server.addr.port}/`);
  assertEquals((await session.close(1000)).code, 1000);
});

/** An echo server on one address, with a program that is silent on the same port of another. */
async function serveBeside(
  live: string,
  dead: string,
  isSilent: boolean,
): Promise<{ port: number; stop: () => Promise<void> }> {
  for (let attempt = 1;; attempt++) {
    const server = await serve({ hostname: live, port: 0 }, async (session) => {
      for await (const message of session) await session.send(message);
    });
    assert(server.addr.transport === "tcp");
    const { port } = server.addr;
    try {
      const args = ["tests/fixtures/silent_address.py", dead, `${port}`];
      const silent = isSilent ? await startProgram(PYTHON, args) : null;
      const stop = async (): Promise<void> => {
        await silent?.stop();
        await server.shutdown();
      };
      return { port, stop };
    } catch (error) {
      await server.shutdown();
      // A port that is free on one address may be another test's on the other.
      if (attempt === 5 || !`${error}`.includes("Address already in use")) throw error;
    }
  }
}

for (const [live, dead] of [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"]]) {
  for (const death of ["refuses", "is silent"]) {
    const name = `connect() reaches ${live} where ${dead} ${death}`;
    test(name, { skip, timeout: 30_000 }, async () => {
      const { port, stop } = await serveBeside(live, dead, death === "is silent");
      try {
        const { message, ms } = await echoOnce(port);
        assertEquals(message, "hello");
        assert(ms < PATIENCE, `It took ${ms} ms`);
      } finally {
        await stop();
      }
    });
  }
}
