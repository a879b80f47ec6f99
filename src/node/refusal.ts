/**
 * Refusals that a framework renders: a `ServerResponse` on a socket that `node:http` has given away.
 *
 * @module
 */

import { type IncomingMessage, OutgoingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Timers } from "../clock.ts";
import type { HandshakeError } from "../core/errors.ts";

/**
 * Renders a refusal: writes `response` to its end, now or later. Status and header fields are set to
 * those of `error` beforehand, and may be changed.
 *
 * @example
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { once } from "node:events";
 * import { createServer } from "node:http";
 * import { connect, HandshakeError, type TcpAddr } from "@twoway/websocket";
 * import { attach, type Refuse } from "@twoway/websocket/node";
 *
 * const refuse: Refuse = (_request, response, { status }) => response.end(`No (${status})`);
 * const http = createServer();
 * const sockets = attach(http, { refuse }, {});
 * await once(http.listen(0, "127.0.0.1"), "listening");
 * const { port } = sockets.addr as TcpAddr;
 * const evil = () => connect(`ws://127.0.0.1:${port}/`, { origin: "https://evil.example" });
 * const { body } = await assertRejects(evil, HandshakeError);
 * assertEquals(new TextDecoder().decode(body), "No (403)");
 * await sockets.shutdown();
 * http.close();
 * ```
 */
export type Refuse = (
  request: IncomingMessage,
  response: ServerResponse,
  error: HandshakeError,
) => unknown;

/** What became of a refusal: all of it was written, a part of it, or nothing. */
export type Rendering = "whole" | "part" | "nothing";

/** What a rendering needs. */
export interface RenderOptions {
  readonly timers: Timers;
  /** Milliseconds for all of it. */
  readonly handshakeTimeout: number;
  /** Told what `refuse` throws or rejects with. */
  readonly onError: (error: unknown) => void;
}

/** Lets `refuse` answer, and waits until it has, or its time is over. Never rejects. */
export async function render(
  refuse: Refuse,
  request: IncomingMessage,
  socket: Duplex,
  error: HandshakeError,
  { timers, handshakeTimeout, onError }: RenderOptions,
): Promise<Rendering> {
  if (socket.destroyed) return "nothing"; // nobody would tell us that it has closed
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.statusCode = error.status ?? 400;
  for (const [name, value] of error.headers) response.setHeader(name, value);
  response.assignSocket(socket as Socket);
  // The listener of `node:http` that did this has gone with the upgrade.
  const drain = (): void => void response.emit("drain");
  socket.on("drain", drain);
  let isWhole = false;
  await new Promise<void>((resolve) => {
    const timer = timers.set(handshakeTimeout, resolve);
    const end = (): void => {
      timer.cancel();
      resolve();
    };
    response.once("finish", () => {
      isWhole = true;
      end();
    });
    socket.once("close", end);
    Promise.resolve().then(() => refuse(request, response, error)).catch((failure) => {
      onError(failure);
      end();
    });
  });
  socket.off("drain", drain);
  response.detachSocket(socket as Socket);
  if (isWhole) return "whole";
  const rendering = response.headersSent ? "part" : "nothing";
  silence(response);
  return rendering;
}

/** What a framework writes when it is too late goes nowhere. */
function silence(response: ServerResponse): void {
  // Bun's own destroy() of a response writes the head of a 200 if there has been none.
  OutgoingMessage.prototype.destroy.call(response);
  response.end = () => response; // and its end() writes one then
  response.flushHeaders = () => {};
}
