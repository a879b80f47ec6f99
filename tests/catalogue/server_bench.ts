/**
 * One echo server and one raw peer after another: plays bytes to `serve()` and writes down what
 * came of them on both sides.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { serve, type Server, type SessionOptions, type TcpAddr } from "../../mod.ts";
import { dial, listen } from "../../src/runtime/mod.ts";
import { REQUEST } from "../raw_peer.ts";
import { latin1 } from "../latin1.ts";
import { ChoosingListener } from "../other_conns.ts";
import { BytePeer, type Received } from "./byte_peer.ts";
import { Witness } from "./witness.ts";
import { describeFrames, describeResponse } from "./words.ts";

/** Within this time everything of a connection must be gone, in milliseconds. */
const CLOSE_TIMEOUT = 5000;

/** How the server is played to: one connection at a time. */
export class ServerBench {
  readonly #server: Server;
  readonly #errors: unknown[];
  readonly #current: { witness: Witness };
  readonly #listener: ChoosingListener;

  private constructor(
    listener: ChoosingListener,
    server: Server,
    errors: unknown[],
    current: { witness: Witness },
  ) {
    this.#listener = listener;
    this.#server = server;
    this.#errors = errors;
    this.#current = current;
  }

  static async start(compress: SessionOptions["compress"] = false): Promise<ServerBench> {
    const errors: unknown[] = [];
    const current = { witness: new Witness() };
    const listener = new ChoosingListener(await listen({ hostname: "127.0.0.1", port: 0 }));
    const server = await serve({
      listener,
      closeTimeout: CLOSE_TIMEOUT,
      compress,
      accept: ({ target }) => target === "/refused" ? refusal() : undefined,
      onError: (error) => errors.push(error),
    }, {
      open: (session) => current.witness.opened(session),
      message: (session, message) => current.witness.received(session, message),
      close: (session, status) => current.witness.ended(session, status),
    });
    return new ServerBench(listener, server, errors, current);
  }

  /** Whether the server's connections are read one piece after the other, instead of pushing. */
  set isPulled(isPulled: boolean) {
    this.#listener.isPulled = isPulled;
  }

  /** Sends these pieces over a new connection; returns what happened. */
  async play(pieces: readonly Uint8Array[]): Promise<string[]> {
    const witness = this.#current.witness = new Witness();
    const { port } = this.#server.addr as TcpAddr;
    const peer = new BytePeer(await dial({ hostname: "127.0.0.1", port }));
    const [end] = await Promise.all([peer.receive(), peer.send(pieces)]);
    peer.conn.close();
    await this.#allGone();
    if (witness.lines.length > 0) await witness.done;
    assertEquals(this.#errors, []);
    return [
      ...witness.lines.map((line) => `server: ${line}`),
      ...describeReceived({ bytes: peer.bytes, end: end! }).map((line) => `peer: ${line}`),
    ];
  }

  /** O2: the server still serves; then it ends. */
  async stop(): Promise<void> {
    const lines = await this.play([latin1(`${REQUEST}\x88\x80\0\0\0\0`)]);
    assertEquals(lines[0], "server: open");
    await this.#server.shutdown();
  }

  /** O3: nothing is left of a connection within `closeTimeout`. */
  async #allGone(): Promise<void> {
    const start = performance.now();
    while (Object.values(this.#server.stats()).some((count) => count > 0)) {
      if (performance.now() - start > CLOSE_TIMEOUT) break;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    const left = Object.entries(this.#server.stats()).filter(([, count]) => count > 0);
    assertEquals(left, []);
  }
}

/** Bun gives a text no type unless it is told. */
function refusal(): Response {
  return new Response("no such room\n", { status: 404, headers: { "Content-Type": "text/plain" } });
}

/** A response, the frames behind a 101, and how the stream ended. */
function describeReceived({ bytes, end }: Received): string[] {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  if (!text.startsWith("HTTP/1.1 101 ")) return [...describeResponse(text), end];
  const size = text.indexOf("\r\n\r\n") + 4;
  return [
    ...describeResponse(text.slice(0, size)),
    ...describeFrames("server", bytes.subarray(size)),
    end,
  ];
}
