/**
 * The answer that refuses a handshake: from an error to a response, as bytes (HTTP/1.1) or for others to
 * write.
 *
 * @module
 */

import { concat } from "./core/bytes.ts";
import { HandshakeError } from "./core/errors.ts";
import { checkField } from "./core/headers.ts";
import { encodeResponse } from "./core/http.ts";
import { BODILESS, CONNECTION_HEADERS, connectionField } from "./http_responder.ts";

const encoder = new TextEncoder();

/**
 * How to refuse after `error`: as it says if it is a {@linkcode HandshakeError}, else with 500. `onError`
 * is told of all others, and of what cannot be written in an answer: a user's `accept` or `fetch` may
 * throw anything.
 */
export function refusalAfter(error: unknown, onError: (error: unknown) => void): HandshakeError {
  const cause = error instanceof HandshakeError ? findFault(error) : error;
  if (cause === null) return error as HandshakeError;
  onError(cause);
  return new HandshakeError("Internal Server Error", { status: 500, cause });
}

/** Why an error can't be told the client; `null` if it can. */
function findFault(error: HandshakeError): TypeError | null {
  const { status = 400, headers } = error;
  try {
    if (!Number.isInteger(status) || status < 200 || status > 599 || BODILESS.has(status)) {
      throw new TypeError(
        `Cannot refuse with status ${status}: it is not one from 200 to 599 that has a body`,
      );
    }
    for (const [name, value] of headers) checkField(name, value);
    return null;
  } catch (fault) {
    return new TypeError((fault as TypeError).message, { cause: error });
  }
}

/**
 * Whether something is a web `Response`. Nobody makes one without naming that class; where it is named for
 * the first time, Node loads all of `fetch()`, 22 500 objects. So it is not named for anything else.
 */
export function isResponse(value: unknown): value is Response {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype !== Object.prototype && prototype !== null && value instanceof Response;
}

/**
 * Throws a `TypeError` for a response of the user's that can't be written; whoever makes its body learns
 * that nobody reads it.
 */
export function checkAnswer(response: Response, whose: "accept" | "fetch"): void {
  const { status, statusText, headers } = response;
  try {
    if (status === 0) throw new TypeError(`${whose} returned Response.error()`);
    if (status < 200) {
      throw new TypeError(`${whose} returned a Response with status ${status}, which is not final`);
    }
    if (response.body?.locked) {
      throw new TypeError(`${whose} returned a Response whose body is being, or has been, read`);
    }
    checkField("reason", statusText);
    for (const [name, value] of headers) checkField(name, value);
  } catch (error) {
    void dropBody(response);
    throw error;
  }
}

/**
 * The whole response as bytes. A flood is answered by thousands of these: a web `Response` with its
 * streams takes ten times as long.
 */
export function encodeRefusal(error: HandshakeError): Uint8Array {
  const body = encoder.encode(bodyOf(error));
  const fields = fieldsOf(error);
  const head = encodeResponse({
    status: error.status ?? 400,
    headers: [...fields, connectionField(fields), ["content-length", `${body.length}`]],
  });
  return concat([head, body]);
}

/** What `accept` said with a response, as an error. */
export function refusedBy({ status, headers }: Response): HandshakeError {
  return new HandshakeError(`accept() refused with status ${status}`, { status, headers });
}

/** Whoever makes the body of a response that is not sent learns that nobody will read it. */
export async function dropBody({ body }: Response): Promise<void> {
  await body?.cancel().catch(() => {});
}

/** The same as a web `Response`: for HTTP/2, and where nobody else may render it. */
export function toResponse(error: HandshakeError): Response {
  return new Response(bodyOf(error), { status: error.status ?? 400, headers: fieldsOf(error) });
}

function bodyOf({ message }: HandshakeError): string {
  return `${message}\n`;
}

/** Names in lower case. */
function fieldsOf({ headers }: HandshakeError): [name: string, value: string][] {
  const own = headers.map(([name, value]): [string, string] => [name.toLowerCase(), value])
    .filter(([name]) => !CONNECTION_HEADERS.has(name) && name !== "content-length");
  if (!own.some(([name]) => name === "content-type")) {
    own.unshift(["content-type", "text/plain; charset=utf-8"]);
  }
  return own;
}
