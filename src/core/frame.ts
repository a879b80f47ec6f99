/**
 * WebSocket frames as bytes (RFC 6455 section 5.2). Pure functions: bytes in, values out. Every
 * rule that a header can break by itself is checked here; what depends on the role or on earlier
 * frames is checked in protocol.ts.
 *
 * @module
 */

import { CloseCode } from "./close_code.ts";
import { ProtocolError } from "./errors.ts";

/**
 * What a frame carries (RFC 6455 section 11.8).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { decodeHeader, Opcode } from "@twoway/websocket/core";
 *
 * assertEquals(decodeHeader(Uint8Array.of(0x89, 0x00))?.opcode, Opcode.Ping);
 * ```
 */
export const Opcode = {
  Continuation: 0x0,
  Text: 0x1,
  Binary: 0x2,
  Close: 0x8,
  Ping: 0x9,
  Pong: 0xa,
} as const;
/**
 * One of the six opcodes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeHeader, Opcode } from "@twoway/websocket/core";
 *
 * // An empty frame, as servers send it.
 * function emptyFrame(opcode: Opcode): Uint8Array {
 *   return encodeHeader({ fin: true, rsv: 0, opcode, mask: null, length: 0 });
 * }
 * assertEquals([...emptyFrame(Opcode.Pong)], [0x8a, 0x00]);
 * ```
 */
export type Opcode = (typeof Opcode)[keyof typeof Opcode];

/** The first bit after FIN: "compressed" under permessage-deflate (RFC 7692 section 6). */
export const RSV1 = 0b100;

/** The longest payload of a control frame, in bytes (RFC 6455 section 5.5). */
export const MAX_CONTROL_PAYLOAD = 125;

/** The longest header: 2 bytes, 8 of length, 4 of masking key. */
export const MAX_HEADER_SIZE = 14;

/**
 * The head of a frame.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeHeader, type FrameHeader, Opcode } from "@twoway/websocket/core";
 *
 * const text = { fin: true, rsv: 0, opcode: Opcode.Text, length: 5 };
 * const fromServer: FrameHeader = { ...text, mask: null };
 * const fromClient: FrameHeader = { ...text, mask: 0x01020304 };
 * assertEquals([...encodeHeader(fromServer)], [0x81, 0x05]);
 * assertEquals([...encodeHeader(fromClient)], [0x81, 0x85, 1, 2, 3, 4]);
 * ```
 */
export interface FrameHeader {
  /** Whether this is the last frame of its message. */
  readonly fin: boolean;
  /** RSV1 to RSV3 as a number from 0 to 7. */
  readonly rsv: number;
  /** What the frame carries. */
  readonly opcode: Opcode;
  /** The masking key, its first octet most significant; `null` if the frame is not masked. */
  readonly mask: number | null;
  /** Payload bytes. */
  readonly length: number;
}

/**
 * A header read from bytes, and how many of them it took.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type DecodedHeader, decodeHeader } from "@twoway/websocket/core";
 *
 * // The frame's payload, as far as it is there; still masked if the frame is.
 * function payload(bytes: Uint8Array, { size, length }: DecodedHeader): Uint8Array {
 *   return bytes.subarray(size, size + length);
 * }
 * const bytes = Uint8Array.of(0x81, 0x02, 0x68, 0x69);
 * assertEquals([...payload(bytes, decodeHeader(bytes)!)], [0x68, 0x69]);
 * ```
 */
export interface DecodedHeader extends FrameHeader {
  /** Bytes of the header itself. */
  readonly size: number;
}

/** A header that is filled again and again. */
export type MutableHeader = { -readonly [Key in keyof DecodedHeader]: DecodedHeader[Key] };

/** Whether frames of this opcode are control frames (RFC 6455 section 5.5). */
export function isControl(opcode: number): boolean {
  return opcode >= 0x8;
}

/**
 * Reads the header that starts at `bytes[start]`; `null` asks for more bytes. Throws a
 * {@linkcode ProtocolError} at the first byte that breaks a rule.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { decodeHeader, Opcode } from "@twoway/websocket/core";
 *
 * const header = decodeHeader(Uint8Array.of(0x81, 0x02, 0x68, 0x69));
 * assertEquals(header, { fin: true, rsv: 0, opcode: Opcode.Text, mask: null, length: 2, size: 2 });
 * assertEquals(decodeHeader(Uint8Array.of(0x81)), null); // the second byte is missing
 * ```
 */
export function decodeHeader(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
): DecodedHeader | null {
  const header = emptyHeader();
  return readHeader(header, bytes, start, end) ? header : null;
}

/** A header to read into. */
export function emptyHeader(): MutableHeader {
  return { fin: false, rsv: 0, opcode: Opcode.Continuation, mask: null, length: 0, size: 0 };
}

