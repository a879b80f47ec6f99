/**
 * The WebSocket protocol of an open connection (RFC 6455 sections 5 to 7) without I/O: bytes in,
 * events out; messages in, bytes out. No clock, no randomness of its own; the compression (RFC 7692)
 * is passed in.
 *
 * The way in is receiver.ts, the way out sender.ts; here they meet: pings are answered, and the
 * closing handshake runs.
 *
 * @module
 */

import { truncateReason } from "./close.ts";
import { CloseCode } from "./close_code.ts";
import { ProtocolError } from "./errors.ts";
import type { Message, MessageLimits } from "./message.ts";
import type { MessageCodec } from "./permessage_deflate.ts";
import { type Received, Receiver, type Role } from "./receiver.ts";
import type { PreparedMessage } from "./prepared_message.ts";
import { Sender } from "./sender.ts";

/**
 * `"open"` while neither side has ended, `"closing"` while one has, `"closed"` once both have: we
 * by sending a Close frame, the peer by sending one or by breaking a rule.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, serve, type State, type TcpAddr } from "@twoway/websocket";
 *
 * const server = await serve({ port: 0 }, {});
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`);
 * const states: State[] = [session.state];
 * const closed = session.close(1000);
 * states.push(session.state);
 * await closed;
 * states.push(session.state);
 * assertEquals(states, ["open", "closing", "closed"]);
 * await server.shutdown();
 * ```
 */
export type State = "open" | "closing" | "closed";

/**
 * The peer broke a rule.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type ErrorEvent, Protocol, ProtocolError } from "@twoway/websocket/core";
 *
 * const limits = { maxMessageSize: 100, maxFragments: 10, maxPendingPongs: 1 };
 * const server = new Protocol({ role: "server", limits });
 * const event: ErrorEvent = server.fail(new ProtocolError("That will do", 1008));
 * server.answerClose();
 * assertEquals(event.error.closeCode, 1008);
 * assertEquals([...server.takeOutput()!.subarray(0, 4)], [0x88, 14, 0x03, 0xf0]); // Close, 1008
 * ```
 */
export interface ErrorEvent {
  /** Tells it from what was {@linkcode Received}. */
  readonly type: "error";
  /** The rule, and the close code for it. */
  readonly error: ProtocolError;
}

/**
 * What the bytes received amount to. A ping has been answered when it is reported. Nothing follows
 * a `"close"` (the peer's Close frame; code 1005 if it had none) or an `"error"`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { Event } from "@twoway/websocket/core";
 *
 * function describe(event: Event): string {
 *   if (event.type === "close") return `close ${event.code}`;
 *   if (event.type === "error") return `error ${event.error.closeCode}`;
 *   return `${event.type} of ${event.data.length}`;
 * }
 * assertEquals(describe({ type: "message", data: "hi" }), "message of 2");
 * ```
 */
export type Event = Received | ErrorEvent;

/**
 * What a {@linkcode Protocol} must not exceed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Protocol, type ProtocolLimits } from "@twoway/websocket/core";
 *
 * const limits: ProtocolLimits = {
 *   maxMessageSize: 1_048_576,
 *   maxFragments: 65_536,
 *   maxPendingPongs: 128,
 * };
 * assertEquals(new Protocol({ role: "server", limits }).state, "open");
 * ```
 */
export interface ProtocolLimits extends MessageLimits {
  /** The most pongs waiting to be written; past that the newest replaces the last. */
  readonly maxPendingPongs: number;
}

/**
 * How to make a {@linkcode Protocol}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Protocol, type ProtocolOptions } from "@twoway/websocket/core";
 *
 * const options: ProtocolOptions = {
 *   role: "client",
 *   limits: { maxMessageSize: 1_048_576, maxFragments: 65_536, maxPendingPongs: 128 },
 *   maskKey: () => crypto.getRandomValues(new Uint32Array(1))[0],
 * };
 * const client = new Protocol(options);
 * client.sendMessage("hi");
 * assertEquals(client.takeOutput()!.length, 2 + 4 + 2); // header, masking key, payload
 * ```
 */
