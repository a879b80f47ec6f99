/**
 * Debian's nginx, HAProxy and Caddy in front of a server, with the configurations that
 * `docs/deployment.md` shows: only addresses, files and times are replaced.
 *
 * @module
 */

import { assert } from "@std/assert";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import process from "node:process";
import type { Addr } from "../../mod.ts";
import { dial } from "../../src/runtime/mod.ts";
import { createCertificates } from "../runtime/certificates.ts";
import { ROOT } from "../toolchain.ts";

const certificates = await createCertificates();

/** The authority that the proxies' certificates are signed by, as PEM. */
export const CA: string = certificates.ca;

/** How a proxy differs from what the page shows. */
export interface ProxySetup {
  /** The server behind it. */
  readonly backend: Addr;
  /** How long an open connection may be idle, as the proxies write it: `"1s"`. */
  readonly idleTimeout?: string;
  /** How long the server may take to answer. */
  readonly answerTimeout?: string;
}

/** A running proxy. */
export interface RunningProxy {
  /** `localhost` and the port, for TLS. */
  readonly host: string;
  /** Asks it to end. */
  terminate(): void;
  /** Has it read its configuration again; resolves when that is in force. */
  reload(): Promise<void>;
}

/** Where a proxy keeps its files, and listens. */
interface Place {
  readonly folder: string;
  readonly port: number;
}

/** One of the proxies of the page. */
export interface ReverseProxy {
  readonly name: string;
  readonly command: string;
  /** Its status for a server that is not there. */
  readonly unreachable: number;
  /** Its status for a server that does not answer; 408 is the server's own, if it waits for that. */
  readonly silent: 504 | 408;
  /** Whether it cuts connections over which nothing flows. */
  readonly cutsIdle: boolean;
  /** Whether a reload leaves WebSockets open. */
  readonly keepsOnReload: boolean;
  /** The codes that either side may be left with when it closes WebSockets by itself. */
  readonly farewell: readonly number[];
  /** Whether clients may open WebSockets over HTTP/2 (RFC 8441). */
  readonly hasHttp2: boolean;
  /** Writes its files; returns the arguments to start it with. */
  configure(setup: ProxySetup, place: Place): string[];
  /** Has it read them again. */
  reload(pid: number, place: Place): Promise<void>;
}

/** The first block of `docs/deployment.md` in this language. */
export function readBlock(language: string): string {
  const page = readFileSync(`${ROOT}docs/deployment.md`, "utf8");
  const block = new RegExp(`\n\`\`\`${language}\n(.*?\n)\`\`\`\n`, "s").exec(page)?.[1];
  assert(block !== undefined, `docs/deployment.md has no block in ${language}`);
  return block;
}

/** Replaces what has to be in the text, so that no configuration is tested by mistake. */
export function replaceAll(
  text: string,
  replacements: readonly (readonly [string, string])[],
): string {
  return replacements.reduce((result, [from, to]) => {
    assert(result.includes(from), `docs/deployment.md has no ${JSON.stringify(from)} there`);
    return result.replaceAll(from, to);
  }, text);
}

const nginx: ReverseProxy = {
  name: "nginx",
  command: "/usr/sbin/nginx",
  unreachable: 502,
  silent: 504,
  cutsIdle: true,
  keepsOnReload: true,
  farewell: [1006],
  hasHttp2: false,
  configure({ backend, idleTimeout, answerTimeout }, { folder, port }) {
    const server = replaceAll(readBlock("nginx"), [
      ["listen 443", `listen 127.0.0.1:${port}`],
      ["/etc/ssl/app.example", `${folder}/cert`],
      ["127.0.0.1:8000", backend.transport === "tcp" ? address(backend) : `unix:${backend.path}`],
      ["60s", idleTimeout ?? answerTimeout ?? "60s"],
    ]);
    const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((name) => `${name}_temp_path ${folder}/${name};`);
    const main = [
      "daemon off;",
      "worker_processes 1;",
      "user root;", // which has no effect unless the tests are root's
      `pid ${folder}/pid;`,
      "events {}",
      "http {",
    ];
    const http = ["access_log off;", ...folders, server, "}"];
    writeFileSync(`${folder}/conf`, [...main, ...http].join("\n"));
    return ["-p", folder, "-e", "stderr", "-c", `${folder}/conf`];
  },
  reload: (pid) => addWorker(pid, "SIGHUP"),
};

