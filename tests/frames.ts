/**
 * Frames as bytes, written from RFC 6455 section 5 alone and apart from src: the oracle for what
 * this library writes, and the maker of what it reads.
 *
 * @module
 */

/** One frame as it stands on the wire; `payload` is unmasked. */
export interface Frame {
  fin: boolean;
  rsv: number;
  opcode: number;
  mask: Uint8Array | null;
  payload: Uint8Array;
}

/** The mask of every client's frame in the catalogue. */
export const MASK: Uint8Array = Uint8Array.of(1, 2, 3, 4);

/** The bytes of a frame with a length field as short as can be. */
export function encodeFrame(frame: Partial<Frame> & { opcode: number }): Uint8Array<ArrayBuffer> {
  const { fin = true, rsv = 0, opcode, mask = null, payload = new Uint8Array(0) } = frame;
  return joinBytes(
    [(fin ? 128 : 0) + rsv * 16 + opcode],
    lengthField(payload.length, mask !== null),
    mask ?? [],
    mask === null ? payload : xor(payload, mask),
  );
}

function lengthField(length: number, masked: boolean): Uint8Array {
  const bit = masked ? 128 : 0;
  const view = new DataView(new ArrayBuffer(9));
  if (length <= 125) {
    view.setUint8(0, bit + length);
    return new Uint8Array(view.buffer, 0, 1);
  }
  if (length <= 65_535) {
    view.setUint8(0, bit + 126);
    view.setUint16(1, length);
    return new Uint8Array(view.buffer, 0, 3);
  }
  view.setUint8(0, bit + 127);
  view.setBigUint64(1, BigInt(length));
  return new Uint8Array(view.buffer);
}

/** A copy of `payload`, masked or unmasked. */
export function xor(payload: Uint8Array, mask: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(payload, (byte, i) => byte ^ mask[i % 4]);
}

/**
 * The frames that `bytes` consist of, each checked against what `sender` may send: no bit, length
 * or order that RFC 6455 forbids, no fragments (this library sends none), nothing cut off. Where
 * permessage-deflate was agreed on, messages may have RSV1; their payload is left as it is.
 */
export function decodeFrames(
  sender: "client" | "server",
  bytes: Uint8Array,
  mayCompress: boolean = false,
): Frame[] {
  const frames: Frame[] = [];
  let at = 0;
  while (at < bytes.length) {
    const { frame, size } = decodeFrame(bytes.subarray(at));
    must(!frames.some(({ opcode }) => opcode === 8), "a frame follows a Close frame");
    must((frame.mask !== null) === (sender === "client"), "the mask does not belong to the role");
    checkFrame(frame, mayCompress);
    frames.push(frame);
    at += size;
  }
  return frames;
}

function decodeFrame(bytes: Uint8Array): { frame: Frame; size: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = view.getUint8(0);
  const second = view.getUint8(1);
  let at = 2;
  let length = BigInt(second % 128);
  if (length === 126n) {
    length = BigInt(view.getUint16(2));
    must(length > 125n, "a length of 16 bits is not minimal");
    at = 4;
  } else if (length === 127n) {
    length = view.getBigUint64(2);
    must(length > 65_535n && length < 1n << 63n, "a length of 64 bits is not legal");
    at = 10;
  }
  const mask = second >= 128 ? bytes.slice(at, at + 4) : null;
  if (mask !== null) at += 4;
  const size = at + Number(length);
  must(size <= bytes.length, "the last frame is cut off");
  const content = bytes.slice(at, size);
  const payload = mask === null ? content : xor(content, mask);
  const frame = { fin: first >= 128, rsv: (first >> 4) % 8, opcode: first % 16, mask, payload };
  return { frame, size };
}

function checkFrame({ fin, rsv, opcode, payload }: Frame, mayCompress: boolean): void {
  must([1, 2, 8, 9, 10].includes(opcode), `opcode ${opcode} is not expected`);
  must(fin, "the frame is a fragment");
  const isCompressed = mayCompress && rsv === 4 && opcode < 8;
  must(rsv === 0 || isCompressed, "a reserved bit is set");
  if (opcode >= 8) must(payload.length <= 125, "a control frame is too long");
  if (opcode === 1 && !isCompressed) new TextDecoder("utf-8", { fatal: true }).decode(payload);
  if (opcode !== 8 || payload.length === 0) return;
  must(payload.length >= 2, "a Close frame has half a code");
  const code = payload[0] * 256 + payload[1];
  must(
    [1000, 1001, 1002, 1003].includes(code) || (code >= 1007 && code <= 1014) ||
      (code >= 3000 && code <= 4999),
    `close code ${code} may not be sent`,
  );
  new TextDecoder("utf-8", { fatal: true }).decode(payload.subarray(2));
}

function must(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(`Not what RFC 6455 allows: ${otherwise}`);
}

/** The bytes of all parts in one array. */
export function joinBytes(...parts: ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
