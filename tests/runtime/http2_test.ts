/** Streams of node:http2 as Conns, on the runtime that this test runs on. @module */

import { assert, assertEquals, assertRejects } from "@std/assert";
import http2 from "node:http2";
import net from "node:net";
import { describe, test } from "node:test";
import tls from "node:tls";
import { AcceptQueue } from "../../src/runtime/accept_queue.ts";
import type { Conn, DialOptions, Listener, TcpAddr } from "../../src/runtime/conn.ts";
import type { Http2Client, Http2Field } from "../../src/runtime/http2_client.ts";
import { dialHttp2, shareHttp2 } from "../../src/runtime/http2.ts";
import { guardSession } from "../../src/runtime/deno_http2.ts";
import { Http2Conn, toHeaders } from "../../src/runtime/http2_stream.ts";
import { type Certificates, createCertificates } from "./certificates.ts";
import { testConn, type Transport, writeTo } from "./conn_suite.ts";

const certificates = await createCertificates();
const { cert, key, ca } = certificates;
const hostname = "127.0.0.1";
const NEVER = new AbortController().signal;

function connectFields(isSecure: boolean): Http2Field[] {
  return [
    [":method", "CONNECT"],
    [":protocol", "websocket"],
    [":scheme", isSecure ? "https" : "http"],
    [":authority", "localhost"],
    [":path", "/"],
  ];
}

/** A server that accepts every stream, and answers it with 200. */
async function listen(
  isSecure: boolean,
  settings: http2.Settings = { enableConnectProtocol: true },
  { cert, key }: Certificates = certificates,
): Promise<{
  listener: Listener;
  port: number;
  server: http2.Http2Server;
  sessions: ReadonlySet<http2.ServerHttp2Session>;
}> {
  const queue = new AcceptQueue();
  const server = isSecure
    ? http2.createSecureServer({ cert, key, settings })
    : http2.createServer({ settings });
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on("session", (session) => {
    guardSession(session); // as attach() does
    sessions.add(session);
    session.on("error", () => {});
    session.once("close", () => sessions.delete(session));
  });
  server.on("stream", (stream) => {
    stream.respond({ ":status": 200 });
    queue.push(new Http2Conn(stream));
  });
  await new Promise<void>((resolve) => server.listen(0, hostname, resolve));
  const { port } = server.address() as net.AddressInfo;
  const addr = { transport: "tcp", hostname, port } as const;
  const close = (): void => {
    if (!queue.close()) return;
    server.close();
    for (const session of sessions) session.destroy();
  };
  return {
    listener: { addr, secure: isSecure, accept: () => queue.accept(), close },
    port,
    server,
    sessions,
  };
}

async function open(client: Http2Client): Promise<Conn> {
  return (await client.request(connectFields(client.isSecure), NEVER)).conn;
}

function options(port: number, isSecure: boolean): DialOptions {
  return { hostname, port, tls: isSecure ? { caCerts: [ca] } : undefined };
}

function ownConnection(isSecure: boolean): Transport {
  return {
    async open() {
      const { listener, port } = await listen(isSecure);
      return { listener, dial: async () => await open(await dialHttp2(options(port, isSecure))) };
    },
  };
}

/** With a bystander on the same connection, whose bytes nobody reads. */
function sharedConnection(): Transport {
  const sockets = new WeakMap<Conn, net.Socket>();
  return {
    async open() {
      const { listener, port } = await listen(false);
      const socket = net.connect(port, hostname);
      const session = http2.connect("http://localhost", { createConnection: () => socket });
      const client = shareHttp2(session);
      assert(await client.canConnect(NEVER));
      const bystander = await open(client);
      const other = (await listener.accept())!;
      other.write(new Uint8Array(1_000_000))?.catch(() => {});
      bystander.write(new Uint8Array(1_000_000))?.catch(() => {});
      const { close } = listener;
      listener.close = () => {
        session.destroy();
        close();
      };
      const dial = async (): Promise<Conn> => {
        const conn = await open(client);
        sockets.set(conn, socket);
        return conn;
      };
      return { listener, dial };
    },
    reset: (conn) => sockets.get(conn)!.destroy(),
  };
}

testConn("HTTP/2 without TLS", ownConnection(false));
testConn("HTTP/2", ownConnection(true));
testConn("HTTP/2, one connection for several", sharedConnection());

/** A connection of a client, and what the server accepts there. */
async function openSession(): Promise<{
  session: http2.ClientHttp2Session;
  /** The server's end. */
  sessions: ReadonlySet<http2.ServerHttp2Session>;
  accept(): Promise<Conn>;
  close(): void;
}> {
  const { listener, port, sessions } = await listen(false);
  const session = http2.connect(`http://${hostname}:${port}`);
  session.on("error", () => {});
  return {
    session,
    sessions,
    accept: async () => (await listener.accept())!,
    close() {
      session.destroy();
      listener.close();
    },
  };
}

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = http2.constants;

