/**
 * A list that its members join and leave at no cost: each knows its neighbours. Unlike a `Map` or a
 * `Set` it has no tables, which V8 would keep alive (see churn_map.ts).
 *
 * @module
 */

/** What can be a member of one {@linkcode LinkedList} at a time. */
export class Linked<T extends Linked<T>> {
  /** The list that this is a member of. Only lists set these three. */
  list: LinkedList<T> | null = null;
  previous: T | null = null;
  next: T | null = null;
}

/** Members in the order in which they came. */
export class LinkedList<T extends Linked<T>> implements Iterable<T> {
  #size = 0;
  #first: T | null = null;
  #last: T | null = null;

  /** How many members there are. */
  get size(): number {
    return this.#size;
  }

  /** The member that came first. */
  get first(): T | null {
    return this.#first;
  }

  /** Adds a member behind the others; it leaves the list that it was in. */
  push(member: T): void {
    member.list?.remove(member);
    const last = this.#last;
    member.list = this;
    member.previous = last;
    if (last === null) this.#first = member;
    else last.next = member;
    this.#last = member;
    this.#size++;
  }

  /** Removes a member; does nothing for what is none. */
  remove(member: T): void {
    if (member.list !== this) return;
    const { previous, next } = member;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    member.list = member.previous = member.next = null; // who has left keeps nobody alive
    this.#size--;
  }

  /** Removes the member that came first, and returns it; `null` if there is none. */
  shift(): T | null {
    const first = this.#first;
    if (first !== null) this.remove(first);
    return first;
  }

  /** The members, the oldest first. While it goes on, nobody may leave or join. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let member = this.#first; member !== null; member = member.next) yield member;
  }
}
