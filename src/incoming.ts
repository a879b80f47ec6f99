/**
 * One accepted connection until it is a session, answered as plain HTTP, refused or gone; all of
 * that within the handshake's time.
 *
 * @module
 */

import { Cancellation } from "./cancellation.ts";
import type { Timer, Timers } from "./clock.ts";
import { HandshakeError } from "./core/errors.ts";
import { isUpgradeRequest } from "./core/handshake.ts";
import { readBody, respond, toResponse } from "./http_responder.ts";
import { LookaheadConn } from "./lookahead.ts";
import type { ResolvedSessionOptions } from "./options.ts";
import { type ReceivedHead, toWebRequest } from "./request_info.ts";
import { type Addr, type Conn, prepend } from "./runtime/conn.ts";
import { readRequestHead, upgrade, type Upgraded, type UpgradePolicy } from "./upgrade.ts";

/** Answers a plain HTTP request. */
export type Fetch = (request: Request) => Response | Promise<Response>;

/** What an {@linkcode Incoming} needs from its server. */
export interface IncomingOptions<Data> {
  readonly isSecure: boolean;
  readonly options: ResolvedSessionOptions;
  readonly policy: UpgradePolicy<Data>;
  readonly fetch: Fetch | undefined;
  readonly timers: Timers;
  /**
   * Makes room for one more session, or one more response. Throws a {@linkcode HandshakeError} if
   * there is none.
   */
  readonly admit: (remoteAddr?: Addr) => void;
  /** Gives back the room of one from this address. */
  readonly release: (remoteAddr?: Addr) => void;
  /** The handshake has succeeded; `conn` continues behind it. The room is the session's. */
  readonly onUpgraded: (upgraded: Upgraded<Data>, conn: Conn) => void;
  /** No time limit of the handshake applies any more. */
  readonly onDecided: (incoming: Incoming<Data>) => void;
  /** Nothing more will happen to the connection here. */
  readonly onDone: (incoming: Incoming<Data>) => void;
  /** `accept`, `fetch` or a response's body failed. */
  readonly onError: (error: unknown) => void;
}

/** A connection on its way in. */
export class Incoming<Data> {
  readonly #conn: LookaheadConn;
  readonly #context: IncomingOptions<Data>;
  readonly #cancellation = new Cancellation();
  readonly #timer: Timer;
  /** There is room for us, to be given back. */
  #admitted: { readonly remoteAddr: Addr | undefined } | null = null;
  #isDecided = false;
  #isAccepting = false;
  #isDone = false;

