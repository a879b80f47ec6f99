/**
 * The session that a server makes of a handshake that has succeeded.
 *
 * @module
 */

import { WebSocketSession } from "./session.ts";
import type { SessionPlan } from "./session_plan.ts";
import type { Conn } from "./runtime/conn.ts";
import type { Upgraded } from "./upgrade.ts";

/** Opens the session; `conn` continues behind the handshake. */
export function openSession<Data>(
  { request, protocol, extensions, compression, data, remoteAddr }: Upgraded<Data>,
  conn: Conn,
  plan: SessionPlan<WebSocketSession<Data>>,
): WebSocketSession<Data> {
  return new WebSocketSession<Data>({
    plan,
    conn,
    request,
    protocol,
    extensions,
    compression,
    data,
    remoteAddr,
  });
}
