/**
 * What happens on a connection, as lines of printable ASCII that a file of transcripts can hold.
 *
 * @module
 */

import { encodeHex } from "@std/encoding/hex";
import { type CloseStatus, HandshakeError, type Message, ProtocolError } from "../../mod.ts";
import { decodeFrames, type Frame } from "../frames.ts";

/** The longest payload that is written out; of longer ones only size and beginning are. */
const SHOWN = 250;

/** A string in quotes, in ASCII. */
export function quote(text: string): string {
  const shown = text.length > SHOWN ? `${text.slice(0, 40)}... (${text.length})` : text;
  return JSON.stringify(shown).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A message: `text "Hello"`, `binary 00ff`. */
export function describeMessage(message: Message): string {
  if (typeof message === "string") return `text ${quote(message)}`;
  return `binary ${describeBytes(message)}`;
}

/** Bytes in hex. */
export function describeBytes(bytes: Uint8Array): string {
  if (bytes.length <= SHOWN) return encodeHex(bytes);
  return `${encodeHex(bytes.subarray(0, 20))}... (${bytes.length})`;
}

/** How a session ended: `closed 1006 "" not clean, ProtocolError 1002: Opcode 3 is reserved`. */
export function describeStatus({ code, reason, wasClean, error }: CloseStatus): string {
  const why = error === undefined ? "" : `, ${describeError(error)}`;
  return `closed ${code} ${quote(reason)} ${wasClean ? "clean" : "not clean"}${why}`;
}

/** An error: its class, its code or status, its message. */
export function describeError(error: unknown): string {
  if (error instanceof ProtocolError) return `ProtocolError ${error.closeCode}: ${error.message}`;
  if (error instanceof HandshakeError) {
    return `HandshakeError ${error.status ?? "without status"}: ${error.message}`;
  }
  return String(error);
}

/**
 * What a peer has received of frames, checked by the independent decoder. Pongs come first: they
 * may overtake answers to messages, and whether they do depends on time.
 */
export function describeFrames(sender: "client" | "server", bytes: Uint8Array): string[] {
  const frames = decodeFrames(sender, bytes);
  const pongs = frames.filter(({ opcode }) => opcode === 10);
  return [...pongs, ...frames.filter(({ opcode }) => opcode !== 10)].map(describeFrame);
}

function describeFrame({ opcode, payload }: Frame): string {
  if (opcode === 1) {
    return describeMessage(new TextDecoder("utf-8", { ignoreBOM: true }).decode(payload));
  }
  if (opcode === 2) return `binary ${describeBytes(payload)}`;
  if (opcode === 9) return `ping ${describeBytes(payload)}`;
  if (opcode === 10) return `pong ${describeBytes(payload)}`.trimEnd();
  if (payload.length === 0) return "close without code";
  const reason = new TextDecoder().decode(payload.subarray(2));
  return `close ${payload[0] * 256 + payload[1]} ${quote(reason)}`;
}

/** A response: its first line, its fields but for the length, its body in quotes. */
export function describeResponse(text: string): string[] {
  const end = text.indexOf("\r\n\r\n");
  const body = text.slice(end + 4);
  const [first, ...fields] = text.slice(0, end).split("\r\n");
  const length = fields.find((field) => /^content-length:/i.test(field))?.slice(15).trim();
  const shown = fields.filter((field) => !/^content-length:/i.test(field));
  const lines = [first, ...shown.map((field) => quote(field).slice(1, -1))];
  if (length === undefined) return lines;
  const isWhole = Number(length) === body.length;
  return [...lines, `body ${quote(body)}${isWhole ? "" : ` of ${length} bytes`}`];
}
