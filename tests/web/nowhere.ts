/** An address where nobody listens. @module */

import type { TcpAddr } from "../../mod.ts";
import { listen } from "../../src/runtime/mod.ts";

/** The URL of a port where nobody listens any more. */
export async function nowhere(): Promise<string> {
  const listener = await listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return `ws://127.0.0.1:${(listener.addr as TcpAddr).port}/`;
}
