/** A server behind nginx, HAProxy and Caddy, configured as `docs/deployment.md` says. @module */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { Buffer } from "node:buffer";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http2 from "node:http2";
import https from "node:https";
import { tmpdir } from "node:os";
import { describe, test } from "node:test";
import { WebSocket as WsClient } from "ws";
import {
  type Addr,
  connect,
  type ConnectOptions,
  type Handler,
  HandshakeError,
  serve,
  type ServeOptions,
  type Server,
  type WebSocketSession,
} from "../../mod.ts";
import {
  CA,
  freePort,
  pause,
  type ProxySetup,
  REVERSE_PROXIES,
  type ReverseProxy,
  type RunningProxy,
  whyNot,
  withReverseProxy,
} from "./reverse_proxies.ts";

const tls = { caCerts: [CA] };

const NEVER = { keepalive: false } as const;
const OFTEN = { keepalive: { interval: 250, timeout: 5000 } } as const;

/** The client's and the server's. */
const KEEPALIVES = [[NEVER, OFTEN], [OFTEN, NEVER]] as const;

const MESSAGES: readonly (string | Uint8Array<ArrayBuffer>)[] = [
  "",
  "hello",
  "ÿ€😀\ufeff\0",
  "x".repeat(65_536),
  "x".repeat(1_048_576),
  new Uint8Array(0),
  Uint8Array.of(0, 1, 254, 255),
  new Uint8Array(1_048_576).map((_, i) => i * 31),
];

const echo: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

interface Behind extends RunningProxy {
  readonly server: Server;
  readonly url: string;
}

/** Runs `run` with a server behind the proxy, on TCP unless `options` says otherwise. */
async function behind(
  proxy: ReverseProxy,
  options: ServeOptions,
  run: (behind: Behind) => Promise<void>,
  setup: Omit<ProxySetup, "backend"> = {},
): Promise<void> {
  const server = await serve(options.unix === undefined ? { port: 0, ...options } : options, echo);
  try {
    await withReverseProxy(proxy, { backend: server.addr, ...setup }, (running) => {
      return run({ ...running, server, url: `wss://${running.host}/` });
    });
  } finally {
    await server.shutdown();
  }
}

async function onlySession(server: Server): Promise<WebSocketSession> {
  while (server.sessions.size === 0) await pause(5);
  assertEquals(server.sessions.size, 1);
  return [...server.sessions.values()][0];
}

async function refused(url: string, options: ConnectOptions = {}): Promise<[number, string]> {
  const error = await assertRejects(() => connect(url, { tls, ...options }), HandshakeError);
  return [error.status!, new TextDecoder().decode(error.body)];
}

/** The answer to a plain GET request. */
async function get(url: string): Promise<{ status: number; upgrade?: string; body: string }> {
  const request = https.get(url, { ca: CA, agent: false });
  const [response] = await once(request, "response");
  let body = "";
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode, upgrade: response.headers.upgrade, body };
}

/** Our own client, and what it sees of a server behind the proxy. */
async function expectService(url: string, server: Server): Promise<void> {
  const session = await connect(url, { tls, compress: true, protocols: ["a", "b"] });
  assertEquals(session.protocol, "b");
  assertStringIncludes(session.extensions, "permessage-deflate");
  for (const message of MESSAGES) {
    session.send(message);
    assertEquals(await session.receive(), message);
  }
  for (let i = 0; i < 200; i++) session.send(i % 2 ? `${i}` : Uint8Array.of(i));
  for (let i = 0; i < 200; i++) {
    assertEquals(await session.receive(), i % 2 ? `${i}` : Uint8Array.of(i));
  }
  const own = await onlySession(server);
  assert(await session.ping() >= 0 && await own.ping() >= 0);
  await session.close(4001, "ours");
  assertEquals(await own.closed, { code: 4001, reason: "ours", wasClean: true });
}

async function openWs(url: string, protocols: string[] = []): Promise<WsClient> {
  // Bun has a `ws` of its own, which looks for the authority in `tls`.
  const options = { ca: CA, tls: { ca: CA }, perMessageDeflate: true };
  const client = new WsClient(url, protocols, options);
  await once(client, "open");
  return client;
}

