/**
 * Counts what code allocates and copies as bytes: an exact measure where time and memory would
 * only be estimates.
 *
 * @module
 */

/** What ran while counting. */
export interface Allocations {
  /** Bytes of all arrays made by `new Uint8Array`, whether in use at the same time or not. */
  allocated: number;
  /** How many arrays that were. */
  arrays: number;
  /** Bytes copied by `set()`. */
  copied: number;
}

/** Runs `code`, which must not be asynchronous, and counts. */
export function countAllocations(code: () => void): Allocations {
  const count: Allocations = { allocated: 0, arrays: 0, copied: 0 };
  const original = globalThis.Uint8Array;
  const { set } = original.prototype;
  globalThis.Uint8Array = new Proxy(original, {
    construct(target, args, newTarget) {
      const array = Reflect.construct(target, args, newTarget);
      if (!(args[0] instanceof ArrayBuffer)) {
        count.allocated += array.length;
        count.arrays++;
      }
      return array;
    },
  });
  original.prototype.set = function (from: ArrayLike<number>, at?: number): void {
    count.copied += from.length;
    set.call(this, from, at);
  };
  try {
    code();
  } finally {
    globalThis.Uint8Array = original;
    // The method is inherited: without its own copy the class is as it was.
    Reflect.deleteProperty(original.prototype, "set");
  }
  return count;
}
