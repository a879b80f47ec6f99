/** Debian's tinyproxy and microsocks, started on a loopback port, and proxies made of bytes. @module */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import process from "node:process";
import type { Conn, TcpAddr } from "../src/runtime/conn.ts";
import { dial, listen } from "../src/runtime/mod.ts";
import { latin1 } from "./latin1.ts";

const TINYPROXY = "/usr/bin/tinyproxy";
const MICROSOCKS = "/usr/bin/microsocks";

/** Why tests with real proxies do not run here, if they don't. Under CI they have to. */
export function whyNoProxies(): string | false {
  if (process.env.CI) return false;
  const missing = [TINYPROXY, MICROSOCKS].filter((path) => !existsSync(path));
  return missing.length === 0 ? false : `not installed: ${missing.join(", ")}`;
}

/** Runs `run` with tinyproxy, which has the CONNECT method, for user `ada` with `se-cret`. */
export async function withTinyproxy(run: (host: string) => Promise<void>): Promise<void> {
  const port = await freePort();
  const folder = mkdtempSync(`${tmpdir()}/twoway-`);
  const lines = [
    `Port ${port}`,
    "Listen 127.0.0.1",
    "Allow 127.0.0.1",
    "Timeout 60",
    "BasicAuth ada se-cret",
  ];
  writeFileSync(`${folder}/conf`, `${lines.join("\n")}\n`);
  try {
    await withProgram(TINYPROXY, ["-d", "-c", `${folder}/conf`], port, run);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs `run` with microsocks, which speaks SOCKS 5, for user `ada` with `se-cret`. */
export async function withMicrosocks(run: (host: string) => Promise<void>): Promise<void> {
  const port = await freePort();
  const args = ["-i", "127.0.0.1", "-p", `${port}`, "-u", "ada", "-P", "se-cret"];
  await withProgram(MICROSOCKS, args, port, run);
}

async function withProgram(
  command: string,
  args: readonly string[],
  port: number,
  run: (host: string) => Promise<void>,
): Promise<void> {
  const child = spawn(command, args, { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  try {
    await listening(child, port);
    await run(`127.0.0.1:${port}`);
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const conn = await dial({ hostname: "127.0.0.1", port }).catch(() => null);
    if (conn !== null) return conn.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${child.spawnfile} does not listen`);
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** One connection to a proxy made of bytes. */
export class ProxyPeer {
  readonly #conn: Conn;
  #received = "";

  constructor(conn: Conn) {
    this.#conn = conn;
  }

  /** The next `size` characters, one per byte. */
  async read(size: number): Promise<string> {
    await this.#receive(() => this.#received.length >= size);
    return this.#take(size);
  }

  /** Everything up to the end of a head. */
  async readHead(): Promise<string> {
    await this.#receive(() => this.#received.includes("\r\n\r\n"));
    return this.#take(this.#received.indexOf("\r\n\r\n") + 4);
  }

  /** Text as Latin-1. */
  async send(text: string): Promise<void> {
    await this.#conn.write(latin1(text));
  }

  /** The same, byte by byte. */
  async sendSlowly(text: string): Promise<void> {
    for (const char of text) await this.send(char);
  }

  /** Resolves when the client has left. */
  async gone(): Promise<void> {
    while (await this.#conn.read().catch(() => null) !== null);
  }

  close(): void {
    this.#conn.close();
  }

  /** Passes bytes on in both directions, until one side ends. */
  async join(port: number): Promise<void> {
    const target = await dial({ hostname: "127.0.0.1", port });
    if (this.#received !== "") await target.write(latin1(this.#received));
    await Promise.race([copy(this.#conn, target), copy(target, this.#conn)]);
    target.close();
    this.close();
  }

  async #receive(isEnough: () => boolean): Promise<void> {
    while (!isEnough()) {
      const bytes = await this.#conn.read();
      if (bytes === null) {
        throw new Error(`The client left after ${JSON.stringify(this.#received)}`);
      }
      this.#received += String.fromCharCode(...bytes);
    }
  }

  #take(size: number): string {
    const text = this.#received.slice(0, size);
    this.#received = this.#received.slice(size);
    return text;
  }
}

async function copy(from: Conn, to: Conn): Promise<void> {
  try {
    for (let bytes = await from.read(); bytes !== null; bytes = await from.read()) {
      await to.write(bytes.slice());
    }
  } catch {
    // One side has left.
  }
}

/** Runs `run` with a proxy that does with each connection what `serve` does. */
export async function withProxy(
  serve: (peer: ProxyPeer) => Promise<void>,
  run: (host: string) => Promise<void>,
  tls?: { readonly cert: string; readonly key: string },
): Promise<void> {
  const listener = await listen({ hostname: "127.0.0.1", port: 0, tls });
  const peers: ProxyPeer[] = [];
  const accepting = (async () => {
    for (let conn = await listener.accept(); conn !== null; conn = await listener.accept()) {
      const peer = new ProxyPeer(conn);
      peers.push(peer);
      serve(peer).catch(() => {}); // what went wrong, the client shows
    }
  })();
  try {
    await run(`127.0.0.1:${(listener.addr as TcpAddr).port}`);
  } finally {
    listener.close();
    await accepting;
    for (const peer of peers) peer.close();
  }
}
