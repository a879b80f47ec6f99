/**
 * A map for what comes and goes.
 *
 * V8 makes a new table each time that a `Map` or `Set` has had so many additions, and lets the old one
 * point to it, for iterators that are under way. Once such a table has become old itself and nobody
 * needs it any more, it keeps all later ones alive, with whatever was in them, until the next full
 * collection: what should have died young is copied, and collecting it waited for.
 *
 * @module
 */

/** A new Map is made after as many calls of `set()` as there are entries, and these. */
const RENEW_AFTER = 64;

/** A map whose entries do not live long. */
export class ChurnMap<K, V> {
  /** Nobody iterates over it, so another one can take its place before its tables are many. */
  #map = new Map<K, V>();
  #sets = 0;

  /** How many entries there are. */
  get size(): number {
    return this.#map.size;
  }

  /** Whether the key has a value. */
  has(key: K): boolean {
    return this.#map.has(key);
  }

  /** The value of a key. */
  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  /** Gives a key its value. */
  set(key: K, value: V): void {
    if (this.#sets++ >= RENEW_AFTER + this.#map.size) {
      this.#map = new Map(this.#map);
      this.#sets = 1;
    }
    this.#map.set(key, value);
  }

  /** Forgets a key; returns whether it was there. */
  delete(key: K): boolean {
    return this.#map.delete(key);
  }
}
