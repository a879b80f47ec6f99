/**
 * Proxies: what users say of one, and what is known of it then.
 *
 * @module
 */

import type { HeadersInput } from "../core/headers.ts";
import { type Credentials, formatBasic, readCredentials } from "./credentials.ts";
import { checkNames } from "../options.ts";
import type { TlsClientOptions } from "../runtime/conn.ts";
import { tryUrl, withoutBrackets } from "./target.ts";
import { checkTls } from "./tls_options.ts";
import { readUserHeaders } from "./user_headers.ts";

/**
 * A proxy to connect through.
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { connect, type ProxyOptions } from "@twoway/websocket";
 *
 * const proxy: ProxyOptions = {
 *   url: "http://user:password@127.0.0.1:1", // nobody listens there
 *   headers: { "x-team": "blue" },
 * };
 * await assertRejects(() => connect("ws://app.example/", { proxy }), Error, "127.0.0.1");
 * ```
 */
export interface ProxyOptions {
  /**
   * `http:` or `https:` for the CONNECT method; `socks5:`, where names are resolved on this side, or
   * `socks5h:`, where the proxy does it. It may hold a user name and a password. The port is 80, 443
   * or 1080 unless it is given.
   */
  readonly url: string | URL;
  /** Header fields for an `http:` or `https:` proxy; the server doesn't get them. */
  readonly headers?: HeadersInput;
  /** How an `https:` proxy is verified. */
  readonly tls?: TlsClientOptions;
}

/** A proxy that has been checked. */
export interface Proxy {
  readonly kind: "http" | "socks";
  readonly hostname: string;
  readonly port: number;
  /** For the connection to the proxy itself; `undefined` for plain TCP. */
  readonly tls: TlsClientOptions | undefined;
  /** Fields for the CONNECT request, credentials among them. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** For SOCKS. */
  readonly credentials: Credentials | null;
  /** Whether it is told IP addresses only. */
  readonly wantsAddresses: boolean;
}

/** Where a tunnel leads. */
export interface Destination {
  /** An IP address, or a name that the proxy resolves. */
  readonly hostname: string;
  readonly port: number;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  "http:": 80,
  "https:": 443,
  "socks5:": 1080,
  "socks5h:": 1080,
};

/** RFC 1929 section 2: one byte tells the length. */
const MAX_SOCKS_TEXT = 255;

/**
 * Throws a `TypeError` for what names no proxy; `name` is what the user knows it by. Nothing of the
 * URL is shown: it may hold a password.
 */
export function parseProxy(
  option: string | URL | ProxyOptions,
  name: string = "Option proxy",
): Proxy {
  if (typeof option === "string" || option instanceof URL) {
    return createProxy({ url: option }, name);
  }
  if (typeof option !== "object" || option === null) {
    throw new TypeError(`${name} is neither a URL, an object nor "env"`);
  }
  checkNames(option, ["url", "headers", "tls"], "proxy.");
  return createProxy(option, name);
}

function createProxy(options: ProxyOptions, name: string): Proxy {
  const url = parseUrl(options.url, name);
  const isHttp = url.protocol === "http:" || url.protocol === "https:";
  const isSecure = url.protocol === "https:";
  checkTls(options.tls, "proxy.tls");
  if (options.tls !== undefined && !isSecure) {
    throw new TypeError(`${name} has tls, which is for https: proxies`);
  }
  if (options.headers !== undefined && !isHttp) {
    throw new TypeError(`${name} has headers, which are for http: and https: proxies`);
  }
  const credentials = readCredentials(url);
  if (!isHttp && credentials !== null) checkSocksCredentials(credentials, name);
  return {
    kind: isHttp ? "http" : "socks",
    hostname: withoutBrackets(url.hostname),
    port: url.port === "" ? DEFAULT_PORTS[url.protocol] : Number(url.port),
    tls: isSecure ? options.tls ?? {} : undefined,
    headers: isHttp ? createHeaders(options.headers, credentials, name) : [],
    credentials,
    wantsAddresses: url.protocol === "socks5:",
  };
}

function parseUrl(text: string | URL, name: string): URL {
  const url = tryUrl(text);
  if (url === null || !(url.protocol in DEFAULT_PORTS) || url.hostname === "") {
    throw new TypeError(`${name} is not an http:, https:, socks5: or socks5h: URL`);
  }
  if (!["", "/"].includes(url.pathname) || url.search !== "" || url.hash !== "") {
    throw new TypeError(`${name} is a URL with more than a host and a port`);
  }
  return url;
}

function createHeaders(
  input: HeadersInput | undefined,
  credentials: Credentials | null,
  name: string,
): [name: string, value: string][] {
  const headers = readUserHeaders(input, `${name}.headers`);
  const isGiven = headers.some(([name]) => name.toLowerCase() === "proxy-authorization");
  if (credentials !== null && !isGiven) {
    headers.push(["Proxy-Authorization", formatBasic(credentials)]);
  }
  return headers;
}

function checkSocksCredentials({ user, password }: Credentials, name: string): void {
  if (user.length > 0 && user.length <= MAX_SOCKS_TEXT && password.length <= MAX_SOCKS_TEXT) return;
  throw new TypeError(`${name} has a user name or password that SOCKS can't carry: 1 to 255 bytes`);
}