const haproxy: ReverseProxy = {
  name: "HAProxy",
  command: "/usr/sbin/haproxy",
  unreachable: 503,
  silent: 504,
  cutsIdle: true,
  keepsOnReload: true,
  farewell: [1006],
  hasHttp2: true,
  configure({ backend, idleTimeout = "60s", answerTimeout = "60s" }, { folder, port }) {
    const conf = replaceAll(readBlock("haproxy"), [
      ["bind :443", `bind 127.0.0.1:${port}`],
      ["/etc/haproxy/app.example.pem", `${folder}/both.pem`],
      ["127.0.0.1:8000", backend.transport === "tcp" ? address(backend) : `unix@${backend.path}`],
      ["tunnel 60s", `tunnel ${idleTimeout}`],
      ["server 60s", `server ${answerTimeout}`],
    ]);
    writeFileSync(`${folder}/conf`, conf);
    return ["-W", "-q", "-f", `${folder}/conf`];
  },
  reload: (pid) => addWorker(pid, "SIGUSR2"),
};

const caddy: ReverseProxy = {
  name: "Caddy",
  command: "/usr/bin/caddy",
  unreachable: 502,
  silent: 408,
  cutsIdle: false,
  keepsOnReload: false,
  farewell: [1001, 1002, 1006], // it sends a Close to both sides, and to the server no mask
  hasHttp2: false,
  configure({ backend }, { folder, port }) {
    const site =
      `https://localhost:${port} {\nbind 127.0.0.1\ntls ${folder}/cert.pem ${folder}/cert.key`;
    const conf = replaceAll(readBlock("caddyfile"), [
      ["app.example {", site],
      ["127.0.0.1:8000", backend.transport === "tcp" ? address(backend) : `unix/${backend.path}`],
    ]);
    const options = `{\nadmin unix/${folder}/admin\nauto_https disable_redirects\n}\n`;
    writeFileSync(`${folder}/conf`, options + conf);
    return ["run", "--adapter", "caddyfile", "--config", `${folder}/conf`];
  },
  async reload(_pid, { folder }) {
    const config = ["--adapter", "caddyfile", "--config", `${folder}/conf`];
    const args = ["reload", "--force", "--address", `unix/${folder}/admin`, ...config];
    const child = spawn(caddy.command, args, { stdio: "ignore", env: { HOME: folder } });
    const [status] = await once(child, "exit");
    assert(status === 0, `caddy reload ended with ${status}`);
  },
};

/** Sends the signal to reload; resolves when a new worker runs beside the one with connections. */
async function addWorker(pid: number, signal: string): Promise<void> {
  const workers = (): string[] =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
  const [old, ...more] = workers();
  assert(old !== undefined && more.length === 0);
  // HAProxy's master may miss a signal that comes right behind its start.
  for (let i = 0; i < 250 && workers().length < 2; i++) {
    if (i % 50 === 0) process.kill(pid, signal);
    await pause(20);
  }
  const now = workers();
  assert(now.length > 1 && now.includes(old), `worker ${old} has become ${now}`);
}

/** All that the page shows. */
export const REVERSE_PROXIES: readonly ReverseProxy[] = [nginx, haproxy, caddy];

/** Why a proxy can't be tested here, if so. Under CI it has to be. */
export function whyNot({ command }: { readonly command: string }): string | false {
  return process.env.CI || existsSync(command) ? false : `not installed: ${command}`;
}

/** Runs `run` with the proxy in front of the server at `setup.backend`. */
export async function withReverseProxy(
  proxy: ReverseProxy,
  setup: ProxySetup,
  run: (running: RunningProxy) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(`${tmpdir()}/twoway-`);
  const port = await freePort();
  const { cert, key } = certificates;
  for (const [name, text] of [["cert.pem", cert], ["cert.key", key], ["both.pem", cert + key]]) {
    writeFileSync(`${folder}/${name}`, text);
  }
  const place = { folder, port };
  const child = spawn(proxy.command, proxy.configure(setup, place), {
    stdio: ["ignore", "ignore", "pipe"],
    env: { HOME: folder },
  });
  let output = "";
  child.stderr!.on("data", (data) => output += data);
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  try {
    assert(await isListening(child, port), `${proxy.name} does not listen: ${output}`);
    await run({
      host: `localhost:${port}`,
      terminate: () => void child.kill("SIGTERM"),
      reload: () => proxy.reload(child.pid!, place),
    });
  } finally {
    child.kill("SIGTERM"); // nginx and HAProxy take their workers with them
    const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
    await ended;
    clearTimeout(timer);
    rmSync(folder, { recursive: true, force: true });
  }
}

function address(addr: Addr): string {
  assert(addr.transport === "tcp");
  return `${addr.hostname}:${addr.port}`;
}

async function isListening(child: ChildProcess, port: number): Promise<boolean> {
  for (let i = 0; i < 250 && child.exitCode === null; i++) {
    const conn = await dial({ hostname: "127.0.0.1", port }).catch(() => null);
    if (conn !== null) {
      conn.close();
      return true;
    }
    await pause(20);
  }
  return false;
}

/** Waits for this many milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A port that nobody listens on; the proxies have no way to say which one they chose. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
