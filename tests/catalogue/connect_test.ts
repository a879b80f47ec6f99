/** Section 2 of the catalogue where a table of bytes does not say it: time, floods, TLS, addresses. @module */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import net from "node:net";
import process from "node:process";
import { describe, test } from "node:test";
import tls from "node:tls";
import {
  connect,
  type ConnectOptions,
  HandshakeError,
  serve,
  TimeoutError,
  type WebSocketSession,
} from "../../mod.ts";
import { acceptKey } from "../../src/core/handshake.ts";
import { latin1 } from "../latin1.ts";
import { createCertificates } from "../runtime/certificates.ts";
import { switching } from "./client_bench.ts";
import { echo, portOf, until, urlOf } from "./servers.ts";

const MIB = 1_048_576;

/** Runs a test against a server at the byte level; `play` gets each connection's request. */
async function withRawServer(
  play: (socket: net.Socket, accept: string) => void,
  run: (url: string, ended: () => number) => Promise<void>,
): Promise<void> {
  let [begun, ended] = [0, 0];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    begun++;
    let request = "";
    socket.on("error", () => {});
    socket.on("close", () => ended++);
    socket.on("end", () => socket.end());
    socket.on("data", async (bytes) => {
      const isOver = request.includes("\r\n\r\n");
      request += bytes.toString("latin1");
      if (isOver || !request.includes("\r\n\r\n")) return;
      const key = /sec-websocket-key: (.*)\r\n/i.exec(request)![1];
      play(socket, await acceptKey(key));
    });
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as net.AddressInfo;
  try {
    await run(`ws://127.0.0.1:${port}/`, () => ended);
    await until(() => ended === begun); // the client has let go of every connection
  } finally {
    server.close();
  }
}

/** How connecting fails, and after how many milliseconds. */
async function failure(url: string, options: ConnectOptions = {}): Promise<[unknown, number]> {
  const start = performance.now();
  const error = await connect(url, options).then(
    (session: WebSocketSession) => {
      session.abort();
      return "it has opened";
    },
    (error) => error,
  );
  return [error, performance.now() - start];
}

/** Writes a byte every 10 ms until the socket is gone. */
function drip(socket: net.Socket, bytes: string): void {
  let at = 0;
  const timer = setInterval(() => {
    if (socket.destroyed || at === bytes.length) return clearInterval(timer);
    socket.write(bytes[at++], "latin1");
  }, 10);
  socket.on("close", () => clearInterval(timer));
}

/** Writes as fast as the client takes it, up to 64 MiB. */
function flood(socket: net.Socket, piece: string): void {
  const bytes = latin1(piece);
  let sent = 0;
  const go = (): void => {
    while (!socket.destroyed && sent < 64 * MIB) {
      sent += bytes.length;
      if (!socket.write(bytes)) return void socket.once("drain", go);
    }
  };
  go();
}

describe("floods from a server", () => {
  const head = "HTTP/1.1 101 x\r\n";
  for (
    const [what, start, piece, message] of [
      ["an endless first line", "", "x".repeat(65_536), "the first line is longer than 8192 bytes"],
      ["an endless field", `${head}X: `, "x".repeat(65_536), "a header line is longer than 8192"],
      ["endless fields", head, "X: y\r\n".repeat(10_000), "the head has more than 100 fields"],
    ] as const
  ) {
    test(`R-14 ${what} at full speed fails at the limit, and costs no memory`, async () => {
      const play = (socket: net.Socket): void => {
        socket.write(start);
        flood(socket, piece);
      };
      await withRawServer(play, async (url) => {
        const fail = async (): Promise<void> => {
          const [error] = await failure(url);
          assert(error instanceof HandshakeError, String(error));
          assertStringIncludes(error.message, message);
          assertEquals(error.status, undefined);
        };
        await fail();
        const before = process.memoryUsage().rss;
        for (let i = 0; i < 5; i++) await fail();
        const grown = process.memoryUsage().rss - before;
        assert(grown < 32 * MIB, `${Math.round(grown / MIB)} MiB`);
      });
    });
  }

  test("R-40 R-41 of an endless body 64 KiB are kept, with its status", async () => {
    const bodies: [string, string][] = [
      ["", "x".repeat(65_536)],
      ["Content-Length: 10000000\r\n", "x".repeat(65_536)],
      ["Transfer-Encoding: chunked\r\n", `10000\r\n${"x".repeat(65_536)}\r\n`],
    ];
    for (const [fields, piece] of bodies) {
      const play = (socket: net.Socket): void => {
        socket.write(`HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n${fields}\r\n`);
        flood(socket, piece);
      };
      await withRawServer(play, async (url) => {
        const [error] = await failure(url);
        assert(error instanceof HandshakeError, String(error));
        assertEquals([error.status, error.body?.length], [503, 65_536]);
        assertEquals(new Map(error.headers).get("retry-after"), "7");
      });
    }
  });
});

