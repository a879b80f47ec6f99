/** WebSockets over HTTP/2 (RFC 8441): attach() to servers of node:http2, on this test's runtime. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import http2 from "node:http2";
import https from "node:https";
import { describe, test } from "node:test";
import { connect, HandshakeError, type RequestInfo, type WebSocketSession } from "../mod.ts";
import { attach, type AttachOptions } from "../src/node.ts";
import {
  certificates,
  type Changes,
  page,
  requestRaw,
  type RunningServer,
  startHttp2,
} from "./http2_servers.ts";

const tls = { caCerts: [certificates.ca] };

async function echo(session: WebSocketSession): Promise<void> {
  for await (const message of session) await session.send(message);
}

/** Runs a test with a server that echoes, and a client's connection to it. */
async function withServer(
  options: AttachOptions,
  run: (running: RunningServer, client: http2.ClientHttp2Session) => Promise<void>,
): Promise<void> {
  const running = await startHttp2({
    isSecure: false,
    prepare: (server) => {
      server.on("request", page);
      attach(server, { onError: () => {}, ...options }, echo);
    },
  });
  const client = http2.connect(`http://127.0.0.1:${running.port}`);
  client.on("error", () => {});
  await new Promise((resolve) => client.once("remoteSettings", resolve));
  try {
    await run(running, client);
    const alive = await requestRaw(client, {
      ":method": "GET",
      ":protocol": null,
      ":path": "/alive",
    });
    assertEquals([alive.status, alive.body], [200, "page /alive by 2.0"]);
  } finally {
    client.destroy();
    await running.close();
  }
}

async function getByHttp1(port: number): Promise<string> {
  return await new Promise((resolve, reject) => {
    const request = https.get({ host: "127.0.0.1", port, path: "/x", ca: certificates.ca });
    request.once("error", reject);
    request.once("response", async (response) => {
      let body = "";
      for await (const bytes of response) body += bytes;
      resolve(body);
    });
  });
}

