/**
 * A client that comes back: one session after another, with pauses that spare the server.
 *
 * @module
 */

import { checkConnectOptions, connect, type ConnectOptions } from "./client.ts";
import { sharedTimers, Timers } from "./clock.ts";
import { CloseCode } from "./core/close_code.ts";
import type { CloseStatus } from "./core/close.ts";
import { ClosedError, createReporter } from "./errors.ts";
import { checkDuration } from "./options.ts";
import {
  type BackoffOptions,
  computeDelay,
  isTemporary,
  resolveBackoff,
  type RetryPolicy,
} from "./retry.ts";
import type { WebSocketSession } from "./session.ts";

/**
 * Options of {@linkcode keepConnected}: those of {@linkcode connect}, and some more.
 *
 * @example
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { keepConnected, type KeepConnectedOptions } from "@twoway/websocket";
 *
 * const attempts: number[] = [];
 * const options: KeepConnectedOptions = {
 *   backoff: { first: 1 },
 *   shouldRetry: (_error, { attempt }) => attempt < 3,
 *   onRetry: ({ attempt }) => attempts.push(attempt),
 * };
 * const sessions = keepConnected("ws://127.0.0.1:1/", options); // nobody listens there
 * await assertRejects(() => sessions.next());
 * assertEquals(attempts, [1, 2]);
 * ```
 */
export interface KeepConnectedOptions<Data = unknown>
  extends Omit<ConnectOptions<Data>, "conn" | "signal"> {
  /** Ends the iteration, at any stage and without an error; closes an open session with 1000. */
  readonly signal?: AbortSignal;
  /**
   * Called before each attempt, and waited for: returns options of {@linkcode connect} that go before
   * the others, such as `headers` with a fresh token. What it throws goes to `onError` and counts as
   * a failed attempt that is worth another one, and so it is with `url`.
   */
  readonly prepare?: () => AttemptOptions<Data> | Promise<AttemptOptions<Data>>;
  /** Whether to try again, instead of {@linkcode RetryContext.isTemporary}; waited for. */
  readonly shouldRetry?: (error: unknown, context: RetryContext) => boolean | Promise<boolean>;
  /** How the pauses between attempts grow. */
  readonly backoff?: BackoffOptions;
  /**
   * The longest pause, in milliseconds, that a server gets by asking for it: with `Retry-After`, or
   * with close code 1012 (5 to 30 seconds) or 1013 (30 to 60 seconds). @default {300_000}
   */
  readonly maxRetryAfter?: number;
  /** Told of each pause before it begins. */
  readonly onRetry?: (retry: Retry) => void;
  /** Where chance comes from, from 0 to below 1; for tests. @default {the runtime's crypto} */
  readonly random?: () => number;
}

/**
 * What may be different in each attempt of {@linkcode keepConnected}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type AttemptOptions, keepConnected, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const server = await serve({ port: 0 }, (session) => {
 *   return session.send(session.request.headers.get("authorization")!);
 * });
 * const { port } = server.addr as TcpAddr;
 *
 * let token = 0; // a fresh one for each attempt
 * const prepare = (): AttemptOptions => ({ headers: { authorization: `Bearer ${++token}` } });
 * for await (const session of keepConnected(`ws://127.0.0.1:${port}/`, { prepare })) {
 *   for await (const message of session) assertEquals(message, "Bearer 1");
 * }
 * await server.shutdown();
 * ```
 */
export type AttemptOptions<Data = unknown> = Omit<ConnectOptions<Data>, "signal" | "clock">;

/**
 * What is known when a session has ended or could not be opened.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { HandshakeError, type RetryContext } from "@twoway/websocket";
 *
 * // For option shouldRetry: a service that is being installed answers 404 at first.
 * function shouldRetry(error: unknown, { attempt, isTemporary }: RetryContext): boolean {
 *   const isMissing = error instanceof HandshakeError && error.status === 404;
 *   return isTemporary || (isMissing && attempt < 10);
 * }
 * const error = new HandshakeError("Not found", { status: 404 });
 * assert(shouldRetry(error, { attempt: 1, isTemporary: false }));
 * assert(!shouldRetry(error, { attempt: 10, isTemporary: false }));
 * ```
 */
export interface RetryContext {
  /** How many attempts in a row have failed, this one included; sessions that soon ended count. */
  readonly attempt: number;
  /** Whether such an error can pass by itself: what decides if there is no `shouldRetry`. */
  readonly isTemporary: boolean;
}

/**
 * A pause before the next attempt.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { keepConnected, type Retry } from "@twoway/websocket";
 *
 * const stop = new AbortController();
 * const onRetry = ({ error, attempt, delay }: Retry): void => {
 *   assertEquals([error instanceof Error, attempt, delay < 1000], [true, 1, true]);
 *   stop.abort();
 * };
 * const options = { onRetry, signal: stop.signal };
 * for await (const session of keepConnected("ws://127.0.0.1:1/", options)) await session.close();
 * ```
 */