describe("time of a response", () => {
  const cases: [string, (socket: net.Socket, accept: string) => void][] = [
    ["silence", () => {}],
    ["silence behind half a response", (socket) => socket.write("HTTP/1.1 101 Switch")],
    ["silence behind an interim response", (socket) => socket.write("HTTP/1.1 103 x\r\n\r\n")],
    ["a byte now and then", (socket, accept) => drip(socket, switching(accept))],
  ];
  for (const [what, play] of cases) {
    test(`R-42 ${what} fails at handshakeTimeout`, async () => {
      await withRawServer(play, async (url) => {
        const [error, took] = await failure(url, { handshakeTimeout: 300 });
        assert(error instanceof TimeoutError, String(error));
        assertEquals(error.message, "The handshake took more than 300 ms (handshakeTimeout)");
        assert(took > 295 && took < 1500, `${took} ms`);
      });
    });
  }

  test("R-41 a refusal whose body is slower than handshakeTimeout keeps its status", async () => {
    for (const fields of ["Content-Length: 1000", "Transfer-Encoding: chunked", "X: y"]) {
      const play = (socket: net.Socket): void => {
        socket.write(`HTTP/1.1 429 Slow\r\nRetry-After: 9\r\n${fields}\r\n\r\n`);
        drip(socket, `3e8\r\n${"x".repeat(1000)}`);
      };
      await withRawServer(play, async (url) => {
        const [error, took] = await failure(url, { handshakeTimeout: 300 });
        assert(error instanceof HandshakeError, String(error));
        assertEquals([error.status, new Map(error.headers).get("retry-after")], [429, "9"]);
        assert(took > 295 && took < 1500, `${took} ms`);
      });
    }
  });

  test("a signal's reason counts for more than a refusal that is not complete", async () => {
    const play = (socket: net.Socket): void =>
      void socket.write("HTTP/1.1 429 Slow\r\nContent-Length: 1000\r\n\r\nx");
    await withRawServer(play, async (url) => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new Error("never mind")), 50);
      const [error] = await failure(url, { signal: controller.signal });
      assertEquals(String(error), "Error: never mind");
    });
  });
});

describe("R-43 a server that leaves", () => {
  const heads = ["", "HTTP/1.1 101 Sw", "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n"];
  for (const head of heads) {
    test(`ends the stream behind ${JSON.stringify(head)}: one error`, async () => {
      await withRawServer((socket) => socket.end(head), async (url) => {
        const [error] = await failure(url);
        assert(error instanceof HandshakeError, String(error));
        assertEquals(error.message, "The server closed the connection unanswered");
      });
    });

    test(`resets the connection behind ${JSON.stringify(head)}: one error`, async () => {
      const play = (socket: net.Socket): void => {
        if (head === "") socket.resetAndDestroy();
        else socket.write(head, () => setTimeout(() => socket.resetAndDestroy(), 20));
      };
      await withRawServer(play, async (url) => {
        const [error, took] = await failure(url);
        assert(error instanceof Error, String(error));
        assert(took < 2000, `${took} ms`);
      });
    });
  }

  test("resets the connection behind a 101: one close with 1006", async () => {
    const play = (socket: net.Socket, accept: string): void =>
      void socket.write(switching(accept), () => setTimeout(() => socket.resetAndDestroy(), 50));
    await withRawServer(play, async (url) => {
      let ends = 0;
      const session = await connect(url, { handlers: { close: () => void ends++ } });
      const { code, wasClean } = await session.closed;
      assertEquals([code, wasClean], [1006, false]);
      await new Promise((resolve) => setTimeout(resolve, 10));
      assertEquals(ends, 1);
    });
  });
});

