/**
 * Agreeing on permessage-deflate (RFC 7692 section 7.1): offers, answers, and what they amount to.
 * The compression itself is a {@linkcode MessageCodec}, which is passed in.
 *
 * @module
 */

import { HandshakeError } from "./errors.ts";
import type { ExtensionOffer } from "./extensions.ts";
import { show } from "./show.ts";

/** The registered name of the extension. */
export const PERMESSAGE_DEFLATE = "permessage-deflate";

/**
 * Compresses messages one by one; see {@linkcode MessageCodec}.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { constants, deflateRawSync } from "node:zlib";
 * import type { Deflater } from "@twoway/websocket/core";
 *
 * const deflater: Deflater = {
 *   deflate: (bytes) => {
 *     const { Z_SYNC_FLUSH: finishFlush } = constants;
 *     return deflateRawSync(bytes, { finishFlush }).subarray(0, -4); // less 00 00 ff ff
 *   },
 *   reset: () => {}, // each message is compressed on its own
 * };
 * const bytes = await deflater.deflate(new Uint8Array(1000));
 * assert(bytes.length < 20);
 * ```
 */
export interface Deflater {
  /**
   * The DEFLATE blocks of one message, flushed to a byte boundary, less the `00 00 ff ff` at their
   * end (RFC 7692 section 7.2.1); valid until the next call. Returns a promise where compressing
   * takes long: the caller waits for it before the next call. `bytes` count as they are at the call.
   */
  deflate(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Forgets earlier messages: later ones refer to none of them. */
  reset(): void;
}

/**
 * Takes what a message inflates to, piece by piece. The piece is the receiver's only for the call;
 * `isWhole` says that the message consists of this piece alone. What the sink throws ends the work.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { InflateSink } from "@twoway/websocket/core";
 *
 * const pieces: Uint8Array[] = [];
 * const sink: InflateSink = (piece) => {
 *   if (pieces.length === 100) throw new RangeError("Too much");
 *   pieces.push(piece.slice()); // a copy: the piece is ours only for the call
 * };
 * sink(Uint8Array.of(1, 2, 3), true);
 * assertEquals(pieces.length, 1);
 * ```
 */
export type InflateSink = (piece: Uint8Array, isWhole: boolean) => void;

/**
 * Inflates messages one by one; see {@linkcode MessageCodec}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { constants, inflateRawSync } from "node:zlib";
 * import type { Inflater } from "@twoway/websocket/core";
 *
 * const inflater: Inflater = {
 *   inflate(bytes, isLast, sink) {
 *     if (!isLast) throw new Error("This one takes whole messages");
 *     const { Z_SYNC_FLUSH: finishFlush } = constants;
 *     sink(inflateRawSync(bytes, { finishFlush, maxOutputLength: 1_000_000 }), true);
 *   },
 * };
 * const hello = Uint8Array.of(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00);
 * inflater.inflate(hello, true, (piece) => assertEquals(new TextDecoder().decode(piece), "Hello"));
 * ```
 */
export interface Inflater {
  /**
   * Inflates the next bytes of a message, of which `isLast` are the last: as if `00 00 ff ff` stood
   * behind them (RFC 7692 section 7.2.2). Throws for what is not DEFLATE or refers to bytes out of
   * reach; what came out just before may be lost with it. Returns a promise where that takes long:
   * the caller waits for it before the next call, and leaves `bytes` unchanged.
   */
  inflate(bytes: Uint8Array, isLast: boolean, sink: InflateSink): void | Promise<void>;
}

/**
 * Compression for both directions of one connection.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
 * import { type MessageCodec, Protocol } from "@twoway/websocket/core";
 *
 * const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 1_000_000 };
 * const codec: MessageCodec = {
 *   deflater: {
 *     deflate: (bytes) => deflateRawSync(bytes, options).subarray(0, -4),
 *     reset: () => {},
 *   },
 *   inflater: { inflate: (bytes, _isLast, sink) => sink(inflateRawSync(bytes, options), true) },
 *   threshold: 100,
 *   key: "each message by itself",
 * };
 * const limits = { maxMessageSize: 1_000_000, maxFragments: 1, maxPendingPongs: 1 };
 * const server = new Protocol({ role: "server", limits, codec });
 * server.sendMessage("long ".repeat(1000));
 * assert(server.takeOutput()!.length < 100);
 * ```
 */
export interface MessageCodec {
  /** For messages sent. */
  readonly deflater: Deflater;
  /** For messages received. */
  readonly inflater: Inflater;
  /** Messages of fewer bytes are sent as they are, unless asked for otherwise. */
  readonly threshold: number;
  /**
   * The same for all codecs whose {@linkcode MessageCodec.deflater} makes the same bytes of a
   * message: one that goes to many connections is compressed once for each.
   */
  readonly key: string;
}

/**
 * What both sides have agreed on (RFC 7692 section 7.1).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { acceptDeflate, type DeflateParams, offerDeflate } from "@twoway/websocket/core";
 *
 * const wish = { contextTakeover: false, windowBits: 15 };
 * const params: DeflateParams = acceptDeflate([offerDeflate(wish)], wish)!.params;
 * assertEquals(params, {
 *   serverNoContextTakeover: true,
 *   clientNoContextTakeover: true,
 *   serverMaxWindowBits: 15,
 *   clientMaxWindowBits: 15,
 * });
 * ```
 */
export interface DeflateParams {
  /** The server compresses each message on its own. */
  readonly serverNoContextTakeover: boolean;
  /** The client compresses each message on its own. */
  readonly clientNoContextTakeover: boolean;
  /** The base-2 logarithm of the server's LZ77 window, 8 to 15. */
  readonly serverMaxWindowBits: number;
  /** The base-2 logarithm of the client's LZ77 window, 8 to 15. */
  readonly clientMaxWindowBits: number;
}

/**
 * What one side would like.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type DeflateWish, offerDeflate } from "@twoway/websocket/core";
 *
 * const small: DeflateWish = { contextTakeover: false, windowBits: 10 };
 * assertEquals(offerDeflate(small).params.map(([name]) => name), [
 *   "server_no_context_takeover",
 *   "client_no_context_takeover",
 *   "server_max_window_bits",
 *   "client_max_window_bits",
 * ]);
 * ```
 */
export interface DeflateWish {
  /** Whether messages may refer to earlier ones, at the price of memory for the session's life. */
  readonly contextTakeover: boolean;
  /** The largest window, 8 to 15, for both directions. */
  readonly windowBits: number;
}

const MAX_WINDOW_BITS = 15;
/** "a decimal integer value without leading zeroes between 8 to 15, inclusive" (7.1.2.1) */
const WINDOW_BITS = /^(?:[89]|1[0-5])$/;

/** The parameters of one offer or answer; `client_max_window_bits` may be offered without value. */
interface Parsed {
  readonly serverNoContextTakeover: boolean;
  readonly clientNoContextTakeover: boolean;
  readonly serverMaxWindowBits: number | undefined;
  /** `null` for the parameter without a value. */
  readonly clientMaxWindowBits: number | null | undefined;
}

/** An offer or answer is not usable; says why. */
class Unusable extends Error {}

function parse({ params }: ExtensionOffer): Parsed {
  const found = new Map<string, string | null>();
  for (const [name, value] of params) {
    if (found.has(name)) throw new Unusable(`parameter ${show(name)} stands there twice`);
    found.set(name, value);
    checkParam(name, value);
  }
  const bits = (name: string): number | null | undefined => {
    const value = found.get(name);
    return typeof value === "string" ? Number(value) : value;
  };
  return {
    serverNoContextTakeover: found.has("server_no_context_takeover"),
    clientNoContextTakeover: found.has("client_no_context_takeover"),
    serverMaxWindowBits: bits("server_max_window_bits") ?? undefined,
    clientMaxWindowBits: bits("client_max_window_bits"),
  };
}

function checkParam(name: string, value: string | null): void {
  switch (name) {
    case "server_no_context_takeover":
    case "client_no_context_takeover":
      if (value !== null) throw new Unusable(`parameter ${name} has a value`);
      return;
    case "client_max_window_bits":
      if (value === null) return;
      // falls through
    case "server_max_window_bits":
      if (value !== null && WINDOW_BITS.test(value)) return;
      throw new Unusable(`parameter ${name} is ${show(value ?? "")}, not a number from 8 to 15`);
    default:
      throw new Unusable(`parameter ${show(name)} is unknown`);
  }
}

/**
 * Chooses the first of a client's offers that is valid; `null` if none is, or none was made (RFC
 * 7692 section 5.1: an invalid offer is declined, never an error).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { acceptDeflate, formatExtensions } from "@twoway/websocket/core";
 *
 * const wish = { contextTakeover: false, windowBits: 15 };
 * const offers = [{ name: "permessage-deflate", params: [] }];
 * const { answer } = acceptDeflate(offers, wish)!;
 * assertEquals(
 *   formatExtensions([answer]),
 *   "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
 * );
 * assertEquals(acceptDeflate([], wish), null); // not offered
 * ```
 */
export function acceptDeflate(
  offers: readonly ExtensionOffer[],
  wish: DeflateWish,
): { params: DeflateParams; answer: ExtensionOffer } | null {
  for (const offer of offers) {
    if (offer.name !== PERMESSAGE_DEFLATE) continue;
    try {
      return accept(parse(offer), wish);
    } catch (error) {
      if (!(error instanceof Unusable)) throw error;
    }
  }
  return null;
}

function accept(
  offer: Parsed,
  { contextTakeover, windowBits }: DeflateWish,
): { params: DeflateParams; answer: ExtensionOffer } {
  // "If a received extension negotiation offer doesn't have the "client_max_window_bits" extension
  // parameter, the corresponding extension negotiation response to the offer MUST NOT include" it
  // (7.1.2.2)
  const canLimitClient = offer.clientMaxWindowBits !== undefined;
  const params = {
    serverNoContextTakeover: offer.serverNoContextTakeover || !contextTakeover,
    clientNoContextTakeover: offer.clientNoContextTakeover || !contextTakeover,
    serverMaxWindowBits: Math.min(windowBits, offer.serverMaxWindowBits ?? MAX_WINDOW_BITS),
    clientMaxWindowBits: canLimitClient
      ? Math.min(windowBits, offer.clientMaxWindowBits ?? MAX_WINDOW_BITS)
      : MAX_WINDOW_BITS,
  };
  const hasServerBits = offer.serverMaxWindowBits !== undefined ||
    params.serverMaxWindowBits < MAX_WINDOW_BITS;
  const hasClientBits = params.clientMaxWindowBits < MAX_WINDOW_BITS;
  return { params, answer: extension(params, hasServerBits, hasClientBits) };
}

function extension(
  params: DeflateParams,
  hasServerBits: boolean,
  hasClientBits: boolean,
): ExtensionOffer {
  const list: [string, string | null][] = [];
  if (params.serverNoContextTakeover) list.push(["server_no_context_takeover", null]);
  if (params.clientNoContextTakeover) list.push(["client_no_context_takeover", null]);
  if (hasServerBits) list.push(["server_max_window_bits", `${params.serverMaxWindowBits}`]);
  if (hasClientBits) list.push(["client_max_window_bits", `${params.clientMaxWindowBits}`]);
  return { name: PERMESSAGE_DEFLATE, params: list };
}

/**
 * What a client offers.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { offerDeflate } from "@twoway/websocket/core";
 *
 * assertEquals(offerDeflate({ contextTakeover: true, windowBits: 15 }), {
 *   name: "permessage-deflate",
 *   params: [["client_max_window_bits", null]],
 * });
 * ```
 */
export function offerDeflate({ contextTakeover, windowBits }: DeflateWish): ExtensionOffer {
  const isLimited = windowBits < MAX_WINDOW_BITS;
  const { name, params } = extension(
    {
      serverNoContextTakeover: !contextTakeover,
      clientNoContextTakeover: !contextTakeover,
      serverMaxWindowBits: windowBits,
      clientMaxWindowBits: windowBits,
    },
    isLimited,
    isLimited,
  );
  // Without a value it only says that the server may limit us.
  return { name, params: isLimited ? params : [...params, ["client_max_window_bits", null]] };
}

/**
 * Checks a server's answer to our offer. Throws a {@linkcode HandshakeError} if it is invalid or
 * grants less than what was asked for (RFC 7692 section 7.1).
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { checkDeflate, HandshakeError, offerDeflate } from "@twoway/websocket/core";
 *
 * const offer = offerDeflate({ contextTakeover: true, windowBits: 10 });
 * const answer = { name: offer.name, params: [["server_max_window_bits", "9"]] as const };
 * assertEquals(checkDeflate(answer, offer).serverMaxWindowBits, 9);
 * assertThrows(() => checkDeflate({ ...answer, params: [] }, offer), HandshakeError, "missing");
 * ```
 */
export function checkDeflate(answer: ExtensionOffer, offer: ExtensionOffer): DeflateParams {
  try {
    return check(parse(answer), parse(offer));
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    throw new HandshakeError(`Cannot accept the response: ${PERMESSAGE_DEFLATE}: ${error.message}`);
  }
}

function check(answer: Parsed, offer: Parsed): DeflateParams {
  if (offer.serverNoContextTakeover && !answer.serverNoContextTakeover) {
    throw new Unusable("server_no_context_takeover was asked for and is missing");
  }
  const clientBits = checkClientBits(answer, offer);
  const most = offer.serverMaxWindowBits ?? MAX_WINDOW_BITS;
  if (answer.serverMaxWindowBits === undefined && offer.serverMaxWindowBits !== undefined) {
    throw new Unusable("server_max_window_bits was asked for and is missing");
  }
  if ((answer.serverMaxWindowBits ?? 0) > most) {
    throw new Unusable(
      `server_max_window_bits is ${answer.serverMaxWindowBits}, more than ${most}`,
    );
  }
  return {
    serverNoContextTakeover: answer.serverNoContextTakeover,
    // Unasked, too, it is to be obeyed (7.1.1.2); and what we have offered we keep.
    clientNoContextTakeover: answer.clientNoContextTakeover || offer.clientNoContextTakeover,
    serverMaxWindowBits: answer.serverMaxWindowBits ?? MAX_WINDOW_BITS,
    clientMaxWindowBits: clientBits,
  };
}

function checkClientBits(answer: Parsed, offer: Parsed): number {
  const offered = offer.clientMaxWindowBits;
  const given = answer.clientMaxWindowBits;
  if (given === undefined) return offered ?? MAX_WINDOW_BITS;
  if (given === null) throw new Unusable("client_max_window_bits has no value");
  if (offered === undefined) throw new Unusable("client_max_window_bits was not offered");
  if (given > (offered ?? MAX_WINDOW_BITS)) {
    throw new Unusable(`client_max_window_bits is ${given}, more than ${offered}`);
  }
  return given;
}
