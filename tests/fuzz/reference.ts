/**
 * What frames amount to, read from all bytes at once by the letter of RFC 6455: slow, simple, and
 * apart from src.
 *
 * @module
 */

import { encodeHex } from "@std/encoding/hex";
import type { ProtocolLimits } from "../../src/core/protocol.ts";
import type { Role } from "../../src/core/receiver.ts";

class Broken extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`${code}`);
    this.code = code;
  }
}

/** The events in `bytes` as `describeEvent()` words them; of an error only its code. */
export function readReference(role: Role, bytes: Uint8Array, limits: ProtocolLimits): string[] {
  const events: string[] = [];
  try {
    readAll(role, bytes, limits, events);
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    events.push(`error ${error.code}`);
  }
  return events;
}

function readAll(role: Role, bytes: Uint8Array, limits: ProtocolLimits, events: string[]): void {
  let message: { opcode: number; parts: number[]; fragments: number } | null = null;
  for (let at = 0; at < bytes.length;) {
    const [first, second = -1] = bytes.subarray(at);
    const [opcode, isControl, fin] = [first & 15, (first & 8) > 0, first >= 128];
    if (![0, 1, 2, 8, 9, 10].includes(opcode)) throw new Broken(1002);
    if (isControl && (!fin || (first & 0x70) > 0)) throw new Broken(1002);
    if (second < 0) return;
    if (isControl && (second & 127) > 125) throw new Broken(1002);
    const header = readHeader(bytes.subarray(at), second);
    if (header === null) return;
    const { length, mask, size } = header;
    if ((mask === null) === (role === "server") || (first & 0x70) > 0) throw new Broken(1002);
    if (!isControl && (opcode === 0) !== (message !== null)) throw new Broken(1002);
    if (!isControl) {
      message ??= { opcode, parts: [], fragments: 0 };
      message.fragments++;
      if (BigInt(message.parts.length) + length > limits.maxMessageSize) throw new Broken(1009);
      if (message.fragments > limits.maxFragments) throw new Broken(1008);
    }
    const end = at + size + Number(length);
    const payload = bytes.slice(at + size, end).map((byte, i) => byte ^ (mask?.[i % 4] ?? 0));
    if (message?.opcode === 1 && !isControl) checkBeginning([...message.parts, ...payload]);
    if (end > bytes.length) return;
    at = end;
    if (isControl) {
      events.push(describeControl(opcode, payload));
      if (opcode === 8) return;
      continue;
    }
    message!.parts.push(...payload);
    if (!fin) continue;
    events.push(describeMessage(message!.opcode, Uint8Array.from(message!.parts)));
    message = null;
  }
}

function readHeader(
  bytes: Uint8Array,
  second: number,
): { length: bigint; mask: Uint8Array | null; size: number } | null {
  const extra = (second & 127) === 127 ? 8 : (second & 127) === 126 ? 2 : 0;
  if (bytes.length < 2 + extra) return null;
  let length = BigInt(second & 127);
  if (extra > 0) {
    length = BigInt(`0x${encodeHex(bytes.subarray(2, 2 + extra))}`);
    if (length < (extra === 2 ? 126n : 65_536n) || length >= 1n << 63n) throw new Broken(1002);
    if (length >= 1n << 53n) throw new Broken(1009);
  }
  const size = 2 + extra + (second >= 128 ? 4 : 0);
  if (bytes.length < size) return null;
  return { length, mask: second >= 128 ? bytes.slice(2 + extra, size) : null, size };
}

function describeControl(opcode: number, payload: Uint8Array): string {
  if (opcode !== 8) return `${opcode === 9 ? "ping" : "pong"} ${encodeHex(payload)}`;
  if (payload.length === 0) return 'close 1005 ""';
  if (payload.length === 1) throw new Broken(1002);
  const code = payload[0] * 256 + payload[1];
  const isAllowed = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
    (code >= 3000 && code <= 4999);
  if (!isAllowed) throw new Broken(1002);
  return `close ${code} ${JSON.stringify(decode(payload.subarray(2)))}`;
}

function describeMessage(opcode: number, bytes: Uint8Array): string {
  return opcode === 1 ? `text ${JSON.stringify(decode(bytes))}` : `binary ${encodeHex(bytes)}`;
}

/** Text fails at its first impossible byte, also before the message is complete. */
function checkBeginning(bytes: readonly number[]): void {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes), { stream: true });
  } catch {
    throw new Broken(1007);
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Broken(1007);
  }
}
