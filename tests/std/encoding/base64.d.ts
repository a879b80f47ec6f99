/** Types for Deno's `@std/encoding/base64`: npm's copy has none. @module */

/** The base64 of the bytes, or of the string's UTF-8. */
export function encodeBase64(data: Uint8Array | ArrayBuffer | string): string;
/** The bytes that `b64` stands for; throws where it is not base64. */
export function decodeBase64(b64: string): Uint8Array<ArrayBuffer>;
