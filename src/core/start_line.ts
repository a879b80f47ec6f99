/**
 * The first lines of requests and responses (RFC 9112 sections 3 and 4), and what else the two kinds of
 * heads do not have in common.
 *
 * @module
 */

import { HandshakeError } from "./errors.ts";
import type { HeaderList } from "./headers.ts";
import { checkHost, checkTarget } from "./host.ts";
import type { RequestHead, ResponseHead } from "./http.ts";
import { show } from "./show.ts";

const SPACE = 0x20;

/** What differs between the heads of requests and of responses. */
export interface HeadKind<Head> {
  /** Reads the first line; returns what makes the head of it and the fields. */
  readonly parse: (line: string) => (headers: HeaderList) => Head;
  /** What ends the token that the first line begins with; `null` if it begins otherwise. */
  readonly delimiter: number | null;
  readonly fail: (why: string, status?: number) => HandshakeError;
}

/** A request's. */
export const REQUEST: HeadKind<RequestHead> = {
  parse: parseRequestLine,
  delimiter: SPACE,
  fail: requestError,
};

/** A response's. */
export const RESPONSE: HeadKind<ResponseHead> = {
  parse: (line) => parseStatusLine(line, line, responseError),
  delimiter: null,
  fail: responseError,
};

/** That of what a proxy answers to CONNECT. */
export const PROXY_RESPONSE: HeadKind<ResponseHead> = {
  parse: (line) => parseStatusLine(line, line.replace(/^HTTP\/1\.0 /, "HTTP/1.1 "), proxyError),
  delimiter: null,
  fail: proxyError,
};

function parseRequestLine(line: string): (headers: HeaderList) => RequestHead {
  const match = /^(\S+) ([\x21-\x7e]+) (HTTP\/\d\.\d)$/.exec(line);
  if (match === null) {
    // Queries and user names hold secrets.
    const start = line.split(/\?|:\/\//, 1)[0];
    throw requestError(
      `its first line, which begins with ${show(start)}, is not a method, a target and HTTP/1.1`,
    );
  }
  const [, verb, target, version] = match;
  const method = verb === "GET" ? "GET" : verb; // not each session's own
  if (version !== "HTTP/1.1") {
    throw requestError(`its version is ${version}, not HTTP/1.1`, 505);
  }
  return (headers) => {
    const host = checkHost(headers, requestError);
    return { method, target: checkTarget(target, host, requestError), headers };
  };
}

/** Reads `text`, which is `line` with its version made ours. */
function parseStatusLine(
  line: string,
  text: string,
  fail: (why: string) => HandshakeError,
): (headers: HeaderList) => ResponseHead {
  const match = /^HTTP\/1\.1 ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/.exec(text);
  if (match === null) throw fail(`its first line is ${show(line)}`);
  const [, status, reason = ""] = match;
  return (headers) => ({ status: Number(status), reason, headers });
}

/** The error for a request that breaks a rule. */
export function requestError(why: string, status = 400): HandshakeError {
  return new HandshakeError(`Cannot read the request: ${why}`, { status });
}

function responseError(why: string): HandshakeError {
  return new HandshakeError(`Cannot read the response: ${why}`);
}

function proxyError(why: string): HandshakeError {
  return new HandshakeError(`Cannot read the proxy's response: ${why}`);
}
