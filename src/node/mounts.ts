/**
 * What is attached to an HTTP server: one listener for each event that brings requests to open a
 * WebSocket, `upgrade` and those of HTTP/2, and who gets which path.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { HandshakeError } from "../core/errors.ts";
import { isUpgradeRequest } from "../core/handshake.ts";
import { createHead } from "../core/parsed_head.ts";
import { parsedRequest, type UpgradeEvent } from "./exchange.ts";
import { pathOf, type StreamEvent } from "./http2_exchange.ts";
import { answerPlain, isBodiless } from "./plain.ts";
import { isHttp2, StreamListener } from "./streams.ts";

/**
 * What is needed of a server of `node:http`, `node:https`, or `node:http2` with `allowHTTP1`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createServer } from "node:http";
 * import { attach, type HttpServerLike, type Server } from "@twoway/websocket/node";
 *
 * const attachEcho = (http: HttpServerLike): Server =>
 *   attach(http, { path: "/echo" }, { message: (session, message) => session.send(message) });
 *
 * const sockets = attachEcho(createServer());
 * assertEquals(sockets.stats().sessions, 0);
 * await sockets.shutdown();
 * ```
 */
export interface HttpServerLike {
  /** Listens to the event. */
  on(event: "upgrade", listener: UpgradeListener): unknown;
  /** Listens no more. */
  off(event: "upgrade", listener: UpgradeListener): unknown;
  /** Hands on a request whose `Upgrade` nobody wants. */
  emit(event: "request", request: IncomingMessage, response: ServerResponse): boolean;
  /** How many listen. */
  listenerCount(event: "upgrade"): number;
  /** Where the server listens; `null` while it does not. */
  address(): string | { readonly address: string; readonly port: number } | null;
}

/**
 * What listens to the `upgrade` event.
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { once } from "node:events";
 * import { createServer } from "node:http";
 * import type { AddressInfo } from "node:net";
 * import { connect } from "@twoway/websocket";
 * import type { UpgradeListener } from "@twoway/websocket/node";
 *
 * const closed: UpgradeListener = (_request, socket) => {
 *   socket.end("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n");
 * };
 * const http = createServer().on("upgrade", closed);
 * await once(http.listen(0, "127.0.0.1"), "listening");
 * const { port } = http.address() as AddressInfo;
 * await assertRejects(() => connect(`ws://127.0.0.1:${port}/`), Error, "503");
 * http.close();
 * ```
 */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/**
 * The path of the URL that is taken, or a question asked about each request's target.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { createServer } from "node:http";
 * import { attach, type PathOption } from "@twoway/websocket/node";
 *
 * const paths: PathOption[] = ["/chat", (target) => target.startsWith("/rooms/")];
 * const http = createServer();
 * const attached = paths.map((path) => attach(http, { path }, {}));
 * assertEquals(http.listenerCount("upgrade"), 1);
 * assertThrows(() => attach(http, { path: "/chat" }, {}), TypeError); // it is taken
 * for (const sockets of attached) await sockets.shutdown();
 * assertEquals(http.listenerCount("upgrade"), 0);
 * ```
 */
export type PathOption = string | ((target: string) => boolean);

/** One who takes requests. */
export interface Mount {
  /** @default {all} */
  readonly path: PathOption | undefined;
  /** Takes the request; refuses it with `reason` if there is one. */
  receive(event: UpgradeEvent | StreamEvent, reason?: unknown): void;
}

const NOTHING = new Uint8Array(0);

const all = new WeakMap<HttpServerLike, Mounts>();

/** Who is attached to one HTTP server. */
export class Mounts {
  readonly #server: HttpServerLike;
  readonly #mounts: Mount[] = [];
  /** For HTTP/2, if the server speaks it. */
  readonly #streams: StreamListener | null;

  private constructor(server: HttpServerLike) {
    this.#server = server;
    this.#streams = isHttp2(server)
      ? new StreamListener(server, (event) => this.#onStream(event))
      : null;
  }

  /** Those of a server. */
  static of(server: HttpServerLike): Mounts {
    let mounts = all.get(server);
    if (mounts === undefined) all.set(server, mounts = new Mounts(server));
    return mounts;
  }

  /** Throws a `TypeError` for a path that is taken already. */
  add(mount: Mount): void {
    if (this.#mounts.some(({ path }) => path === mount.path)) {
      const what = typeof mount.path === "string" ? JSON.stringify(mount.path) : "the same path";
      throw new TypeError(`Cannot attach: ${what} of this server is taken (option path)`);
    }
    this.#mounts.push(mount);
    // Texts first, then functions in their order, then who takes all.
    this.#mounts.sort((a, b) => rank(a) - rank(b));
    if (this.#mounts.length > 1) return;
    this.#server.on("upgrade", this.#onUpgrade);
    this.#streams?.start();
  }

  /** Gives the path free. */
  remove(mount: Mount): void {
    const at = this.#mounts.indexOf(mount);
    if (at < 0) return;
    this.#mounts.splice(at, 1);
    if (this.#mounts.length > 0) return;
    this.#server.off("upgrade", this.#onUpgrade);
    this.#streams?.stop();
  }

  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Uint8Array): void => {
    const server = this.#server;
    const event = { request, socket, head: head ?? NOTHING };
    const parsed = createHead(parsedRequest(request));
    const isForUs = isUpgradeRequest(parsed);
    if (isForUs && this.#give(event, request.url ?? "")) return;
    if (server.listenerCount("upgrade") > 1) return; // somebody else's
    if (!isForUs && isBodiless(parsed)) {
      return answerPlain(request, socket, (...both) => void server.emit("request", ...both));
    }
    // Its check will find what is wrong with an Upgrade that is not for us.
    const [first] = this.#mounts;
    if (first === undefined) return void socket.destroy(); // detached by a listener before us
    first.receive(event, isForUs ? notFound() : undefined);
  };

  #onStream(event: StreamEvent): void {
    if (!this.#give(event, pathOf(event.fields))) this.#mounts[0]?.receive(event, notFound());
  }

  /** Returns whether somebody takes it. */
  #give(event: UpgradeEvent | StreamEvent, target: string): boolean {
    for (const mount of this.#mounts) {
      try {
        if (!takes(mount, target)) continue;
      } catch (error) {
        mount.receive(event, error);
        return true;
      }
      mount.receive(event);
      return true;
    }
    return false;
  }
}

function notFound(): HandshakeError {
  return new HandshakeError("Nothing is attached to this path", { status: 404 });
}

function rank({ path }: Mount): number {
  return ["string", "function", "undefined"].indexOf(typeof path);
}

function takes({ path }: Mount, target: string): boolean {
  if (path === undefined) return true;
  const own = target.replace(/^\w+:\/\/[^/?]*(?=[/?]|$)/, "").replace(/^(?=\?|$)/, "/");
  if (typeof path === "string") return own.split("?", 1)[0] === path;
  const answer: unknown = path(own);
  if (typeof answer === "boolean") return answer;
  // A promise would count as yes, for everybody.
  throw new TypeError(`Option path returned what is of type ${typeof answer}, not a boolean`);
}
