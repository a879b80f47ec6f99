/**
 * Frames that are whole messages, or control frames, as bytes (RFC 6455 section 5.2).
 *
 * @module
 */

import { headerSize, type Opcode, writeHead } from "./frame.ts";
import { copyMasked } from "./mask.ts";

/** The bit of a frame's first byte that says that it is its message's last. */
export const FIN = 0x80;

/** The bytes of a frame. */
export function encodeFrame(
  opcode: Opcode,
  payload: Uint8Array,
  mask: number | null,
  rsv: number = 0,
): Uint8Array {
  const frame = new Uint8Array(headerSize(payload.length, mask !== null) + payload.length);
  writeFrame(frame, 0, opcode, payload, mask, rsv);
  return frame;
}

/** Writes a frame at `target[at]`. */
export function writeFrame(
  target: Uint8Array,
  at: number,
  opcode: Opcode,
  payload: Uint8Array,
  mask: number | null,
  rsv: number,
): void {
  const { length } = payload;
  const start = writeHead(target, at, FIN | (rsv << 4) | opcode, length, mask);
  copyMasked(target, start, payload, 0, length, mask ?? 0);
}
