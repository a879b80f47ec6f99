/**
 * Memory given back before the garbage collector finds it. V8 counts the bytes of all arrays that it has
 * not collected yet, and collects everything when they are many: a few hundred long reads are. Bun takes
 * memory for each read that the system has to find pages for first, unless what was given back is there.
 *
 * @module
 */

/** Giving back less than this takes longer than it saves. */
const FREED_FROM = 16_384;

/** Gives the memory of bytes that nobody will look at again back, if they have it for themselves. */
export function free({ buffer, length }: Uint8Array): void {
  if (length >= FREED_FROM && length === buffer.byteLength) (buffer as Transferable).transfer?.(0);
}

/** An `ArrayBuffer`; Node 20 has no such method. */
interface Transferable {
  transfer?(length: number): unknown;
}