describe("R-50 TLS", () => {
  test("a certificate that is wrong in any way fails", async () => {
    const good = await createCertificates();
    const expired = await createCertificates({ days: -1 });
    const unnamed = await createCertificates({ withoutAddress: true });
    const cases = [
      [good, {}, "self-signed: its authority is unknown"],
      [good, { caCerts: [good.ca], serverName: "other.example" }, "wrong host"],
      [expired, { caCerts: [expired.ca] }, "expired"],
      [unnamed, { caCerts: [unnamed.ca] }, "no IP SAN"],
      [good, { caCerts: [expired.ca] }, "another authority"],
    ] as const;
    for (const [{ cert, key }, trust, what] of cases) {
      const server = await serve({ port: 0, tls: { cert, key } }, echo);
      const [error] = await failure(urlOf(server).replace("ws:", "wss:"), { tls: trust });
      assert(error instanceof Error, `${what}: ${error}`);
      assertStringIncludes(error.message, `Cannot connect to 127.0.0.1:${portOf(server)}: `, what);
      await server.shutdown();
    }
    const server = await serve({ port: 0, tls: unnamed }, echo);
    const url = urlOf(server).replace("ws:", "wss:").replace("127.0.0.1", "localhost");
    await (await connect(url, { tls: { caCerts: [unnamed.ca] } })).close(1000);
    await server.shutdown();
  });

  test("ALPN offers http/1.1, and a server that speaks only h2 fails", async () => {
    const { ca, cert, key } = await createCertificates();
    for (const protocol of ["http/1.1", "h2"]) {
      const agreed: unknown[] = [];
      const server = tls.createServer({ cert, key, ALPNProtocols: [protocol] }, (socket) => {
        agreed.push(socket.alpnProtocol);
        socket.on("error", () => {});
        socket.end("HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n");
      });
      server.on("tlsClientError", (_, socket) => socket.destroy());
      server.listen(0, "127.0.0.1");
      await new Promise((resolve) => server.once("listening", resolve));
      const { port } = server.address() as net.AddressInfo;
      const [error] = await failure(`wss://127.0.0.1:${port}/`, { tls: { caCerts: [ca] } });
      assert(error instanceof Error, String(error));
      if (protocol === "h2") assertEquals(agreed.includes("h2"), false);
      else assertEquals([agreed, (error as HandshakeError).status], [["http/1.1"], 404]);
      server.close();
    }
  });
});

test("R-50 a server agrees with a client on http/1.1 by ALPN", async () => {
  const { ca, cert, key } = await createCertificates();
  const server = await serve({ port: 0, tls: { cert, key } }, echo);
  const options = { host: "127.0.0.1", port: portOf(server), ca, servername: "localhost" };
  const client = tls.connect({ ...options, ALPNProtocols: ["h2", "http/1.1"] });
  await new Promise((resolve) => client.once("secureConnect", resolve));
  assertEquals(client.alpnProtocol, "http/1.1");
  client.destroy();
  await server.shutdown();
});

describe("R-51 addresses", () => {
  test("a name without address is an error in time", async () => {
    // No name server is asked: a label may have 63 characters.
    const [error, took] = await failure(`ws://${"x".repeat(64)}.invalid/`, {
      handshakeTimeout: 2000,
    });
    assert(error instanceof Error, String(error));
    assert(took < 3000, `${took} ms`);
  });

  test("nobody listening is an error at once", async () => {
    const server = await serve({ port: 0 }, echo);
    await server.shutdown();
    const error = await assertRejects(() => connect(urlOf(server)), Error);
    assertStringIncludes(error.message, "connection refused");
  });

  test("a name whose first address is dead reaches the second", async () => {
    for (const hostname of ["127.0.0.1", "::1"]) {
      const server = await serve({ port: 0, hostname }, echo).catch(() => null);
      if (server === null) continue; // a machine without IPv6
      const session = await connect(`ws://localhost:${portOf(server)}/`).catch((error) => error);
      await server.shutdown();
      if (session instanceof Error && hostname === "::1") continue; // localhost is IPv4 only
      assertEquals((await session.closed).code, 1001);
    }
  });

  test("an IPv6 address stands in brackets", async () => {
    const server = await serve({ port: 0, hostname: "::1" }, echo).catch(() => null);
    if (server === null) return; // a machine without IPv6
    const session = await connect(`ws://[::1]:${portOf(server)}/`);
    assertEquals(session.request.headers.get("host"), `[::1]:${portOf(server)}`);
    assertEquals((await session.close(1000)).code, 1000);
    await server.shutdown();
  });
});
