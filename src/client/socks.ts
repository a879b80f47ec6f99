/**
 * A tunnel through a SOCKS 5 proxy (RFC 1928), with a user name and a password (RFC 1929) if need be.
 *
 * @module
 */

import { parseIp } from "../address.ts";
import { HandshakeError } from "../core/errors.ts";
import { encodeUtf8 } from "../core/utf8.ts";
import type { Credentials } from "./credentials.ts";
import type { Destination } from "./proxy.ts";
import { concat } from "../runtime/bytes.ts";
import type { Conn } from "../runtime/conn.ts";

const VERSION = 5;
/** The version of the negotiation within: RFC 1929 has its own. */
const LOGIN_VERSION = 1;
const CONNECT = 1;

const Method = { None: 0, Password: 2, NoneAcceptable: 0xff } as const;

const AddressType = { Ipv4: 1, Name: 3, Ipv6: 4 } as const;

/** RFC 1928 section 6. */
const REPLIES: readonly string[] = [
  "succeeded",
  "general failure of the proxy",
  "not allowed by its rules",
  "network unreachable",
  "host unreachable",
  "connection refused",
  "TTL expired",
  "command not supported",
  "address type not supported",
];

/**
 * Asks the proxy at the other end of `conn` for a tunnel. Resolves with the first bytes of it that
 * came with the answer. Rejects with a {@linkcode HandshakeError} if the proxy refuses.
 */
export async function openSocks(
  conn: Conn,
  credentials: Credentials | null,
  destination: Destination,
): Promise<Uint8Array> {
  const request = encodeRequest(destination);
  const reader = new Reader(conn);
  const methods = credentials === null ? [Method.None] : [Method.None, Method.Password];
  await conn.write(Uint8Array.of(VERSION, methods.length, ...methods));
  const method = await readMethod(reader, methods);
  if (method === Method.Password) await logIn(conn, reader, credentials!);
  await conn.write(request);
  await readReply(reader);
  return reader.rest;
}

async function readMethod(reader: Reader, offered: readonly number[]): Promise<number> {
  const [version, method] = await reader.read(2);
  if (version !== VERSION) throw notSocks(version);
  if (offered.includes(method)) return method;
  throw new HandshakeError(
    method === Method.NoneAcceptable
      ? "Cannot connect: the proxy takes none of the ways to authenticate that were offered"
      : `Cannot connect: the proxy chose authentication method ${method}, which was not offered`,
  );
}

async function logIn(conn: Conn, reader: Reader, { user, password }: Credentials): Promise<void> {
  await conn.write(concat([
    Uint8Array.of(LOGIN_VERSION, user.length),
    user,
    Uint8Array.of(password.length),
    password,
  ]));
  const [version, status] = await reader.read(2);
  if (version !== LOGIN_VERSION) throw notSocks(version);
  if (status !== 0) {
    throw new HandshakeError("Cannot connect: the proxy refuses this user name and password");
  }
}

function encodeRequest({ hostname, port }: Destination): Uint8Array {
  return concat([
    Uint8Array.of(VERSION, CONNECT, 0),
    encodeAddress(hostname),
    Uint8Array.of(port >> 8, port & 0xff),
  ]);
}

function encodeAddress(hostname: string): Uint8Array {
  const ip = parseIp(hostname);
  if (ip !== null) {
    return Uint8Array.of(ip.length === 4 ? AddressType.Ipv4 : AddressType.Ipv6, ...ip);
  }
  const name = encodeUtf8(hostname);
  if (name.length <= 255) return Uint8Array.of(AddressType.Name, name.length, ...name);
  throw new TypeError(
    "Cannot connect: the host name has more than the 255 bytes that SOCKS carries",
  );
}

async function readReply(reader: Reader): Promise<void> {
  const [version, reply, , type] = await reader.read(4);
  if (version !== VERSION) throw notSocks(version);
  if (reply !== 0) {
    const meaning = REPLIES[reply] ?? "unknown";
    throw new HandshakeError(`Cannot connect: the proxy answered with ${reply}, ${meaning}`);
  }
  // Which address the proxy connects from is nothing to us, but it has to be read.
  await reader.read(await addressLength(reader, type) + 2);
}

async function addressLength(reader: Reader, type: number): Promise<number> {
  if (type === AddressType.Ipv4) return 4;
  if (type === AddressType.Ipv6) return 16;
  if (type === AddressType.Name) return (await reader.read(1))[0];
  throw new HandshakeError(`Cannot connect: the proxy answered with address type ${type}`);
}

function notSocks(version: number): HandshakeError {
  return new HandshakeError(
    `Cannot connect: the proxy does not speak SOCKS 5: its answer begins with byte ${version}`,
  );
}

/** Reads so many bytes, however they are cut. */
class Reader {
  readonly #conn: Conn;
  /** Received and not read: a copy. */
  rest: Uint8Array = new Uint8Array(0);

  constructor(conn: Conn) {
    this.#conn = conn;
  }

  async read(size: number): Promise<Uint8Array> {
    while (this.rest.length < size) {
      const bytes = await this.#conn.read();
      if (bytes === null) throw new HandshakeError("The proxy closed the connection unanswered");
      this.rest = concat([this.rest, bytes]);
    }
    const bytes = this.rest.subarray(0, size);
    this.rest = this.rest.subarray(size);
    return bytes;
  }
}