/** RFC 8441: a CONNECT request whose stream then carries frames. */
async function expectEchoOverHttp2(
  client: http2.ClientHttp2Session,
  host: string,
  server: Server,
): Promise<void> {
  const stream = client.request({
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": "https",
    ":authority": host,
    ":path": "/chat",
    origin: `https://${host}`,
    "sec-websocket-version": "13",
  }, { endStream: false });
  const [headers] = await once(stream, "response");
  assertEquals(headers[":status"], 200);
  assertEquals((await onlySession(server)).request.target, "/chat");
  // "hello", masked with zeros, and back without a mask
  const hello = [...new TextEncoder().encode("hello")];
  stream.write(Uint8Array.of(0x81, 0x85, 0, 0, 0, 0, ...hello));
  const [data] = await once(stream, "data");
  assertEquals([...data], [0x81, 5, ...hello]);
  stream.destroy();
}

/** Both ends of a WebSocket that the proxy has closed. */
async function expectFarewell(
  { farewell }: ReverseProxy,
  ...ends: readonly WebSocketSession[]
): Promise<void> {
  for (const { closed } of ends) {
    const { code } = await closed;
    assert(farewell.includes(code), `${code}`);
  }
}

/** What holds behind each proxy. */
const CLAIMS: Readonly<Record<string, (proxy: ReverseProxy) => Promise<void>>> = {
  "messages, pings, compression, subprotocols and close codes pass": async (proxy) => {
    await behind(proxy, { protocols: ["b"], compress: true }, async ({ url, server }) => {
      await expectService(url, server);
      const session = await connect(url, { tls });
      await (await onlySession(server)).close(4002, "theirs");
      assertEquals(await session.closed, { code: 4002, reason: "theirs", wasClean: true });
    });
  },

  "npm's ws is served": async (proxy) => {
    await behind(proxy, { protocols: ["b"], compress: true }, async ({ url, server }) => {
      const client = await openWs(url, ["a", "b"]);
      assertEquals(client.protocol, "b");
      const received: unknown[] = [];
      client.on("message", (data: Buffer, isBinary: boolean) => {
        received.push(isBinary ? new Uint8Array(data) : data.toString());
        if (received.length === MESSAGES.length) client.close(4001, "enough");
      });
      const own = await onlySession(server);
      assert(own.extensions !== "");
      for (const message of MESSAGES) client.send(message);
      const [code] = await once(client, "close");
      assertEquals([code, received], [4001, MESSAGES]);
      assertEquals(await own.closed, { code: 4001, reason: "enough", wasClean: true });
    });
  },

  "a Unix socket does as well, and who the client is comes through": async (proxy) => {
    const folder = mkdtempSync(`${tmpdir()}/twoway-`);
    const unix = `${folder}/app.sock`;
    const forged = { headers: { "X-Forwarded-For": "203.0.113.9" }, tls };
    await behind(proxy, { unix, protocols: ["b"], compress: true }, async ({ url, server }) => {
      await expectService(url, server);
      const session = await connect(url, forged);
      assertEquals((await onlySession(server)).remoteAddr?.transport, "unix");
      await session.close();
    });
    await behind(proxy, { unix, trustedProxies: ["unix"] }, async ({ url, server }) => {
      const session = await connect(url, forged);
      const client: Addr = { transport: "tcp", hostname: "127.0.0.1", port: 0 };
      assertEquals((await onlySession(server)).remoteAddr, client);
      await session.close();
    });
    rmSync(folder, { recursive: true });
  },

  "what clients forge does not arrive, and trustedProxies decides what counts": async (proxy) => {
    const headers = {
      "X-Forwarded-For": "203.0.113.9",
      "X-Forwarded-Host": "evil.example",
      "X-Forwarded-Proto": "ftp",
    };
    for (const trustedProxies of [["127.0.0.1"], []]) {
      await behind(proxy, { trustedProxies }, async ({ url, host, server }) => {
        const session = await connect(url, { tls, headers });
        const { remoteAddr, request } = await onlySession(server);
        assert(remoteAddr?.transport === "tcp");
        assertEquals(remoteAddr.hostname, "127.0.0.1");
        assertEquals(remoteAddr.port === 0, trustedProxies.length > 0);
        assertEquals(request.headers.get("host"), host);
        const values = Object.keys(headers).map((name) => request.headers.get(name));
        assertEquals(values, ["127.0.0.1", host, "https"]);
        await session.close();
      });
    }
  },

  "pages of the same origin get in, and no others": async (proxy) => {
    for (const trustedProxies of [["127.0.0.1"], []]) {
      await behind(proxy, { trustedProxies }, async ({ url, host }) => {
        const session = await connect(url, { tls, origin: `https://${host}` });
        await session.close();
        for (const origin of ["https://evil.example", "https://localhost", "null"]) {
          const headers = { "X-Forwarded-Host": "evil.example" };
          const [status, body] = await refused(url, { origin, headers });
          assertEquals(status, 403);
          assertStringIncludes(body, "is neither that of the server nor in the list");
        }
        // The scheme is known from the proxy alone.
        const plain = { tls, origin: `http://${host}` };
        if (trustedProxies.length > 0) assertEquals((await refused(url, plain))[0], 403);
        else await (await connect(url, plain)).close();
      });
    }
  },

  "clients can read why they are refused": async (proxy) => {
    const headers = { "WWW-Authenticate": "Bearer" };
    const accept = (): Response => new Response("Who are you?", { status: 401, headers });
    await behind(proxy, { accept }, async ({ url, host }) => {
      assertEquals(await refused(url), [401, "Who are you?"]);
      const { status, body } = await get(`https://${host}/`);
      assertEquals(status, 426);
      assertStringIncludes(body, "This is a WebSocket server");
    });
  },

  "clients are told when to come back to a full server": async (proxy) => {
    await behind(proxy, { limits: { maxConnections: 1 } }, async ({ url }) => {
      const session = await connect(url, { tls });
      const error = await assertRejects(() => connect(url, { tls }), HandshakeError);
      assertEquals([error.status, new Map(error.headers).get("retry-after")], [503, "5"]);
      await session.close();
    });
  },

  "plain requests are answered beside WebSockets": async (proxy) => {
    const fetch = (request: Request): Response => new Response(request.url);
    await behind(proxy, { fetch, trustedProxies: ["127.0.0.1"] }, async ({ host, url }) => {
      const { status, body } = await get(`https://${host}/health`);
      assertEquals([status, body], [200, `https://${host}/health`]);
      const session = await connect(url, { tls });
      assertEquals((await session.close(1000)).wasClean, true);
    });
  },

  "a server that is not there is told by a status": async (proxy) => {
    const backend: Addr = { transport: "tcp", hostname: "127.0.0.1", port: await freePort() };
    await withReverseProxy(proxy, { backend }, async ({ host }) => {
      assertEquals((await refused(`wss://${host}/`))[0], proxy.unreachable);
    });
  },

  "a shutdown closes with 1001": async (proxy) => {
    await behind(proxy, {}, async ({ url, server }) => {
      const session = await connect(url, { tls });
      const client = await openWs(url);
      const closed = once(client, "close");
      while (server.sessions.size < 2) await pause(5);
      await server.shutdown({ reason: "restart" });
      assertEquals(await session.closed, { code: 1001, reason: "restart", wasClean: true });
      const [code, reason] = await closed;
      assertEquals([code, `${reason}`], [1001, "restart"]);
    });
  },

  "a connection that breaks on either side of the proxy ends with 1006": async (proxy) => {
    await behind(proxy, {}, async ({ url, server }) => {
      const first = await connect(url, { tls });
      (await onlySession(server)).abort();
      assertEquals((await first.closed).code, 1006);
      const second = await connect(url, { tls });
      const own = await onlySession(server);
      second.abort();
      assertEquals((await own.closed).code, 1006);
    });
  },

  "keepalive, of either side, keeps idle connections open": async (proxy) => {
    const check = ([client, server]: typeof KEEPALIVES[number]): Promise<void> =>
      behind(proxy, server, async ({ url }) => {
        const session = await connect(url, { tls, ...client });
        await Promise.race([pause(2500), session.closed]);
        session.send("still there");
        assertEquals(await session.receive(), "still there");
        await session.close();
      }, { idleTimeout: "1s" });
    await Promise.all(KEEPALIVES.map(check));
  },

  "when the proxy ends, clients learn of it, and so does the server": async (proxy) => {
    await behind(proxy, {}, async ({ url, server, terminate }) => {
      const session = await connect(url, { tls });
      const own = await onlySession(server);
      terminate();
      await expectFarewell(proxy, session, own);
    });
  },
};

