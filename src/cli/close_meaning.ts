/**
 * Close codes in words (RFC 6455 section 7.4 and the IANA registry), and how a session ended.
 *
 * @module
 */

import { type CloseStatus, ProtocolError, TimeoutError } from "../../mod.ts";
import { showText } from "./text.ts";

const MEANINGS: Readonly<Record<number, string>> = {
  1000: "normal closure",
  1001: "going away",
  1002: "protocol error",
  1003: "unsupported data",
  1004: "reserved",
  1005: "no code given",
  1006: "no Close frame arrived",
  1007: "invalid payload",
  1008: "policy violation",
  1009: "message too big",
  1010: "an extension is missing",
  1011: "internal error",
  1012: "service restart",
  1013: "try again later",
  1014: "bad gateway",
  1015: "TLS handshake failed",
  3000: "unauthorized",
  3003: "forbidden",
  3008: "timeout",
};

/** What a close code means, in a few words. */
export function closeMeaning(code: number): string {
  const meaning = MEANINGS[code];
  if (meaning !== undefined) return meaning;
  if (code >= 4000 && code <= 4999) return "the application's own";
  return code >= 3000 && code <= 3999 ? "registered for a library or framework" : "not assigned";
}

/** Which side of the conversation the peer is. */
export type Peer = "server" | "client";

/** How a session ended, in one line; `sent` is the code that this side closed it with, if it did. */
export function describeEnd(status: CloseStatus, peer: Peer, sent?: number): string {
  const { code, reason, wasClean, error } = status;
  if (error instanceof ProtocolError) {
    return `Closed by us with ${showCode(error.closeCode)}: ${showText(error.message)}`;
  }
  if (error instanceof TimeoutError || error instanceof RangeError) {
    return `Dropped by us: ${error.message}`;
  }
  if (error !== undefined || code === 1006) {
    const why = error instanceof Error ? `: ${showText(error.message)}` : "";
    return `Connection lost, ${showCode(code)}${why}`;
  }
  const text = reason === "" ? "" : `: "${showText(reason)}"`;
  if (sent === undefined) {
    const hitch = wasClean ? "" : ", but could not be answered";
    return `Closed by the ${peer} with ${showCode(code)}${text}${hitch}`;
  }
  const isEcho = text === "" && (code === sent || code === 1005);
  const answer = isEcho ? "" : `; the ${peer} answered ${showCode(code)}${text}`;
  return `Closed by us with ${showCode(sent)}${answer}`;
}

function showCode(code: number): string {
  return `${code} (${closeMeaning(code)})`;
}

/** Whether a session ended in good order: 1000, 1001 or no code, and a whole closing handshake. */
export function isGoodEnd({ code, wasClean, error }: CloseStatus): boolean {
  return wasClean && error === undefined && (code === 1000 || code === 1001 || code === 1005);
}
