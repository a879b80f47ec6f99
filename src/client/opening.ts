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
import { type HeadLimits, HeadReader } from "../core/head_reader.ts";
import { encodeRequest, type RequestHead, type ResponseHead } from "../core/http.ts";
import { type Conn, prepend } from "../runtime/conn.ts";
import type { Leg } from "./target.ts";

/** The request, and what its answer is checked against. */
interface Opening extends RequestOptions {
  readonly head: RequestHead;
}

/** What the client wants besides the connection. */
export interface OpeningOffers {
  readonly protocols?: readonly string[];
  readonly origin?: string;
  readonly extensions?: string;
}

/** A request with a fresh key. Throws a `TypeError` for what can't stand in one. */
function createOpening(
  { target: { host, path }, headers }: Leg,
  { protocols = [], origin, extensions }: OpeningOffers,
): Opening {
  const key = createKey(crypto.getRandomValues(new Uint8Array(16)));
  const request = { host, target: path, key, protocols, extensions, headers, origin };
  return { ...request, head: createRequest(request) };
}

/** What a server has answered to a request to open a WebSocket. */
export interface Reply {
  readonly head: RequestHead;
  readonly response: ResponseHead;
  /**
   * The connection, and what both have agreed on. Rejects with a {@linkcode HandshakeError}; `why`
   * says more of a refusal.
   */
  open(why?: string): Promise<{ readonly conn: Conn; readonly agreement: Agreement }>;
  /** Ends the connection. */
  close(): void;
}

/** Connects, sends the request and reads what the server answers. */
export async function ask(
  leg: Leg,
  offers: OpeningOffers,
  limits: HeadLimits,
  dial: () => Promise<Conn>,
): Promise<Reply> {
  const opening = createOpening(leg, offers);
  const conn = await dial();
  await conn.write(encodeRequest(opening.head));
  const answer = await readAnswer(conn, () => HeadReader.forResponses(limits), "server");
  return {
    head: opening.head,
    response: answer.response,
    async open(why) {
      const agreement = await checkAnswer(conn, opening, answer, why);
      return { conn: prepend(conn, answer.rest), agreement };
    },
    close: () => conn.close(),
  };
}

/** What both have agreed on. Throws a {@linkcode HandshakeError}; `why` says more of a refusal. */
async function checkAnswer(
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
