/** Frames whose echo is known to the byte. @module */

import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { jsonMessages } from "./records.ts";

/** The payload: letters, so that it is the same as text and as bytes. */
function payloadOf(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => 0x61 + i % 26);
}

function header(size: number, isText: boolean, maskBit: number): number[] {
  const first = isText ? 0x81 : 0x82;
  if (size < 126) return [first, maskBit | size];
  if (size < 65_536) return [first, maskBit | 126, size >> 8, size & 0xff];
  const bytes = [24, 16, 8, 0].map((shift) => (size >>> shift) & 0xff);
  return [first, maskBit | 127, 0, 0, 0, 0, ...bytes];
}

/** What a broadcast sends: the payload of `echoFrame(100, false)`. */
export function broadcastPayload(): Uint8Array {
  return payloadOf(100);
}

/** What comes back for {@linkcode requestFrame}. */
export function echoFrame(size: number, isText: boolean): Uint8Array {
  return joined(header(size, isText, 0), payloadOf(size));
}

/** A masked frame with `size` letters, or with `text`. */
export function requestFrame(size: number, isText: boolean, text?: string): Uint8Array {
  const payload = text === undefined ? payloadOf(size) : new TextEncoder().encode(text);
  const key = [0x37, 0xfa, 0x21, 0x3d];
  const head = [...header(payload.length, isText, 0x80), ...key];
  return joined(head, payload.map((byte, i) => byte ^ key[i & 3]));
}

/** Shorter messages are letters: no JSON worth the name is so short. */
const MIN_JSON = 1024;

/** The message of {@linkcode compressedFrame}. */
export function compressibleText(size: number): string {
  if (size >= MIN_JSON) return jsonMessages(size, 1)[0];
  return new TextDecoder().decode(payloadOf(size));
}

/** A masked frame with that text, compressed as RFC 7692 section 7.2.1 says. */
export function compressedFrame(size: number): Uint8Array {
  const deflated = deflateRawSync(compressibleText(size), { finishFlush: constants.Z_SYNC_FLUSH });
  const payload = new Uint8Array(deflated.subarray(0, -4));
  const key = [0x37, 0xfa, 0x21, 0x3d];
  const head = header(payload.length, true, 0x80);
  head[0] |= RSV1;
  return joined([...head, ...key], payload.map((byte, i) => byte ^ key[i & 3]));
}

const RSV1 = 0x40;

/** The text of a server's first frame, compressed or not, and the frame; `null` if it is not whole. */
export function readFrame(bytes: Uint8Array): { text: string; frame: Uint8Array } | null {
  const [size, start] = lengthOf(bytes);
  if (bytes.length < start + size) return null;
  const payload = bytes.subarray(start, start + size);
  const frame = bytes.subarray(0, start + size);
  if ((bytes[0] & RSV1) === 0) return { text: new TextDecoder().decode(payload), frame };
  const tail = Uint8Array.of(0, 0, 0xff, 0xff);
  const inflated = inflateRawSync(joined(payload, tail), { finishFlush: constants.Z_SYNC_FLUSH });
  return { text: inflated.toString(), frame };
}

/** The length of a frame's payload and of its header; infinite while that is not whole. */
function lengthOf(bytes: Uint8Array): [size: number, start: number] {
  if (bytes.length < 10) return bytes[1] < 126 ? [bytes[1], 2] : [Infinity, 10];
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (bytes[1] < 126) return [bytes[1], 2];
  return bytes[1] === 126 ? [view.getUint16(2), 4] : [view.getUint32(6), 10];
}

/** The same frame several times, one behind the other. */
export function repeatFrame(frame: Uint8Array, times: number): Uint8Array {
  const bytes = new Uint8Array(frame.length * times);
  for (let i = 0; i < times; i++) bytes.set(frame, i * frame.length);
  return bytes;
}

function joined(head: ArrayLike<number>, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(head.length + payload.length);
  bytes.set(head);
  bytes.set(payload, head.length);
  return bytes;
}
