/**
 * Header fields that users give to clients.
 *
 * @module
 */

import { checkUserHeaders, type HeadersInput } from "../core/headers.ts";

/**
 * The fields of an option called `name`, which is read once to be checked, and once for each redirect or
 * attempt. Throws a `TypeError` for what can be read only once, and as {@linkcode checkUserHeaders} does.
 */
export function readUserHeaders(
  input: HeadersInput | undefined,
  name: string,
): [name: string, value: string][] {
  if (input !== undefined && Symbol.iterator in input) {
    const iterable = input as Iterable<unknown>;
    if (iterable[Symbol.iterator]() as unknown === iterable) {
      throw new TypeError(`${name} can be read only once: give a list of fields`);
    }
  }
  return checkUserHeaders(input);
}
