/**
 * Messages encoded once for many connections.
 *
 * @module
 */

import { type Opcode, RSV1 } from "./frame.ts";
import { messageOpcode, toPayload } from "./payload.ts";
import type { MessageCodec } from "./permessage_deflate.ts";
import { encodeFrame } from "./whole_frame.ts";

/**
 * A message encoded once for many connections, and compressed once for each way in which they
 * compress; for servers, since clients mask each frame anew. Made by {@linkcode prepareMessage}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type PreparedMessage, prepareMessage, Protocol } from "@twoway/websocket/core";
 *
 * function broadcast(message: PreparedMessage, connections: Protocol[]): void {
 *   for (const connection of connections) connection.sendPrepared(message);
 * }
 * const limits = { maxMessageSize: 100, maxFragments: 10, maxPendingPongs: 1 };
 * const connections = [1, 2].map(() => new Protocol({ role: "server", limits }));
 * broadcast(prepareMessage("hi"), connections);
 * for (const connection of connections) {
 *   assertEquals([...connection.takeOutput()!], [0x81, 0x02, 0x68, 0x69]);
 * }
 * ```
 */
export class PreparedMessage {
  /** Bytes of its payload. */
  readonly size: number;
  /** Whether to compress it, where the threshold is not to decide. */
  readonly compress: boolean | undefined;
  /** The whole frame, not compressed. */
  readonly frame: Uint8Array;
  readonly #opcode: Opcode;
  readonly #deflated = new Map<string, Uint8Array | Promise<Uint8Array>>();

  /** Use {@linkcode prepareMessage}. */
  constructor(opcode: Opcode, payload: Uint8Array, compress: boolean | undefined) {
    this.#opcode = opcode;
    this.frame = encodeFrame(opcode, payload, null);
    this.size = payload.length;
    this.compress = compress;
  }

  /**
   * The whole frame for connections with such a codec, made with the first one's deflater; the same
   * bytes for each, so it refers to no earlier message. A promise while it is being compressed.
   */
  deflated({ deflater, key }: MessageCodec): Uint8Array | Promise<Uint8Array> {
    const known = this.#deflated.get(key);
    if (known !== undefined) return known;
    deflater.reset();
    const payload = deflater.deflate(this.frame.subarray(this.frame.length - this.size));
    const made = payload instanceof Uint8Array
      ? this.#toFrame(payload)
      // One connection's end must not be the others' loss.
      : payload.then((payload) => this.#toFrame(payload), () => this.frame);
    this.#deflated.set(key, made);
    if (made instanceof Promise) made.then((frame) => this.#deflated.set(key, frame));
    return made;
  }

  #toFrame(payload: Uint8Array): Uint8Array {
    if (payload.length >= this.size) return this.frame;
    return encodeFrame(this.#opcode, payload, null, RSV1);
  }
}

/**
 * Encodes a message once for any number of server connections. `compress` decides whether it is
 * compressed where that was agreed on; without it the codec's threshold does. Throws a `TypeError`
 * if it is neither a string nor a `Uint8Array`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { prepareMessage } from "@twoway/websocket/core";
 *
 * assertEquals([...prepareMessage("hi").frame], [0x81, 0x02, 0x68, 0x69]);
 * ```
 */
export function prepareMessage(
  message: string | Uint8Array,
  compress?: boolean,
): PreparedMessage {
  return new PreparedMessage(messageOpcode(message), toPayload(message, false), compress);
}
