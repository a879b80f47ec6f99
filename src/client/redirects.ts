/**
 * Redirects of an opening handshake (RFC 6455 section 4.1, RFC 9110 section 15.4): where they lead,
 * and what is not shown there.
 *
 * @module
 */

import type { ResponseHead } from "../core/http.ts";
import type { TlsClientOptions } from "../runtime/conn.ts";
import { type Leg, parseTarget, type Target, tryUrl } from "./target.ts";

const STATUSES: readonly number[] = [301, 302, 303, 307, 308];

/** What was said to one server alone. */
const SECRETS = /^(?:authorization|cookie2?|proxy-.*)$/i;

/** Throws a `TypeError` or `RangeError` unless so many redirects can be followed. */
export function checkRedirects(count: number): void {
  if (typeof count !== "number") {
    throw new TypeError(`Option redirects is of type ${typeof count}, not a number`);
  }
  if (Number.isSafeInteger(count) && count >= 0) return;
  throw new RangeError(`Option redirects is ${count}, not a whole number from 0 up`);
}

/** Where to go on, or why not. */
export type Redirect =
  | { readonly leg: Leg; readonly why?: undefined }
  | { readonly leg: null; readonly why: string };

/** Follows redirects, up to a number of them. */
export class Redirects {
  readonly #limit: number;
  #count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Reads what one leg ended with; `null` if that is no redirect. */
  read({ status, headers }: ResponseHead, leg: Leg): Redirect | null {
    if (!STATUSES.includes(status)) return null;
    if (this.#count >= this.#limit) return refuse(`(option redirects is ${this.#limit})`);
    const locations = headers.getAll("location");
    if (locations.length !== 1) return refuse(`with ${locations.length} Locations`);
    const target = resolve(locations[0], leg.target);
    if (target === null) return refuse("to what is no ws: or wss: URL");
    if (leg.target.isSecure && !target.isSecure) return refuse("from wss: to ws:");
    this.#count++;
    return { leg: moveTo(target, leg) };
  }
}

function refuse(where: string): Redirect {
  return { leg: null, why: `, a redirect ${where}` };
}

/** Credentials in a Location are the server's, not the user's: they are left out. */
function resolve(location: string, from: Target): Target | null {
  const url = tryUrl(location, from.url);
  if (url === null) return null;
  url.hash = "";
  try {
    return parseTarget(url);
  } catch {
    return null;
  }
}

function moveTo(target: Target, { target: from, headers, tls }: Leg): Leg {
  const isSame = target.isSecure === from.isSecure && target.host === from.host;
  if (isSame) return { target, headers, tls };
  return {
    target,
    headers: headers.filter(([name]) => !SECRETS.test(name)),
    tls: withoutIdentity(tls),
  };
}

/** What goes for any server: neither who we are, nor whom we expected. */
function withoutIdentity(
  { cert: _, key: __, serverName: ___, ...others }: TlsClientOptions,
): TlsClientOptions {
  return others;
}
