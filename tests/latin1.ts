/** Bytes written as text, one byte per character. @module */

/** The bytes of `text`, whose characters are below 256. */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