/** Like {@linkcode decodeHeader}, without making an object; returns whether the header is complete. */
export function readHeader(
  header: MutableHeader,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  if (end - start < 1) return false;
  const first = bytes[start];
  const opcode = checkFirstByte(first);
  if (end - start < 2) return false;
  const second = bytes[start + 1];
  const short = second & 0x7f;
  if (isControl(opcode) && short > MAX_CONTROL_PAYLOAD) {
    // "All control frames MUST have a payload length of 125 bytes or less" (5.5)
    throw new ProtocolError("Control frame payload is longer than 125 bytes");
  }
  const masked = (second & 0x80) !== 0;
  const maskAt = start + 2 + (short === 127 ? 8 : short === 126 ? 2 : 0);
  const size = maskAt - start + (masked ? 4 : 0);
  if (end < maskAt) return false;
  header.length = short < 126 ? short : decodeLength(bytes, start + 2, short);
  if (end - start < size) return false;
  header.fin = (first & 0x80) !== 0;
  header.rsv = (first >> 4) & 0b111;
  header.opcode = opcode;
  header.mask = masked ? readUint32(bytes, maskAt) : null;
  header.size = size;
  return true;
}

function checkFirstByte(first: number): Opcode {
  const opcode = first & 0x0f;
  if ((opcode > 0x2 && opcode < 0x8) || opcode > 0xa) {
    // "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_" (5.2)
    throw new ProtocolError(`Opcode ${opcode} is reserved`);
  }
  if (isControl(opcode)) {
    if ((first & 0x80) === 0) throw new ProtocolError("Control frame is fragmented");
    if ((first & 0x70) !== 0) throw new ProtocolError("Control frame has a reserved bit set");
  }
  return opcode as Opcode;
}

function decodeLength(bytes: Uint8Array, at: number, short: number): number {
  if (short === 126) {
    const length = (bytes[at] << 8) | bytes[at + 1];
    if (length < 126) throw notMinimal(length);
    return length;
  }
  const high = readUint32(bytes, at);
  const length = high * 0x1_0000_0000 + readUint32(bytes, at + 4);
  // "the most significant bit MUST be 0" (5.2)
  if (high > 0x7fff_ffff) throw new ProtocolError("Frame length has its most significant bit set");
  if (length < 0x1_0000) throw notMinimal(length);
  if (length > Number.MAX_SAFE_INTEGER) {
    throw new ProtocolError("Frame length exceeds 2^53 - 1 bytes", CloseCode.MessageTooBig);
  }
  return length;
}

// "the minimal number of bytes MUST be used to encode the length" (5.2)
function notMinimal(length: number): ProtocolError {
  return new ProtocolError(`Frame length ${length} is not minimally encoded`);
}

/** The bytes that the header of such a frame takes: 2 to 14. */
export function headerSize(length: number, masked: boolean): number {
  return (length < 126 ? 2 : length < 0x1_0000 ? 4 : 10) + (masked ? 4 : 0);
}

/** Writes a header at `target[at]` and returns the position behind it. */
export function writeHeader(target: Uint8Array, at: number, header: FrameHeader): number {
  const first = (header.fin ? 0x80 : 0) | (header.rsv << 4) | header.opcode;
  return writeHead(target, at, first, header.length, header.mask);
}

/** Like {@linkcode writeHeader}, with FIN, RSV and opcode as they stand in the first byte. */
export function writeHead(
  target: Uint8Array,
  at: number,
  first: number,
  length: number,
  mask: number | null,
): number {
  const maskBit = mask === null ? 0 : 0x80;
  target[at++] = first;
  if (length < 126) {
    target[at++] = maskBit | length;
  } else if (length < 0x1_0000) {
    target[at++] = maskBit | 126;
    target[at++] = length >>> 8;
    target[at++] = length;
  } else {
    target[at++] = maskBit | 127;
    at = writeUint32(target, at, Math.floor(length / 0x1_0000_0000));
    at = writeUint32(target, at, length >>> 0);
  }
  return mask === null ? at : writeUint32(target, at, mask);
}

/**
 * The bytes of a frame's header.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeHeader, Opcode } from "@twoway/websocket/core";
 *
 * const header = { fin: true, rsv: 0, opcode: Opcode.Binary, mask: null, length: 300 };
 * assertEquals([...encodeHeader(header)], [0x82, 126, 0x01, 0x2c]);
 * ```
 */
export function encodeHeader(header: FrameHeader): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(headerSize(header.length, header.mask !== null));
  writeHeader(bytes, 0, header);
  return bytes;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

function writeUint32(target: Uint8Array, at: number, value: number): number {
  target[at++] = value >>> 24;
  target[at++] = value >>> 16;
  target[at++] = value >>> 8;
  target[at++] = value;
  return at;
}
