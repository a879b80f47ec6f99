/**
 * Who may connect from a web page (RFC 6455 section 10.2): browsers send `Origin` and cookies with
 * every WebSocket request, from any site, so the server has to check.
 *
 * @module
 */

import { HandshakeError } from "./core/errors.ts";

/**
 * Which origins are accepted besides the server's own: a list such as `["https://app.example"]`.
 * `"same-origin"` accepts none, `"any"` does not check.
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { connect, type OriginPolicy, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const origin: OriginPolicy = ["https://app.example"];
 * const server = await serve({ port: 0, origin }, () => {});
 * const { port } = server.addr as TcpAddr;
 * const url = `ws://127.0.0.1:${port}/`;
 * const session = await connect(url, { origin: "https://app.example" });
 * await session.close();
 * await assertRejects(() => connect(url, { origin: "https://evil.example" }), Error, "403");
 * await server.shutdown();
 * ```
 */
export type OriginPolicy = "same-origin" | "any" | readonly string[];

/** Throws a `TypeError` if `policy` is none. */
export function checkOriginPolicy(policy: OriginPolicy): void {
  if (policy === "any" || policy === "same-origin") return;
  const isList = Array.isArray(policy) && policy.every((origin) => typeof origin === "string");
  if (!isList) throw new TypeError('Option origin is neither "same-origin", "any" nor a list');
  for (const origin of policy) {
    // "https://app.example/" would silently match nothing
    if (/^https?:/i.test(origin) && parseOrigin(origin) === null) {
      throw new TypeError(
        `Option origin: ${JSON.stringify(origin)} is not a scheme, host and port`,
      );
    }
  }
}

/** Where the request was sent to. */
export interface Target {
  /** The Host header, or what a trusted proxy says it was. */
  readonly host: string;
  /** Whether by TLS; `undefined` if that can't be known. */
  readonly isSecure: boolean | undefined;
}

/**
 * Throws a {@linkcode HandshakeError} with status 403 unless the origin is acceptable. A request
 * without `Origin` does not come from a browser, and passes.
 */
export function checkOrigin(origin: string | null, target: Target, policy: OriginPolicy): void {
  if (origin === null || policy === "any") return;
  const isListed = typeof policy !== "string" &&
    policy.some((allowed) => allowed === origin || isSameUrlOrigin(allowed, origin));
  if (isListed || isSameOrigin(origin, target)) return;
  throw new HandshakeError(
    `Cannot accept the handshake: origin ${JSON.stringify(origin.slice(0, 200))} is neither that ` +
      `of the server nor in the list of option "origin"`,
    { status: 403 },
  );
}

function isSameOrigin(origin: string, { host, isSecure }: Target): boolean {
  const url = parseOrigin(origin);
  if (url === null) return false;
  if (isSecure !== undefined && isSecure !== (url.protocol === "https:")) return false;
  // The Host header omits the port that is the default of the scheme the page was loaded with.
  const own = parseOrigin(`${url.protocol}//${host}`);
  return own !== null && own.host === url.host;
}

function isSameUrlOrigin(a: string, b: string): boolean {
  const [left, right] = [parseOrigin(a), parseOrigin(b)];
  return left !== null && right !== null && left.origin === right.origin;
}

/** The URL of a serialised http(s) origin (RFC 6454 section 6.1): a scheme, a host, nothing more. */
function parseOrigin(text: string): URL | null {
  if (!/^https?:\/\/[^\s/?#@\\]+$/i.test(text)) return null;
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** Throws a {@linkcode HandshakeError} with status 403 unless `host` is in the list. */
export function checkHost(host: string, allowed: readonly string[] | undefined): void {
  if (allowed === undefined) return;
  const name = host.toLowerCase();
  const hostname = name.replace(/:\d*$/, "");
  if (allowed.some((entry) => [name, hostname].includes(entry.toLowerCase()))) return;
  throw new HandshakeError(
    `Cannot accept the handshake: host ${
      JSON.stringify(host.slice(0, 200))
    } is not in the list of ` +
      `option "allowedHosts"`,
    { status: 403 },
  );
}
