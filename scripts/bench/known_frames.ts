/** Frames whose echo is known to the byte. @module */

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

/** The same frame several times, one behind the other. */
export function repeatFrame(frame: Uint8Array, times: number): Uint8Array {
  const bytes = new Uint8Array(frame.length * times);
  for (let i = 0; i < times; i++) bytes.set(frame, i * frame.length);
  return bytes;
}

function joined(head: readonly number[], payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(head.length + payload.length);
  bytes.set(head);
  bytes.set(payload, head.length);
  return bytes;
}
