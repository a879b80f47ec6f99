/** Section 8 of the catalogue: who may come in, over TCP, and how a server keeps to it. @module */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, test } from "node:test";
import {
  type CloseStatus,
  connect,
  type Handler,
  HandshakeError,
  type ServeOptions,
  type TcpAddr,
  type WebSocketSession,
} from "../../mod.ts";
import { RawPeer, REQUEST, requestWith } from "../raw_peer.ts";
import { createCertificates } from "../runtime/certificates.ts";
import { allGone, deferred, echo, portOf, until, urlOf, withServer } from "./servers.ts";

/** The status of the answer to a request with this Host and this Origin. */
async function statusOf(
  server: Parameters<typeof portOf>[0],
  host: string,
  origin: string | null,
): Promise<number> {
  const peer = await RawPeer.connect(server.addr);
  const request = origin === null ? REQUEST : requestWith(`Origin: ${origin}`);
  const response = await peer.open(request.replace("Host: 127.0.0.1", `Host: ${host}`));
  peer.close();
  return Number(response.slice(9, 12));
}

test("S-1 each origin against a Host, over TCP", async () => {
  const host = "example.com:8000";
  const cases: [origin: string | null, status: number][] = [
    [null, 101],
    ["http://example.com:8000", 101],
    ["https://example.com:8000", 101], // a proxy may do the TLS: the scheme is not known here
    ["http://other.example:8000", 403],
    ["http://example.com:8001", 403],
    ["http://example.com", 403],
    ["null", 403],
    ["http://sub.example.com:8000", 403],
    ["http://evil-example.com:8000", 403],
    ["http://example.com.evil.com:8000", 403],
    ["HTTP://EXAMPLE.COM:8000", 101],
    ["http://example.com.:8000", 403],
    ["http://b\xfccher.example:8000", 403],
    ["http://example.com:8000/", 403],
    ["http://example.com:8000 http://example.com:8000", 403],
    ["http://user@example.com:8000", 403],
    ["file://", 403],
    ["", 403],
  ];
  await withServer({}, echo, async (server) => {
    for (const [origin, status] of cases) {
      assertEquals(await statusOf(server, host, origin), status, `${origin}`);
    }
    for (const [origin, port] of [["http://example.com", 80], ["https://example.com", 443]]) {
      assertEquals(await statusOf(server, `example.com:${port}`, `${origin}`), 101);
      assertEquals(await statusOf(server, "example.com", `${origin}`), 101);
    }
    const idn = "xn--bcher-kva.example";
    assertEquals(await statusOf(server, idn, `http://${idn}`), 101);
  });
  await withServer({ origin: "any" }, echo, async (server) => {
    for (const [origin] of cases) assertEquals(await statusOf(server, host, origin), 101);
  });
});

test("S-2 allowedHosts stops a name that resolves to this machine, over TCP", async () => {
  await withServer({ allowedHosts: ["127.0.0.1", "app.example:8000"] }, echo, async (server) => {
    const { port } = server.addr as TcpAddr;
    const attack = `attacker.example:${port}`;
    assertEquals(await statusOf(server, attack, `http://${attack}`), 403);
    assertEquals(await statusOf(server, attack, null), 403);
    assertEquals(await statusOf(server, `127.0.0.1:${port}`, null), 101);
    assertEquals(await statusOf(server, "app.example:8000", null), 101);
    assertEquals(await statusOf(server, "app.example:8001", null), 403);
  });
});

test("S-3 over TLS the origin's scheme counts", async () => {
  const { cert, key, ca } = await createCertificates();
  await withServer({ tls: { cert, key } }, echo, async (server) => {
    const url = `wss://localhost:${portOf(server)}/`;
    const tls = { caCerts: [ca] };
    const session = await connect(url, { tls, origin: `https://localhost:${portOf(server)}` });
    await session.close(1000);
    const error = await assertRejects(
      () => connect(url, { tls, origin: `http://localhost:${portOf(server)}` }),
      HandshakeError,
    );
    assertEquals(error.status, 403);
  });
});

test("S-4 a token offered as a subprotocol is neither echoed nor logged", async () => {
  const token = "bearer.s3cret";
  const told: unknown[] = [];
  const options: ServeOptions<string> = {
    protocols: ["app.v1"],
    accept(_, { protocols }) {
      assertEquals(protocols, ["app.v1", token]);
      if (told.length === 0) {
        told.push("once");
        return { data: "ada" };
      }
      return { protocol: "not.offered" };
    },
    onError: (error) => told.push(error),
  };
  await withServer(options, echo, async (server) => {
    const offer = requestWith(`Sec-WebSocket-Protocol: app.v1, ${token}`);
    const good = await RawPeer.connect(server.addr);
    const response = await good.open(offer);
    assertStringIncludes(response, "Sec-WebSocket-Protocol: app.v1\r\n");
    assert(!response.includes("s3cret"), response);
    good.close();
    const bad = await RawPeer.connect(server.addr);
    const answer = await bad.exchange(offer);
    assertEquals(answer.slice(9, 12), "500");
    bad.close();
    assert(!answer.includes("s3cret") && !String(told[1]).includes("s3cret"), String(told[1]));
  });
});