export type ProtocolOptions =
  | {
    readonly role: "server";
    readonly limits: ProtocolLimits;
    /** Compression, where permessage-deflate has been agreed on. */
    readonly codec?: MessageCodec | null;
  }
  | {
    readonly role: "client";
    readonly limits: ProtocolLimits;
    /** Compression, where permessage-deflate has been agreed on. */
    readonly codec?: MessageCodec | null;
    /** A fresh, unpredictable number below 2^32 for each frame sent (RFC 6455 section 5.3). */
    readonly maskKey: () => number;
  };

/**
 * One end of an open WebSocket connection, as a state machine over bytes.
 *
 * The owner gives what it read to {@linkcode Protocol.receive}, takes events with
 * {@linkcode Protocol.next} until that returns `null`, and writes what
 * {@linkcode Protocol.takeOutput} returns.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Protocol } from "@twoway/websocket/core";
 *
 * const limits = { maxMessageSize: 1_048_576, maxFragments: 65_536, maxPendingPongs: 128 };
 * const server = new Protocol({ role: "server", limits });
 * server.receive(Uint8Array.of(0x81, 0x82, 1, 2, 3, 4, 0x69, 0x6b)); // "hi", masked
 * const event = server.next();
 * assertEquals(event, { type: "message", data: "hi" });
 * if (event?.type === "message") server.sendMessage(event.data);
 * assertEquals([...server.takeOutput()!], [0x81, 0x02, 0x68, 0x69]);
 * server.outputWritten();
 * ```
 */
export class Protocol {
  /** Which end of the connection this is. */
  readonly role: Role;
  readonly #receiver: Receiver;
  readonly #sender: Sender;
  /** Why no more input counts: the peer's Close, or the rule that it broke. */
  #ending: Extract<Event, { type: "close" | "error" }> | null = null;

