/**
 * Where a client goes: what it reads in a URL, and what it shows there.
 *
 * @module
 */

import { checkUserHeaders, type HeadersInput } from "../core/headers.ts";
import { type Credentials, formatBasic, readCredentials } from "./credentials.ts";
import type { TlsClientOptions } from "../runtime/conn.ts";

/** A WebSocket URL in parts. */
export interface Target {
  /** The whole, without user information. */
  readonly url: string;
  readonly isSecure: boolean;
  /** IPv6 without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** As in the Host header: without the scheme's default port. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
  readonly credentials: Credentials | null;
}

/** Throws a `TypeError` for what is no WebSocket URL; it shows no password, and no query. */
export function parseTarget(text: string | URL): Target {
  const url = tryUrl(text);
  if (url === null) throw new TypeError(`Cannot connect: ${showNoUrl(String(text))} is not a URL`);
  const isSecure = url.protocol === "wss:" || url.protocol === "https:";
  if (!isSecure && url.protocol !== "ws:" && url.protocol !== "http:") {
    throw new TypeError(
      `Cannot connect: the URL's scheme is ${JSON.stringify(url.protocol)}, not ws: or wss:`,
    );
  }
  // "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used" (3)
  if (String(text).includes("#")) throw new TypeError(`Cannot connect: the URL has a fragment`);
  const credentials = readCredentials(url);
  url.username = url.password = "";
  return {
    url: url.href,
    isSecure,
    hostname: withoutBrackets(url.hostname),
    port: url.port === "" ? (isSecure ? 443 : 80) : Number(url.port),
    host: url.host,
    path: url.pathname + url.search,
    credentials,
  };
}

/** `null` for what is none. */
export function tryUrl(text: string | URL, base?: string): URL | null {
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
}

/** What an error may show of a text that is no URL: nobody can tell where a password in it would end. */
export function showNoUrl(text: string): string {
  if (text.includes("@")) return "the text given (not shown: it may hold a password)";
  return JSON.stringify(text.split(/[?#]/, 1)[0].slice(0, 200));
}

/** The hostname of a URL as a name or IP address. */
export function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}

/** One attempt to open a connection, of which redirects may need several. */
export interface Leg {
  readonly target: Target;
  /** Fields to add to the request, credentials among them. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly tls: TlsClientOptions;
}

/** The way to what the user asked for: the URL's credentials count unless `headers` has some. */
export function firstLeg(
  url: string | URL,
  { headers, tls = {} }: { readonly headers?: HeadersInput; readonly tls?: TlsClientOptions },
): Leg {
  const target = parseTarget(url);
  const fields = checkUserHeaders(headers);
  const isGiven = fields.some(([name]) => name.toLowerCase() === "authorization");
  if (target.credentials !== null && !isGiven) {
    fields.push(["Authorization", formatBasic(target.credentials)]);
  }
  return { target, headers: fields, tls };
}
