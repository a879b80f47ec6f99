/**
 * What a peer sends, as bytes: frames that may be illegal in any way, for an end of either role.
 *
 * @module
 */

import { decodeHex, encodeHex } from "@std/encoding/hex";
import type { Role } from "../../src/core/receiver.ts";
import { joinBytes, MASK, xor } from "../frames.ts";

/** A frame before the peer's role is known: it may be illegal in any way. */
export interface RawFrame {
  readonly first: number;
  /** The length field without mask bit, in hex, as long as it may be. */
  readonly length: string;
  /** The payload before masking. */
  readonly payload: Uint8Array;
}

/** The bytes of `text` in UTF-8. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Bytes from hex digits with spaces. */
export function hex(digits: string): Uint8Array<ArrayBuffer> {
  return decodeHex(digits.replaceAll(" ", ""));
}

/** A frame whose length field is minimal, unless it is given. */
export function frame(first: number, payload: string | Uint8Array = "", length?: string): RawFrame {
  const bytes = typeof payload === "string" ? utf8(payload) : payload;
  return { first, payload: bytes, length: length ?? minimal(bytes.length) };
}

/** A Close frame. */
export function closeFrame(code: number, reason: string | Uint8Array = ""): RawFrame {
  const text = typeof reason === "string" ? utf8(reason) : reason;
  return frame(0x88, joinBytes([code >> 8, code & 0xff], text));
}

function minimal(length: number): string {
  const digits = length.toString(16);
  if (length < 126) return digits.padStart(2, "0");
  return length < 65_536 ? `7e${digits.padStart(4, "0")}` : `7f${digits.padStart(16, "0")}`;
}

/** What the peer of an end of this role sends: a server's peer masks with 01 02 03 04. */
export function wire(role: Role, ...frames: readonly RawFrame[]): Uint8Array<ArrayBuffer> {
  return joinBytes(...frames.map(({ first, length, payload }) => {
    const field = hex(length);
    if (role === "client") return joinBytes([first], field, payload);
    field[0] |= 0x80;
    return joinBytes([first], field, MASK, xor(payload, MASK));
  }));
}

/** The line of a binary message, ping or pong with these bytes. */
export function line(type: "binary" | "ping" | "pong", payload: Uint8Array): string {
  return `${type} ${encodeHex(payload)}`;
}
