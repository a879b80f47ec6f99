/** The part of Bun that pages use, for the type checker of Deno. @module */

interface BunSocket<Data> {
  data: Data;
  readonly remoteAddress: string;
  send(message: string | Uint8Array | ArrayBuffer, compress?: boolean): number;
  publish(topic: string, message: string | Uint8Array, compress?: boolean): number;
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  close(code?: number, reason?: string): void;
}

interface BunServer<Data> {
  readonly port: number;
  upgrade(request: Request, options?: { data?: Data; headers?: HeadersInit }): boolean;
  publish(topic: string, message: string | Uint8Array, compress?: boolean): number;
  stop(closeActiveConnections?: boolean): Promise<void>;
}

interface BunServeOptions<Data> {
  port?: number;
  hostname?: string;
  fetch(
    request: Request,
    server: BunServer<Data>,
  ): Response | undefined | Promise<Response | undefined>;
  websocket: {
    maxPayloadLength?: number;
    idleTimeout?: number;
    backpressureLimit?: number;
    perMessageDeflate?: boolean;
    data?: Data;
    open?(socket: BunSocket<Data>): unknown;
    message(socket: BunSocket<Data>, message: string | Uint8Array): unknown;
    drain?(socket: BunSocket<Data>): unknown;
    close?(socket: BunSocket<Data>, code: number, reason: string): unknown;
  };
}

/** The global `Bun`. */
export interface Bun {
  serve<Data = unknown>(options: BunServeOptions<Data>): BunServer<Data>;
}
