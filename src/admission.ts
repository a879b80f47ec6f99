/**
 * How many may come in: in all, and from one address.
 *
 * @module
 */

import { addressKey } from "./address.ts";
import { ChurnMap } from "./churn_map.ts";
import { HandshakeError } from "./core/errors.ts";
import type { Addr } from "./runtime/conn.ts";

/** What {@linkcode Admission} holds to. */
export interface AdmissionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
}

/** What to tell clients that find the server full or closing, in seconds. */
export const RETRY_AFTER = "5";

/** Counts the sessions, and the plain responses being written, of one server. */
export class Admission {
  readonly #limits: AdmissionLimits;
  #count = 0;
  /** Only kept if the number per address is limited. */
  readonly #byAddress = new ChurnMap<string, number>();

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /**
   * Lets one more in. Throws a {@linkcode HandshakeError} with status 503 or 429 if there is no room.
   */
  admit(remoteAddr?: Addr): void {
    if (this.#count >= this.#limits.maxConnections) {
      throw new HandshakeError("The server is full (limits.maxConnections)", {
        status: 503,
        headers: [["retry-after", RETRY_AFTER]],
      });
    }
    if (this.#countsAddress(remoteAddr)) this.#admitAddress(addressKey(remoteAddr));
    this.#count++;
  }

  /** One that was let in, from this address, has gone. */
  release(remoteAddr?: Addr): void {
    if (this.#countsAddress(remoteAddr)) this.#releaseAddress(addressKey(remoteAddr));
    this.#count--;
  }

  #countsAddress(remoteAddr: Addr | undefined): remoteAddr is Addr {
    return remoteAddr !== undefined && this.#limits.maxConnectionsPerAddress !== Infinity;
  }

  #admitAddress(key: string): void {
    const count = this.#byAddress.get(key) ?? 0;
    if (count >= this.#limits.maxConnectionsPerAddress) {
      throw new HandshakeError(
        "Too many connections from this address (limits.maxConnectionsPerAddress)",
        { status: 429 },
      );
    }
    this.#byAddress.set(key, count + 1);
  }

  #releaseAddress(key: string): void {
    const left = (this.#byAddress.get(key) ?? 0) - 1;
    if (left > 0) this.#byAddress.set(key, left);
    else this.#byAddress.delete(key);
  }
}
