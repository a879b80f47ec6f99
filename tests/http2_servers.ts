/** Servers of node:http2 for tests, which end with everything that is theirs. @module */

import { assertEquals } from "@std/assert";
import http2 from "node:http2";
import type net from "node:net";
import process from "node:process";
import { guardSession } from "../src/runtime/deno_http2.ts";
import { createCertificates } from "./runtime/certificates.ts";

export const certificates: Awaited<ReturnType<typeof createCertificates>> =
  await createCertificates();

/** What nobody has caught, while this file's tests run. */
const uncaught: unknown[] = [];
process.on("uncaughtException", (error) => uncaught.push(error));
process.on("unhandledRejection", (error) => uncaught.push(error));

/** A server that listens. */
export interface RunningServer {
  readonly server: http2.Http2Server;
  readonly port: number;
  /** `wss://` or `ws://`, host and port. */
  readonly url: string;
  /** Its HTTP/2 connections, those of now. */
  readonly sessions: ReadonlySet<http2.ServerHttp2Session>;
  /** Ends all of it, and throws if anything went uncaught. */
  close(): Promise<void>;
}

/** What a server may differ in. */
export interface ServerOptions {
  /** @default {true} */
  readonly isSecure?: boolean;
  /** Called before it listens. */
  readonly prepare?: (server: http2.Http2Server) => void;
  readonly settings?: http2.Settings;
}

/** Starts a server on a port of the system's choice; for `wss:` it speaks HTTP/1.1, too. */
export async function startHttp2(
  { isSecure = true, prepare, settings }: ServerOptions = {},
): Promise<RunningServer> {
  const { cert, key } = certificates;
  const server = isSecure
    ? http2.createSecureServer({ cert, key, allowHTTP1: true, settings })
    : http2.createServer({ settings });
  const sessions = new Set<http2.ServerHttp2Session>();
  const sockets = new Set<net.Socket>();
  server.on("session", (session) => {
    if (prepare === undefined) guardSession(session); // nobody else does: there is no attach()
    sessions.add(session);
    session.on("error", () => {});
    session.once("close", () => sessions.delete(session));
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  prepare?.(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  return {
    server,
    port,
    url: `${isSecure ? "wss" : "ws"}://127.0.0.1:${port}`,
    sessions,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
      await closed;
      assertEquals(uncaught, []);
    },
  };
}

/** Answers every ordinary request, of either version. */
export function page(request: http2.Http2ServerRequest, response: http2.Http2ServerResponse): void {
  response.setHeader("x-page", "yes");
  response.end(`page ${request.url} by ${request.httpVersion}`);
}

/** A response as it came. */
export interface RawResponse {
  readonly status: number | undefined;
  readonly headers: http2.IncomingHttpHeaders;
  readonly body: string;
}

/** What a request to open a WebSocket consists of; `null` takes a field away. */
export type Changes = Readonly<Record<string, string | string[] | null>>;

/** Sends a request of RFC 8441 with fields changed or added, and reads the response to its end. */
export async function requestRaw(
  session: http2.ClientHttp2Session,
  changes: Changes = {},
): Promise<RawResponse> {
  const fields: Changes = {
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": session.encrypted ? "https" : "http",
    ":authority": "127.0.0.1",
    ":path": "/",
    "sec-websocket-version": "13",
    ...changes,
  };
  const headers = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
  const stream = session.request(headers as http2.OutgoingHttpHeaders, {
    endStream: fields[":method"] !== "CONNECT",
  });
  const answered = new Promise<http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader>(
    (resolve, reject) => {
      stream.once("response", resolve);
      stream.once("error", reject);
      stream.once("close", () => reject(new Error(`closed unanswered (${stream.rstCode})`)));
    },
  );
  const received = await answered;
  let body = "";
  stream.setEncoding("utf8");
  if (received[":status"] !== 200 || fields[":method"] !== "CONNECT") {
    for await (const text of stream) body += text;
  }
  stream.end();
  return { status: received[":status"], headers: received, body };
}
