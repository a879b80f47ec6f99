/** An HTTP server of `node:http` for a test, and peers that speak bytes to it. @module */

import { assertEquals } from "@std/assert";
import http from "node:http";
import type { AddressInfo } from "node:net";
import net from "node:net";
import process from "node:process";
import { latin1 } from "../latin1.ts";

/** What nobody has caught, while this file's tests run. */
const uncaught: unknown[] = [];
process.on("uncaughtException", (error) => uncaught.push(error));
process.on("unhandledRejection", (error) => uncaught.push(error));

/** Answers every ordinary request. */
export const page: http.RequestListener = (request, response) => {
  response.setHeader("x-page", "yes");
  response.end(`page ${request.url}`);
};

/** The port of a server that listens. */
export function portOf(server: Pick<http.Server, "address">): number {
  return (server.address() as AddressInfo).port;
}

/** The URL of a path. */
export function urlOf(server: Pick<http.Server, "address">, path: string = "/"): string {
  return `ws://127.0.0.1:${portOf(server)}${path}`;
}

/** Listens on a port that the system chooses. */
export async function listenOn(server: http.Server): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
}

/** Runs a test against a server that listens; then checks that it still answers, and ends it. */
export async function withHttp(
  run: (server: http.Server) => Promise<void>,
  server: http.Server = http.createServer(page),
): Promise<void> {
  await listenOn(server);
  try {
    await run(server);
    if (server.listenerCount("request") > 0) {
      const response = await fetch(urlOf(server, "/alive").replace("ws:", "http:"));
      assertEquals(await response.text(), "page /alive");
    }
  } finally {
    server.close();
    server.closeAllConnections();
  }
  assertEquals(uncaught, []);
}

/** A client's end of a connection: bytes as characters. */
export class ByteClient {
  readonly socket: net.Socket;
  /** Everything received. */
  text: string = "";
  /** The server has ended its direction in good order. */
  hasEnded = false;
  /** Resolves when the server has ended its direction, or the connection has broken. */
  readonly ended: Promise<void>;
  #onData: (() => void) | null = null;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      this.text += bytes.toString("latin1");
      this.#onData?.();
    });
    this.ended = new Promise((resolve) => {
      socket.once("end", () => {
        this.hasEnded = true;
        resolve();
      });
      socket.once("close", () => resolve());
    });
  }

  static async connect(server: Pick<http.Server, "address">): Promise<ByteClient> {
    const socket = net.connect({ host: "127.0.0.1", port: portOf(server), allowHalfOpen: true });
    const client = new ByteClient(socket);
    await new Promise((resolve) => socket.once("connect", resolve));
    return client;
  }

  /** Sends text, one byte per character. */
  send(text: string): Promise<void> {
    return new Promise((resolve) => this.socket.write(latin1(text), () => resolve()));
  }

  /** Resolves when `part` has been received, or nothing more will be; with everything so far. */
  async until(part: string): Promise<string> {
    await Promise.race([
      this.ended,
      new Promise<void>((resolve) => {
        this.#onData = () => this.text.includes(part) && resolve();
        this.#onData();
      }),
    ]);
    return this.text;
  }

  /** Sends text and returns the whole answer, up to the end of the stream. */
  async exchange(text: string): Promise<string> {
    await this.send(text);
    await this.ended;
    this.socket.destroy();
    return this.text;
  }
}
