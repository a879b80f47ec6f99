/**
 * The checks of a client's TLS options.
 *
 * @module
 */

import { checkNames } from "../options.ts";
import type { TlsClientOptions } from "../runtime/conn.ts";

const NAMES = ["caCerts", "serverName", "cert", "key", "dangerouslyAcceptAnyCertificate"];

/** Throws a `TypeError` for options that can't be; `name` is what the user knows them by. */
export function checkTls(tls: TlsClientOptions | undefined, name: string = "tls"): void {
  if (tls === undefined) return;
  checkNames(tls, NAMES, `${name}.`);
  const { caCerts, cert, key, dangerouslyAcceptAnyCertificate: any } = tls;
  if (caCerts !== undefined && !(Array.isArray(caCerts) && caCerts.every(isText))) {
    throw new TypeError(`Option ${name}.caCerts is not a list of PEM texts`);
  }
  for (const text of ["serverName", "cert", "key"] as const) {
    if (tls[text] === undefined || isText(tls[text])) continue;
    throw new TypeError(`Option ${name}.${text} is of type ${typeof tls[text]}, not a string`);
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError(`Options ${name}.cert and ${name}.key go together`);
  }
  if (any !== undefined && typeof any !== "boolean") {
    throw new TypeError(
      `Option ${name}.dangerouslyAcceptAnyCertificate is of type ${typeof any}, not a boolean`,
    );
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
