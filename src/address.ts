/**
 * Addresses of peers: which are trusted proxies, whom those speak for, and which connections count
 * as coming from one place.
 *
 * @module
 */

import type { HeaderList } from "./core/headers.ts";
import type { Addr } from "./runtime/conn.ts";

/** An IPv4 address without leading zeros. */
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?=\d)|$)){4}$/;

/** What a peer is known by when its connections are counted. */
export function addressKey(addr: Addr | undefined): string {
  if (addr === undefined) return "";
  if (addr.transport === "unix") return "unix";
  if (IPV4.test(addr.hostname)) return addr.hostname; // as systems write it: nothing to unify
  const bytes = parseIp(addr.hostname);
  if (bytes === null) return addr.hostname;
  // A household or a server gets a whole IPv6 /64: single addresses in it cost nothing.
  return bytes.length === 4 ? bytes.join(".") : `${toHex(bytes.subarray(0, 8))}::/64`;
}

/** A set of addresses, given as single ones or as CIDR blocks such as `"10.0.0.0/8"`. */
export class AddressSet {
  readonly #blocks: readonly { readonly bytes: Uint8Array; readonly bits: number }[];
  readonly #hasUnix: boolean;

  /** Throws a `TypeError` for what is neither an IP address, a CIDR block nor `"unix"`. */
  constructor(addresses: readonly string[]) {
    this.#hasUnix = addresses.includes("unix");
    this.#blocks = addresses.filter((address) => address !== "unix").map(parseBlock);
  }

  has(addr: Addr | undefined): boolean {
    if (addr === undefined) return false;
    return addr.transport === "unix" ? this.#hasUnix : this.hasIp(addr.hostname);
  }

  hasIp(text: string): boolean {
    if (this.#blocks.length === 0) return false;
    const bytes = parseIp(text);
    if (bytes === null) return false;
    return this.#blocks.some((block) =>
      block.bytes.length === bytes.length && haveSamePrefix(block.bytes, bytes, block.bits)
    );
  }
}

/** Who sent a request, and to which host and by which protocol, as far as trusted proxies say. */
export interface ForwardedInfo {
  readonly remoteAddr: Addr | undefined;
  /** The host that the client asked for; `undefined` if no trusted proxy says. */
  readonly host: string | undefined;
  /** Whether the client uses TLS; `undefined` if no trusted proxy says. */
  readonly isSecure: boolean | undefined;
}

/**
 * Reads `X-Forwarded-For`, `-Host` and `-Proto`, and only if the connection comes from a trusted
 * proxy. The client is the last address in the list that is not itself a trusted proxy: everything
 * left of it may be made up.
 */
export function readForwarded(
  remoteAddr: Addr | undefined,
  headers: HeaderList,
  trusted: AddressSet,
): ForwardedInfo {
  if (!trusted.has(remoteAddr)) return { remoteAddr, host: undefined, isSecure: undefined };
  const protocol = last(list(headers.get("x-forwarded-proto")))?.toLowerCase();
  return {
    remoteAddr: clientAddress(list(headers.get("x-forwarded-for")), trusted) ?? remoteAddr,
    host: last(list(headers.get("x-forwarded-host"))),
    isSecure: protocol === undefined ? undefined : protocol === "https" || protocol === "wss",
  };
}

function clientAddress(addresses: readonly string[], trusted: AddressSet): Addr | undefined {
  for (let i = addresses.length - 1; i >= 0; i--) {
    const hostname = withoutPort(addresses[i]);
    if (parseIp(hostname) === null) return undefined;
    if (i === 0 || !trusted.hasIp(hostname)) return { transport: "tcp", hostname, port: 0 };
  }
  return undefined;
}

/** Some proxies write `1.2.3.4:5678` or `[::1]:5678`. */
function withoutPort(address: string): string {
  const match = /^\[([^\]]+)\](?::\d+)?$|^([\d.]+):\d+$/.exec(address);
  return match?.[1] ?? match?.[2] ?? address;
}

function list(value: string | null): string[] {
  return value === null
    ? []
    : value.split(",").map((item) => item.trim()).filter((item) => item !== "");
}

function last(items: readonly string[]): string | undefined {
  return items.at(-1);
}

function parseBlock(text: string): { bytes: Uint8Array; bits: number } {
  const [address, prefix, ...more] = text.split("/");
  const bytes = parseIp(address);
  const bits = prefix === undefined ? bytes && bytes.length * 8 : Number(prefix);
  const isValid = bytes !== null && bits !== null && more.length === 0 &&
    /^\d{1,3}$/.test(prefix ?? "0") &&
    bits <= bytes.length * 8;
  if (!isValid) throw new TypeError(`Cannot trust "${text}": not an IP address or CIDR block`);
  return { bytes, bits };
}

function haveSamePrefix(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false;
  const shift = 8 - (bits & 7);
  return shift === 8 || a[whole] >> shift === b[whole] >> shift;
}

/** The 4 or 16 bytes of an IP address; IPv4 inside IPv6 counts as IPv4. `null` if it is none. */
export function parseIp(text: string): Uint8Array | null {
  if (!text.includes(":")) return parseIpv4(text);
  const bytes = parseIpv6(text.replace(/%.*$/, ""));
  const isMapped = bytes !== null && bytes.subarray(0, 10).every((byte) => byte === 0) &&
    bytes[10] === 0xff && bytes[11] === 0xff;
  return isMapped ? bytes.slice(12) : bytes;
}

function parseIpv4(text: string): Uint8Array | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const numbers = match?.slice(1).map(Number) ?? [];
  return match === null || numbers.some((number) => number > 255) ? null : Uint8Array.from(numbers);
}

function parseIpv6(text: string): Uint8Array | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = halves.map((half, i) => parseGroups(half, i === halves.length - 1));
  if (head === null || tail === null) return null;
  if (tail === undefined) return head.length === 16 ? Uint8Array.from(head) : null;
  if (head.length + tail.length > 14) return null;
  const gap = new Array<number>(16 - head.length - tail.length).fill(0);
  return Uint8Array.from([...head, ...gap, ...tail]);
}

/** The bytes of groups between colons; the last one of an address may be in IPv4 form. */
function parseGroups(text: string, isEnd: boolean): number[] | null {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [i, group] of groups.entries()) {
    const ipv4 = isEnd && i === groups.length - 1 ? parseIpv4(group) : null;
    if (ipv4 !== null) bytes.push(...ipv4);
    else if (/^[\da-f]{1,4}$/i.test(group)) {
      const value = parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    } else return null;
  }
  return bytes;
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