describe("attach() to a server of node:http2", () => {
  test("one TLS port serves pages and WebSockets by HTTP/2 and by HTTP/1.1, at once", async () => {
    const running = await startHttp2({
      prepare: (server) => {
        server.on("request", page);
        attach(server, { path: "/echo" }, echo);
      },
    });
    const url = `${running.url}/echo`;
    const client = http2.connect(`https://localhost:${running.port}`, { ca: certificates.ca });
    await new Promise((resolve) => client.once("remoteSettings", resolve));
    const sessions = await Promise.all([
      connect(url, { tls }),
      connect(url, { tls, http2: true }),
      connect(url, { http2: client }),
      connect(url, { tls }),
      connect(url, { http2: client }),
    ]);
    assertEquals(
      sessions.map(({ request }) => request.httpVersion),
      ["1.1", "2.0", "2.0", "1.1", "2.0"],
    );
    for (const [i, session] of sessions.entries()) await session.send(`to ${i}`);
    for (const [i, session] of sessions.entries()) assertEquals(await session.receive(), `to ${i}`);
    const { body } = await requestRaw(client, { ":method": "GET", ":protocol": null });
    assertEquals(body, "page / by 2.0");
    assertEquals(await getByHttp1(running.port), "page /x by 1.1");
    for (const session of sessions) {
      const { code, wasClean } = await session.close(4000, "enough");
      assertEquals([code, wasClean], [4000, true]);
    }
    client.close();
    await running.close();
  });

  test("a session's request reads as over HTTP/1.1, but for method and version", async () => {
    let session: WebSocketSession | null = null;
    const running = await startHttp2({
      prepare: (server) => attach(server, {}, (opened) => void (session = opened)),
    });
    const headers = { "X-Token": "1" };
    const client = await connect(`${running.url}/a?b=c`, { tls, http2: true, headers });
    await client.closed;
    const opened: WebSocketSession = session!;
    for (const { request } of [client, opened]) {
      assertEquals(
        [request.method, request.httpVersion, request.target],
        ["CONNECT", "2.0", "/a?b=c"],
      );
      assertEquals(request.headers.get("host"), `127.0.0.1:${running.port}`);
      assertEquals(request.headers.get("x-token"), "1");
      assertEquals([...request.headers].some(([name]) => name.startsWith(":")), false);
      const web = request.toRequest();
      assertEquals([web.method, web.url], ["GET", `https://127.0.0.1:${running.port}/a?b=c`]);
      assertEquals(web.headers.get("x-token"), "1");
    }
    assertEquals(opened.remoteAddr?.transport, "tcp");
    await running.close();
  });

  test("accepts with 200, the choices, and the fields of accept, without a key", async () => {
    const accept = () => ({ headers: [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]] as const });
    await withServer({ protocols: ["b"], compress: true, accept }, async (_, client) => {
      const { status, headers } = await requestRaw(client, {
        "sec-websocket-protocol": "a, b",
        "sec-websocket-extensions": "permessage-deflate",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "origin": "http://127.0.0.1",
      });
      assertEquals(status, 200);
      assertEquals(headers["sec-websocket-protocol"], "b");
      assertStringIncludes(headers["sec-websocket-extensions"]!, "permessage-deflate");
      assertEquals(headers["set-cookie"], ["a=1", "b=2"]);
      assertEquals([headers["sec-websocket-accept"], headers.upgrade], [undefined, undefined]);
    });
  });

  test("accept may repeat a field that node:http2 wants but once", async () => {
    const accept = () => ({ headers: [["Content-Type", "a"], ["Content-Type", "b"]] as const });
    await withServer({ accept }, async (_, client) => {
      const { status, headers } = await requestRaw(client);
      assertEquals([status, headers["content-type"]], [200, "a, b"]);
    });
  });

  test("the parts of a Cookie are one, as over HTTP/1.1", async () => {
    const seen: unknown[] = [];
    const accept = ({ headers }: RequestInfo) => {
      seen.push(headers.get("cookie"), headers.getAll("cookie").length);
    };
    await withServer({ accept }, async (_, client) => {
      await requestRaw(client, { cookie: ["a=1", "b=2", "c=3"] });
    });
    assertEquals(seen, ["a=1; b=2; c=3", 1]);
  });

  const refusals: [what: string, AttachOptions, Changes, status: number, body: string][] = [
    [
      "a version that is not ours",
      {},
      { "sec-websocket-version": "8" },
      400,
      'Sec-WebSocket-Version is "8"',
    ],
    ["subprotocols that are none", {}, { "sec-websocket-protocol": "a b" }, 400, "list of tokens"],
    [
      "two origins",
      {},
      { origin: ["http://a", "http://b"] },
      400,
      "more than one Origin field",
    ],
    ["a foreign origin", {}, { origin: "http://evil.example" }, 403, "origin"],
    ["an origin with the wrong port", {}, { origin: "http://127.0.0.1:1" }, 403, "origin"],
    ["a host that is not allowed", { allowedHosts: ["a.example"] }, {}, 403, "allowedHosts"],
    ["another path", { path: "/chat" }, { ":path": "/other" }, 404, "Nothing is attached"],
    ["another protocol", {}, { ":protocol": "connect-udp" }, 501, ""],
    [
      "an ordinary CONNECT",
      {},
      { ":protocol": null, ":scheme": null, ":path": null },
      405,
      "",
    ],
    [
      "too long a path",
      { limits: { maxHeaderLine: 100 } },
      { ":path": `/${"x".repeat(200)}` },
      414,
      "maxHeaderLine",
    ],
    ["too many fields", { limits: { maxHeaders: 10 } }, manyFields(10), 431, "maxHeaders"],
    [
      "what accept refuses",
      {
        accept: () => {
          // Fields that HTTP/2 has no place for are left out.
          const headers = { "x-why": "1", upgrade: "x", "content-length": "5" };
          return new Response("who are you?", { status: 401, headers });
        },
      },
      {},
      401,
      "who are you?",
    ],
    [
      "what accept refuses without a body",
      { accept: () => new Response(null, { status: 304 }) },
      {},
      304,
      "",
    ],
    [
      "what accept refuses with a status that would open the WebSocket",
      { accept: () => new Response("not you", { status: 200 }) },
      {},
      500,
      "Internal Server Error",
    ],
    [
      "what accept refuses with a field of a connection",
      { accept: () => new Response("no", { status: 403, headers: { "proxy-connection": "x" } }) },
      {},
      403,
      "no",
    ],
    [
      "when accept adds a field of a connection",
      { accept: () => ({ headers: { "keep-alive": "timeout=5" } }) },
      {},
      500,
      "Internal Server Error",
    ],
    [
      "when accept throws",
      {
        accept: () => {
          throw new Error("no database");
        },
      },
      {},
      500,
      "Internal Server Error",
    ],
    [
      "when accept throws what no answer can carry",
      {
        accept: () => {
          throw new HandshakeError("no", { status: 204 });
        },
      },
      {},
      500,
      "Internal Server Error",
    ],
    ["a handshake that takes too long", slowAccept(), {}, 408, "handshakeTimeout"],
  ];
  for (const [what, options, changes, status, body] of refusals) {
    test(`refuses ${what} with ${status}, and the connection goes on`, async () => {
      await withServer(options, async (_, client) => {
        const response = await requestRaw(client, changes);
        assertEquals(response.status, status);
        assertStringIncludes(response.body, body);
        assertEquals(response.headers.connection, undefined);
        if (status === 400 && what.includes("version")) {
          assertEquals(response.headers["sec-websocket-version"], "13");
        }
        if (status === 401) assertEquals(response.headers["x-why"], "1");
      });
    });
  }

  test("limits count sessions of both versions, and streams of one connection singly", async () => {
    const running = await startHttp2({
      prepare: (server) => attach(server, { limits: { maxConnections: 2 } }, echo),
    });
    const first = await connect(running.url, { tls });
    const second = await connect(running.url, { tls, http2: true });
    for (const http2 of [true, false]) {
      const error = await connect(running.url, { tls, http2 }).catch((error) => error);
      assertEquals([error.name, error.status], ["HandshakeError", 503]);
      assert(error.headers.some(([name]: [string]) => name === "retry-after"));
      assertStringIncludes(new TextDecoder().decode(error.body), "maxConnections");
    }
    await second.close();
    const third = await connect(running.url, { tls, http2: true });
    await Promise.all([first.close(), third.close()]);
    await running.close();
  });

  test("limits per address count what trusted proxies say", async () => {
    const options = {
      trustedProxies: ["127.0.0.1"],
      limits: { maxConnectionsPerAddress: 1 },
    };
    await withServer(options, async (_, client) => {
      const from = (address: string) => requestRaw(client, { "x-forwarded-for": address });
      assertEquals((await from("192.0.2.1")).status, 200);
      assertEquals((await from("192.0.2.2")).status, 200);
      // The streams that were ended above close their sessions in their own time.
      const open = openStream(client, { "x-forwarded-for": "192.0.2.3" });
      await new Promise((resolve) => open.once("response", resolve));
      assertEquals((await from("192.0.2.3")).status, 429);
    });
  });

  test("several paths have their own handlers; shutdown() of one leaves the others", async () => {
    const running = await startHttp2({ isSecure: false });
    const say = (text: string) => async (session: WebSocketSession): Promise<void> => {
      await session.send(text);
      await session.receive();
    };
    const a = attach(running.server, { path: "/a" }, say("a"));
    attach(running.server, { path: (target) => target.startsWith("/b") }, say("b"));
    const open = (path: string) => connect(`${running.url}${path}`, { http2: true });
    const [first, second] = await Promise.all([open("/a?x"), open("/b/c")]);
    assertEquals([await first.receive(), await second.receive()], ["a", "b"]);
    const reading = first.receive();
    await a.shutdown();
    assertEquals([await reading, (await first.closed).code], [null, 1001]);
    assertEquals(second.state, "open");
    const error = await open("/a").catch((error) => error);
    assertEquals(error.status, 404);
    await second.close();
    await running.close();
  });

  test("leaves streams alone that are others', with and without listeners of theirs", async () => {
    const running = await startHttp2({ isSecure: false });
    const sockets = attach(running.server, {}, echo);
    const open = async (): Promise<http2.ClientHttp2Session> => {
      const client = http2.connect(`http://127.0.0.1:${running.port}`);
      await new Promise((resolve) => client.once("remoteSettings", resolve));
      return client;
    };
    const client = await open();
    const get = { ":method": "GET", ":protocol": null };
    const other = { ":protocol": "connect-udp" };
    assertEquals((await requestRaw(client, get)).status, 404);
    assertEquals((await requestRaw(client, other)).status, 501);
    running.server.on("stream", (stream, headers) => {
      if (headers[":protocol"] === "websocket") return;
      stream.respond({ ":status": 202 });
      stream.end("mine");
    });
    assertEquals((await requestRaw(client, get)).body, "mine");
    assertEquals((await requestRaw(client, other)).status, 202);
    assertEquals((await requestRaw(client)).status, 200);
    await sockets.shutdown();
    assertEquals(running.server.listenerCount("connect"), 0);
    client.destroy();
    await running.close();
  });

  test("leaves every other CONNECT to a listener for connect, if there is one", async () => {
    await withServer({}, async (running, client) => {
      running.server.on("connect", (request, response) => {
        if (request.headers[":protocol"] === "websocket") return;
        response.writeHead(203);
        response.end("mine");
      });
      assertEquals((await requestRaw(client, { ":protocol": "connect-udp" })).body, "mine");
      const ordinary = { ":protocol": null, ":scheme": null, ":path": null };
      assertEquals((await requestRaw(client, ordinary)).status, 203);
      assertEquals((await requestRaw(client)).status, 200);
    });
  });

  test("a client that takes nothing is dropped, and its stream is reset", async () => {
    let session: WebSocketSession | null = null;
    const options: AttachOptions = { writeStallTimeout: 200, keepalive: false };
    const running = await startHttp2({
      isSecure: false,
      prepare: (server) =>
        attach(server, options, async (opened) => {
          session = opened;
          for (let i = 0; i < 50; i++) opened.send(new Uint8Array(100_000)).catch(() => {});
          await opened.closed;
        }),
    });
    const client = http2.connect(`http://127.0.0.1:${running.port}`);
    await new Promise((resolve) => client.once("remoteSettings", resolve));
    const stream = openStream(client);
    await new Promise((resolve) => stream.once("response", resolve));
    const { code, error } = await session!.closed;
    assertEquals([code, (error as Error).name], [1006, "TimeoutError"]);
    await new Promise((resolve) => stream.once("close", resolve));
    assertEquals(stream.rstCode, http2.constants.NGHTTP2_CANCEL);
    client.destroy();
    await running.close();
  });

  test("a shutdown refuses handshakes under way with 503", async () => {
    const running = await startHttp2({ isSecure: false });
    let begun = (): void => {};
    const hasBegun = new Promise<void>((resolve) => begun = resolve);
    const accept = (): Promise<void> => {
      begun();
      return new Promise(() => {});
    };
    const sockets = attach(running.server, { accept }, echo);
    const connecting = connect(running.url, { http2: true }).catch((error) => error);
    await hasBegun;
    await sockets.shutdown();
    assertEquals((await connecting).status, 503);
    await running.close();
  });

  test("accept learns of a client that leaves", async () => {
    let isAborted: Promise<unknown> | null = null;
    let begun = (): void => {};
    const hasBegun = new Promise<void>((resolve) => begun = resolve);
    const accept: AttachOptions["accept"] = (_, { signal }) => {
      isAborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
      begun();
      return isAborted as Promise<void>;
    };
    await withServer({ accept }, async (_, client) => {
      const leaving = requestRaw(client).catch(() => {});
      await hasBegun;
      client.destroy();
      await isAborted;
      await leaving;
    }).catch((error) => assertStringIncludes(String(error), "destroyed"));
  });
});

/** A WebSocket's stream that stays. */
function openStream(
  client: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders = {},
): http2.ClientHttp2Stream {
  const fields = {
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": "http",
    ":authority": "127.0.0.1",
    ":path": "/",
    "sec-websocket-version": "13",
    ...headers,
  };
  return client.request(fields, { endStream: false });
}

function manyFields(count: number): Changes {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, "1"]));
}

function slowAccept(): AttachOptions {
  return { handshakeTimeout: 100, accept: () => new Promise(() => {}) };
}
