/**
 * Senders of both roles, and what they write.
 *
 * @module
 */

import { Sender } from "../../src/core/sender.ts";
import { decodeFrames, type Frame, joinBytes } from "../frames.ts";

/** Bytes. */
export const KIB = 1024;

/** Payload lengths around which the length field changes its form. */
export const BOUNDARIES: readonly number[] = [0, 1, 125, 126, 127, 65_535, 65_536, 65_537];

/** A sender that does not mask. */
export function createServer(maxPendingPongs: number = 128): Sender {
  return new Sender({ maskKey: null, maxPendingPongs });
}

/** A client with the keys 1, 2, 3, ... */
export function createClient(): { sender: Sender; keysUsed: () => number } {
  let keys = 0;
  return {
    sender: new Sender({ maskKey: () => ++keys, maxPendingPongs: 128 }),
    keysUsed: () => keys,
  };
}

/** What waits, write by write. */
export function takeAll(sender: Sender): Uint8Array[] {
  const writes: Uint8Array[] = [];
  for (let bytes = sender.take(); bytes !== null; bytes = sender.take()) {
    writes.push(bytes.slice());
    sender.written();
  }
  return writes;
}

/** The frames that wait, checked by the independent decoder. */
export function takeFrames(sender: Sender, role: "client" | "server" = "server"): Frame[] {
  return decodeFrames(role, joinBytes(...takeAll(sender)));
}

const NAMES = new Map([[1, "text"], [2, "binary"], [8, "close"], [9, "ping"], [10, "pong"]]);

/** A frame as one word: `text:hello`. */
export function word({ opcode, payload }: Frame): string {
  const bytes = opcode === 8 ? payload.subarray(2) : payload;
  return `${NAMES.get(opcode)}:${new TextDecoder().decode(bytes)}`;
}
