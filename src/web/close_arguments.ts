/**
 * The arguments by which the web's classes close.
 *
 * @module
 */

import { encodeUtf8 } from "../core/utf8.ts";
import { syntaxError } from "./url.ts";

/** A reason's most bytes: a control frame holds 125, the code is 2 of them. */
const MAX_REASON = 123;

/**
 * What to close with. Throws an `InvalidAccessError` `DOMException` for a code that scripts may not
 * send, and a `SyntaxError` one for a reason that is too long. A reason without a code is sent with
 * 1000.
 */
export function checkCloseArguments(
  code: number | undefined,
  reason: string,
): [code?: number, reason?: string] {
  if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
    throw new DOMException(
      `Close code ${code} is neither 1000 nor from 3000 to 4999`,
      "InvalidAccessError",
    );
  }
  const size = encodeUtf8(reason).length;
  if (size > MAX_REASON) throw syntaxError(`The reason has ${size} bytes, more than ${MAX_REASON}`);
  if (reason !== "") return [code ?? 1000, reason];
  return code === undefined ? [] : [code];
}