  constructor(conn: Conn, context: IncomingOptions<Data>) {
    this.#conn = new LookaheadConn(conn);
    this.#context = context;
    const ms = context.options.handshakeTimeout;
    this.#timer = context.timers.set(ms, () =>
      this.drop(
        new HandshakeError(`The handshake took more than ${ms} ms (handshakeTimeout)`, {
          status: 408,
        }),
      ));
  }

  /** Sees the connection through; never rejects. */
  async run(): Promise<void> {
    try {
      const received = await this.#readHead();
      if (received === null) this.#abandon();
      else if (isUpgradeRequest(received.head)) await this.#upgrade(received);
      else await this.#answer(received);
    } catch (error) {
      if (!this.#cancellation.isCancelled) await this.#fail(error);
    }
  }

  /** Refuses the connection now, with an answer if there is room for one, unless it has been decided. */
  drop(error: HandshakeError, hasRoom: boolean = true): void {
    if (this.#isDecided) return;
    this.#cancellation.cancel(error);
    // Half of a 101 may be under way, or TLS has not come far enough to carry an answer.
    const cannotAnswer = this.#isAccepting || (this.#context.isSecure && !this.#conn.hasReceived);
    if (cannotAnswer || !hasRoom) return this.#abandon();
    this.#decide();
    void this.#respond(toResponse(error), "GET");
  }

  /** Ends the connection at once, whatever stage it is in. */
  close(): void {
    this.#cancellation.cancel(new HandshakeError("The server has been shut down", { status: 503 }));
    this.#conn.close();
  }

  async #readHead(): Promise<ReceivedHead | null> {
    try {
      return await readRequestHead(
        this.#conn,
        this.#context.options.limits,
        this.#cancellation,
      );
    } catch (error) {
      if (error instanceof HandshakeError) throw error;
      return null; // the connection broke: nobody is there to be told
    }
  }

  async #upgrade({ head, rest }: ReceivedHead): Promise<void> {
    const { policy, isSecure, onUpgraded } = this.#context;
    if (policy.accept !== undefined) this.#watchClient(rest);
    const cancellation = this.#cancellation;
    const result = await upgrade(head, policy, {
      remoteAddr: this.#conn.remoteAddr,
      isSecure,
      cancellation,
      timers: this.#context.timers,
      admit: (remoteAddr) => this.#admit(remoteAddr),
    });
    if (result instanceof Response) {
      cancellation.check();
      this.#decide();
      return await this.#respond(result, head.method);
    }
    if (!await this.#accept(result)) return;
    onUpgraded(result, prepend(this.#conn.unwrap(), rest));
  }

  /** Writes the 101; returns whether the client is still there. */
  async #accept({ response, compression }: Upgraded<Data>): Promise<boolean> {
    try {
      this.#cancellation.check();
      this.#isAccepting = true;
      await this.#conn.write(response);
      this.#cancellation.check();
    } catch {
      compression?.close();
      this.#abandon();
      return false;
    }
    this.#decide();
    this.#admitted = null; // the session's now
    this.#done();
    return true;
  }

  /** While `accept` thinks: has the client left? Reads ahead once, so what it sends is bounded. */
  #watchClient(rest: Uint8Array): void {
    if (rest.length > 0) return; // it is there, and its next bytes wait until the session is open
    const gone = (): void => {
      if (this.#isDecided) return;
      this.#cancellation.cancel(new HandshakeError("The client has left"));
      this.#abandon();
    };
    this.#conn.peek().then((bytes) => bytes === null && gone(), gone);
  }

  async #answer(received: ReceivedHead): Promise<void> {
    const { fetch, isSecure, options } = this.#context;
    const { head } = received;
    if (fetch === undefined) throw upgradeRequired();
    checkMethod(head.method);
    const cancellation = this.#cancellation;
    const body = await readBody(this.#conn, received, options.limits.maxBodySize, cancellation);
    cancellation.check();
    this.#admit(undefined);
    this.#decide();
    const hasBody = head.method !== "GET" && head.method !== "HEAD"; // else Request refuses one
    const request = toWebRequest(head, isSecure, hasBody ? { body } : undefined);
    const response = await fetch(request);
    if (!(response instanceof Response)) throw new TypeError("fetch did not return a Response");
    if (response.status === 0) throw new TypeError("fetch returned Response.error()");
    await this.#respond(response, head.method);
  }

  #admit(remoteAddr: Addr | undefined): void {
    this.#cancellation.check(); // there would be nobody to give the room back
    this.#context.admit(remoteAddr);
    this.#admitted = { remoteAddr };
  }

  /** From here on the handshake's time limit does not apply. */
  #decide(): void {
    if (this.#isDecided) return;
    this.#isDecided = true;
    this.#timer.cancel();
    this.#context.onDecided(this);
  }

  async #fail(error: unknown): Promise<void> {
    this.#decide();
    if (error instanceof HandshakeError) return await this.#respond(toResponse(error), "GET");
    this.#context.onError(error);
    const message = "Internal Server Error";
    await this.#respond(new Response(`${message}\n`, { status: 500, statusText: message }), "GET");
  }

  async #respond(response: Response, method: string): Promise<void> {
    const { timers, options: { writeStallTimeout }, onError } = this.#context;
    try {
      await respond(this.#conn, response, { timers, writeStallTimeout, method });
    } catch (error) {
      onError(error);
    }
    this.#done();
  }

  #abandon(): void {
    this.#decide();
    this.#conn.close();
    this.#done();
  }

  #done(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    if (this.#admitted !== null) this.#context.release(this.#admitted.remoteAddr);
    this.#admitted = null;
    this.#context.onDone(this);
  }
}

// "426 (Upgrade Required)": the server "MUST send an Upgrade header field" (RFC 9110 section 15.5.22)
function upgradeRequired(): HandshakeError {
  return new HandshakeError("This is a WebSocket server: the request has no Upgrade: websocket", {
    status: 426,
    headers: [["upgrade", "websocket"]],
  });
}

/** Throws for the methods that a web `Request` can't have. */
function checkMethod(method: string): void {
  if (!/^(?:connect|trace|track)$/i.test(method)) return;
  throw new HandshakeError(`Method ${method} is not supported`, { status: 501 });
}
