/**
 * The client's side of the opening handshake (RFC 6455 section 4.1) over a connection that is there.
 *
 * @module
 */

import { type Answer, readAnswer, refusal } from "./answer.ts";
import { HandshakeError } from "../core/errors.ts";
import {
  type Agreement,
  checkResponse,
  createKey,
  createRequest,
  type RequestOptions,
} from "../core/handshake.ts";
import { encodeRequest, type HeadLimits, HeadReader, type RequestHead } from "../core/http.ts";
import type { Conn } from "../runtime/conn.ts";
import type { Leg } from "./target.ts";

/** The request, and what its answer is checked against. */
export interface Opening extends RequestOptions {
  readonly head: RequestHead;
}

/** A request with a fresh key. Throws a `TypeError` for what can't stand in one. */
export function createOpening(
  { target: { host, path }, headers }: Leg,
  { protocols = [], origin, extensions }: {
    readonly protocols?: readonly string[];
    readonly origin?: string;
    readonly extensions?: string;
  },
): Opening {
  const key = createKey(crypto.getRandomValues(new Uint8Array(16)));
  const request = { host, target: path, key, protocols, extensions, headers, origin };
  return { ...request, head: createRequest(request) };
}

/** Sends the request and reads what the server answers. */
export async function exchange(conn: Conn, { head }: Opening, limits: HeadLimits): Promise<Answer> {
  await conn.write(encodeRequest(head));
  return await readAnswer(conn, () => HeadReader.forResponses(limits), "server");
}

/** What both have agreed on. Throws a {@linkcode HandshakeError}; `why` says more of a refusal. */
export async function checkAnswer(
  conn: Conn,
  opening: Opening,
  answer: Answer,
  why: string = "",
): Promise<Agreement> {
  try {
    return await checkResponse(answer.response, opening);
  } catch (error) {
    if (!(error instanceof HandshakeError) || answer.response.status < 200) throw error;
    throw await refusal(error.message + why, conn, answer);
  }
}
