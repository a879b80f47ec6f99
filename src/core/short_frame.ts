/**
 * Short frames: whole messages of at most 125 bytes, whose header is the shortest (RFC 6455
 * section 5.2). Most frames are, so they are read where they lie, without a header object.
 *
 * @module
 */

import { Opcode } from "./frame.ts";
import { FIN } from "./whole_frame.ts";

/** The first byte of a text in one frame that is not compressed. */
export const WHOLE_TEXT: number = FIN | Opcode.Text;

/** The first byte of a binary message in one frame that is not compressed. */
export const WHOLE_BINARY: number = FIN | Opcode.Binary;

/** Payload bytes at most: longer ones have longer headers. */
export const MAX_SHORT_PAYLOAD = 125;

/** The bit of the second byte that says that a masking key follows. */
const MASK = 0x80;

/** Bytes before the payload of a short frame, without and with a masking key. */
const HEADER = 2;
const MASKED_HEADER = 6;

/** Bytes before the payload. */
export function shortHeaderSize(isMasked: boolean): number {
  return isMasked ? MASKED_HEADER : HEADER;
}

/**
 * Payload bytes of the frame that begins at `input[at]`; -1 if it is longer than a short one, not all
 * there, or not masked as it should be. Its first byte is not looked at.
 */
export function shortLength(input: Uint8Array, at: number, isMasked: boolean): number {
  const start = at + shortHeaderSize(isMasked);
  if (start > input.length) return -1;
  const length = isMasked ? input[at + 1] - MASK : input[at + 1]; // without the bit it is negative
  const isShort = length >= 0 && length <= MAX_SHORT_PAYLOAD;
  return isShort && start + length <= input.length ? length : -1;
}

/** The masking key of the short frame that begins at `input[at]`, as a signed number. */
export function shortKey(input: Uint8Array, at: number): number {
  return (input[at + 2] << 24) | (input[at + 3] << 16) | (input[at + 4] << 8) | input[at + 5];
}
