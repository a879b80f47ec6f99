/** Section 1 of the catalogue where a table of bytes does not say it: time, floods, what users see. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import process from "node:process";
import { describe, test } from "node:test";
import { type CloseStatus, type Server, TimeoutError } from "../../mod.ts";
import { dial } from "../../src/runtime/mod.ts";
import { PROTOTYPE_NAMES } from "../core/request_vectors.ts";
import { latin1 } from "../latin1.ts";
import { clientFrame, RawPeer, REQUEST, requestWith } from "../raw_peer.ts";
import { createCertificates } from "../runtime/certificates.ts";
import { BytePeer } from "./byte_peer.ts";
import { allGone, deferred, echo, portOf, rawSocket, until, withServer } from "./servers.ts";

const MIB = 1_048_576;
const MASKED_CLOSE = clientFrame(0x88, "\x03\xe8");

/** What never ends: its answer, its beginning, and what is then repeated. */
const FLOODS = [
  [414, "GET /", "x".repeat(65_536)],
  [431, "GET / HTTP/1.1\r\nX: ", "x".repeat(65_536)],
  [431, "GET / HTTP/1.1\r\n", "X: yyyyyyyyyyyy\r\n".repeat(4096)],
] as const;

/** Sends up to 64 MiB as fast as they are taken, and reads the answer meanwhile. */
async function flood(
  server: Server,
  [status, head, piece]: typeof FLOODS[number],
): Promise<void> {
  const socket = await rawSocket(server);
  let answer = "";
  socket.on("data", (bytes) => answer += bytes.toString("latin1"));
  const bytes = latin1(piece);
  let sent = 0;
  const go = (): void => {
    while (sent < 64 * MIB && !socket.destroyed) {
      sent += bytes.length;
      if (!socket.write(bytes)) return void socket.once("drain", go);
    }
  };
  socket.write(head);
  go();
  await until(() => answer.includes("\r\n\r\n") || socket.destroyed);
  assertStringIncludes(answer, `HTTP/1.1 ${status} `);
  await allGone(server);
  assert(sent < 64 * MIB, "all of it has been taken");
  socket.destroy();
}

describe("limits of a request", () => {
  test("H-51 endless lines and fields at full speed fail at the limit, and cost no memory", async () => {
    await withServer({}, echo, async (server) => {
      await flood(server, FLOODS[0]);
      const before = process.memoryUsage().rss;
      await Promise.all([...FLOODS, ...FLOODS].map((kind) => flood(server, kind)));
      const grown = process.memoryUsage().rss - before;
      assert(grown < 32 * MIB, `${Math.round(grown / MIB)} MiB`);
    });
  });

  test("H-52 15 kB of fields in single bytes open a session", async () => {
    await withServer({}, echo, async (server) => {
      const fields = ["A", "B", "C"].map((name) => `X-${name}: ${"y".repeat(5000)}`);
      const peer = new BytePeer(await dial({ hostname: "127.0.0.1", port: portOf(server) }));
      const bytes = latin1(requestWith(...fields) + MASKED_CLOSE);
      await peer.send(Array.from(bytes, (byte) => Uint8Array.of(byte)));
      assertEquals(await peer.receive(), "FIN");
      assertStringIncludes(peer.text, "HTTP/1.1 101 ");
      peer.conn.close();
    });
  });
});

