/**
 * Frames that a peer may send, as bytes, and what they amount to: sections 3 and 5 of the
 * catalogue, for both roles.
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

/** Bytes that a peer sends, and what they amount to. */
export interface Vector {
  /** What must happen: the name of its test. */
  readonly name: string;
  /** The bytes for an end of this role; `null` where the case is not for it. */
  readonly wire: (role: Role) => Uint8Array | null;
  /** The lines of its transcript. */
  readonly events: readonly string[];
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

function both(name: string, frames: readonly RawFrame[], ...events: string[]): Vector {
  return { name, events, wire: (role) => wire(role, ...frames) };
}

/** Bytes as they are, for one role. */
function only(role: Role, name: string, bytes: string, ...events: string[]): Vector {
  return { name, events, wire: (asked) => asked === role ? hex(bytes) : null };
}

function fails(name: string, frames: readonly RawFrame[], error: string): Vector {
  // What follows a broken rule is not looked at.
  return both(name, [...frames, frame(0x81, "more")], `error ${error}`);
}

const TEXT = 0x81;
const BINARY = 0x82;
const PING = 0x89;
const PONG = 0x8a;
const CLOSE = 0x88;
const NOT_FIN = 0x80;

const GOOD = frame(TEXT, "good");
const BYTES_125 = new Uint8Array(125).map((_, i) => i);
const BYTES_126 = new Uint8Array(126).fill(7);
const UNMASKED = "1002 Frame from the client is not masked";
const MASKED = "1002 Frame from the server is masked";
const RSV = "1002 A reserved bit is set that no extension has defined";
const CONTROL_RSV = "1002 Control frame has a reserved bit set";
const FRAGMENTED_CONTROL = "1002 Control frame is fragmented";
const LONG_CONTROL = "1002 Control frame payload is longer than 125 bytes";
const ORPHAN = "1002 Continuation frame without a message to continue";
const INTERLEAVED = "1002 A new message begins before the last one is complete";
const TOO_LONG = "1009 Message is longer than 1048576 bytes (limits.maxMessageSize)";
const NOT_UTF8 = "1007 Text is not valid UTF-8";

const DIRECTION: readonly Vector[] = [
  only("server", "F-1 unmasked text to a server", "81 02 68 69", `error ${UNMASKED}`),
  only("server", "F-1 unmasked ping to a server", "89 00", `error ${UNMASKED}`),
  only("server", "F-1 unmasked close to a server", "88 02 03e8", `error ${UNMASKED}`),
  only("server", "F-1 unmasked long binary to a server", "82 7e 0100", `error ${UNMASKED}`),
  only("client", "F-2 masked text to a client", "81 85 01020304 69676f686e", `error ${MASKED}`),
  only("client", "F-2 masked close to a client", "88 82 03e80000 0000", `error ${MASKED}`),
  only("client", "F-2 masked empty ping to a client", "89 80 01020304", `error ${MASKED}`),
  only("server", "F-3 mask key 00000000", "81 82 00000000 6869", 'text "hi"'),
  only("server", "F-3 mask key ffffffff", "82 82 ffffffff 00ff", "binary ff00"),
  only("server", '"Hello" as RFC 6455 5.7 has it', "81 85 37fa213d 7f9f4d5158", 'text "Hello"'),
];

const RESERVED_BITS: readonly Vector[] = [0x40, 0x20, 0x10, 0x70].flatMap((bits) => {
  const name = `F-10 reserved bits ${bits.toString(16)} on`;
  return [
    fails(`${name} a text message`, [GOOD, frame(TEXT | bits, "x")], RSV).asAfterGood(),
    fails(`${name} a binary message`, [frame(BINARY | bits, "x")], RSV),
    fails(`${name} a first fragment`, [frame(bits | 1, "x")], RSV),
    fails(`${name} a continuation`, [frame(1, "x"), frame(NOT_FIN | bits, "x")], RSV),
    fails(`${name} a ping`, [frame(PING | bits)], CONTROL_RSV),
    fails(`${name} a pong`, [frame(PONG | bits)], CONTROL_RSV),
    fails(`${name} a close`, [frame(CLOSE | bits)], CONTROL_RSV),
  ];
});
