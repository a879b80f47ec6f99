/**
 * Names of hosts to addresses, as the system resolves them: `/etc/hosts` counts. The only importer of
 * `node:dns`, which all runtimes have.
 *
 * @module
 */

import dns from "node:dns";
import { systemError } from "./address.ts";
import type { DialOptions } from "./conn.ts";

/** The first address of a host. Gives up waiting with the signal's reason. */
export function lookup(options: DialOptions): Promise<string> {
  const { hostname, signal } = options;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const abort = (): void => reject(signal!.reason);
    signal?.addEventListener("abort", abort, { once: true });
    dns.lookup(hostname!, (error, address) => {
      signal?.removeEventListener("abort", abort);
      if (error) reject(systemError("connect to", options, error));
      else resolve(address);
    });
  });
}
