/**
 * What `greeter.ts` does with each session: the first message is the name, all others go to everybody.
 *
 * @module
 */

import type { Handler } from "../mod.ts";

/** What is known of a person. */
export interface Person {
  name?: string;
}

/** Runs with each person's session. */
export const chat: Handler<Person> = async (session, server) => {
  const greeting = await session.receive();
  if (typeof greeting !== "string" || greeting === "") {
    await session.close(1008, "say your name first");
    return;
  }
  session.data = { name: greeting };
  const say = (text: string): number => server.broadcast(text, named(server.sessions.values()));
  say(`${greeting} is here`);
  for await (const message of session) {
    if (typeof message === "string") say(`${greeting}: ${message}`);
  }
  say(`${greeting} has left`);
};

/** Those who have said their name. */
function* named<T extends { data: Person | undefined }>(sessions: Iterable<T>): Generator<T> {
  for (const session of sessions) if (session.data?.name !== undefined) yield session;
}
