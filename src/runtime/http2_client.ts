/**
 * What a client needs of HTTP/2: only types, since most programs never load `node:http2`.
 *
 * @module
 */

import type { Conn } from "./conn.ts";

/**
 * An HTTP/2 connection of a client, made by `connect()` of `node:http2`, which Deno, Bun and Node all
 * have: its `ClientHttp2Session`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, type Http2Session } from "@twoway/websocket";
 * import { attach } from "@twoway/websocket/node";
 * import http2 from "node:http2";
 * import type { AddressInfo } from "node:net";
 *
 * const server = http2.createServer();
 * attach(server, {}, (session) => session.send(`${session.request.target}`));
 * await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
 * const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
 *
 * const shared = http2.connect(`http://${host}`);
 * const open = (path: string, http2: Http2Session) => connect(`ws://${host}${path}`, { http2 });
 * const sessions = await Promise.all([open("/a", shared), open("/b", shared)]);
 * assertEquals(await Promise.all(sessions.map((session) => session.receive())), ["/a", "/b"]);
 * await Promise.all(sessions.map((session) => session.close()));
 * shared.close();
 * server.close();
 * ```
 */
export interface Http2Session {
  /** Whether it is gone. */
  readonly destroyed: boolean;
  /** Whether it takes no more requests. */
  readonly closed: boolean;
  /** Whether it is encrypted; not known before it is connected. */
  readonly encrypted?: boolean | undefined;
  /** Sends a request. */
  // deno-lint-ignore no-explicit-any -- the types of node:http2 are not everybody's
  request(headers?: any, options?: any): unknown;
}

/** A field of an HTTP/2 message, pseudo-header fields such as `:status` among them. */
export type Http2Field = readonly [name: string, value: string];

/** A response whose head has arrived; what follows it is the Conn's. */
export interface Http2Answer {
  readonly fields: readonly Http2Field[];
  readonly conn: Conn;
}

/** An HTTP/2 connection that carries requests. */
export interface Http2Client {
  /** Whether it is encrypted. */
  readonly isSecure: boolean;
  /**
   * Whether the server takes an extended CONNECT: waits for its SETTINGS (RFC 8441 section 3). Rejects
   * when the connection ends before that.
   */
  canConnect(signal: AbortSignal): Promise<boolean>;
  /** Opens a stream; the signal gives it up until the response is there. */
  request(fields: Iterable<Http2Field>, signal: AbortSignal): Promise<Http2Answer>;
  /** Ends the connection, if it was made for one stream alone. Idempotent; never throws. */
  close(): void;
}
