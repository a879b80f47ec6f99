/** What servers of their own sockets make of one connection, and what they write. @module */

/** Bytes to write: the first `used` of these. */
export interface Output {
  readonly bytes: Uint8Array;
  used: number;
}

/** What a server makes of one connection. */
export interface Peer {
  /** Bytes have come, valid until it returns. */
  take(bytes: Uint8Array): void;
  left(): void;
}
