/**
 * What a message to send is made of.
 *
 * @module
 */

import { Opcode } from "./frame.ts";
import { encodeUtf8, encodeUtf8Once } from "./utf8.ts";

/** Text for a string, binary for bytes. */
export function messageOpcode(message: string | Uint8Array): Opcode {
  return typeof message === "string" ? Opcode.Text : Opcode.Binary;
}

/** The message's bytes; of a text valid only until the next call, if it is not to keep them. */
export function toPayload(message: string | Uint8Array, keeps: boolean): Uint8Array {
  if (typeof message === "string") return keeps ? encodeUtf8(message) : encodeUtf8Once(message);
  checkBytes(message);
  return message;
}

/** The values of other arrays would be cut to bytes, and what is no array would be sent as empty. */
export function checkBytes(bytes: unknown): void {
  if (bytes instanceof Uint8Array) return;
  throw new TypeError(`Cannot send: ${Object.prototype.toString.call(bytes)} is not a Uint8Array`);
}
