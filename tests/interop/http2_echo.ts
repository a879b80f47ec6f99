/**
 * An echo server by HTTP/2 and HTTP/1.1 on one port, to be started on each runtime: with the PEM files
 * of a certificate and its key. Pages show how they were asked for.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { attach } from "../../src/node.ts";

const [cert, key] = process.argv.slice(2).map((path) => readFileSync(path, "utf8"));

const server = http2.createSecureServer({ cert, key, allowHTTP1: true });
server.on("request", (request, response) => {
  response.setHeader("content-type", "text/html");
  response.end(`<!doctype html><title>${request.httpVersion}</title>`);
});
const limits = { maxMessageSize: 16 * 1_048_576 };
const sockets = attach(server, { compress: true, limits }, async (session) => {
  const { httpVersion, target } = session.request;
  await session.send(`${target} by ${httpVersion}`);
  for await (const message of session) await session.send(message);
});
server.listen(0, "127.0.0.1", () => {
  console.log(`ws://127.0.0.1:${(server.address() as AddressInfo).port} (TLS)`);
});
process.once("SIGTERM", async () => {
  await sockets.shutdown();
  process.exit(0);
});
