/**
 * The heads of HTTP/1.1 requests and responses (RFC 9112), and their bytes; head_reader.ts reads these.
 *
 * @module
 */

import { checkField, type HeaderList, isToken } from "./headers.ts";
import { show } from "./show.ts";
import { STATUS_TEXT } from "./status_text.ts";

/**
 * A request without its body.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeRequest, HeaderList, type RequestHead } from "@twoway/websocket/core";
 *
 * const headers = new HeaderList();
 * headers.append("Host", "localhost");
 * const head: RequestHead = { method: "GET", target: "/", headers };
 * const text = new TextDecoder().decode(encodeRequest(head));
 * assertEquals(text, "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
 * ```
 */
export interface RequestHead {
  /** Such as `"GET"`, in the case received. */
  readonly method: string;
  /** In origin-form: path and query. */
  readonly target: string;
  /** The header fields. */
  readonly headers: HeaderList;
}

/**
 * A response without its body.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { HeadReader, type ResponseHead } from "@twoway/websocket/core";
 *
 * const limits = { maxHeaderSize: 16_384, maxHeaderLine: 8192, maxHeaders: 100 };
 * const bytes = new TextEncoder().encode("HTTP/1.1 503 Busy\r\nRetry-After: 5\r\n\r\n");
 * const { status, headers }: ResponseHead = HeadReader.forResponses(limits).receive(bytes)!;
 * assertEquals([status, headers.get("retry-after")], [503, "5"]);
 * ```
 */
export interface ResponseHead {
  /** The status code, three digits. */
  readonly status: number;
  /** The reason phrase; empty if there is none. */
  readonly reason: string;
  /** The header fields. */
  readonly headers: HeaderList;
}

/**
 * The bytes of a request's head. Throws a `TypeError` for what can't stand in it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeRequest, HeaderList } from "@twoway/websocket/core";
 *
 * const bytes = encodeRequest({ method: "HEAD", target: "/", headers: new HeaderList() });
 * assertEquals(new TextDecoder().decode(bytes), "HEAD / HTTP/1.1\r\n\r\n");
 * ```
 */
export function encodeRequest({ method, target, headers }: RequestHead): Uint8Array<ArrayBuffer> {
  if (!isToken(method)) throw new TypeError(`Method ${show(method)} is not a token`);
  if (!/^[\x21-\x7e]+$/.test(target)) {
    throw new TypeError("The target is not a string of printable ASCII characters without space");
  }
  return encodeHead(`${method} ${target} HTTP/1.1`, headers);
}

/**
 * What a response's head is made of.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeResponse, type ResponseInit } from "@twoway/websocket/core";
 *
 * const init: ResponseInit = { status: 429, headers: new Headers({ "retry-after": "10" }) };
 * const text = new TextDecoder().decode(encodeResponse(init));
 * assertEquals(text, "HTTP/1.1 429 Too Many Requests\r\nretry-after: 10\r\n\r\n");
 * ```
 */
export interface ResponseInit {
  /** The status code. */
  readonly status: number;
  /** The reason phrase. @default {the registered one} */
  readonly reason?: string;
  /** The header fields, in the order in which they are written. */
  readonly headers: Iterable<readonly [name: string, value: string]>;
}

/**
 * The bytes of a response's head. Throws a `TypeError` for what can't stand in it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeResponse } from "@twoway/websocket/core";
 *
 * const bytes = encodeResponse({ status: 404, headers: [["Connection", "close"]] });
 * const text = new TextDecoder().decode(bytes);
 * assertEquals(text, "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
 * ```
 */
export function encodeResponse({ status, reason, headers }: ResponseInit): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(status) || status < 100 || status > 999) {
    throw new TypeError(`Status ${status} is not a number of three digits`);
  }
  const phrase = reason || STATUS_TEXT[status] || "";
  checkField("reason", phrase);
  return encodeHead(`HTTP/1.1 ${status} ${phrase}`, headers);
}

function encodeHead(
  start: string,
  headers: Iterable<readonly [name: string, value: string]>,
): Uint8Array<ArrayBuffer> {
  const text = `${start}\r\n${fieldLines(headers)}\r\n`;
  const bytes = new Uint8Array(text.length);
  writeLatin1(bytes, 0, text);
  return bytes;
}

/** Header fields as lines of a head. Throws a `TypeError` for what can't stand there. */
export function fieldLines(headers: Iterable<readonly [name: string, value: string]>): string {
  let lines = "";
  for (const [name, value] of headers) {
    checkField(name, value);
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

/** Puts a text that has passed as a part of a head into `target`, from `at` on. */
export function writeLatin1(target: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) target[at++] = text.charCodeAt(i);
}
