/**
 * Numbered events: a server that publishes them, and a client that comes back when its connection is
 * lost and goes on behind the last event that it got.
 *
 * @module
 */

import { type Handler, keepConnected, type ServeOptions } from "../mod.ts";

/** Events in order, the first with number 1. Kept for ever here: yours will forget the old ones. */
export class Feed {
  readonly #events: string[] = [];
  #isOver = false;
  #wakeUp: (() => void)[] = [];

  /** Adds an event; returns its number. */
  publish(text: string): number {
    const id = this.#events.push(text);
    this.#wake();
    return id;
  }

  /** No event will follow. */
  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** The events behind number `id`, those to come included. */
  async *after(id: number): AsyncGenerator<FeedEvent> {
    for (;;) {
      for (; id < this.#events.length; id++) yield { id: id + 1, text: this.#events[id] };
      if (this.#isOver) return;
      await new Promise<void>((resolve) => this.#wakeUp.push(resolve));
    }
  }

  #wake(): void {
    for (const wakeUp of this.#wakeUp.splice(0)) wakeUp();
  }
}

/** What is sent, as JSON. */
export interface FeedEvent {
  readonly id: number;
  readonly text: string;
}

/** Clients say in the URL where they are: `/?after=3`. The data of a session is that number. */
export const accept: ServeOptions<number>["accept"] = ({ target }) => {
  const after = new URLSearchParams(target.split("?")[1]).get("after") ?? "0";
  if (/^\d{1,15}$/.test(after)) return { data: Number(after) };
  return new Response("after is not a number", { status: 400 });
};

/** Sends each client what it has not got yet. When the feed ends, so does the session: with 1000. */
export function publishTo(feed: Feed): Handler<number> {
  return async (session) => {
    for await (const event of feed.after(session.data)) await session.send(JSON.stringify(event));
  };
}

/** The events of the feed at `url`, each one once, however often the connection is lost. */
export async function* follow(
  url: string,
  onLost: (delay: number) => void,
): AsyncGenerator<FeedEvent> {
  let last = 0;
  const sessions = keepConnected(() => `${url}?after=${last}`, {
    backoff: { first: 100 }, // short, for a show; leave it out
    onRetry: ({ delay }) => onLost(delay),
  });
  for await (const session of sessions) {
    for await (const message of session) {
      const event: FeedEvent = JSON.parse(String(message));
      last = event.id;
      yield event;
    }
  }
}
