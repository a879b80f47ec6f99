/**
 * The session that a server makes of a handshake that has succeeded.
 *
 * @module
 */

import { type SessionInit, WebSocketSession } from "./session.ts";
import type { Conn } from "./runtime/conn.ts";
import type { Upgraded } from "./upgrade.ts";

/** What the sessions of a server have in common. */
export type ServerSessionInit<Data> = Pick<
  SessionInit<Data>,
  "options" | "timers" | "run" | "handlers" | "onEnd" | "onError"
>;

/** Servers do not mask (RFC 6455 section 5.1). */
const NO_MASK = (): number => 0;

/** Opens the session; `conn` continues behind the handshake. */
export function openSession<Data>(
  { request, protocol, extensions, compression, data, remoteAddr }: Upgraded<Data>,
  conn: Conn,
  init: ServerSessionInit<Data>,
): WebSocketSession<Data> {
  return new WebSocketSession<Data>({
    ...init,
    conn,
    role: "server",
    maskKey: NO_MASK,
    request,
    protocol,
    extensions,
    compression,
    data,
    remoteAddr,
  });
}
