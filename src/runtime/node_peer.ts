/**
 * The other end of sockets of `node:net` and `node:tls`, whatever protocol goes over them: its address,
 * and what both ends tell and prove to each other by TLS.
 *
 * @module
 */

import net from "node:net";
import tls from "node:tls";
import type { Addr, DialOptions } from "./conn.ts";

/** What `node:tls` is to be told so that it connects as `options` want it, to speak `protocol` (ALPN). */
export function clientTls(
  { hostname, tls: secure = {} }: DialOptions,
  protocol: "http/1.1" | "h2",
): tls.ConnectionOptions {
  const { caCerts, cert, key } = secure;
  const name = secure.serverName ?? hostname ?? "localhost";
  return {
    ALPNProtocols: [protocol],
    ca: caCerts === undefined ? undefined : [...trustedCerts(), ...caCerts],
    cert,
    key,
    rejectUnauthorized: !secure.dangerouslyAcceptAnyCertificate,
    // An IP address is not sent as a server name (RFC 6066 section 3), but it is verified.
    servername: net.isIP(name) === 0 ? name : "",
    checkServerIdentity: (_, certificate) => tls.checkServerIdentity(name, certificate),
  };
}

/** What is trusted by default, also by `NODE_EXTRA_CA_CERTS` and `--use-system-ca` where they can be asked. */
function trustedCerts(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: typeof tls.getCACertificates };
  return getCACertificates?.("default") ?? tls.rootCertificates;
}

/** The address of the peer of a socket that is connected. */
export function remoteAddr(
  socket: Pick<net.Socket, "remoteAddress" | "remotePort">,
): Addr {
  const { remoteAddress: hostname, remotePort: port } = socket;
  return hostname === undefined || port === undefined
    ? { transport: "unix", path: "" }
    : { transport: "tcp", hostname, port };
}
