/** The sockets that `node:http` and `node:https` give away, as Conns. @module */

import { assertEquals } from "@std/assert";
import http from "node:http";
import https from "node:https";
import { test } from "node:test";
import { type Conn, prepend } from "../../src/runtime/conn.ts";
import { AcceptQueue } from "../../src/runtime/accept_queue.ts";
import { dial, runtimeName } from "../../src/runtime/mod.ts";
import { NodeSocket } from "../../src/runtime/node_socket.ts";
import { latin1 } from "../latin1.ts";
import { createCertificates } from "../runtime/certificates.ts";
import { testConn, type Transport } from "../runtime/conn_suite.ts";
import { listenOn, portOf } from "./http_server.ts";

const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
const RESPONSE = "HTTP/1.1 101 Switching Protocols\r\n\r\n";

async function upgrade(conn: Conn): Promise<Conn> {
  await conn.write(latin1(REQUEST));
  let response = "";
  while (!response.endsWith("\r\n\r\n")) {
    response += String.fromCharCode(...(await conn.read())!);
  }
  return conn;
}

function transport(create: () => http.Server, caCerts?: readonly string[]): Transport {
  return {
    async open() {
      const server = create();
      const queue = new AcceptQueue();
      server.on("upgrade", (_, socket, head) => {
        const conn = NodeSocket.adopt(socket);
        socket.write(RESPONSE);
        queue.push(prepend(conn, new Uint8Array(head)));
      });
      await listenOn(server);
      const target = { hostname: "127.0.0.1", port: portOf(server) };
      const close = (): void => {
        if (!queue.close()) return;
        server.close();
        server.closeAllConnections();
      };
      return {
        listener: {
          addr: { transport: "tcp", ...target },
          secure: caCerts !== undefined,
          accept: () => queue.accept(),
          close,
        },
        dial: async () => upgrade(await dial({ ...target, tls: caCerts && { caCerts } })),
      };
    },
  };
}

testConn("an upgrade of node:http", transport(() => http.createServer()));

test("what an HTTP server's socket has read stays: others may have listened, too", async () => {
  const server = http.createServer();
  const seen: Uint8Array[] = [];
  const size = new Promise<number>((resolve, reject) => {
    server.on("upgrade", (_, socket) => {
      socket.on("data", (bytes: Uint8Array) => seen.push(bytes));
      let size = 0;
      NodeSocket.adopt(socket).push({
        data: (bytes) => (size += bytes.length) > 0,
        end: () => resolve(size),
        fail: reject,
      });
      socket.write(RESPONSE);
    });
  });
  await listenOn(server);
  const client = await upgrade(await dial({ hostname: "127.0.0.1", port: portOf(server) }));
  await client.write(new Uint8Array(200_000));
  await client.closeWrite();
  assertEquals(await size, 200_000);
  assertEquals(seen.reduce((size, bytes) => size + bytes.length, 0), 200_000);
  client.close();
  server.close();
});

// Deno's node:tls goes on reading when it is told to pause (docs/node-http.md).
if (runtimeName !== "deno") {
  const { cert, key, ca } = await createCertificates();
  testConn("an upgrade of node:https", transport(() => https.createServer({ cert, key }), [ca]));
}
