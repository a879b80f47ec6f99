/**
 * The adapter of the runtime that this program runs on. Only this asks which that is, and Node's adapter,
 * which serves as a part of the others' too.
 *
 * @module
 */

import type { Conn, DialOptions, Listener, ListenOptions, Runtime } from "./conn.ts";
import type { Http2Client, Http2Session } from "./http2_client.ts";

const adapters = {
  deno: (): Promise<Runtime> => import("./deno.ts"),
  bun: (): Promise<Runtime> => import("./bun.ts"),
  node: (): Promise<Runtime> => import("./node.ts"),
};

/** The runtime that this program runs on. */
export const runtimeName: keyof typeof adapters = "Deno" in globalThis
  ? "deno"
  : "Bun" in globalThis
  ? "bun"
  : "node";

/** See {@linkcode Runtime.listen}. */
export async function listen(options: ListenOptions): Promise<Listener> {
  return await (await adapters[runtimeName]()).listen(options);
}

/** See {@linkcode Runtime.dial}. */
export async function dial(options: DialOptions): Promise<Conn> {
  return await (await adapters[runtimeName]()).dial(options);
}

/** See {@linkcode Runtime.startTls}. */
export async function startTls(conn: Conn, options: DialOptions): Promise<Conn> {
  return await (await adapters[runtimeName]()).startTls(conn, options);
}

/** See {@linkcode Runtime.readEnv}. */
export async function readEnv(
  names: readonly string[],
): Promise<Record<string, string | undefined>> {
  return await (await adapters[runtimeName]()).readEnv(names);
}

/** The first address of the host that `options` name. */
export async function lookup(options: DialOptions): Promise<string> {
  return await (await import("./names.ts")).lookup(options);
}

/** A connection for one stream over HTTP/2, which ends with that. */
export async function dialHttp2(options: DialOptions): Promise<Http2Client> {
  return await (await import("./http2.ts")).dialHttp2(options);
}

/** Streams over a connection that somebody else has made, and ends. */
export async function shareHttp2(session: Http2Session): Promise<Http2Client> {
  return (await import("./http2.ts")).shareHttp2(session);
}
