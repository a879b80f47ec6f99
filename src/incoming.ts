/**
 * One accepted connection until it is a session, answered as plain HTTP, refused or gone; all of
 * that within the handshake's time.
 *
 * @module
 */

import { readForwarded } from "./address.ts";
import { Cancellation } from "./cancellation.ts";
import type { Timer, Timers } from "./clock.ts";
import { HandshakeError } from "./core/errors.ts";
import { isUpgradeRequest } from "./core/handshake.ts";
import { HeadReader } from "./core/head_reader.ts";
import { type Arrival, type Exchange, Http1Exchange } from "./exchange.ts";
import { type Fetch, respond } from "./http_responder.ts";
import { Linked } from "./linked_list.ts";
import { LookaheadConn } from "./lookahead.ts";
import type { ResolvedSessionOptions } from "./options.ts";
import { checkMethod, readBody, upgradeRequired } from "./plain_request.ts";
import {
  checkAnswer,
  dropBody,
  encodeRefusal,
  isResponse,
  refusalAfter,
  refusedBy,
  toResponse,
} from "./refusal.ts";
import { type ReceivedHead, toWebRequest } from "./request_info.ts";
import { type Addr, type Conn, prepend } from "./runtime/conn.ts";
import { upgrade, type Upgraded, type UpgradePolicy } from "./upgrade.ts";

/** What an {@linkcode Incoming} needs from its server. */
export interface IncomingOptions<Data> {
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
  /** Whether one more refusal may be under way to its client; else the connection is dropped. */
  readonly mayRefuse: () => boolean;
  /** The handshake has succeeded; `conn` continues behind it. The room is the session's. */
  readonly onUpgraded: (upgraded: Upgraded<Data>, conn: Conn) => void;
  /** No time limit of the handshake applies any more. */
  readonly onDecided: (incoming: Incoming<Data>) => void;
  /** Nothing more will happen to the connection here. */
  readonly onDone: (incoming: Incoming<Data>) => void;
  /** `accept`, `fetch` or a response's body failed. */
  readonly onError: (error: unknown) => void;
}

/** Shared by all: a flood of connections costs what each of them holds. */
const timeOut = (incoming: { timeOut(): void }): void => incoming.timeOut();

/** A connection on its way in. */
export class Incoming<Data> extends Linked<Incoming<Data>> {
  readonly #conn: LookaheadConn;
  readonly #isSecure: boolean;
  readonly #context: IncomingOptions<Data>;
  readonly #cancellation = new Cancellation();
  readonly #timer: Timer;
  /** There is room for us, to be given back. */
  #admitted: { readonly remoteAddr: Addr | undefined } | null = null;
  /** The request to open a WebSocket, once there is one. */
  #exchange: Exchange | null;
  #refusal: HandshakeError | null = null;
  #isDecided = false;
  #isAccepting = false;
  #isDone = false;

  constructor({ conn, isSecure, open }: Arrival, context: IncomingOptions<Data>) {
    super();
    this.#conn = new LookaheadConn(conn);
    this.#isSecure = isSecure;
    this.#context = context;
    this.#exchange = open?.(this.#conn) ?? null;
    this.#timer = context.timers.set(context.options.handshakeTimeout, timeOut, this);
  }

  /** Why there is no session, once that is decided. */
  get refusal(): HandshakeError | null {
    return this.#refusal;
  }

