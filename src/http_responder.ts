/**
 * Plain HTTP on the same port: one request, one response, then the connection ends. Also how every
 * refused handshake is answered.
 *
 * @module
 */

import type { Timers } from "./clock.ts";
import { concat } from "./core/bytes.ts";
import { encodeResponse } from "./core/http.ts";
import type { Conn } from "./runtime/conn.ts";

/**
 * Answers a plain HTTP request.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type Fetch, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const pages: Fetch = ({ url }) => new Response(`You asked for ${new URL(url).pathname}`);
 * const server = await serve({ port: 0, fetch: pages }, () => {});
 * const { port } = server.addr as TcpAddr;
 * const response = await fetch(`http://127.0.0.1:${port}/about`);
 * assertEquals(await response.text(), "You asked for /about");
 * await server.shutdown();
 * ```
 */
export type Fetch = (request: Request) => Response | Promise<Response>;

/** What is read and dropped behind a response so that the client gets to see it (RFC 9112 9.6). */
const LINGER = { bytes: 65_536, ms: 1000 };

/** The most bytes in one write, so that each resolved write is progress. */
const MAX_WRITE = 262_144;

/** Statuses whose responses have no body (RFC 9110 section 6.4.1). */
export const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** What a response needs beside its Conn. */
export interface ResponderOptions {
  readonly timers: Timers;
  /** Milliseconds for the client to take one write of at most 256 KiB. */
  readonly writeStallTimeout: number;
  /** The request's method: the response to HEAD has no body. */
  readonly method: string;
  /** Aborted when nobody will read the rest of the response's body. */
  readonly signal?: AbortSignal;
}

/**
 * Writes a complete response, or one that is there as bytes, and ends the connection in a way that lets
 * the client read it. Never rejects for what the client does; an error of the response's body stream
 * cuts the response off and is thrown.
 */
export function respond(
  conn: Conn,
  response: Response | Uint8Array,
  options: ResponderOptions,
): Promise<void> {
  return answer(
    conn,
    options,
    (write) =>
      response instanceof Uint8Array ? write(response) : writeResponse(write, response, options),
  );
}

/** The same with an answer of any form, which `send` writes. */
export async function answer(
  conn: Conn,
  { timers, writeStallTimeout }: Pick<ResponderOptions, "timers" | "writeStallTimeout">,
  send: (write: Write) => Promise<void>,
): Promise<void> {
  const write = async (bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length; at += MAX_WRITE) {
      const timer = timers.set(writeStallTimeout, () => conn.close());
      try {
        await conn.write(bytes.subarray(at, at + MAX_WRITE));
      } catch (error) {
        throw new ClientGone("The client does not take the response", { cause: error });
      } finally {
        timer.cancel();
      }
    }
  };
  try {
    await send(write);
    await linger(conn, timers);
  } catch (error) {
    if (!(error instanceof ClientGone)) throw error;
  } finally {
    conn.close();
  }
}

class ClientGone extends Error {}

/** Writes bytes of an answer; rejects once the client does not take them. */
export type Write = (bytes: Uint8Array) => Promise<void>;
type BodyStream = ReadableStreamDefaultReader<Uint8Array>;
type Chunk = ReadableStreamReadResult<Uint8Array>;

/** Header fields that are ours to set: they belong to this connection, not to the response. */
export const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
]);

/** What a response with these fields says of its connection; names are in lower case. */
export function connectionField(
  fields: readonly (readonly [name: string, value: string])[],
): [name: string, value: string] {
  // "A sender of Upgrade MUST also send an "Upgrade" connection option" (RFC 9110 section 7.8)
  const isUpgrade = fields.some(([name]) => name === "upgrade");
  return ["connection", isUpgrade ? "upgrade, close" : "close"];
}

async function writeResponse(
  write: Write,
  response: Response,
  { method, timers, signal }: ResponderOptions,
): Promise<void> {
  const { status, statusText: reason } = response;
  const headers = [...response.headers].filter(([name]) => !CONNECTION_HEADERS.has(name));
  headers.push(connectionField(headers));
  const reader = response.body?.getReader();
  // Whoever makes the body learns that nobody reads it any more; after its end this does nothing.
  const cancel = (): Promise<void> => reader?.cancel().catch(() => {}) ?? Promise.resolve();
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    if (signal?.aborted) return;
    if (method === "HEAD" || BODILESS.has(status)) {
      await write(encodeResponse({ status, reason, headers }));
    } else {
      const framed = headers.filter(([name]) => name !== "content-length");
      const head = (...framing: [string, string]) =>
        encodeResponse({ status, reason, headers: [...framed, framing] });
      await writeBody(write, head, reader, timers);
    }
  } finally {
    signal?.removeEventListener("abort", cancel);
    await cancel();
  }
}

/**
 * A body that is there as a whole, as those made of text or bytes are, leaves in one write with its
 * length; any other as chunks (RFC 9112 section 7.1), each when it comes.
 */
async function writeBody(
  write: Write,
  head: (name: string, value: string) => Uint8Array,
  reader: BodyStream | undefined,
  timers: Timers,
): Promise<void> {
  const first: Chunk = await reader?.read().then(checkChunk) ?? { done: true, value: undefined };
  if (reader === undefined || first.done) return await write(head("content-length", "0"));
  const read = (): Promise<Chunk> => reader.read().then(checkChunk);
  let next = read();
  next.catch(() => {}); // awaited below
  const isAll = await Promise.race([
    next.then(({ done }) => done),
    timers.turn().then(() => false),
  ]);
  if (isAll) {
    return await write(concat([head("content-length", `${first.value.length}`), first.value]));
  }
  await write(concat([head("transfer-encoding", "chunked"), encodeChunk(first.value)]));
  for (let chunk = await next; !chunk.done; chunk = await next) {
    next = read();
    next.catch(() => {});
    if (chunk.value.length > 0) await write(encodeChunk(chunk.value));
  }
  await write(encodeText("0\r\n\r\n"));
}

/** Throws for what a stream of the user's brings in place of bytes. */
function checkChunk(chunk: Chunk): Chunk {
  if (chunk.done || (chunk.value as unknown) instanceof Uint8Array) return chunk;
  throw new TypeError("The response's body is a stream of something else than Uint8Arrays");
}

function encodeChunk(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes; // an empty chunk would end the body
  return concat([encodeText(`${bytes.length.toString(16)}\r\n`), bytes, encodeText("\r\n")]);
}

function encodeText(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/**
 * Ends a connection without a reset, which could make the client lose the response: FIN, then what
 * still comes is dropped until the client's FIN. Past 64 KiB nothing more is read; a second later
 * the connection is gone.
 */
export async function linger(conn: Conn, timers: Timers): Promise<void> {
  const timer = timers.set(LINGER.ms, () => conn.close());
  try {
    await conn.closeWrite();
    let dropped = 0;
    while (dropped < LINGER.bytes) {
      const bytes = await conn.read();
      if (bytes === null) return;
      dropped += bytes.length;
    }
    await new Promise<void>((resolve) => timers.set(LINGER.ms, resolve));
  } catch {
    // The client has reset the connection: it does not want the rest.
  } finally {
    timer.cancel();
  }
}
