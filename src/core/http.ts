/**
 * The heads of HTTP/1.1 requests and responses as bytes (RFC 9112): strict, bounded, and read in
 * any pieces with the same outcome.
 *
 * @module
 */

import type { BodyFraming } from "./body.ts";
import { HandshakeError } from "./errors.ts";
import { checkField, HeaderList, isToken, listElements, trimSpace } from "./headers.ts";

/** What bounds a head. */
export interface HeadLimits {
  /** Bytes in all, line ends included. */
  readonly maxHeaderSize: number;
  /** Bytes of one line, its end not counted. */
  readonly maxHeaderLine: number;
  /** Header fields. */
  readonly maxHeaders: number;
}

/** A request without its body. */
export interface RequestHead {
  /** Such as `"GET"`, in the case received. */
  readonly method: string;
  /** In origin-form: path and query. */
  readonly target: string;
  /** The header fields. */
  readonly headers: HeaderList;
}

/** A response without its body. */
export interface ResponseHead {
  /** The status code, three digits. */
  readonly status: number;
  /** The reason phrase; empty if there is none. */
  readonly reason: string;
  /** The header fields. */
  readonly headers: HeaderList;
}

const CR = 0x0d;
const LF = 0x0a;
const TAB = 0x09;

/** Reads one head from bytes that are cut anywhere. */
export class HeadReader<Head> {
  /** Bytes behind the head, once it is complete: a copy. */
  rest: Uint8Array = new Uint8Array(0);

  readonly #limits: HeadLimits;
  readonly #start: (line: string) => (headers: HeaderList) => Head;
  /** Makes the head from its fields; known once the first line has been read. */
  #finish: ((headers: HeaderList) => Head) | null = null;
  readonly #headers = new HeaderList();
  /** The bytes of the current line so far. */
  #line = new Uint8Array(128);
  #lineSize = 0;
  #size = 0;
  #sawCr = false;
  #skippedLine = false;

  private constructor(
    limits: HeadLimits,
    start: (line: string) => (headers: HeaderList) => Head,
  ) {
    this.#limits = limits;
    this.#start = start;
  }

  /** A reader that throws a {@linkcode HandshakeError} with status 400, 414, 431 or 505. */
  static forRequests(limits: HeadLimits): HeadReader<RequestHead> {
    return new HeadReader(limits, parseRequestLine);
  }

  /** A reader that throws a {@linkcode HandshakeError}. */
  static forResponses(limits: HeadLimits): HeadReader<ResponseHead> {
    return new HeadReader(limits, parseStatusLine);
  }

  /** Adds bytes; returns the head once it is complete, and `null` before. */
  receive(bytes: Uint8Array): Head | null {
    for (let i = 0; i < bytes.length; i++) {
      const head = this.#take(bytes[i]);
      if (head === null) continue;
      this.rest = new Uint8Array(bytes.subarray(i + 1));
      return head;
    }
    return null;
  }

  #take(byte: number): Head | null {
    if (++this.#size > this.#limits.maxHeaderSize) {
      throw tooLarge(
        `The head is longer than ${this.#limits.maxHeaderSize} bytes (limits.maxHeaderSize)`,
      );
    }
    if (byte === LF) {
      if (!this.#sawCr) throw malformed("a line ends with LF alone");
      this.#sawCr = false;
      return this.#endLine();
    }
    if (this.#sawCr) throw malformed("CR stands inside a line");
    if (byte === CR) this.#sawCr = true;
    else this.#append(byte);
    return null;
  }

  #append(byte: number): void {
    if ((byte < 0x20 && byte !== TAB) || byte === 0x7f) {
      throw malformed(`control character 0x${byte.toString(16).padStart(2, "0")}`);
    }
    const { maxHeaderLine } = this.#limits;
    if (this.#lineSize === maxHeaderLine) {
      const what = `longer than ${maxHeaderLine} bytes (limits.maxHeaderLine)`;
      if (this.#finish === null) {
        throw new HandshakeError(`The first line is ${what}`, { status: 414 });
      }
      throw tooLarge(`A header line is ${what}`);
    }
    if (this.#lineSize === this.#line.length) {
      const longer = new Uint8Array(this.#line.length * 2);
      longer.set(this.#line);
      this.#line = longer;
    }
    this.#line[this.#lineSize++] = byte;
  }

  #endLine(): Head | null {
    const line = latin1(this.#line.subarray(0, this.#lineSize));
    this.#lineSize = 0;
    if (this.#finish === null) {
      // "a server ... SHOULD ignore at least one empty line (CRLF) received prior to the
      // request-line" (RFC 9112 section 2.2): we ignore one.
      if (line === "" && !this.#skippedLine) this.#skippedLine = true;
      else this.#finish = this.#start(line);
      return null;
    }
    if (line === "") return this.#finish(this.#headers);
    this.#addField(line);
    return null;
  }

  #addField(line: string): void {
    const { maxHeaders } = this.#limits;
    if (this.#headers.size >= maxHeaders) {
      throw tooLarge(`The head has more than ${maxHeaders} fields (limits.maxHeaders)`);
    }
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0));
    // Also catches folded lines and a space before the colon, which hide fields from some readers.
    if (!isToken(name)) {
      throw malformed(`a header line begins with ${show(line)}, not with a name and a colon`);
    }
    this.#headers.append(name, trimSpace(line.slice(colon + 1)));
  }
}