test("docs/deployment.md has a configuration for each proxy", () => {
  const folder = mkdtempSync(`${tmpdir()}/twoway-`);
  const backend: Addr = { transport: "tcp", hostname: "127.0.0.1", port: 9 };
  for (const proxy of REVERSE_PROXIES) {
    const args = proxy.configure({ backend }, { folder, port: 7 });
    assert(args.includes(`${folder}/conf`));
    assertStringIncludes(readFileSync(`${folder}/conf`, "utf8"), "127.0.0.1:9");
  }
  rmSync(folder, { recursive: true });
});

for (const proxy of REVERSE_PROXIES) {
  const options = { skip: whyNot(proxy), timeout: 20_000 };

  describe(`behind ${proxy.name}`, () => {
    for (const [claim, check] of Object.entries(CLAIMS)) test(claim, options, () => check(proxy));
  });
}

for (const proxy of REVERSE_PROXIES) {
  const options = { skip: whyNot(proxy), timeout: 20_000 };

  test(`${proxy.name} answers with ${proxy.silent} for a silent server`, options, async () => {
    const accept = (): Promise<void> => new Promise(() => {});
    await behind(proxy, { accept, handshakeTimeout: 3000 }, async ({ url }) => {
      assertEquals((await refused(url))[0], proxy.silent);
    }, { answerTimeout: "1s" });
  });

  const keeps = proxy.keepsOnReload ? "keeps WebSockets open" : "closes WebSockets";
  test(`${proxy.name} ${keeps} on a reload`, options, async () => {
    await behind(proxy, {}, async ({ url, server, reload }) => {
      const session = await connect(url, { tls });
      const own = await onlySession(server);
      await reload();
      const next = await connect(url, { tls });
      assertEquals((await next.close(1000)).wasClean, true);
      if (!proxy.keepsOnReload) return await expectFarewell(proxy, session, own);
      session.send("still there");
      assertEquals(await session.receive(), "still there");
      assertEquals((await session.close(1000)).wasClean, true);
    });
  });

  const cuts = proxy.cutsIdle ? "cuts" : "does not cut";
  test(`${proxy.name} ${cuts} idle connections without keepalive`, options, async () => {
    await behind(proxy, NEVER, async ({ url, server }) => {
      const session = await connect(url, { tls, ...NEVER });
      const own = await onlySession(server);
      const start = performance.now();
      const status = await Promise.race([session.closed, pause(3000)]);
      if (!proxy.cutsIdle) return assertEquals([status, own.state], [undefined, "open"]);
      const took = performance.now() - start;
      assert(took > 900 && took < 2900, `${took}`);
      assertEquals([status?.code, (await own.closed).code], [1006, 1006]);
    }, { idleTimeout: "1s" });
  });

  const offers = proxy.hasHttp2 ? "translates" : "does not offer";
  test(`${proxy.name} ${offers} WebSockets over HTTP/2`, options, async () => {
    await behind(proxy, { trustedProxies: ["127.0.0.1"] }, async ({ host, server }) => {
      const client = http2.connect(`https://${host}`, { ca: CA });
      const [settings] = await once(client, "remoteSettings");
      assertEquals(client.alpnProtocol, "h2");
      assertEquals(settings.enableConnectProtocol ?? false, proxy.hasHttp2);
      if (proxy.hasHttp2) await expectEchoOverHttp2(client, host, server);
      client.destroy();
    });
  });
}
