/**
 * Conversions of JavaScript values as Web IDL wants them, as far as the classes here need them.
 *
 * @module
 */

/** `USVString`: lone surrogates become U+FFFD; a symbol throws a `TypeError`. */
export function toUsvString(value: unknown): string {
  return `${value}`.toWellFormed();
}

/** `[Clamp] unsigned short`: to the nearest, ties to even; what is no number is 0. */
export function toClampedShort(value: unknown): number {
  const number = Number(toNumeric(value));
  if (Number.isNaN(number)) return 0;
  const clamped = Math.min(Math.max(number, 0), 0xffff);
  const floor = Math.floor(clamped);
  const part = clamped - floor;
  return part > 0.5 || (part === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** `unsigned short`: whole, modulo 65536; what is no number is 0. */
export function toShort(value: unknown): number {
  return Number(toNumeric(value)) & 0xffff;
}

/** `[EnforceRange] unsigned short`: throws a `TypeError` for what is none. */
export function toEnforcedShort(value: unknown, name: string): number {
  const number = Math.trunc(Number(toNumeric(value)));
  if (number >= 0 && number <= 0xffff) return number + 0; // -0 becomes 0
  throw new TypeError(`${name} is ${String(value)}, not a number from 0 to 65535`);
}

/** What `Number()` would take without complaint, ToNumber does not. */
function toNumeric(value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  throw new TypeError("Cannot convert a BigInt to a number");
}

/** `sequence<USVString>`; throws a `TypeError` for what can't be iterated, strings included. */
export function toStrings(value: unknown, name: string): string[] {
  const strings = isObject(value) ? iterateStrings(value) : null;
  if (strings === null) throw new TypeError(`${name} is not a list of strings`);
  return strings;
}

/** The elements of an object that can be iterated, as strings; `null` if it can't be. */
export function iterateStrings(value: Record<PropertyKey, unknown>): string[] | null {
  const method = value[Symbol.iterator];
  if (method === undefined || method === null) return null;
  if (typeof method !== "function") throw new TypeError("The list's iterator is not a function");
  const iterable: Iterable<unknown> = { [Symbol.iterator]: () => method.call(value) };
  return Array.from(iterable, toUsvString);
}

/**
 * A dictionary, inherited members included: `undefined` and `null` are empty ones, other values than
 * objects a `TypeError`.
 */
export function toDictionary(value: unknown, name: string): Readonly<Record<string, unknown>> {
  const members: Record<string, unknown> = {};
  if (value === undefined || value === null) return members;
  if (!isObject(value)) throw new TypeError(`${name} is of type ${typeof value}, not an object`);
  for (const key in value) members[key] = value[key];
  return members;
}

/** Whether a value is an object, or a function. */
export function isObject(value: unknown): value is Record<PropertyKey, unknown> {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/**
 * The bytes of a `BufferSource`, not copied; `null` for what is none. Throws a `TypeError` for shared
 * memory and for buffers that can be resized.
 */
export function toBytes(value: unknown): Uint8Array | null {
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value;
    if (isDetached(buffer)) return new Uint8Array(0);
    return new Uint8Array(checkBuffer(buffer), byteOffset, byteLength);
  }
  if (!isBuffer(value, ArrayBuffer) && !isBuffer(value, SharedArrayBuffer)) return null;
  return isDetached(value) ? new Uint8Array(0) : new Uint8Array(checkBuffer(value));
}

/** Whether a value is such a buffer, of whatever realm. */
function isBuffer<T>(value: unknown, { prototype }: { readonly prototype: T }): value is T {
  try {
    Object.getOwnPropertyDescriptor(prototype, "byteLength")!.get!.call(value);
    return true;
  } catch {
    return false;
  }
}

/** Whether the memory has gone elsewhere. Node 20 has no `detached` to ask. */
function isDetached(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength > 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

function checkBuffer(buffer: ArrayBufferLike): ArrayBuffer {
  if (!isBuffer(buffer, ArrayBuffer)) {
    throw new TypeError("Cannot send: the bytes are in shared memory");
  }
  if (buffer.resizable) throw new TypeError("Cannot send: the buffer can be resized");
  return buffer;
}

/** Makes members enumerable, as those of the web's classes are. */
export function makeEnumerable(prototype: object, names: readonly string[]): void {
  for (const name of names) {
    const property = Object.getOwnPropertyDescriptor(prototype, name)!;
    Object.defineProperty(prototype, name, { ...property, enumerable: true });
  }
}
