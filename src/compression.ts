/**
 * A session's compression: what is agreed on in the handshake, the codecs for it, and the memory
 * that all sessions together may hold for contexts.
 *
 * @module
 */

import type { Timers } from "./clock.ts";
import { type ExtensionOffer, formatExtensions } from "./core/extensions.ts";
import {
  acceptDeflate,
  checkDeflate,
  type DeflateParams,
  type MessageCodec,
  offerDeflate,
  PERMESSAGE_DEFLATE,
} from "./core/permessage_deflate.ts";
import type { Role } from "./core/receiver.ts";
import type { CompressOptions } from "./options.ts";
import type { MessageDeflater, MessageInflater } from "./runtime/deflate.ts";
import { codecEngine, deflaterSize, inflaterSize } from "./runtime/zlib.ts";

type Options = Required<CompressOptions>;

/** Memory for contexts that outlive a message, counted over all sessions that share it. */
export class ContextBudget {
  #contexts = 0;
  #bytes = 0;

  /** Contexts that are held: up to two per session, one for each direction. */
  get contexts(): number {
    return this.#contexts;
  }

  /** The bytes that they take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes memory for contexts of these sizes; `null` if that would exceed `limit` bytes. */
  reserve(sizes: readonly number[], limit: number): (() => void) | null {
    if (sizes.length === 0) return holdsNothing;
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    if (bytes > 0 && this.#bytes + bytes > limit) return null;
    this.#bytes += bytes;
    this.#contexts += sizes.length;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#bytes -= bytes;
      this.#contexts -= sizes.length;
    };
  }
}

/** The contexts of this process. */
export const sharedContexts: ContextBudget = new ContextBudget();

function holdsNothing(): void {}

/** Shared by all sessions with these timers: an idle one is to cost little. */
const turns = new WeakMap<Timers, () => Promise<void>>();

function turnOf(timers: Timers): () => Promise<void> {
  const known = turns.get(timers);
  if (known !== undefined) return known;
  const turn = (): Promise<void> => timers.turn();
  turns.set(timers, turn);
  return turn;
}

/** The codecs of one session. */
export class Compression implements MessageCodec {
  readonly deflater: MessageDeflater;
  readonly inflater: MessageInflater;
  readonly threshold: number;
  readonly key: string;
  readonly #release: () => void;

  constructor(
    role: Role,
    params: DeflateParams,
    { level, memLevel, threshold }: Options,
    timers: Timers,
    release: () => void,
  ) {
    const turn = turnOf(timers);
    const isServer = role === "server";
    const windowBits = isServer ? params.serverMaxWindowBits : params.clientMaxWindowBits;
    const peerBits = isServer ? params.clientMaxWindowBits : params.serverMaxWindowBits;
    const { ours, theirs } = keeps(role, params);
    const engine = codecEngine();
    this.deflater = engine.createDeflater({
      level,
      memLevel,
      windowBits,
      keepsContext: ours,
      turn,
    });
    this.inflater = engine.createInflater({ windowBits: peerBits, keepsContext: theirs, turn });
    this.threshold = threshold;
    this.key = `${level} ${memLevel} ${windowBits}`;
    this.#release = release;
  }

  /** Frees the memory; idempotent. */
  close(): void {
    this.deflater.close();
    this.inflater.close();
    this.#release();
  }
}

/** Which side's messages may refer to earlier ones. */
function keeps(role: Role, params: DeflateParams): { ours: boolean; theirs: boolean } {
  const server = !params.serverNoContextTakeover;
  const client = !params.clientNoContextTakeover;
  return role === "server" ? { ours: server, theirs: client } : { ours: client, theirs: server };
}

/** The sizes of the contexts that a session will hold. */
function contextSizes(role: Role, params: DeflateParams, { memLevel }: Options): number[] {
  const { serverMaxWindowBits, clientMaxWindowBits } = params;
  const isServer = role === "server";
  const windowBits = isServer ? serverMaxWindowBits : clientMaxWindowBits;
  const { ours, theirs } = keeps(role, params);
  return [
    ...(ours ? [deflaterSize({ level: 0, windowBits, memLevel })] : []),
    ...(theirs ? [inflaterSize(isServer ? clientMaxWindowBits : serverMaxWindowBits)] : []),
  ];
}

/** What a server answers. */
export interface AcceptedCompression {
  /** For the `Sec-WebSocket-Extensions` field. */
  readonly extensions: string;
  readonly compression: Compression;
}

/**
 * Chooses one of a client's offers (RFC 7692 section 5); without context takeover once the memory
 * for it is spent. `null` declines them all.
 */
export function acceptCompression(
  offers: readonly ExtensionOffer[],
  options: Options,
  timers: Timers,
  budget: ContextBudget = sharedContexts,
): AcceptedCompression | null {
  const accept = (contextTakeover: boolean): AcceptedCompression | "spent" | null => {
    const accepted = acceptDeflate(offers, { ...options, contextTakeover });
    if (accepted === null) return null;
    const { params, answer } = accepted;
    const release = budget.reserve(contextSizes("server", params, options), options.contextBudget);
    if (release === null) return "spent";
    const compression = new Compression("server", params, options, timers, release);
    return { extensions: formatExtensions([answer]), compression };
  };
  const accepted = accept(options.contextTakeover);
  return accepted === "spent" ? accept(false) as AcceptedCompression | null : accepted;
}

/** A client's offer, and what becomes of it. */
export class CompressionOffer {
  /** For the `Sec-WebSocket-Extensions` field. */
  readonly extensions: string;
  readonly #offer: ExtensionOffer;
  readonly #options: Options;
  readonly #timers: Timers;
  readonly #budget: ContextBudget;
  #release: () => void;

  constructor(options: Options, timers: Timers, budget: ContextBudget = sharedContexts) {
    this.#options = options;
    this.#timers = timers;
    this.#budget = budget;
    const release = options.contextTakeover ? this.#reserve(MOST) : null;
    this.#release = release ?? (() => {});
    this.#offer = offerDeflate({ ...options, contextTakeover: release !== null });
    this.extensions = formatExtensions([this.#offer]);
  }

  /**
   * Reads the server's answer: the extensions that it uses. Returns `null` if it declined. Throws a
   * {@linkcode HandshakeError} for an answer that does not go with the offer.
   */
  accept(extensions: readonly ExtensionOffer[]): Compression | null {
    const answer = extensions.find(({ name }) => name === PERMESSAGE_DEFLATE);
    this.#release();
    if (answer === undefined) return null;
    const params = checkDeflate(answer, this.#offer);
    // Never more than was reserved a moment ago.
    const release = this.#reserve(params) ?? (() => {});
    this.#release = release;
    return new Compression("client", params, this.#options, this.#timers, release);
  }

  /** Connecting failed: nothing will come of it. */
  close(): void {
    this.#release();
  }

  #reserve(params: DeflateParams): (() => void) | null {
    const sizes = contextSizes("client", params, this.#options);
    return this.#budget.reserve(sizes, this.#options.contextBudget);
  }
}

/** The most that an answer can make of an offer with context takeover. */
const MOST: DeflateParams = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};