describe("time of a request", () => {
  test("H-53 a byte now and then does not extend handshakeTimeout", async () => {
    await withServer({ handshakeTimeout: 400 }, echo, async (server) => {
      const peer = new BytePeer(await dial({ hostname: "127.0.0.1", port: portOf(server) }));
      const start = performance.now();
      let isOver = false;
      const reading = peer.receive().then((end) => {
        isOver = true;
        return end;
      });
      for (const byte of latin1(REQUEST)) {
        if (isOver) break;
        await peer.send([Uint8Array.of(byte)]);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      assertEquals(await reading, "FIN");
      const took = performance.now() - start;
      assertStringIncludes(peer.text, "HTTP/1.1 408 ");
      assert(took > 395 && took < 1500, `${took} ms`);
      peer.conn.close();
    });
  });

  test("H-54 a client that is deaf behind its request is dropped by keepalive", async () => {
    const status = deferred<CloseStatus>();
    const keepalive = { interval: 100, timeout: 100 };
    await withServer({ keepalive }, { close: (_, s) => status.resolve(s) }, async (server) => {
      const peer = await RawPeer.connect(server.addr);
      const start = performance.now();
      await peer.send(REQUEST); // and never reads
      const { code, error } = await status.promise;
      const took = performance.now() - start;
      assertEquals(code, 1006);
      assert(error instanceof TimeoutError, String(error));
      assertEquals(error.message, "The peer was silent for 100 + 100 ms (keepalive)");
      assert(took > 190 && took < 1500, `${took} ms`);
      peer.close();
    });
  });
});

describe("what a user sees of a request", () => {
  /** The request as the handler has it. */
  async function seen(request: string): Promise<{ target: string; headers: [string, string][] }> {
    const result = deferred<{ target: string; headers: [string, string][] }>();
    await withServer({}, (session) => {
      const { target, headers } = session.request;
      result.resolve({ target, headers: [...headers] as [string, string][] });
      session.request.toRequest(); // does not throw either
    }, async (server) => {
      const peer = await RawPeer.connect(server.addr);
      assertStringIncludes(await peer.open(request), " 101 ");
      await result.promise;
      await peer.send(MASKED_CLOSE);
      await peer.receiveAll();
      peer.close();
    });
    return await result.promise;
  }

  test("H-60 names of Object.prototype are names like any other", async () => {
    const { target, headers } = await seen(
      requestWith(...PROTOTYPE_NAMES.map((name, i) => `${name}: ${i}`))
        .replace("GET / ", "GET /?__proto__=1&constructor=2 "),
    );
    assertEquals(target, "/?__proto__=1&constructor=2");
    const own = headers.slice(-PROTOTYPE_NAMES.length);
    assertEquals(own, PROTOTYPE_NAMES.map((name, i) => [name.toLowerCase(), `${i}`]));
    assertEquals(Object.keys(Object.prototype), []);
  });

  test("H-60 no prototype's property is a subprotocol or an extension", async () => {
    const options = { protocols: ["chat"] };
    await withServer(options, echo, async (server) => {
      for (const name of PROTOTYPE_NAMES) {
        const peer = await RawPeer.connect(server.addr);
        const response = await peer.open(requestWith(
          `Sec-WebSocket-Protocol: ${name}`,
          `Sec-WebSocket-Extensions: ${name}; ${name}=${name}`,
        ));
        assertStringIncludes(response, " 101 ");
        assert(!/sec-websocket-(?:protocol|extensions)/i.test(response), response);
        peer.close();
      }
    });
  });

  test("H-71 malformed cookies, credentials and escapes are handed over as they came", async () => {
    const { target, headers } = await seen(
      requestWith("Cookie: =;;,\xff%zz", "Authorization: Basic %%%").replace(
        "GET / ",
        "GET /%zz?%x ",
      ),
    );
    assertEquals(target, "/%zz?%x");
    assertEquals(headers.slice(-2), [["cookie", "=;;,\xff%zz"], ["authorization", "Basic %%%"]]);
  });
});

test("H-82 plain HTTP on a port for TLS ends the connection, and harms nobody", async () => {
  const { cert, key } = await createCertificates();
  await withServer({ tls: { cert, key } }, echo, async (server) => {
    for (const bytes of [REQUEST, "GET / HTTP/1.1\r\n\r\n", "\x80", "x".repeat(1000)]) {
      const peer = new BytePeer(await dial({ hostname: "127.0.0.1", port: portOf(server) }));
      await peer.send([latin1(bytes)]);
      if (bytes === "\x80") await peer.conn.closeWrite();
      await peer.receive();
      assert(!peer.text.includes("HTTP/1.1 101"), peer.text);
      peer.conn.close();
      await allGone(server);
    }
  });
});
