/**
 * Request heads that somebody else has parsed, such as `node:http`: the rules that its parser may
 * have let pass, checked again on what it gives us.
 *
 * @module
 */

import { HandshakeError } from "./errors.ts";
import { HeaderList, isToken } from "./headers.ts";
import { checkHost, checkTarget, type Fail } from "./host.ts";
import type { HeadLimits } from "./head_reader.ts";
import type { RequestHead } from "./http.ts";
import { show } from "./show.ts";

/** A request as another parser tells it. */
export interface ParsedRequest {
  /** Such as `"GET"`, in the case received. */
  readonly method: string;
  /** As it stood in the first line. */
  readonly target: string;
  /** Such as `"1.1"`. */
  readonly version: string;
  /** The header fields as received, names and values in turns; repeated ones not joined. */
  readonly fields: readonly string[];
}

/** The head, unchecked; never throws. What is no field is left out: {@linkcode checkHead} refuses it. */
export function createHead({ method, target, fields }: ParsedRequest): RequestHead {
  const headers = new HeaderList();
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [name, value] = [fields[i], fields[i + 1]];
    if (isToken(name) && !value.includes("\n")) headers.append(name, value);
  }
  return { method, target, headers };
}

/**
 * Checks a head: version, sizes, characters, Host and target. Returns the target in origin-form.
 * Throws a {@linkcode HandshakeError} with status 400, 414, 431 or 505.
 */
export function checkHead(
  { target, version, fields }: ParsedRequest,
  { headers }: RequestHead,
  limits: HeadLimits,
): string {
  if (version !== "1.1") throw refuse(`its version is HTTP/${version}, not HTTP/1.1`, 505);
  checkSizes(target, fields, limits);
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (!isToken(fields[i])) throw refuse(`header name ${show(fields[i])} is not a token`);
    // The value may be a secret: it does not go into the message.
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(fields[i + 1])) {
      throw refuse(`header ${fields[i]} has a control character`);
    }
  }
  if (!/^[\x21-\x7e]+$/.test(target)) {
    throw refuse("the target is not a string of printable ASCII characters without space");
  }
  return checkTarget(target, checkHost(headers, refuse), refuse);
}

/**
 * Checks sizes as our own parser counts, as far as that can be known: spaces around values are gone.
 * Throws a {@linkcode HandshakeError} with status 414 or 431.
 */
export function checkSizes(
  target: string,
  fields: readonly string[],
  { maxHeaderSize, maxHeaderLine, maxHeaders }: HeadLimits,
): void {
  if (fields.length > 2 * maxHeaders) {
    throw refuse(`the head has more than ${maxHeaders} fields (limits.maxHeaders)`, 431);
  }
  const first = "GET  HTTP/1.1".length + target.length;
  if (first > maxHeaderLine) {
    throw refuse(
      `the first line is longer than ${maxHeaderLine} bytes (limits.maxHeaderLine)`,
      414,
    );
  }
  let size = first + 4;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const line = fields[i].length + ": ".length + fields[i + 1].length;
    if (line > maxHeaderLine) {
      throw refuse(
        `a header line is longer than ${maxHeaderLine} bytes (limits.maxHeaderLine)`,
        431,
      );
    }
    size += line + 2;
  }
  if (size > maxHeaderSize) {
    throw refuse(`the head is longer than ${maxHeaderSize} bytes (limits.maxHeaderSize)`, 431);
  }
}

const refuse: (why: string, status?: number) => ReturnType<Fail> = (why, status = 400) =>
  new HandshakeError(`Cannot read the request: ${why}`, { status });
