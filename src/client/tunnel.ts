/**
 * A tunnel through an HTTP proxy: the CONNECT method (RFC 9110 section 9.3.6).
 *
 * @module
 */

import { readAnswer, refusal } from "./answer.ts";
import { HeaderList } from "../core/headers.ts";
import { type HeadLimits, HeadReader } from "../core/head_reader.ts";
import { encodeRequest, type RequestHead } from "../core/http.ts";
import type { Destination } from "./proxy.ts";
import type { Conn } from "../runtime/conn.ts";

/**
 * Asks the proxy at the other end of `conn` for a tunnel. Resolves with the first bytes of it that
 * came with the answer. Rejects with a {@linkcode HandshakeError} if the proxy refuses.
 */
export async function openTunnel(
  conn: Conn,
  headers: Iterable<readonly [name: string, value: string]>,
  destination: Destination,
  limits: HeadLimits,
): Promise<Uint8Array> {
  await conn.write(encodeRequest(createConnect(headers, destination)));
  const answer = await readAnswer(conn, () => HeadReader.forProxyResponses(limits), "proxy");
  const { status } = answer.response;
  // "A client MUST ignore any Content-Length or Transfer-Encoding header fields received in a
  // successful response to CONNECT." (9.3.6)
  if (status >= 200 && status < 300) return answer.rest;
  throw await refusal(`Cannot connect: the proxy answered with status ${status}`, conn, answer);
}

// "There is no default port; a client MUST send the port number even if the CONNECT request is based
// on a URI reference that contains an authority component with an elided port" (9.3.6)
function createConnect(
  fields: Iterable<readonly [name: string, value: string]>,
  { hostname, port }: Destination,
): RequestHead {
  const target = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const headers = new HeaderList();
  headers.append("Host", target);
  for (const [name, value] of fields) headers.append(name, value);
  return { method: "CONNECT", target, headers };
}