  /** Begins to see the connection through. */
  run(): void {
    if (this.#exchange === null) void this.#read();
    else void this.#upgrade(this.#exchange);
  }

  /** The handshake's time is over. */
  timeOut(): void {
    const ms = this.#context.options.handshakeTimeout;
    const why = `The handshake took more than ${ms} ms (handshakeTimeout)`;
    this.drop(new HandshakeError(why, { status: 408 }));
  }

  /** Refuses the connection now, with an answer if that may be, unless it has been decided. */
  drop(error: HandshakeError, mayAnswer: boolean = true): void {
    if (this.#isDecided) return;
    this.#cancellation.cancel(error);
    // Half of a 101 may be under way, or TLS has not come far enough to carry an answer.
    const isReadable = !this.#isSecure || this.#conn.hasReceived || this.#exchange !== null;
    if (this.#isAccepting || !isReadable || !mayAnswer) return this.#abandon(error);
    // As a response it is ours in any case: no framework renders what comes from outside its request.
    void this.#refuse(error, this.#exchange === null ? error : toResponse(error));
  }

  /** Ends the connection at once, whatever stage it is in. */
  close(): void {
    const error = new HandshakeError("The server has been shut down", { status: 503 });
    this.#cancellation.cancel(error);
    this.#abandon(error);
  }

  /**
   * Waits for the head, in one function: each that waits adds 300 bytes to a pending handshake. What
   * comes behind waits elsewhere, and keeps nothing of the reading alive.
   */
  async #read(): Promise<void> {
    const reader = HeadReader.forRequests(this.#context.options.limits);
    try {
      while (true) {
        const bytes = await this.#conn.peek();
        this.#conn.takePeeked(this.#cancellation);
        if (bytes === null) return this.#leave();
        const head = reader.receive(bytes);
        if (head !== null) return this.#received({ head, rest: reader.rest });
      }
    } catch (error) {
      if (this.#cancellation.isCancelled || error instanceof HandshakeError) {
        return this.#fail(error);
      }
      this.#leave(); // the connection broke: nobody is there to be told
    }
  }

  #received(received: ReceivedHead): void {
    if (isUpgradeRequest(received.head)) {
      this.#exchange = new Http1Exchange(this.#conn, received);
      void this.#upgrade(this.#exchange);
    } else {
      this.#answer(received).catch((error) => this.#fail(error));
    }
  }

  async #upgrade(exchange: Exchange): Promise<void> {
    const { policy, timers } = this.#context;
    const { rest } = exchange;
    const cancellation = this.#cancellation;
    let upgraded: Upgraded<Data> | null = null;
    try {
      if (policy.accept !== undefined) this.#watchClient(rest);
      const result = await upgrade(exchange, policy, {
        remoteAddr: this.#conn.remoteAddr,
        isSecure: this.#isSecure,
        cancellation,
        timers,
        admit: (remoteAddr) => this.#admit(remoteAddr),
      });
      if (isResponse(result)) return await this.#refuseWith(result);
      upgraded = result;
      cancellation.check();
      this.#isAccepting = true;
      const writing = upgraded.write();
      if (writing !== undefined) await writing; // most often the system has taken all of it
      cancellation.check();
      this.#handOver(upgraded, rest);
    } catch (error) {
      upgraded?.compression?.close();
      if (upgraded === null || cancellation.isCancelled) return this.#fail(error);
      if (this.#isDecided) this.#context.onError(error); // else the connection broke
      this.#leave();
    }
  }

  /** `accept` has said no. */
  async #refuseWith(answer: Response): Promise<void> {
    if (this.#cancellation.isCancelled) return await dropBody(answer);
    checkAnswer(answer, "accept");
    await this.#refuse(refusedBy(answer), answer);
  }

  /** The acceptance has been written: connection and room become the session's. */
  #handOver(upgraded: Upgraded<Data>, rest: Uint8Array): void {
    this.#decide();
    this.#context.onUpgraded(upgraded, prepend(this.#conn.unwrap(), rest));
    this.#admitted = null;
    this.#done();
  }

  /** While `accept` thinks: has the client left? Reads ahead once, so what it sends is bounded. */
  #watchClient(rest: Uint8Array): void {
    if (rest.length > 0) return; // it is there, and its next bytes wait until the session is open
    const gone = (): void => {
      if (this.#isDecided) return;
      this.#cancellation.cancel(clientHasLeft());
      this.#leave();
    };
    this.#conn.peek().then((bytes) => bytes === null && gone(), gone);
  }

  async #answer(received: ReceivedHead): Promise<void> {
    const { fetch, options, policy } = this.#context;
    const { head } = received;
    if (fetch === undefined) throw upgradeRequired();
    checkMethod(head.method);
    const cancellation = this.#cancellation;
    let body: Uint8Array<ArrayBuffer> | null;
    try {
      body = await readBody(this.#conn, received, options.limits.maxBodySize, cancellation);
    } catch (error) {
      if (error instanceof HandshakeError) throw error;
      return this.#leave(); // the connection broke
    }
    cancellation.check();
    this.#admit(undefined);
    this.#decide();
    const hasBody = head.method !== "GET" && head.method !== "HEAD"; // else Request refuses one
    const forwarded = readForwarded(this.#conn.remoteAddr, head.headers, policy.trustedProxies);
    const isHttps = this.#isSecure || forwarded.isSecure === true;
    const request = toWebRequest(head, isHttps, hasBody ? { body } : undefined);
    const response = await fetch(request);
    if (!(response instanceof Response)) throw new TypeError("fetch did not return a Response");
    checkAnswer(response, "fetch");
    await this.#respond(response, head.method);
  }

  #admit(remoteAddr: Addr | undefined): void {
    this.#cancellation.check(); // there would be nobody to give the room back
    this.#context.admit(remoteAddr);
    this.#admitted = { remoteAddr };
  }

  /** From here on the handshake's time limit does not apply. */
  #decide(refusal: HandshakeError | null = null): void {
    if (this.#isDecided) return;
    this.#isDecided = true;
    this.#refusal = refusal;
    this.#timer.cancel();
    this.#context.onDecided(this);
  }

  /** Refuses for `error`, unless there has been a cancellation: whoever did that has seen to it. */
  async #fail(error: unknown): Promise<void> {
    if (this.#cancellation.isCancelled) return;
    const refusal = refusalAfter(error, this.#context.onError);
    await this.#refuse(refusal, refusal);
  }

  /** An answer takes time to be read: so many are under way, and no more. */
  async #refuse(reason: HandshakeError, answer: Response | HandshakeError): Promise<void> {
    if (this.#isDecided || this.#context.mayRefuse()) {
      this.#decide(reason);
      return this.#respond(answer);
    }
    this.#abandon(reason);
    if (!(answer instanceof HandshakeError)) await dropBody(answer);
  }

  async #respond(answer: Response | HandshakeError, method: string = "GET"): Promise<void> {
    const { timers, options: { writeStallTimeout, handshakeTimeout }, onError } = this.#context;
    const limits = { timers, writeStallTimeout, handshakeTimeout };
    try {
      if (this.#exchange === null) {
        const response = answer instanceof HandshakeError ? encodeRefusal(answer) : answer;
        const signal = response instanceof Response ? this.#cancellation.signal : undefined;
        await respond(this.#conn, response, { ...limits, method, signal });
      } else await this.#exchange.refuse(answer, limits);
    } catch (error) {
      onError(error);
      this.#conn.close();
    }
    this.#done();
  }

  /** Nobody is there any more. */
  #leave(): void {
    this.#abandon(clientHasLeft());
  }

  #abandon(why: HandshakeError): void {
    this.#decide(why);
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

function clientHasLeft(): HandshakeError {
  return new HandshakeError("The client has left");
}
