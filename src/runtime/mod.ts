/**
 * The adapter of the runtime that this program runs on. The only place that asks which that is.
 *
 * @module
 */

import type { Conn, DialOptions, Listener, ListenOptions, Runtime } from "./conn.ts";

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
