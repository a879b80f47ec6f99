/**
 * What users may send, as text or bytes.
 *
 * @module
 */

/** A message to send: text for a string, binary for everything else. */
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
