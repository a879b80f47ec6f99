/**
 * Values in error messages.
 *
 * @module
 */

const MAX_LENGTH = 80;

/**
 * A value for an error message: bounded, quoted, and in printable ASCII, so that it can neither
 * pass for something else nor steer the terminal that it is shown on. Not for secrets.
 */
export function show(value: unknown): string {
  if (typeof value !== "string") return `of type ${typeof value}`;
  const quoted = JSON.stringify(value.slice(0, MAX_LENGTH)).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return value.length > MAX_LENGTH ? `${quoted}…` : quoted;
}