  /** A connection whose opening handshake has succeeded, before the first frame. */
  constructor(options: ProtocolOptions) {
    const { role, limits, codec = null } = options;
    this.role = role;
    this.#receiver = new Receiver(role, limits, codec?.inflater);
    this.#sender = new Sender({
      maskKey: options.role === "client" ? options.maskKey : null,
      maxPendingPongs: limits.maxPendingPongs,
      codec,
    });
  }

  /** Where the closing handshake stands (RFC 6455 section 7.1). */
  get state(): State {
    const ended = Number(this.closeSent) + Number(this.#ending !== null);
    return ended === 0 ? "open" : ended === 1 ? "closing" : "closed";
  }

  /** Whether this side's Close frame has been queued: nothing can follow it. */
  get closeSent(): boolean {
    return this.#sender.closeSent;
  }

  /** Message bytes queued and not yet reported as written, without framing. */
  get bufferedAmount(): number {
    return this.#sender.bufferedAmount;
  }

  /**
   * Bytes queued and not yet reported as written, of messages with their framing and of control frames.
   * What bounds a backlog has to go by this: empty messages have no bytes but those.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { Protocol } from "@twoway/websocket/core";
   *
   * const limits = { maxMessageSize: 1000, maxFragments: 10, maxPendingPongs: 10 };
   * const protocol = new Protocol({ role: "server", limits });
   * protocol.sendMessage("");
   * assertEquals([protocol.bufferedAmount, protocol.backlog], [0, 2]);
   * ```
   */
  get backlog(): number {
    return this.#sender.backlog;
  }

  /** Whether received bytes wait for {@linkcode Protocol.next}, or are being inflated. */
  get hasInput(): boolean {
    return this.#receiver.hasInput;
  }

  /**
   * Settles, and never rejects, when a long message has been inflated: then `next()` goes on, which
   * returns `null` until then. `null` if none is in work.
   */
  get inflating(): Promise<void> | null {
    return this.#receiver.inflating;
  }

  /**
   * Settles when a long message has been compressed: then it is among the output, and what was sent
   * behind it follows. Rejects if that failed. `null` if none is in work.
   */
  get deflating(): Promise<void> | null {
    return this.#sender.deflating;
  }

  /**
   * Adds received bytes, however they are cut. They are borrowed, and may be changed in place, until
   * `next()` has returned `null` or the last event: nobody else may have the same array before.
   * Until then `receive()` throws a `TypeError`.
   */
  receive(bytes: Uint8Array): void {
    if (this.hasInput) throw new TypeError("Cannot receive: earlier bytes wait for next()");
    // "any data received after a Close frame is ignored" (5.5.1)
    if (this.#ending === null) this.#receiver.receive(bytes);
  }

  /** The next event in the bytes received, or `null` if more bytes are needed. */
  next(): Event | null {
    if (this.#ending !== null) return null;
    try {
      const event = this.#receiver.next();
      if (event === null || event.type === "message") return event;
      if (event.type === "ping") this.#sender.pong(event.data);
      if (event.type === "close") this.#end(event);
      return event;
    } catch (error) {
      if (error instanceof ProtocolError) return this.fail(error);
      throw error;
    }
  }

  /**
   * A shortcut in front of {@linkcode Protocol.next} for owners of many short messages: the data of the
   * next event, without the event, where that is a short message that costs little to take (whole in
   * one frame of at most 125 bytes, not compressed; text of ASCII). Otherwise `null`, and nothing has
   * changed: `next()` tells what comes, and is asked until it says `null` all the same.
   */
  nextShortMessage(): Message | null {
    return this.#receiver.nextShort(); // which has no input behind an end
  }

  /** Ends the input with an error, found here or by the owner, and returns the event to report. */
  fail(error: ProtocolError): ErrorEvent {
    const event: ErrorEvent = { type: "error", error };
    this.#end(event);
    return event;
  }

  /**
   * Queues a message; its bytes are copied. `compress` says whether to compress it where that was
   * agreed on; without it the codec's threshold decides. Throws a `TypeError` behind a Close frame,
   * and for what is neither a string nor a `Uint8Array`.
   */
  sendMessage(message: string | Uint8Array, compress?: boolean): void {
    this.#sender.message(message, compress);
  }

  /**
   * Queues a message made by {@linkcode prepareMessage}. Throws a `TypeError` behind a Close frame
   * and on a client.
   */
  sendPrepared(message: PreparedMessage): void {
    this.#sender.prepared(message);
  }

  /**
   * Queues a ping ahead of messages that wait; it takes the place of one that has not left yet.
   * Throws a `TypeError` behind a Close frame and for what is no `Uint8Array`, a `RangeError` if
   * `payload` exceeds 125 bytes.
   */
  sendPing(payload: Uint8Array = new Uint8Array(0)): void {
    this.#sender.ping(payload);
  }

  /**
   * Queues a Close frame behind all messages; does nothing if one was queued before. Throws, with
   * nothing queued, a `TypeError` or `RangeError` if code or reason may not be sent.
   */
  sendClose(code?: number, reason?: string): void {
    this.#sender.close(code, reason);
  }

  /**
   * Queues the Close frame that answers the last event: the peer's own code (RFC 6455
   * section 5.5.1), or the code and the rule of an error. Does nothing without such an event.
   */
  answerClose(): void {
    if (this.#ending === null) return;
    if (this.#ending.type === "error") {
      const { closeCode, message } = this.#ending.error;
      this.sendClose(closeCode, truncateReason(message));
    } else {
      const { code } = this.#ending;
      this.sendClose(code === CloseCode.NoStatus ? undefined : code);
    }
  }

  /** Whether {@linkcode Protocol.takeOutput} has something to write now. */
  get hasOutput(): boolean {
    return this.#sender.hasOutput;
  }

  /**
   * The next bytes to write, at most 256 KiB, or `null`. They stay unchanged until
   * {@linkcode Protocol.outputWritten}, which the owner calls before it takes more.
   */
  takeOutput(): Uint8Array | null {
    return this.#sender.take();
  }

  /** The bytes last taken have been written. */
  outputWritten(): void {
    this.#sender.written();
  }

  /**
   * Forgets what was received and what was to be written: the connection is gone. The bytes last
   * taken stay unchanged, since they may still be under way.
   */
  abandon(): void {
    this.#receiver.discard();
    this.#sender.abandon();
  }

  #end(event: Extract<Event, { type: "close" | "error" }>): void {
    this.#ending = event;
    this.#receiver.discard();
  }
}
