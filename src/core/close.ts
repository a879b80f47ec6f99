/**
 * The payload of Close frames as bytes (RFC 6455 section 5.5.1), and what a finished connection
 * knows of its end.
 *
 * @module
 */

import { CloseCode, isValidCloseCode } from "./close_code.ts";
import { ProtocolError } from "./errors.ts";
import { MAX_CONTROL_PAYLOAD } from "./frame.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/**
 * How a connection ended.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type CloseStatus, connect, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const server = await serve({ port: 0 }, (session) => session.close(1001, "lunch"));
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`);
 * assertEquals(await session.receive(), null); // there will be no message
 *
 * const { code, reason, wasClean }: CloseStatus = await session.closed;
 * assertEquals([code, reason, wasClean], [1001, "lunch", true]);
 * await server.shutdown();
 * ```
 */
export interface CloseStatus {
  /** The code of the peer's Close frame: 1005 if it had none, 1006 if no Close frame came. */
  readonly code: number;
  /** The reason in the peer's Close frame; empty if there was none. */
  readonly reason: string;
  /** Whether both sides sent a Close frame before the connection ended (RFC 6455 section 7.1.4). */
  readonly wasClean: boolean;
  /** Why this side ended the connection because something was wrong, or how it broke, where the system tells. */
  readonly error?: unknown;
}

/** The longest reason, in bytes of UTF-8: a control frame's payload less the code. */
export const MAX_REASON_SIZE: number = MAX_CONTROL_PAYLOAD - 2;

/**
 * Code and reason of a Close frame; code 1005 stands for an empty payload.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type ClosePayload, decodeClose, encodeClose } from "@twoway/websocket/core";
 *
 * const { code, reason }: ClosePayload = decodeClose(encodeClose(4000, "lunch"));
 * assertEquals([code, reason], [4000, "lunch"]);
 * ```
 */
export interface ClosePayload {
  /** The code: 1005 if there was none. */
  readonly code: number;
  /** The reason: empty if there was none. */
  readonly reason: string;
}

/**
 * Reads a Close frame's payload. Throws a {@linkcode ProtocolError} if it breaks a rule.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { decodeClose, ProtocolError } from "@twoway/websocket/core";
 *
 * assertEquals(decodeClose(Uint8Array.of(0x03, 0xe8, 0x68, 0x69)), { code: 1000, reason: "hi" });
 * assertEquals(decodeClose(new Uint8Array(0)), { code: 1005, reason: "" });
 * assertThrows(() => decodeClose(Uint8Array.of(0x03, 0xed)), ProtocolError, "1005");
 * ```
 */
export function decodeClose(payload: Uint8Array): ClosePayload {
  if (payload.length === 0) return { code: CloseCode.NoStatus, reason: "" };
  // "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer" (5.5.1)
  if (payload.length === 1) throw new ProtocolError("Close frame has a payload of 1 byte");
  const code = (payload[0] << 8) | payload[1];
  if (!isValidCloseCode(code)) throw new ProtocolError(`Close code ${code} is not allowed`);
  return { code, reason: decodeUtf8(payload.subarray(2)) };
}

/**
 * Makes a Close frame's payload; without a code an empty one.
 *
 * Throws a `TypeError` if `code` is not a number, `reason` not a string with only whole
 * characters, or a reason comes without a code; a `RangeError` if the code may not be sent
 * (RFC 6455 section 7.4) or the reason is longer than 123 bytes of UTF-8.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { encodeClose } from "@twoway/websocket/core";
 *
 * assertEquals([...encodeClose(1000, "hi")], [0x03, 0xe8, 0x68, 0x69]);
 * assertEquals(encodeClose().length, 0);
 * assertThrows(() => encodeClose(1006), RangeError, "1006"); // never on the wire
 * ```
 */
export function encodeClose(code?: number, reason: string = ""): Uint8Array<ArrayBuffer> {
  if (typeof reason !== "string") {
    throw new TypeError(`Cannot close: the reason is of type ${typeof reason}, not string`);
  }
  if (code === undefined) {
    if (reason !== "") throw new TypeError("Cannot close: a reason needs a code");
    return new Uint8Array(0);
  }
  if (typeof code !== "number") {
    throw new TypeError(`Cannot close: the code is of type ${typeof code}, not number`);
  }
  if (!isValidCloseCode(code)) {
    throw new RangeError(
      `Cannot close: code ${code} is not one of 1000-1003, 1007-1014, 3000-4999`,
    );
  }
  if (hasLoneSurrogate(reason)) {
    throw new TypeError("Cannot close: the reason contains a lone surrogate");
  }
  const text = encodeUtf8(reason);
  if (text.length > MAX_REASON_SIZE) {
    throw new RangeError(
      `Cannot close: the reason is ${text.length} bytes long, more than ${MAX_REASON_SIZE}`,
    );
  }
  const payload = new Uint8Array(2 + text.length);
  payload[0] = code >>> 8;
  payload[1] = code;
  payload.set(text, 2);
  return payload;
}

/**
 * `text` without the end that does not fit into a Close frame; never cut inside a character. A lone
 * surrogate becomes U+FFFD.
 */
export function truncateReason(text: string): string {
  const room = new Uint8Array(MAX_REASON_SIZE);
  const { written } = new TextEncoder().encodeInto(text, room);
  return decodeUtf8(room.subarray(0, written));
}

function hasLoneSurrogate(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}
