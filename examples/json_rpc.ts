/**
 * A JSON-RPC 2.0 client: calls and their answers find each other by id, in whatever order they come.
 *
 * @module
 */

import { ClosedError, connect, type Message, TimeoutError, type WebSocketSession } from "../mod.ts";
import { ErrorCode, JsonRpcError, SUBPROTOCOL } from "./json_rpc_error.ts";

/** A server's methods: what each takes as `params`, and what it gives. */
// deno-lint-ignore no-explicit-any -- any function of this shape, whatever it takes
export type Methods = Record<string, (params: any) => unknown>;

/** How to make one call. */
export interface CallOptions {
  /** Milliseconds to wait for the answer. @default {10_000} */
  readonly timeout?: number;
  /** Gives the call up; it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How a client behaves. */
export interface ClientOptions {
  /** Is told what the server says without being asked. */
  readonly onNotification?: (method: string, params: unknown) => void;
  /** Calls that may wait for an answer at a time; one more rejects. @default {1000} */
  readonly maxPending?: number;
}

interface Call {
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** Calls the methods of the server at the other end of a session. */
export class JsonRpcClient<M extends Methods> {
  readonly session: WebSocketSession;
  readonly #options: Required<ClientOptions>;
  readonly #pending = new Map<number, Call>();
  #lastId = 0;

  /** Takes over a session's messages; `openJsonRpc()` makes the session, too. */
  constructor(session: WebSocketSession, options: ClientOptions = {}) {
    this.session = session;
    this.#options = { onNotification: () => {}, maxPending: 1000, ...options };
    this.#run();
  }

  /** Calls a method. Rejects with `JsonRpcError`, `TimeoutError`, `ClosedError`, or the signal's reason. */
  async call<Name extends keyof M & string>(
    method: Name,
    params: Parameters<M[Name]>[0],
    { timeout = 10_000, signal }: CallOptions = {},
  ): Promise<Awaited<ReturnType<M[Name]>>> {
    signal?.throwIfAborted();
    const { maxPending } = this.#options;
    if (this.#pending.size >= maxPending) {
      throw new RangeError(`${maxPending} calls are pending, and maxPending allows no more`);
    }
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const abort = (): void => reject(signal?.reason);
    const late = `${method}() was not answered within ${timeout} milliseconds`;
    const timer = setTimeout(() => reject(new TimeoutError(late)), timeout);
    signal?.addEventListener("abort", abort);
    this.#pending.set(id, { resolve, reject });
    try {
      this.#send({ id, method, params }).catch(reject);
      return await promise as Awaited<ReturnType<M[Name]>>;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      this.#pending.delete(id);
    }
  }

  /** Tells the server something that is not answered; waits while the connection is slow. */
  notify(method: string, params?: unknown): Promise<void> {
    return this.#send({ method, params });
  }

  /** Closes the session; calls that wait reject. */
  async close(): Promise<void> {
    await this.session.close(1000);
  }

  #send(message: Record<string, unknown>): Promise<void> {
    return this.session.send(JSON.stringify({ jsonrpc: "2.0", ...message }));
  }

  async #run(): Promise<void> {
    try {
      for await (const message of this.session) this.#receive(readReply(message));
    } catch {
      // What is no JSON-RPC, or a listener that failed: there is no way to go on.
      this.session.close(1008, "not JSON-RPC, or not understood");
    }
    const error = new ClosedError("The session ended before the answer", await this.session.closed);
    for (const call of this.#pending.values()) call.reject(error);
  }

  #receive({ id, method, params, result, error }: Record<string, unknown>): void {
    if (typeof method === "string" && id === undefined) {
      return this.#options.onNotification(method, params);
    }
    if (typeof method === "string") {
      const error = { code: ErrorCode.MethodNotFound, message: "This side has no methods" };
      return void this.#send({ id, error }).catch(() => {});
    }
    const call = this.#pending.get(id as number); // none: an answer that came too late
    if (error === undefined) return call?.resolve(result);
    const { code, message, data } = Object(error);
    call?.reject(new JsonRpcError(Number(code), String(message), data));
  }
}

function readReply(message: Message): Record<string, unknown> {
  const reply = Object(JSON.parse(String(message)));
  if (reply.jsonrpc !== "2.0") throw new TypeError("jsonrpc is not 2.0");
  return reply;
}

/** Connects, and makes sure that the server speaks JSON-RPC. */
export async function openJsonRpc<M extends Methods>(
  url: string,
  options: ClientOptions & Parameters<typeof connect>[1] = {},
): Promise<JsonRpcClient<M>> {
  const { onNotification, maxPending, ...rest } = options;
  const session = await connect(url, { ...rest, protocols: [SUBPROTOCOL] });
  if (session.protocol !== SUBPROTOCOL) {
    session.abort();
    throw new TypeError(`The server at ${url} does not speak ${SUBPROTOCOL}`);
  }
  return new JsonRpcClient<M>(session, {
    ...onNotification && { onNotification },
    ...maxPending && { maxPending },
  });
}