function parseRequestLine(line: string): (headers: HeaderList) => RequestHead {
  const match = /^(\S+) (\S+) (HTTP\/\d\.\d)$/.exec(line);
  if (match === null || !isToken(match[1]) || !/^[\x21-\x7e]+$/.test(match[2])) {
    throw malformed(`the request line is ${show(line)}`);
  }
  const [, method, target, version] = match;
  if (version !== "HTTP/1.1") {
    throw new HandshakeError(`Cannot read the request: its version is ${version}, not HTTP/1.1`, {
      status: 505,
    });
  }
  return (headers) => ({ method, target: checkTarget(target, checkHost(headers)), headers });
}

/** "A server MUST respond with a 400 ... to any HTTP/1.1 request message that lacks a Host header
 * field and to any request message that contains more than one Host header field line or a Host
 * header field with an invalid field value." (RFC 9112 section 3.2) */
function checkHost(headers: HeaderList): string {
  const hosts = headers.getAll("host");
  if (hosts.length !== 1) throw malformed(`it has ${hosts.length} Host fields, not one`);
  if (!isHost(hosts[0])) throw malformed(`Host is ${show(hosts[0])}`);
  return hosts[0];
}

/** Whether `text` is a host with an optional port, as in a Host field. */
export function isHost(text: string): boolean {
  const match = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=-]{1,255})(?::(\d{0,5}))?$/i.exec(text);
  return match !== null && Number(match[1] ?? 0) <= 65_535 && URL.canParse(`http://${text}/`);
}

/** The target in origin-form (RFC 9112 section 3.2). */
function checkTarget(target: string, host: string): string {
  if (target.includes("#")) throw malformed("the target has a fragment");
  if (target.startsWith("/")) return target;
  const absolute = /^(?:https?|wss?):\/\/([^/?]+)(.*)$/i.exec(target);
  // Never routed to where the target says, if that is not where Host says.
  if (absolute === null || absolute[1].toLowerCase() !== host.toLowerCase()) {
    throw malformed(`the target ${show(target)} is not a path on this host`);
  }
  return absolute[2].startsWith("/") ? absolute[2] : `/${absolute[2]}`;
}

function parseStatusLine(line: string): (headers: HeaderList) => ResponseHead {
  const match = /^HTTP\/1\.1 ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/.exec(line);
  if (match === null) {
    throw new HandshakeError(`Cannot read the response: its first line is ${show(line)}`);
  }
  const [, status, reason = ""] = match;
  return (headers) => ({ status: Number(status), reason, headers });
}

/**
 * How the end of a request's body is found (RFC 9112 section 6). Throws a {@linkcode HandshakeError}
 * with status 400 where two readers could disagree about it.
 */
export function requestBodyFraming({ headers }: RequestHead): BodyFraming {
  const lengths = headers.getAll("content-length");
  const codings = headers.getAll("transfer-encoding");
  if (codings.length > 0) {
    const isChunked = codings.length === 1 && listElements(codings[0]).length === 1 &&
      codings[0].toLowerCase() === "chunked";
    if (lengths.length > 0 || !isChunked) {
      throw malformed("Transfer-Encoding is not chunked alone, or stands beside Content-Length");
    }
    return { kind: "chunked" };
  }
  if (lengths.length === 0) return { kind: "none" };
  if (lengths.length > 1 || !/^\d{1,15}$/.test(lengths[0])) {
    throw malformed(`Content-Length is ${show(lengths.join(", "))}`);
  }
  return { kind: "length", length: Number(lengths[0]) };
}

/** The bytes of a request's head. */
export function encodeRequest({ method, target, headers }: RequestHead): Uint8Array<ArrayBuffer> {
  return encodeHead(`${method} ${target} HTTP/1.1`, headers);
}

/** What a response's head is made of. */
export interface ResponseInit {
  /** The status code. */
  readonly status: number;
  /** The reason phrase. @default {the registered one} */
  readonly reason?: string;
  /** The header fields, in the order in which they are written. */
  readonly headers: Iterable<readonly [name: string, value: string]>;
}

/** The bytes of a response's head. Throws a `TypeError` for what can't stand in it. */
export function encodeResponse({ status, reason, headers }: ResponseInit): Uint8Array<ArrayBuffer> {
  const phrase = reason || REASONS[status] || "";
  checkField("reason", phrase);
  return encodeHead(`HTTP/1.1 ${status} ${phrase}`, headers);
}

function encodeHead(
  line: string,
  headers: Iterable<readonly [name: string, value: string]>,
): Uint8Array<ArrayBuffer> {
  let text = `${line}\r\n`;
  for (const [name, value] of headers) {
    checkField(name, value);
    text += `${name}: ${value}\r\n`;
  }
  text += "\r\n";
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** The phrases of the statuses that this library itself sends (RFC 9110 section 15), and of common ones. */
const REASONS: Readonly<Record<number, string>> = {
  100: "Continue",
  101: "Switching Protocols",
  200: "OK",
  201: "Created",
  204: "No Content",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return text;
}

/** A value for an error message: bounded, and nothing in it can pass for something else. */
function show(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function malformed(why: string): HandshakeError {
  return new HandshakeError(`Cannot read the request or response: ${why}`, { status: 400 });
}

function tooLarge(message: string): HandshakeError {
  return new HandshakeError(message, { status: 431 });
}
