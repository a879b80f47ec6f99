/** Memory of a server under test. @module */

import type { Child } from "./children.ts";

/** What a server holds, or a connection of it, in KiB. */
export interface Held {
  /** As the system sees it, with what an allocator keeps: a figure that varies by a few MiB. */
  readonly resident: number;
  /** What lives on when the garbage is collected, to the byte. */
  readonly live: number;
}

/** What it holds when its garbage is collected; it answers the question `gc`. */
export async function heldBy(server: Child): Promise<Held> {
  const bytes = await server.ask<number>("gc");
  return { resident: server.memory, live: bytes / 1024 };
}
