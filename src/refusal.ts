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
import { BODILESS, CONNECTION_HEADERS } from "./http_responder.ts";

const encoder = new TextEncoder();

const CONTENT_TYPE: readonly [string, string] = ["content-type", "text/plain; charset=utf-8"];

/**
 * How to refuse after `error`: as it says if it is a {@linkcode HandshakeError}, else with 500. `onError`
 * is told of all others, and of what cannot be written in an answer: a user's `accept` or `fetch` may
 * throw anything.
 */
export function refusalAfter(error: unknown, onError: (error: unknown) => void): HandshakeError {
  try {
    if (!(error instanceof HandshakeError)) throw error;
    checkWritable(error);
    return error;
  } catch (fault) {
    onError(fault);
    return new HandshakeError("Internal Server Error", { status: 500, cause: error });
  }
}

function checkWritable({ status = 400, headers }: HandshakeError): void {
  const isFinal = Number.isInteger(status) && status >= 200 && status <= 599;
  if (!isFinal || BODILESS.has(status)) {
    throw new TypeError(
      `Cannot refuse with status ${status}: it is not one from 200 to 599 that has a body`,
    );
  }
  for (const [name, value] of headers) checkField(name, value);
}

/**
 * The whole response as bytes. A flood is answered by thousands of these: a web `Response` with its
 * streams takes ten times as long.
 */
export function encodeRefusal({ status = 400, headers, message }: HandshakeError): Uint8Array {
  const body = encoder.encode(`${message}\n`);
  const own = headers.map(([name, value]): [string, string] => [name.toLowerCase(), value])
    .filter(([name]) => !CONNECTION_HEADERS.has(name) && name !== "content-length");
  const isUpgrade = own.some(([name]) => name === "upgrade");
  const fields: readonly (readonly [string, string])[] = [
    CONTENT_TYPE,
    ...own,
    // "A sender of Upgrade MUST also send an "Upgrade" connection option" (RFC 9110 section 7.8)
    ["connection", isUpgrade ? "upgrade, close" : "close"],
    ["content-length", `${body.length}`],
  ];
  return concat([encodeResponse({ status, headers: fields }), body]);
}

/** The same for those who do not write HTTP/1.1. */
export function toResponse({ status = 400, headers, message }: HandshakeError): Response {
  const fields = new Headers([[...CONTENT_TYPE]]);
  for (const [name, value] of headers) fields.append(name, value);
  return new Response(`${message}\n`, { status, headers: fields });
}
