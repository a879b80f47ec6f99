/**
 * What a server, or a proxy, answers to a request: the response that counts, and of a refusal the
 * beginning of its body.
 *
 * @module
 */

import { type BodyFraming, BodyReader } from "../core/body.ts";
import { HandshakeError } from "../core/errors.ts";
import type { HeadReader } from "../core/head_reader.ts";
import type { ResponseHead } from "../core/http.ts";
import type { Conn } from "../runtime/conn.ts";

/** A response's head, and the bytes that came behind it. */
export interface Answer {
  readonly response: ResponseHead;
  readonly rest: Uint8Array;
}

/** The most interim responses, such as 103 Early Hints, before the one that counts. */
const MAX_INTERIM = 8;

/** How much of a refusal's body is kept. */
const MAX_REFUSAL_BODY = 65_536;

/** Reads the response that counts; `who` sends it. */
export async function readAnswer(
  conn: Conn,
  createReader: () => HeadReader<ResponseHead>,
  who: "server" | "proxy",
): Promise<Answer> {
  let early: Uint8Array = new Uint8Array(0);
  for (let count = 0; count <= MAX_INTERIM; count++) {
    const reader = createReader();
    let response = early.length === 0 ? null : reader.receive(early);
    while (response === null) {
      const bytes = await conn.read();
      if (bytes === null) throw new HandshakeError(`The ${who} closed the connection unanswered`);
      response = reader.receive(bytes);
    }
    if (!isInterim(response.status)) return { response, rest: reader.rest };
    early = reader.rest;
  }
  throw new HandshakeError(`The ${who} sent more than ${MAX_INTERIM} interim responses`);
}

/** 100 Continue and 103 Early Hints; 102 has no place before the answer to a GET. */
function isInterim(status: number): boolean {
  return status === 100 || status === 103;
}

/** The error for a response that refuses, with its status, its fields and the beginning of its body. */
export async function refusal(
  message: string,
  conn: Conn,
  { response, rest }: Answer,
): Promise<HandshakeError> {
  const { status, headers } = response;
  return new HandshakeError(message, {
    status,
    headers,
    body: await readBody(conn, response, rest),
  });
}

/** The first 64 KiB of the body; what is broken or missing is left out. */
async function readBody(
  conn: Conn,
  { headers, status }: ResponseHead,
  rest: Uint8Array,
): Promise<Uint8Array> {
  const length = Number(headers.get("content-length") ?? NaN);
  const isChunked = headers.get("transfer-encoding")?.toLowerCase() === "chunked";
  const framing: BodyFraming = status < 200 || status === 204 || status === 304
    ? { kind: "none" }
    : isChunked
    ? { kind: "chunked" }
    : Number.isSafeInteger(length) && length >= 0
    ? { kind: "length", length }
    : { kind: "end" };
  const body = new BodyReader(framing, MAX_REFUSAL_BODY, "truncate");
  try {
    body.receive(rest);
    while (!body.isComplete) {
      const bytes = await conn.read();
      if (bytes === null) break;
      body.receive(bytes);
    }
  } catch {
    // The status is what counts.
  }
  return body.bytes;
}