export interface Retry {
  /** Why: what {@linkcode connect} rejected with, or a {@linkcode ClosedError} for a session's end. */
  readonly error: unknown;
  /** How many attempts in a row have failed. */
  readonly attempt: number;
  /** Milliseconds until the next one. */
  readonly delay: number;
}

const OPTIONS = ["prepare", "shouldRetry", "backoff", "maxRetryAfter", "onRetry", "random"];

const MAX_RETRY_AFTER = 300_000;

/**
 * Connects, and connects again when the session has ended, for as long as you iterate. One session
 * at a time: the next one is dialled when the last has ended and the loop asks for it. Take the
 * messages of each until there are no more, or its end may pass unnoticed.
 *
 * Between attempts it waits: at random up to 1 second, then up to 2, 4, 8, … 30 (option `backoff`),
 * and longer if the server asks for it (`maxRetryAfter`). It begins anew with 1 second when a session
 * has lived for `backoff.max`: a server that accepts and drops at once is not hammered.
 *
 * The iteration ends when a session has ended with 1000, whoever began it, when `signal` is aborted,
 * and when you leave the loop, which closes the session with 1000 and waits for that, at most for
 * `closeTimeout`. It throws the last error when it is pointless to go on, unless `shouldRetry` says
 * otherwise:
 *
 * - the `TypeError` or `RangeError` of arguments that {@linkcode connect} can't take;
 * - a {@linkcode HandshakeError} with a status below 500 other than 408, 425 and 429;
 * - a {@linkcode ClosedError} with the `status` of a session that ended with 1002, 1003 or 1007 to
 *   1010, or because the server broke the protocol or our limits (its `cause`).
 *
 * All else is tried again: servers that can't be reached, time limits, lost connections, the other
 * close codes. If `url` is a function it is called before each attempt, to go on from where the last
 * session came to. Throws a `TypeError` or `RangeError` for wrong options; unknown names throw.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { keepConnected, serve, type TcpAddr } from "@twoway/websocket";
 *
 * let count = 0;
 * const server = await serve({ port: 0 }, async (session) => {
 *   await session.send(`session ${++count}`);
 *   if (count === 1) session.abort(); // a connection is lost
 * });
 * const { port } = server.addr as TcpAddr;
 *
 * const messages: unknown[] = [];
 * const options = { backoff: { first: 10 } };
 * for await (const session of keepConnected(`ws://127.0.0.1:${port}/`, options)) {
 *   for await (const message of session) messages.push(message);
 * }
 * assertEquals(messages.at(-1), "session 2");
 * await server.shutdown();
 * ```
 */
export function keepConnected<Data = unknown>(
  url: string | URL | (() => string | URL | Promise<string | URL>),
  options: KeepConnectedOptions<Data> = {},
): AsyncIterableIterator<WebSocketSession<Data>, void, void> {
  return new Sessions(url, options, resolve(options));
}

interface Resolved<Data> {
  readonly connectOptions: ConnectOptions<Data>;
  readonly policy: RetryPolicy;
}

function resolve<Data>(options: KeepConnectedOptions<Data>): Resolved<Data> {
  const connectOptions = omit(options, OPTIONS) as ConnectOptions<Data>;
  checkConnectOptions(connectOptions);
  if (connectOptions.conn !== undefined) {
    throw new TypeError("Option conn is good for one session: let option prepare return it");
  }
  for (const name of ["prepare", "shouldRetry", "onRetry", "random"] as const) {
    const value: unknown = options[name];
    if (value !== undefined && typeof value !== "function") {
      throw new TypeError(`Option ${name} is of type ${typeof value}, not a function`);
    }
  }
  const { maxRetryAfter = MAX_RETRY_AFTER, random = drawNumber } = options;
  checkDuration(maxRetryAfter, "maxRetryAfter");
  return {
    connectOptions,
    policy: { backoff: resolveBackoff(options.backoff), maxRetryAfter, random },
  };
}

/** A copy without these names; what is no record stays as it is, to be rejected. */
function omit(options: object, names: readonly string[]): object {
  if (typeof options !== "object" || options === null || Array.isArray(options)) return options;
  return Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)));
}

function drawNumber(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32;
}

/** What the caller has said about one attempt. */
interface Target<Data> {
  readonly url: string | URL;
  readonly options: AttemptOptions<Data> | undefined;
}

/** Why an attempt, or the session that it led to, is over. */
interface Failure {
  readonly error: unknown;
  readonly isTemporary: boolean;
}

/** The sessions of one {@linkcode keepConnected}. */
class Sessions<Data> implements AsyncIterableIterator<WebSocketSession<Data>, void, void> {
  readonly #url: Parameters<typeof keepConnected>[0];
  readonly #options: KeepConnectedOptions<Data>;
  readonly #connectOptions: ConnectOptions<Data>;
  readonly #policy: RetryPolicy;
  readonly #timers: Timers;
  readonly #report: (error: unknown) => void;
  readonly #generator: AsyncGenerator<WebSocketSession<Data>, void, void>;
  /** Ends all waiting, for the caller's signal or because the iteration is left. */
  readonly #controller = new AbortController();
  /** How many attempts in a row have failed. */
  #failures = 0;

