/** Types for Deno's `@std/encoding/hex`: npm's copy has none. @module */

/** The bytes, or the string's UTF-8, as lower case hexadecimal digits. */
export function encodeHex(src: Uint8Array | ArrayBuffer | string): string;
/** The bytes that the hexadecimal digits stand for; throws where they are not such digits. */
export function decodeHex(src: string): Uint8Array<ArrayBuffer>;
