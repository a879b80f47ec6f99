/**
 * What people type as messages, and messages as people read them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Message } from "../../mod.ts";

/** JSON nested deeper than this is not indented: it would grow with the square of its depth. */
const MAX_DEPTH = 100;

/**
 * The lines of a byte stream, decoded as UTF-8, without their ends (LF or CRLF). What follows the
 * last end is a line if there is anything.
 */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let parts: string[] = [];
  const finish = (): string => {
    const line = parts.join("");
    return line.endsWith("\r") ? line.slice(0, -1) : line;
  };
  for await (const chunk of chunks) {
    const [first, ...others] = decoder.decode(chunk, { stream: true }).split("\n");
    parts.push(first);
    for (const other of others) {
      yield finish();
      parts = [other];
    }
  }
  parts.push(decoder.decode());
  const last = finish();
  if (last !== "") yield last;
}

/** The bytes that a line of hexadecimal stands for, space allowed between bytes; `null` if none. */
export function parseHex(line: string): Uint8Array | null {
  const groups = line.trim().split(/\s+/);
  const isHex = groups.every((group) => group.length % 2 === 0 && /^[0-9a-f]*$/i.test(group));
  return isHex ? new Uint8Array(Buffer.from(groups.join(""), "hex")) : null;
}

/** A message as it is printed: text as it is, or indented if it is JSON; bytes as hexadecimal. */
export function formatMessage(message: Message, { json }: { readonly json: boolean }): string {
  if (typeof message === "string") return json ? indentJson(message) : message;
  const unit = message.length === 1 ? "byte" : "bytes";
  return `[${message.length} ${unit}] ${toHex(message)}`.trimEnd();
}

function toHex({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("hex");
}

/** Neither is what would get longer than this, in characters: a peer decides how deep and how often. */
const MAX_INDENTED = 67_108_864;

const JSON_TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/**
 * JSON indented by two spaces, each token as it was (a number may have more digits than a `number`
 * holds); what is no JSON, nested too deeply, or would get too long, is returned as it is.
 */
export function indentJson(text: string): string {
  if (!isJson(text)) return text;
  const tokens = text.match(JSON_TOKENS) ?? [];
  const out: string[] = [];
  let depth = 0;
  let length = 0;
  const breakLine = (): void => {
    out.push("\n", "  ".repeat(depth));
    length += 1 + 2 * depth;
  };
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i];
    const isOpening = token === "{" || token === "[";
    const isClosing = token === "}" || token === "]";
    const isEmpty = isClosing && (tokens[i - 1] === "{" || tokens[i - 1] === "[");
    if (isClosing) depth--;
    if (isClosing && !isEmpty) breakLine();
    out.push(token === ":" ? ": " : token);
    length += token.length + 1;
    if (length > MAX_INDENTED || (isOpening && ++depth > MAX_DEPTH)) return text;
    const isLineEnd = token === "," ||
      (isOpening && tokens[i + 1] !== "}" && tokens[i + 1] !== "]");
    if (isLineEnd) breakLine();
  }
  return out.join("");
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

// deno-lint-ignore no-control-regex -- these are what it is about
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** Text that can't steer the terminal it is shown on: control characters but LF and tab as `\x1b`. */
export function escapeControls(text: string): string {
  return text.replace(
    CONTROLS,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** How much of a peer's words goes into a line of ours. */
const MAX_SHOWN = 200;

/** The beginning of a text of the peer's, in one line. */
export function showText(text: string): string {
  const line = escapeControls(text.slice(0, 4 * MAX_SHOWN).replace(/\s+/g, " ").trim());
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line;
}
