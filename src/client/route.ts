/**
 * How a client reaches a server: directly, over a Unix socket, through a proxy, or not at all, when it
 * is given a connection.
 *
 * @module
 */

import { parseIp } from "../address.ts";
import type { Attempt } from "./attempt.ts";
import { HandshakeError } from "../core/errors.ts";
import type { HeadLimits } from "../core/head_reader.ts";
import { type Destination, parseProxy, type Proxy, type ProxyOptions } from "./proxy.ts";
import { chooseProxy, PROXY_VARIABLES } from "./proxy_env.ts";
import { type Conn, type DialOptions, prepend } from "../runtime/conn.ts";
import { dial, lookup, readEnv, startTls } from "../runtime/mod.ts";
import { openSocks } from "./socks.ts";
import type { Leg, Target } from "./target.ts";
import { openTunnel } from "./tunnel.ts";

/** The options that decide it. */
export interface RouteOptions {
  readonly conn?: Conn;
  readonly unix?: string;
  readonly proxy?: string | URL | ProxyOptions;
  readonly redirects?: number;
}

/** Throws a `TypeError` for options of which only one can be. */
export function checkRoute({ conn, unix, proxy, redirects = 0 }: RouteOptions): void {
  if (conn !== undefined && (unix !== undefined || proxy !== undefined)) {
    throw new TypeError("Option conn is a connection already: it excludes options unix and proxy");
  }
  if (conn !== undefined && redirects > 0) {
    throw new TypeError("Option redirects may need more connections than the one of option conn");
  }
  if (unix !== undefined && proxy !== undefined) {
    throw new TypeError("Options unix and proxy exclude each other");
  }
  if (proxy !== undefined && proxy !== "env") parseProxy(proxy);
}

/** Makes the connections of one call of `connect()`. */
export class Route {
  readonly #options: RouteOptions;
  readonly #findProxy: (target: Target) => Proxy | null;
  readonly #limits: HeadLimits;

  private constructor(
    options: RouteOptions,
    findProxy: (target: Target) => Proxy | null,
    limits: HeadLimits,
  ) {
    this.#options = options;
    this.#findProxy = findProxy;
    this.#limits = limits;
  }

  /** Rejects if the environment can't be read. */
  static async create(options: RouteOptions, limits: HeadLimits): Promise<Route> {
    const { proxy } = options;
    if (proxy === "env") {
      const env = await readEnv(PROXY_VARIABLES);
      return new Route(options, (target) => chooseProxy(target, env), limits);
    }
    const parsed = proxy === undefined ? null : parseProxy(proxy);
    return new Route(options, () => parsed, limits);
  }

  /** A connection to the target, TLS included, which the attempt guards. */
  async open(leg: Leg, attempt: Attempt): Promise<Conn> {
    const { conn, unix } = this.#options;
    const proxy = conn === undefined && unix === undefined ? this.#findProxy(leg.target) : null;
    const reached = proxy === null
      ? conn ?? await dial({ ...whereTo(leg, attempt), unix })
      : await this.#openThrough(proxy, leg, attempt);
    attempt.guard(reached);
    return reached;
  }

  async #openThrough(proxy: Proxy, leg: Leg, attempt: Attempt): Promise<Conn> {
    const to = await destination(proxy, leg.target, attempt);
    const { conn, rest } = await this.#tunnel(proxy, to, attempt).catch(blameProxy);
    attempt.signal.throwIfAborted();
    if (!leg.target.isSecure) return prepend(conn, rest);
    if (rest.length > 0) {
      throw new HandshakeError("Cannot connect: through the proxy came bytes before TLS had begun");
    }
    return await startTls(conn, whereTo(leg, attempt));
  }

  /** A connection through the proxy, and the first bytes that came through it. */
  async #tunnel(
    { kind, hostname, port, tls, headers, credentials }: Proxy,
    to: Destination,
    attempt: Attempt,
  ): Promise<{ conn: Conn; rest: Uint8Array }> {
    const conn = await dial({ hostname, port, tls, signal: attempt.signal });
    attempt.guard(conn);
    const rest = kind === "http"
      ? await openTunnel(conn, headers, to, this.#limits)
      : await openSocks(conn, credentials, to);
    return { conn, rest };
  }
}

function whereTo({ target, tls }: Leg, { signal }: Attempt): DialOptions {
  const { hostname, port, isSecure } = target;
  return { hostname, port, tls: isSecure ? tls : undefined, signal };
}

/** Says of a system's error whose it is; the others say so themselves. */
function blameProxy(error: unknown): never {
  const isSystemError = error instanceof Error && !(error instanceof TypeError);
  if (!isSystemError || error instanceof HandshakeError) throw error;
  const blamed = new Error(`Cannot use the proxy: ${error.message}`, { cause: error });
  throw "code" in error ? Object.assign(blamed, { code: error.code }) : blamed;
}

/** What the proxy is told of the target. */
async function destination(
  { wantsAddresses }: Proxy,
  { hostname, port }: Target,
  { signal }: Attempt,
): Promise<Destination> {
  const isName = parseIp(hostname) === null;
  if (!wantsAddresses || !isName) return { hostname, port };
  return { hostname: await lookup({ hostname, port, signal }), port };
}
