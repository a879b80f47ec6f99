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

/** One key with its value. */
class Entry<K, V> {
  readonly key: K;
  value: V;
  /**
   * The one before, also once this one is out: whoever stands here finds the way back by it. What is
   * older than a dead entry may wait for the next full collection; what is newer must not.
   */
  previous: Entry<K, V> | null;
  next: Entry<K, V> | null = null;
  isIn = true;

  constructor(key: K, value: V, previous: Entry<K, V> | null) {
    this.key = key;
    this.value = value;
    this.previous = previous;
  }
}

/** What all iterators of the runtime's own have in common: `map()`, `take()` and so on, where there are any. */
const IteratorPrototype: object = Object.getPrototypeOf(Object.getPrototypeOf([].values()));

/** Like a Map's iterator: leaving a loop does not end it, unlike a generator. */
class EntryIterator<K, V, T> {
  readonly #find: (from: Entry<K, V> | null) => Entry<K, V> | null;
  readonly #pick: (entry: Entry<K, V>) => T;
  /** Where it stands; `null` in front of the first entry. */
  #at: Entry<K, V> | null = null;
  #isDone = false;

  constructor(
    find: (from: Entry<K, V> | null) => Entry<K, V> | null,
    pick: (entry: Entry<K, V>) => T,
  ) {
    this.#find = find;
    this.#pick = pick;
  }

  next(): IteratorResult<T, undefined> {
    const entry = this.#isDone ? null : this.#find(this.#at);
    this.#at = entry;
    this.#isDone = entry === null;
    return entry === null
      ? { done: true, value: undefined }
      : { done: false, value: this.#pick(entry) };
  }

  static {
    Object.setPrototypeOf(this.prototype, IteratorPrototype);
  }
}

/** An index gets a new Map after as many additions as it has entries, and these. */
const RENEW_AFTER = 64;

/**
 * A map whose entries do not live long. What it tells is what a `Map` would tell, also by iterators that
 * are under way while entries come and go.
 */
export class ChurnMap<K, V> implements ReadonlyMap<K, V> {
  /** Nobody iterates over it, so another one can take its place before its tables are many. */
  #index = new Map<K, Entry<K, V>>();
  #indexed = 0;
  #first: Entry<K, V> | null = null;
  #last: Entry<K, V> | null = null;

  /** How many entries there are. */
  get size(): number {
    return this.#index.size;
  }

  /** Whether the key has a value. */
  has(key: K): boolean {
    return this.#index.has(key);
  }

  /** The value of a key. */
  get(key: K): V | undefined {
    return this.#index.get(key)?.value;
  }

  /** Gives a key its value; a new key becomes the last one. */
  set(key: K, value: V): this {
    const known = this.#index.get(key);
    if (known !== undefined) {
      known.value = value;
      return this;
    }
    this.#renewIndex();
    const last = this.#last;
    const entry = new Entry(key, value, last);
    this.#index.set(key, entry);
    if (last === null) this.#first = entry;
    else last.next = entry;
    this.#last = entry;
    return this;
  }

  /** Forgets a key; returns whether it was there. */
  delete(key: K): boolean {
    const entry = this.#index.get(key);
    if (entry === undefined) return false;
    this.#index.delete(key);
    const { previous, next } = entry;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    entry.next = null;
    entry.isIn = false;
    entry.value = undefined as V; // an iterator may stand here for long
    return true;
  }

  /** Calls `callback` for each entry, with `thisArg` as its `this`. */
  forEach(
    callback: (value: V, key: K, map: ReadonlyMap<K, V>) => void,
    thisArg?: unknown,
  ): void {
    for (let entry = this.#first; entry !== null; entry = this.#behind(entry)) {
      callback.call(thisArg, entry.value, entry.key, this);
    }
  }

  /** The keys, the oldest first. */
  keys(): MapIterator<K> {
    return this.#iterate(({ key }) => key);
  }

  /** The values, the oldest first. */
  values(): MapIterator<V> {
    return this.#iterate(({ value }) => value);
  }

  /** Keys with their values, the oldest first. */
  entries(): MapIterator<[K, V]> {
    return this.#iterate(({ key, value }) => [key, value]);
  }

  /** The same as {@linkcode ChurnMap.entries}. */
  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries();
  }

  static {
    // What consoles show, on all three runtimes; as a method its name would be too much for JSR's types.
    const value = function (this: ChurnMap<unknown, unknown>): Map<unknown, unknown> {
      return new Map(this);
    };
    Object.defineProperty(this.prototype, Symbol.for("nodejs.util.inspect.custom"), { value });
  }

  #iterate<T>(pick: (entry: Entry<K, V>) => T): MapIterator<T> {
    const find = (from: Entry<K, V> | null): Entry<K, V> | null =>
      from === null ? this.#first : this.#behind(from);
    // Its prototype is set above, where types can't see it.
    return new EntryIterator(find, pick) as unknown as MapIterator<T>;
  }

  /** What an iterator finds next, though the entry where it stands may have gone. */
  #behind(entry: Entry<K, V>): Entry<K, V> | null {
    if (entry.isIn) return entry.next;
    let { previous } = entry;
    while (previous !== null && !previous.isIn) previous = previous.previous;
    return previous === null ? this.#first : previous.next;
  }

  #renewIndex(): void {
    if (this.#indexed++ < RENEW_AFTER + this.#index.size) return;
    this.#index = new Map(this.#index);
    this.#indexed = 0;
  }
}
