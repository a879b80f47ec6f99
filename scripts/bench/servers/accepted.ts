/**
 * The answer to the one key that the load has (RFC 6455 section 1.3), for servers that do not look at
 * the request.
 *
 * @module
 */

export const ACCEPTED: Uint8Array = new TextEncoder().encode(
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
);

/** The key, and what is hashed with it. */
export const HASHED: Uint8Array<ArrayBuffer> = new TextEncoder().encode(
  "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
);
