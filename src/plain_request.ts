/**
 * Plain HTTP requests, which ask for no WebSocket: what they may be, and their bodies.
 *
 * @module
 */

import type { Cancellation } from "./cancellation.ts";
import { BodyReader, requestBodyFraming } from "./core/body.ts";
import { HandshakeError } from "./core/errors.ts";
import { encodeResponse } from "./core/http.ts";
import type { LookaheadConn } from "./lookahead.ts";
import type { ReceivedHead } from "./request_info.ts";

/**
 * For a request where nothing but WebSockets is served. "426 (Upgrade Required)": the server "MUST send an
 * Upgrade header field" (RFC 9110 section 15.5.22)
 */
export function upgradeRequired(): HandshakeError {
  return new HandshakeError("This is a WebSocket server: the request has no Upgrade: websocket", {
    status: 426,
    headers: [["upgrade", "websocket"]],
  });
}

/** Throws for the methods that a web `Request` can't have. */
export function checkMethod(method: string): void {
  if (!/^(?:connect|trace|track)$/i.test(method)) return;
  throw new HandshakeError(`Method ${method} is not supported`, { status: 501 });
}

/**
 * Reads the body of a plain request, whose first bytes may have come with its head. Throws a
 * {@linkcode HandshakeError} with the status to refuse with (400, 413, 417).
 */
export async function readBody(
  conn: LookaheadConn,
  { head, rest }: ReceivedHead,
  maxBodySize: number,
  cancellation: Cancellation,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const framing = requestBodyFraming(head);
  const expectation = head.headers.get("expect");
  if (expectation !== null && expectation.toLowerCase() !== "100-continue") {
    throw new HandshakeError("Cannot meet the expectation: only 100-continue is", { status: 417 });
  }
  const body = new BodyReader(framing, maxBodySize);
  if (framing.kind === "none") return null;
  body.receive(rest);
  if (expectation !== null && !body.isComplete) {
    await conn.write(encodeResponse({ status: 100, headers: [] }));
  }
  while (!body.isComplete) {
    const bytes = await conn.readUnless(cancellation);
    if (bytes === null) throw new HandshakeError("The body is incomplete", { status: 400 });
    body.receive(bytes);
  }
  return body.bytes;
}
