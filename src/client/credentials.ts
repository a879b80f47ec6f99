/**
 * A user name and a password, as URLs carry them and servers want them.
 *
 * @module
 */

/** What proves who one is. In bytes: usually UTF-8, but that is between the user and the server. */
export interface Credentials {
  readonly user: Uint8Array;
  readonly password: Uint8Array;
}

const COLON = 0x3a;

/** The user information of a URL; `null` if it has none. */
export function readCredentials({ username, password }: URL): Credentials | null {
  if (username === "" && password === "") return null;
  return { user: decodePercent(username), password: decodePercent(password) };
}

/**
 * The value of `Authorization` or `Proxy-Authorization`: "Basic" (RFC 7617). Throws a `TypeError` for
 * a user name with a colon, at which a server would divide the two.
 */
export function formatBasic({ user, password }: Credentials): string {
  if (user.includes(COLON)) {
    throw new TypeError("The user name of a URL has a colon: Basic authentication can't carry it");
  }
  let text = "";
  for (const byte of [...user, COLON, ...password]) text += String.fromCharCode(byte);
  return `Basic ${btoa(text)}`;
}

/** The bytes of a text of ASCII characters and percent signs, as a `URL` has them. */
function decodePercent(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const [part] of text.matchAll(/%[\da-f]{2}|[\s\S]/gi)) {
    bytes.push(part.length === 3 ? parseInt(part.slice(1), 16) : part.charCodeAt(0));
  }
  return Uint8Array.from(bytes);
}