describe("S-5 connections from one address", () => {
  test("are limited by the socket's address, whatever a client says of itself", async () => {
    const limits = { maxConnectionsPerAddress: 20 };
    await withServer({ limits }, echo, async (server) => {
      const attempts = await Promise.allSettled(
        Array.from(
          { length: 100 },
          (_, i) => connect(urlOf(server), { headers: { "X-Forwarded-For": `10.0.0.${i}` } }),
        ),
      );
      const open = attempts.filter((attempt) => attempt.status === "fulfilled");
      assertEquals(open.length, 20);
      for (const attempt of attempts) {
        if (attempt.status === "rejected") assertEquals(attempt.reason.status, 429);
      }
      for (const { value } of open) value.abort();
      await allGone(server);
    });
  });

  test("are counted by the /64 that a trusted proxy names", async () => {
    const options = { limits: { maxConnectionsPerAddress: 2 }, trustedProxies: ["127.0.0.1"] };
    await withServer(options, echo, async (server) => {
      const from = (address: string): Promise<WebSocketSession> =>
        connect(urlOf(server), { headers: { "X-Forwarded-For": address } });
      const open = [await from("2001:db8:0:1::1"), await from("2001:db8:0:1:ffff::2")];
      const error = await assertRejects(() => from("2001:db8:0:1::3"), HandshakeError);
      assertEquals(error.status, 429);
      open.push(await from("2001:db8:0:2::1"));
      // Only what the proxy itself has added counts.
      await assertRejects(() => from("10.9.9.9, 2001:db8:0:1::4"), HandshakeError);
      for (const session of open) session.abort();
      await allGone(server);
    });
  });
});

describe("S-6 a session that has to authenticate itself", () => {
  /** The recipe: the first message is the credential, and there is a time for it. */
  const guarded = (ms: number): Handler => async (session) => {
    const timer = setTimeout(() => session.close(1008, "Not authenticated in time"), ms);
    const credential = await session.receive();
    clearTimeout(timer);
    if (credential !== "s3cret") return void session.close(1008, "Not authenticated");
    session.send("welcome");
    for await (const message of session) await session.send(message);
  };

  test("is closed with 1008 if it does not in time", async () => {
    await withServer({}, guarded(100), async (server) => {
      const start = performance.now();
      const { code, reason } = await (await connect(urlOf(server))).closed;
      const took = performance.now() - start;
      assertEquals([code, reason], [1008, "Not authenticated in time"]);
      assert(took > 95 && took < 1500, `${took} ms`);
    });
  });

  test("is closed with 1008 if it shows the wrong credential, and goes on with the right one", async () => {
    await withServer({}, guarded(2000), async (server) => {
      const wrong = await connect(urlOf(server));
      wrong.send("guess");
      assertEquals((await wrong.closed).code, 1008);
      const right = await connect(urlOf(server));
      right.send("s3cret");
      assertEquals(await right.receive(), "welcome");
      right.send("hello");
      assertEquals(await right.receive(), "hello");
      await right.close(1000);
    });
  });
});

test("S-7 a session whose authorisation expires is closed, and what it sends then is not handled", async () => {
  const handled: unknown[] = [];
  const status = deferred<CloseStatus>();
  /** The recipe: `accept` says until when, `open` sets the timer, `close` clears it. */
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  const options: ServeOptions<{ expires: number }> = {
    accept: () => ({ data: { expires: performance.now() + 150 } }),
  };
  await withServer(options, {
    open(session) {
      const left = session.data.expires - performance.now();
      timers.set(session.id, setTimeout(() => session.close(4401, "Token expired"), left));
    },
    message: (_, message) => void handled.push(message),
    close(session, end) {
      clearTimeout(timers.get(session.id));
      timers.delete(session.id);
      status.resolve(end);
    },
  }, async (server) => {
    const session = await connect(urlOf(server));
    session.send("in time");
    const { code, reason } = await session.closed;
    assertEquals([code, reason], [4401, "Token expired"]);
    await assertRejects(() => session.send("late"));
    await status.promise;
    await until(() => timers.size === 0);
  });
  assertEquals(handled, ["in time"]);
});
