/**
 * The client's side of the opening handshake over HTTP/2 (RFC 8441 section 5).
 *
 * @module
 */

import { refusal } from "./answer.ts";
import type { Attempt } from "./attempt.ts";
import { HandshakeError } from "../core/errors.ts";
import {
  checkConnectResponse,
  createConnect,
  type Http2Fields,
  readConnectResponse,
} from "../core/extended_connect.ts";
import { HeaderList } from "../core/headers.ts";
import type { RequestHead } from "../core/http.ts";
import type { OpeningOffers, Reply } from "./opening.ts";
import type { RouteOptions } from "./route.ts";
import type { Http2Client, Http2Session } from "../runtime/http2_client.ts";
import { dialHttp2, shareHttp2 } from "../runtime/mod.ts";
import type { Leg, Target } from "./target.ts";

/** The options that HTTP/2 does not go with. */
export interface Http2Options extends RouteOptions {
  readonly http2?: boolean | Http2Session;
  readonly tls?: unknown;
}

/** Throws a `TypeError` for an option http2 that is none, or with others that it excludes. */
export function checkHttp2({ http2 = false, ...others }: Http2Options): void {
  if (http2 === false) return;
  if (http2 !== true && typeof (http2 as Partial<Http2Session> | null)?.request !== "function") {
    throw new TypeError("Option http2 is neither a boolean nor a ClientHttp2Session of node:http2");
  }
  for (const name of ["conn", "unix", "proxy"] as const) {
    if (others[name] === undefined) continue;
    throw new TypeError(`Options http2 and ${name} exclude each other: HTTP/2 dials by itself`);
  }
  if (http2 === true) return;
  if (others.tls !== undefined) {
    throw new TypeError("Option http2 is a connection already: it excludes option tls");
  }
  if ((others.redirects ?? 0) > 0) {
    throw new TypeError("Option redirects may need more connections than the one of option http2");
  }
}

/** Connects if need be, sends the request and reads what the server answers. */
export async function askByHttp2(
  http2: true | Http2Session,
  { target, headers, tls }: Leg,
  { protocols = [], origin, extensions }: OpeningOffers,
  attempt: Attempt,
): Promise<Reply> {
  const { hostname, port, isSecure, host, path } = target;
  const offers = { host, target: path, isSecure, protocols, extensions, headers, origin };
  const fields = createConnect(offers);
  const { signal } = attempt;
  const client = http2 === true
    ? await dialHttp2({ hostname, port, tls: isSecure ? tls : undefined, signal })
    : await shareHttp2(http2);
  attempt.guard(client);
  await checkClient(client, target, signal);
  const { fields: answered, conn } = await client.request(fields, signal);
  attempt.guard(conn);
  const response = readConnectResponse(answered);
  return {
    head: toHead(fields, target),
    response,
    async open(why = "") {
      try {
        return { conn, agreement: checkConnectResponse(response, offers) };
      } catch (error) {
        if (!(error instanceof HandshakeError)) throw error;
        throw await refusal(error.message + why, conn, { response, rest: new Uint8Array(0) });
      }
    },
    close: () => conn.close(),
  };
}

async function checkClient(
  client: Http2Client,
  { isSecure, url }: Target,
  signal: AbortSignal,
): Promise<void> {
  const canConnect = await client.canConnect(signal);
  if (client.isSecure !== isSecure) {
    throw new TypeError(
      `Option http2 is a connection ${client.isSecure ? "with" : "without"} TLS, unlike ` +
        `${isSecure ? "wss:" : "ws:"} of the URL`,
    );
  }
  if (canConnect) return;
  throw new HandshakeError(
    `Cannot connect: ${new URL(url).host} takes no WebSockets over HTTP/2 (its SETTINGS have no ` +
      "SETTINGS_ENABLE_CONNECT_PROTOCOL, RFC 8441 section 3)",
  );
}

/** The request as a session shows it: as over HTTP/1.1, with the host among its fields. */
function toHead(fields: Http2Fields, { host, path }: Target): RequestHead {
  const headers = new HeaderList();
  headers.append("host", host);
  for (const [name, value] of fields) if (!name.startsWith(":")) headers.append(name, value);
  return { method: "CONNECT", target: path, headers };
}
