/**
 * The proxy that the environment names, by the rules of curl.
 *
 * @module
 */

import { AddressSet, parseIp } from "../address.ts";
import { parseProxy, type Proxy } from "./proxy.ts";
import type { Target } from "./target.ts";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** All that are read. */
export const PROXY_VARIABLES: readonly string[] = [
  "http_proxy",
  "HTTP_PROXY",
  "https_proxy",
  "HTTPS_PROXY",
  "all_proxy",
  "ALL_PROXY",
  "no_proxy",
  "NO_PROXY",
  "REQUEST_METHOD",
];

/** The proxy for a target; `null` for none. Throws a `TypeError` that names the variable. */
export function chooseProxy({ isSecure, hostname }: Target, env: Environment): Proxy | null {
  if (isExempt(hostname, env.no_proxy || env.NO_PROXY || "")) return null;
  const names = isSecure ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy"];
  // Under CGI this is a header field of a stranger's request: "Proxy".
  if (!isSecure && env.REQUEST_METHOD === undefined) names.push("HTTP_PROXY");
  const name = [...names, "all_proxy", "ALL_PROXY"].find((name) => env[name]);
  if (name === undefined) return null;
  const value = env[name]!;
  const url = value.includes("://") ? value : `http://${value}`;
  return parseProxy(url, `Environment variable ${name}`);
}

/** Whether a list names the host: by itself, by a domain above it, by a block of addresses. */
function isExempt(hostname: string, list: string): boolean {
  const entries = list.split(/[\s,]+/).filter((entry) => entry !== "");
  if (entries.includes("*")) return true;
  const isIp = parseIp(hostname) !== null;
  return entries.some((entry) => isIp ? hasAddress(entry, hostname) : isWithin(hostname, entry));
}

function isWithin(hostname: string, entry: string): boolean {
  const name = withoutDot(hostname.toLowerCase());
  const domain = withoutDot(entry.toLowerCase().replace(/^\./, ""));
  return domain !== "" && (name === domain || name.endsWith(`.${domain}`));
}

function withoutDot(name: string): string {
  return name.replace(/\.$/, "");
}

function hasAddress(entry: string, address: string): boolean {
  try {
    return new AddressSet([entry.replace(/^\[(.*)\]$/, "$1")]).hasIp(address);
  } catch {
    return false; // a name
  }
}
