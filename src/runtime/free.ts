/**
 * Memory given back before the garbage collector finds it: what it is told of bytes makes it collect
 * everything, each few hundred long reads.
 *
 * @module
 */

/** Giving back less than this takes longer than it saves. */
const FREED_FROM = 16_384;

/** Gives the memory of bytes that nobody will look at again back, if they have it for themselves. */
export function free({ buffer, length }: Uint8Array): void {
  if (length >= FREED_FROM && length === buffer.byteLength) (buffer as Transferable).transfer?.(0);
}

/** An `ArrayBuffer`; in Node 20 they can't be transferred. */
interface Transferable {
  transfer?(length: number): unknown;
}
