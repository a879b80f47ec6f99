/** Whole programs on this runtime: stopped, blocked, and finished. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import process from "node:process";
import { describe, test } from "node:test";
import { connect, type Handler, serve, type TcpAddr, type WebSocketSession } from "../mod.ts";
import type { Conn } from "../src/runtime/conn.ts";
import { dial } from "../src/runtime/mod.ts";
import { latin1 } from "./latin1.ts";
import { type Program, runExample, startExample } from "./programs.ts";
import { REQUEST } from "./raw_peer.ts";
import type { RuntimeName } from "./toolchain.ts";

const RUNTIME: RuntimeName = process.versions.bun ? "bun" : process.versions.deno ? "deno" : "node";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A peer that answers each packet with a pong after `delay` ms, or none at all with `Infinity`. */
class SlowPeer {
  /** Settles when the server has ended the connection. */
  readonly ended: Promise<void>;
  readonly #conn: Conn;

  private constructor(conn: Conn, delay: number) {
    this.#conn = conn;
    this.ended = this.#answer(delay);
  }

  static async open(url: string, delay: number): Promise<SlowPeer> {
    const { hostname, port } = new URL(url);
    const conn = await dial({ hostname, port: Number(port) });
    await conn.write(latin1(REQUEST));
    await conn.read(); // the 101
    return new SlowPeer(conn, delay);
  }

  async #answer(delay: number): Promise<void> {
    try {
      while (await this.#conn.read() !== null) {
        if (delay === Infinity) continue;
        await pause(delay);
        await this.#conn.write(Uint8Array.of(0x8a, 0x80, 0, 0, 0, 0));
      }
    } catch {
      // The server has reset the connection.
    }
  }

  close(): void {
    this.#conn.close();
  }
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  return await Promise.race([promise.then(() => true), pause(0).then(() => false)]);
}

/** Runs `run` with a server in a process of its own and sessions that answer every ping at once. */
async function withServer(
  keepalive: readonly [interval: number, timeout: number],
  run: (program: Program, sessions: readonly WebSocketSession[]) => Promise<void>,
): Promise<void> {
  const program = await startExample(RUNTIME, "tests/fixtures/stalling_server.ts", [
    ...keepalive.map(String),
  ]);
  try {
    const options = { keepalive: false } as const;
    const sessions = await Promise.all([1, 2, 3, 4].map(() => connect(program.url, options)));
    await run(program, sessions);
    for (const session of sessions) session.abort();
  } finally {
    await program.stop();
  }
}

/** Asserts that a server has dropped nobody and that everybody can still talk to it. */
async function assertHealthy(sessions: readonly WebSocketSession[]): Promise<void> {
  for (const session of sessions) {
    assertEquals(await isSettled(session.closed), false);
    session.send("still there");
    assertEquals(await session.receive(), "still there");
  }
}

async function stop(): Promise<void> {
  await withServer([500, 500], async (program, sessions) => {
    const dead = await SlowPeer.open(program.url, Infinity);
    process.kill(program.process.pid!, "SIGSTOP");
    await pause(2000);
    assertEquals(await isSettled(dead.ended), false);
    process.kill(program.process.pid!, "SIGCONT");
    await assertOnlyTheDeadIsDropped(dead, sessions);
  });
}

async function block(): Promise<void> {
  await withServer([500, 500], async (program, sessions) => {
    const dead = await SlowPeer.open(program.url, Infinity);
    sessions[0].send("block 2000 0 1");
    assertEquals(await sessions[0].receive(), "block 2000 0 1");
    await assertOnlyTheDeadIsDropped(dead, sessions);
  });
}

async function assertOnlyTheDeadIsDropped(
  dead: SlowPeer,
  sessions: readonly WebSocketSession[],
): Promise<void> {
  const start = performance.now();
  await dead.ended;
  const took = performance.now() - start;
  assert(took < 3500, `the dead peer was dropped after ${took} ms`);
  await assertHealthy(sessions);
  await pause(1200); // more than an interval and a timeout
  await assertHealthy(sessions);
  dead.close();
}

/** Both wait most of the time, so they do it at once; each test asks for its result. */
function startBoth(): { stopped: Promise<void> | null; blocked: Promise<void> } {
  const stopped = process.platform === "win32" ? null : stop(); // Windows has no SIGSTOP
  const blocked = block();
  for (const result of [stopped, blocked]) result?.catch(() => {});
  return { stopped, blocked };
}

const { stopped, blocked } = startBoth();

describe("a standstill", () => {
  test(
    "T-6 a process that was stopped drops nobody but the dead",
    { skip: stopped === null },
    () => stopped!,
  );

  test("T-7 an event loop that was blocked drops nobody but the dead", () => blocked);

  test("T-7 an event loop that is blocked now and again does not miss what has arrived", () =>
    withServer([300, 300], async (program, sessions) => {
      // Their pongs, 100 ms late, arrive while the server is blocked, and so does the timeout.
      const slow = await Promise.all([1, 2, 3, 4].map(() => SlowPeer.open(program.url, 100)));
      const message = "block 700 60 3";
      sessions[0].send(message);
      assertEquals(await sessions[0].receive(), message);
      for (const { ended } of slow) assertEquals(await isSettled(ended), false);
      await assertHealthy(sessions);
      for (const peer of slow) peer.close();
    }));
});

/** Runs a program that has finished when it prints `done`, and asserts that it then ends. */
async function assertEnds(arg: string): Promise<string> {
  const { status, stdout, stderr } = await runExample(
    RUNTIME,
    "tests/fixtures/finishing_program.ts",
    [arg],
  );
  const ended = Date.now();
  const done = Number(/^done (\d+)$/m.exec(stdout)?.[1]);
  assert(done > 0, `it did not finish: ${stdout} ${stderr}`);
  assertEquals([status, stderr], [0, ""]);
  assert(ended - done < 2000, `it ended ${ended - done} ms after it had finished`);
  assertStringIncludes(stdout, "left: .\n"); // process.getActiveResourcesInfo() of Node
  return stdout;
}

describe("T-8 a finished program ends by itself", () => {
  for (const scheme of ["ws", "wss"]) {
    test(`${scheme}: after closing, shutting down, aborting, failing and timing out`, async () => {
      assertEquals((await assertEnds(scheme)).split("\n").length, 11 + 3);
    });
  }

  test("a client after closing", async () => {
    const echo: Handler = async (session) => {
      for await (const message of session) await session.send(message);
    };
    const server = await serve({ port: 0 }, echo);
    try {
      await assertEnds(`ws://127.0.0.1:${(server.addr as TcpAddr).port}/`);
    } finally {
      await server.shutdown();
    }
  });
});

// V8 looks at all that a process has with every few long messages: fetch() is a fifth of it.
test("a handshake does not have Node load fetch()", { skip: RUNTIME !== "node" }, async () => {
  const { stdout, stderr } = await runExample(RUNTIME, "tests/fixtures/handshake_program.ts", []);
  assertEquals([stdout, stderr], ["loaded: .\n", ""]);
});
