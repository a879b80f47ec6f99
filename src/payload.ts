/**
 * What users may send, as text or bytes.
 *
 * @module
 */

/**
 * A message to send: text for a string, binary for everything else.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, type Sendable, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const messages: Sendable[] = ["text", Uint8Array.of(1, 2), new Float64Array(3)];
 * const server = await serve({ port: 0 }, async (session) => {
 *   for (const message of messages) await session.send(message);
 * });
 * const { port } = server.addr as TcpAddr;
 * const sizes: number[] = [];
 * for await (const { length } of await connect(`ws://127.0.0.1:${port}/`)) sizes.push(length);
 * assertEquals(sizes, [4, 2, 24]);
 * await server.shutdown();
 * ```
 */
export type Sendable = string | ArrayBuffer | ArrayBufferView;

/** The message as text or bytes, not copied. Throws a `TypeError` if it is neither. */
export function toPayload(message: Sendable): string | Uint8Array {
  if (typeof message === "string" || message instanceof Uint8Array) return message;
  if (ArrayBuffer.isView(message)) {
    return new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
  }
  if (message instanceof ArrayBuffer) return new Uint8Array(message);
  throw new TypeError(
    `Cannot send: the message is ${
      describe(message)
    }, not a string, an ArrayBuffer or a view of one`,
  );
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return `of type ${typeof value}`;
  return `an instance of ${value.constructor?.name ?? "an object without a constructor"}`;
}