describe("an HTTP/2 stream", () => {
  test("knows its peer's address", async () => {
    const { session, accept, close } = await openSession();
    const client = await open(shareHttp2(session));
    for (const conn of [client, await accept()]) {
      assertEquals((conn.remoteAddr as TcpAddr).hostname, hostname);
    }
    close();
  });

  test("close() with unread bytes is RST_STREAM with CANCEL, without any with NO_ERROR", async () => {
    const { session, accept, close } = await openSession();
    const codes: (number | undefined)[] = [];
    for (const isUnread of [true, false]) {
      const stream = session.request(toHeaders(connectFields(false)), { endStream: false });
      await new Promise((resolve) => stream.once("response", resolve));
      const conn = new Http2Conn(stream);
      const closed = new Promise((resolve) => stream.once("close", resolve));
      const peer = await accept();
      if (isUnread) { for (let i = 0; i < 4; i++) await peer.write(new Uint8Array(10_000)); }
      await new Promise((resolve) => setTimeout(resolve, 50));
      conn.close();
      await closed;
      codes.push(stream.rstCode);
      assertEquals(await peer.read().catch(() => null), null);
    }
    assertEquals(codes, [NGHTTP2_CANCEL, NGHTTP2_NO_ERROR]);
    close();
  });

  test("what came before RST_STREAM with NO_ERROR can be read, slowly", async () => {
    const { session, accept, close } = await openSession();
    const client = await open(shareHttp2(session));
    const server = await accept();
    await server.write(new Uint8Array(40_000));
    server.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    let size = 0;
    for (let bytes = await client.read(); bytes !== null; bytes = await client.read()) {
      size += bytes.length;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assertEquals(size, 40_000);
    client.close();
    close();
  });

  test("a reset by the peer rejects what is under way, and others go on", async () => {
    const { session, accept, close } = await openSession();
    const other = await open(shareHttp2(session));
    const otherPeer = await accept();
    const stream = session.request(toHeaders(connectFields(false)), { endStream: false });
    stream.on("error", () => {});
    await new Promise((resolve) => stream.once("response", resolve));
    const server = await accept();
    const writing = writeTo(server, new Uint8Array(1_000_000));
    const reading = server.read();
    for (const promise of [writing, reading]) promise.catch(() => {});
    stream.close(NGHTTP2_INTERNAL_ERROR);
    await assertRejects(() => writing, Error);
    // Some peers send END_STREAM before RST_STREAM.
    assertEquals(await reading.catch(() => null), null);
    await assertRejects(() => writeTo(server, Uint8Array.of(1)), Error);
    await assertRejects(() => server.closeWrite(), Error);
    server.close();
    await other.write(Uint8Array.of(1));
    assertEquals(Array.from((await otherPeer.read())!), [1]);
    close();
  });

  test("resets at any moment harm nobody", async () => {
    const { session, accept, close } = await openSession();
    for (let i = 0; i < 40; i++) {
      const stream = session.request(toHeaders(connectFields(false)), { endStream: false });
      stream.on("error", () => {});
      if (i % 4 !== 0) await new Promise((resolve) => stream.once("response", resolve));
      if (i % 4 === 1) stream.write("x");
      stream.close(i % 3 === 0 ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL);
      if (i % 4 === 0) continue; // the server may not have heard of it
      const server = await accept();
      const writing = i % 2 === 0 ? writeTo(server, new Uint8Array(500_000)) : null;
      writing?.catch(() => {});
      while (await server.read().catch(() => null) !== null);
      server.close();
      await writing?.catch(() => {});
    }
    assert(!session.destroyed);
    close();
  });

  test("GOAWAY lets streams go on, and lets none begin", async () => {
    const { session, sessions, accept, close } = await openSession();
    const client = shareHttp2(session);
    const conn = await open(client);
    const server = await accept();
    const away = new Promise((resolve) => session.once("goaway", resolve));
    for (const one of sessions) one.close();
    await away;
    await conn.write(Uint8Array.of(1));
    assertEquals(Array.from((await server.read())!), [1]);
    await server.write(Uint8Array.of(2));
    assertEquals(Array.from((await conn.read())!), [2]);
    await assertRejects(() => open(client), Error);
    close();
  });

  test("a server's close() before its head is no answer", async () => {
    const { listener, port, server } = await listen(false);
    server.removeAllListeners("stream");
    server.on("stream", (stream) => new Http2Conn(stream).close());
    const client = await dialHttp2(options(port, false));
    await assertRejects(() => open(client), Error, "without an answer");
    listener.close();
  });

  test("a Conn of a stream that is gone already says so", async () => {
    const { session, accept, close } = await openSession();
    const stream = session.request(toHeaders(connectFields(false)), { endStream: false });
    await new Promise((resolve) => stream.once("response", resolve));
    const closed = new Promise((resolve) => stream.once("close", resolve));
    stream.close(NGHTTP2_CANCEL);
    await closed;
    const conn = new Http2Conn(stream);
    await assertRejects(() => conn.read(), Error, "reset with error code 8");
    await assertRejects(() => writeTo(conn, Uint8Array.of(1)), Error, "reset with error code 8");
    await assertRejects(() => conn.closeWrite(), Error, "reset with error code 8");
    conn.close();
    assertEquals(await conn.read(), null);
    (await accept()).close();
    close();
  });

  test("without an answer there is no Conn", async () => {
    const { listener, port, server } = await listen(false);
    server.removeAllListeners("stream");
    server.on("stream", (stream) => stream.close(NGHTTP2_CANCEL));
    await assertRejects(
      async () => await open(await dialHttp2(options(port, false))),
      Error,
      "without an answer",
    );
    listener.close();
  });
});

describe("dialHttp2() and canConnect()", () => {
  for (const isSecure of [false, true]) {
    test(`know what the server's SETTINGS say (${isSecure ? "TLS" : "plain"})`, async () => {
      for (const enableConnectProtocol of [true, false]) {
        const { listener, port } = await listen(isSecure, { enableConnectProtocol });
        const client = await dialHttp2(options(port, isSecure));
        assertEquals(client.isSecure, isSecure);
        assertEquals(await client.canConnect(NEVER), enableConnectProtocol);
        assertEquals(await client.canConnect(NEVER), enableConnectProtocol);
        client.close();
        client.close();
        await assertRejects(() => client.request(connectFields(isSecure), NEVER), Error);
        listener.close();
      }
    });
  }

  test("a shared connection whose SETTINGS came long ago is asked", async () => {
    const { listener, port } = await listen(false, {});
    const session = http2.connect(`http://${hostname}:${port}`);
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    const client = shareHttp2(session);
    assertEquals(await client.canConnect(NEVER), false);
    client.close();
    assert(!session.destroyed, "it is the user's");
    session.destroy();
    await assertRejects(() => shareHttp2(session).request(connectFields(false), NEVER), Error);
    listener.close();
  });

  test("reject for a server that is not there, not trusted, or not called that", async () => {
    const { listener, port } = await listen(true);
    const wrong: [DialOptions, string][] = [
      [{ hostname, port, tls: {} }, `Cannot connect to ${hostname}:${port}: `],
      [{ hostname, port, tls: { caCerts: [ca], serverName: "example.com" } }, "Cannot connect"],
    ];
    for (const [target, message] of wrong) {
      await assertRejects(() => dialHttp2(target), Error, message);
    }
    const named = { caCerts: [ca], serverName: "localhost" };
    (await dialHttp2({ hostname, port, tls: named })).close();
    listener.close();
    const nameless = await createCertificates({ withoutAddress: true });
    const other = await listen(true, {}, nameless);
    const trusted = { hostname, port: other.port, tls: { caCerts: [nameless.ca] } };
    await assertRejects(() => dialHttp2(trusted), Error, "Cannot connect");
    const byName = { ...trusted, tls: { ...trusted.tls, serverName: "localhost" } };
    (await dialHttp2(byName)).close();
    other.listener.close();
    const refused = await assertRejects(() => dialHttp2(options(port, false)), Error, "refused");
    assertEquals((refused as Error & { code?: string }).code, "ECONNREFUSED");
  });

  test("reject for a server that does not speak HTTP/2", async () => {
    const server = tls.createServer({ cert, key, ALPNProtocols: ["http/1.1"] }, (socket) => {
      socket.on("error", () => {}).end();
    });
    server.on("tlsClientError", (_, socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, hostname, resolve));
    const { port } = server.address() as net.AddressInfo;
    await assertRejects(() => dialHttp2(options(port, true)), Error, "Cannot connect to");
    await new Promise((resolve) => server.close(resolve));
  });

  test("a signal gives up at every stage with its reason", async () => {
    const silent = net.createServer((socket) => socket.on("error", () => {}).resume());
    await new Promise<void>((resolve) => silent.listen(0, hostname, resolve));
    const { port } = silent.address() as net.AddressInfo;
    const reason = new Error("enough");
    const soon = (): AbortSignal => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(reason), 100);
      return controller.signal;
    };
    const dialling = dialHttp2({ ...options(port, true), signal: soon() });
    await assertRejects(() => dialling, Error, "enough");
    const aborted = { ...options(port, false), signal: AbortSignal.abort(reason) };
    await assertRejects(() => dialHttp2(aborted), Error, "enough");
    const client = await dialHttp2({ ...options(port, false), signal: NEVER });
    await assertRejects(() => client.canConnect(soon()), Error, "enough");
    await assertRejects(() => client.canConnect(AbortSignal.abort(reason)), Error, "enough");
    await assertRejects(() => client.request(connectFields(false), soon()), Error, "enough");
    client.close();
    await new Promise((resolve) => silent.close(resolve));
  });
});
