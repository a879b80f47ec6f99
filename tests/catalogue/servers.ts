/** Servers for single tests of the catalogue, and what is checked of each when it ends. @module */

import { assert, assertEquals } from "@std/assert";
import net from "node:net";
import process from "node:process";
import {
  connect,
  type Handler,
  type Handlers,
  serve,
  type ServeOptions,
  type Server,
  type TcpAddr,
} from "../../mod.ts";

/** O1: what nobody has caught, while this file's tests run. */
const uncaught: unknown[] = [];
process.on("uncaughtException", (error) => uncaught.push(error));
process.on("unhandledRejection", (error) => uncaught.push(error));

/** Sends each message back. */
export const echo: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

/** The port of a server on TCP. */
export function portOf({ addr }: { readonly addr: Server["addr"] }): number {
  return (addr as TcpAddr).port;
}

/** The URL of a server on TCP. */
export function urlOf(server: { readonly addr: Server["addr"] }, path: string = "/"): string {
  return `ws://127.0.0.1:${portOf(server)}${path}`;
}

/**
 * Runs a test against a server; then checks that it still serves (O2), that nothing is left of its
 * connections (O3) and that nothing went uncaught (O1).
 */
export async function withServer<D = unknown>(
  options: ServeOptions<D>,
  handler: Handler<D> | Handlers<D>,
  run: (server: Server<D>) => Promise<void>,
): Promise<void> {
  const server = await serve<D>({ port: 0, closeTimeout: 2000, ...options }, handler);
  try {
    await run(server);
    await allGone(server);
    if (options.accept === undefined && options.tls === undefined) {
      (await connect(urlOf(server))).abort();
      await allGone(server);
    }
  } finally {
    await server.shutdown();
  }
  assertEquals(uncaught, []);
}

/** O3: resolves when nothing is left of any connection. */
export async function allGone(server: Pick<Server, "stats">): Promise<void> {
  await until(() => Object.values(server.stats()).every((count) => count === 0));
}

/** Resolves when a condition holds; fails if it does not come to hold in time (milliseconds). */
export async function until(condition: () => boolean, timeout: number = 5000): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    assert(performance.now() - start < timeout, `not after ${timeout} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** A promise, and what settles it. */
export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => resolve = settle);
  return { promise, resolve };
}

/** A socket of `node:net`, on every runtime: the only one that can reset a connection. */
export async function rawSocket(server: { readonly addr: Server["addr"] }): Promise<net.Socket> {
  const socket = net.connect({ host: "127.0.0.1", port: portOf(server), allowHalfOpen: true });
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}
