/**
 * Watches one session from the user's side: what happens to it, line by line, and that its end is
 * one end (oracle O5).
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClosedError, type CloseStatus, type Message, type WebSocketSession } from "../../mod.ts";
import { describeMessage, describeStatus } from "./words.ts";

/** An echo that takes notes. */
export class Witness {
  readonly lines: string[] = [];
  /** Settles when the session has ended and everything that it promised has been kept. */
  readonly done: Promise<void>;
  #settle!: { resolve(): void; reject(error: unknown): void };
  readonly #promises: Promise<unknown>[] = [];
  #ends = 0;

  constructor() {
    this.done = new Promise((resolve, reject) => this.#settle = { resolve, reject });
    this.done.catch(() => {}); // looked at when the case ends
  }

  opened(session: WebSocketSession): void {
    const { protocol, extensions } = session;
    const agreed = [protocol && ` subprotocol ${protocol}`, extensions && ` with ${extensions}`];
    this.lines.push(`open${agreed.join("")}`);
  }

  /** Echoes; the promise delays the next message. */
  async received(session: WebSocketSession, message: Message): Promise<void> {
    this.lines.push(describeMessage(message));
    const sending = session.send(message);
    this.#promises.push(sending.catch(() => {}));
    await sending;
  }

  ended(session: WebSocketSession, status: CloseStatus): void {
    this.lines.push(describeStatus(status));
    this.#ends++;
    this.#check(session, status).then(this.#settle.resolve, this.#settle.reject);
  }

  /** "Exactly one terminal event per connection; every pending promise settled." */
  async #check(session: WebSocketSession, status: CloseStatus): Promise<void> {
    assertEquals(await session.closed, status);
    assertEquals(await session.close(1000), status);
    const refused = await assertRejects(() => session.send("late"), ClosedError);
    assertEquals(refused.status, status);
    await assertRejects(() => session.ping(), ClosedError);
    session.abort(new Error("late"));
    await Promise.all(this.#promises);
    assertEquals(await session.closed, status);
    assert(this.#ends === 1, `the session ended ${this.#ends} times`);
  }
}
