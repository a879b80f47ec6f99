/** The same server and client over TLS, over a Unix socket, over memory, and over bad luck. @module */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { test } from "node:test";
import {
  type Conn,
  connect,
  type Handler,
  type Listener,
  serve,
  type TcpAddr,
  TimeoutError,
  type WebSocketSession,
} from "../mod.ts";
import { MemoryListener } from "../src/runtime/memory.ts";
import { dial, listen, runtimeName } from "../src/runtime/mod.ts";
import { createCertificates } from "./runtime/certificates.ts";

const { ca, cert, key } = await createCertificates();

const echo: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

async function expectEcho(session: WebSocketSession): Promise<void> {
  const large = new Uint8Array(1_000_000).map((_, i) => i * 13);
  for (const message of ["hello", "", large]) {
    session.send(message);
    assertEquals(await session.receive(), message);
  }
  assert(await session.ping() >= 0);
  assertEquals((await session.close(1000)).wasClean, true);
}

test("wss:, by address and by name, with the origin's scheme compared", async () => {
  const server = await serve({ port: 0, tls: { cert, key } }, echo);
  const { port } = server.addr as TcpAddr;
  const tls = { caCerts: [ca] };
  for (const host of ["127.0.0.1", "localhost"]) {
    await expectEcho(await connect(`wss://${host}:${port}/`, { tls }));
  }
  const origin = `https://localhost:${port}`;
  await expectEcho(await connect(`wss://localhost:${port}/`, { tls, origin }));
  const other = { tls, origin: origin.replace("https", "http") };
  const refused = await connect(`wss://localhost:${port}/`, other).catch((error) => error);
  assertEquals(refused.status, 403);
  await assertRejects(() => connect(`wss://localhost:${port}/`), Error, "Cannot connect to");
  await assertRejects(() => connect(`ws://localhost:${port}/`), Error);
  await server.shutdown();
});

test("H-53 a TLS handshake that stalls is given up at handshakeTimeout", async () => {
  const server = await serve({ port: 0, tls: { cert, key }, handshakeTimeout: 150 }, echo);
  const { port } = server.addr as TcpAddr;
  const peer = await dial({ hostname: "127.0.0.1", port });
  await peer.write(Uint8Array.of(0x16, 3, 1, 0, 200, 1));
  const start = performance.now();
  while (server.stats().pendingHandshakes === 0) await pause();
  while (server.stats().pendingHandshakes > 0) await pause();
  const took = performance.now() - start;
  assert(took < 1000, `${took}`);
  assertEquals(server.stats().responses, 0);
  peer.close();
  await server.shutdown();
});

test("T-1 a client gives up a server that stalls in the TLS handshake", async () => {
  const listener = await listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const { port } = listener.addr as TcpAddr;
  const start = performance.now();
  const attempt = connect(`wss://127.0.0.1:${port}/`, { handshakeTimeout: 300 });
  await assertRejects(() => attempt, TimeoutError, "(handshakeTimeout)");
  const took = performance.now() - start;
  assert(took >= 270 && took < 1000, `${took}`);
  (await accepted)?.close();
  listener.close();
});

test("a Unix socket", async () => {
  const folder = mkdtempSync(`${tmpdir()}/twoway-`);
  const unix = `${folder}/socket`;
  const server = await serve({ unix }, echo);
  assertEquals(server.addr, { transport: "unix", path: unix });
  const session = await connect("ws://localhost/", { unix });
  while (server.sessions.size === 0) await pause();
  assertEquals([...server.sessions.values()][0].remoteAddr?.transport, "unix");
  await expectEcho(session);
  await server.shutdown();
  rmSync(folder, { recursive: true, force: true });
});

test("TLS over a Unix socket, several at a time", { skip: runtimeName !== "node" }, async () => {
  const folder = mkdtempSync(`${tmpdir()}/twoway-`);
  const unix = `${folder}/socket`;
  const server = await serve({ unix, tls: { cert, key }, handshakeTimeout: 500 }, echo);
  const options = { unix, tls: { caCerts: [ca] } };
  const clients = Array.from({ length: 5 }, () => connect("wss://localhost/", options));
  const stranger = net.connect(unix); // its end is nobody else's
  await new Promise((resolve) => stranger.once("connect", resolve));
  const late = connect("wss://localhost/", options);
  stranger.destroy();
  const sessions = await Promise.all([...clients, late]);
  await new Promise((resolve) => setTimeout(resolve, 700)); // no handshake is left to time out
  for (const [number, session] of sessions.entries()) {
    await session.send(`${number}`);
    assertEquals(await session.receive(), `${number}`);
  }
  await server.shutdown();
  rmSync(folder, { recursive: true, force: true });
});

test("any listener and any connection, such as those in memory", async () => {
  const listener = new MemoryListener();
  const server = await serve({ listener }, echo);
  await expectEcho(await connect("ws://memory/", { conn: listener.connect() }));
  await expectEcho(await connect("ws://memory/", { conn: listener.connect({ cut: () => 1000 }) }));
  await server.shutdown();
});

test("N-9 the accept loop survives errors, and running out of file descriptors", async () => {
  const memory = new MemoryListener();
  let failures = 4;
  const listener: Listener = {
    addr: memory.addr,
    secure: false,
    accept(): Promise<Conn | null> {
      if (failures-- <= 0) return memory.accept();
      const error = new Error("accept: too many open files");
      return Promise.reject(Object.assign(error, { code: "EMFILE" }));
    },
    close: () => memory.close(),
  };
  const errors: unknown[] = [];
  const start = performance.now();
  const server = await serve({ listener, onError: (error) => errors.push(error) }, echo);
  await expectEcho(await connect("ws://memory/", { conn: memory.connect() }));
  assertEquals(errors.length, 4);
  const took = performance.now() - start;
  assert(took >= 20 + 40 + 80 + 160 - 10, `it did not back off: ${took} ms`);
  await server.shutdown();
});

test("T-8 a shutdown does not wait for the pause after a failed accept", async () => {
  const memory = new MemoryListener();
  const listener: Listener = {
    addr: memory.addr,
    secure: false,
    accept: () => Promise.reject(new Error("never")),
    close: () => memory.close(),
  };
  const server = await serve({ listener, onError: () => {} }, echo);
  await new Promise((resolve) => setTimeout(resolve, 700));
  const start = performance.now();
  await server.shutdown();
  assert(performance.now() - start < 300);
});

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