  constructor(
    url: Parameters<typeof keepConnected>[0],
    options: KeepConnectedOptions<Data>,
    { connectOptions, policy }: Resolved<Data>,
  ) {
    this.#url = url;
    this.#options = options;
    this.#connectOptions = connectOptions;
    this.#policy = policy;
    this.#timers = options.clock === undefined ? sharedTimers : new Timers(options.clock);
    this.#report = createReporter("WebSocket client", options.onError);
    this.#generator = this.#run();
  }

  next(): Promise<IteratorResult<WebSocketSession<Data>, void>> {
    return this.#generator.next();
  }

  /** A generator alone would first finish what it is waiting for. */
  return(): Promise<IteratorResult<WebSocketSession<Data>, void>> {
    this.#controller.abort();
    return this.#generator.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async *#run(): AsyncGenerator<WebSocketSession<Data>, void, void> {
    const { signal } = this.#options;
    const stop = (): void => this.#controller.abort();
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
    try {
      while (!this.#signal.aborted) {
        const failure = yield* this.#attempt();
        if (this.#signal.aborted) return;
        this.#failures++;
        if (await this.#shouldRetry(failure)) await this.#pause(failure);
        else if (isOrderly(failure.error)) return;
        else throw failure.error;
      }
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  get #signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** One attempt to connect, and the session that it leads to. */
  async *#attempt(): AsyncGenerator<WebSocketSession<Data>, Failure, void> {
    let target: Target<Data>;
    try {
      target = await this.#untilStopped(this.#prepare());
    } catch (error) {
      // It may be a fault of the caller's, which nobody would see, or a token service that is down.
      if (!this.#signal.aborted) this.#report(error);
      return { error, isTemporary: true };
    }
    try {
      const session = await this.#connect(target);
      const error = yield* this.#lend(session);
      return { error, isTemporary: isTemporary(error) };
    } catch (error) {
      return { error, isTemporary: isTemporary(error) };
    }
  }

  async #prepare(): Promise<Target<Data>> {
    const url = typeof this.#url === "function" ? await this.#url() : this.#url;
    return { url, options: await this.#options.prepare?.() };
  }

  async #connect({ url, options }: Target<Data>): Promise<WebSocketSession<Data>> {
    const all: ConnectOptions<Data> = { ...this.#connectOptions, ...options };
    for (const name of ["signal", "clock"] as const) {
      if (all[name] === this.#connectOptions[name]) continue;
      throw new TypeError(`Option ${name} is the same for all attempts: prepare can't return it`);
    }
    return await connect(url, { ...all, signal: this.#signal });
  }

  /** Hands out a session, waits for its end, and returns what that was. */
  async *#lend(
    session: WebSocketSession<Data>,
  ): AsyncGenerator<WebSocketSession<Data>, ClosedError, void> {
    const opened = this.#timers.now();
    const ended = session.closed.then((status) => ({ status, at: this.#timers.now() }));
    const close = (): void => void session.close(CloseCode.Normal);
    this.#signal.addEventListener("abort", close);
    try {
      if (!this.#signal.aborted) yield session;
      else close();
      const { status, at } = await ended;
      if (at - opened >= this.#policy.backoff.max) this.#failures = 0;
      return toError(status);
    } finally {
      this.#signal.removeEventListener("abort", close);
      await session.close(CloseCode.Normal); // the loop has been left: otherwise it is closed
    }
  }

  async #shouldRetry({ error, isTemporary }: Failure): Promise<boolean> {
    const { shouldRetry } = this.#options;
    if (shouldRetry === undefined) return isTemporary;
    const context = { attempt: this.#failures, isTemporary };
    return await this.#untilStopped(shouldRetry(error, context));
  }

  async #pause({ error }: Failure): Promise<void> {
    const attempt = this.#failures;
    const delay = computeDelay(error, attempt, this.#policy);
    try {
      this.#options.onRetry?.({ error, attempt, delay });
    } catch (failure) {
      this.#report(failure);
    }
    let wakeUp!: () => void;
    const over = new Promise<void>((resolve) => wakeUp = resolve);
    const timer = this.#timers.set(delay, wakeUp);
    try {
      await this.#untilStopped(over);
    } finally {
      timer.cancel();
    }
  }

  /** Waits for `work`, or rejects when the iteration is to end. */
  async #untilStopped<T>(work: T | Promise<T>): Promise<T> {
    let stop!: () => void;
    const stopped = new Promise<never>((_, reject) => stop = () => reject(this.#signal.reason));
    this.#signal.addEventListener("abort", stop);
    if (this.#signal.aborted) stop();
    try {
      return await Promise.race([work, stopped]);
    } finally {
      this.#signal.removeEventListener("abort", stop);
    }
  }
}

function toError(status: CloseStatus): ClosedError {
  const reason = status.reason === "" ? "" : `: ${status.reason}`;
  return new ClosedError(`The session ended with ${status.code}${reason}`, status);
}

/** Nothing is left to be done. */
function isOrderly(error: unknown): boolean {
  return error instanceof ClosedError && error.status?.code === CloseCode.Normal;
}
