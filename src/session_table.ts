/**
 * The open sessions of a server, in the order in which they came: a read-only map by `id` to everybody,
 * whose ids and index are made when somebody asks for them, since most servers never do.
 *
 * @module
 */

import { ChurnMap } from "./churn_map.ts";

/** Where one session stands in its table, which alone changes it. */
export class Place<Session> {
  /** Not any more once it has gone: an iterator may stand here for long. */
  session: Session;
  /**
   * The one before, also once this one is out: whoever stands here finds the way back by it. What is
   * older than a dead place may wait for the next full collection; what is newer must not.
   */
  previous: Place<Session> | null;
  next: Place<Session> | null = null;
  isIn = true;

  constructor(session: Session, previous: Place<Session> | null) {
    this.session = session;
    this.previous = previous;
  }
}

/** What all iterators of the runtime's own have in common: `map()`, `take()` and so on, where there are any. */
const IteratorPrototype: object = Object.getPrototypeOf(Object.getPrototypeOf([].values()));

/** Like a Map's iterator: leaving a loop does not end it, unlike a generator. */
class PlaceIterator<Session, T> {
  readonly #find: (from: Place<Session> | null) => Place<Session> | null;
  readonly #pick: (session: Session) => T;
  /** Where it stands; `null` in front of the first place. */
  #at: Place<Session> | null = null;
  #isDone = false;

  constructor(
    find: (from: Place<Session> | null) => Place<Session> | null,
    pick: (session: Session) => T,
  ) {
    this.#find = find;
    this.#pick = pick;
  }

  next(): IteratorResult<T, undefined> {
    const place = this.#isDone ? null : this.#find(this.#at);
    this.#at = place;
    this.#isDone = place === null;
    return place === null
      ? { done: true, value: undefined }
      : { done: false, value: this.#pick(place.session) };
  }

  static {
    Object.setPrototypeOf(this.prototype, IteratorPrototype);
  }
}

/**
 * A table of sessions. What it tells is what a `Map` would tell, also by iterators that are under way while
 * sessions come and go.
 */
export class SessionTable<Session extends { readonly id: string }>
  implements ReadonlyMap<string, Session> {
  #size = 0;
  #first: Place<Session> | null = null;
  #last: Place<Session> | null = null;
  /** Made for the first who asks for one of them. */
  #byId: ChurnMap<string, Session> | null = null;

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** Adds a session behind the others; the place that it gets is what {@linkcode remove} takes. */
  add(session: Session): Place<Session> {
    const last = this.#last;
    const place = new Place(session, last);
    if (last === null) this.#first = place;
    else last.next = place;
    this.#last = place;
    this.#size++;
    this.#byId?.set(session.id, session);
    return place;
  }

  /** Takes out the session in a place of this table; does nothing if it has gone already. */
  remove(place: Place<Session>): void {
    if (!place.isIn) return;
    const { previous, next } = place;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    this.#size--;
    this.#byId?.delete(place.session.id);
    place.next = null;
    place.isIn = false;
    place.session = undefined as unknown as Session;
  }

  /** Whether a session with this id is open. */
  has(id: string): boolean {
    return this.#index().has(id);
  }

  /** The open session with this id. */
  get(id: string): Session | undefined {
    return this.#index().get(id);
  }

  /** Calls `callback` for each session, with `thisArg` as its `this`. */
  forEach(
    callback: (session: Session, id: string, table: ReadonlyMap<string, Session>) => void,
    thisArg?: unknown,
  ): void {
    this.forEachSession((session) => callback.call(thisArg, session, session.id, this));
  }

  /** Calls `callback` for each session: no id is made, and an iterator takes longer, most of all Bun's. */
  forEachSession(callback: (session: Session) => void): void {
    for (let place = this.#first; place !== null; place = this.#behind(place)) {
      callback(place.session);
    }
  }

  /** The ids, the oldest first. */
  keys(): MapIterator<string> {
    return this.#iterate(({ id }) => id);
  }

  /** The sessions, the oldest first. */
  values(): MapIterator<Session> {
    return this.#iterate((session) => session);
  }

  /** Ids with their sessions, the oldest first. */
  entries(): MapIterator<[string, Session]> {
    return this.#iterate((session) => [session.id, session]);
  }

  /** The same as {@linkcode SessionTable.entries}. */
  [Symbol.iterator](): MapIterator<[string, Session]> {
    return this.entries();
  }

  static {
    // What consoles show, on all three runtimes; as a method its name would be too much for JSR's types.
    const value = function (this: SessionTable<{ readonly id: string }>): Map<string, unknown> {
      return new Map(this);
    };
    Object.defineProperty(this.prototype, Symbol.for("nodejs.util.inspect.custom"), { value });
  }

  #index(): ChurnMap<string, Session> {
    if (this.#byId !== null) return this.#byId;
    const index = new ChurnMap<string, Session>();
    this.forEachSession((session) => index.set(session.id, session));
    return this.#byId = index;
  }

  #iterate<T>(pick: (session: Session) => T): MapIterator<T> {
    const find = (from: Place<Session> | null): Place<Session> | null =>
      from === null ? this.#first : this.#behind(from);
    // Its prototype is set above, where types can't see it.
    return new PlaceIterator(find, pick) as unknown as MapIterator<T>;
  }

  /** What an iterator finds next, though the session where it stands may have gone. */
  #behind(place: Place<Session>): Place<Session> | null {
    if (place.isIn) return place.next;
    let { previous } = place;
    while (previous !== null && !previous.isIn) previous = previous.previous;
    return previous === null ? this.#first : previous.next;
  }
}
