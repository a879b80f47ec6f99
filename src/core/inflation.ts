/**
 * Compressed messages on their way in (RFC 7692 section 6.2): pieces of payload go into the
 * inflater, which may take its time, and what comes out goes to where messages are put together.
 *
 * @module
 */

import { CloseCode } from "./close_code.ts";
import { ProtocolError } from "./errors.ts";
import type { Message, MessageAssembler } from "./message.ts";
import type { Inflater, InflateSink } from "./permessage_deflate.ts";

/** What a session that compresses needs to receive. */
export class Inflation {
  readonly #inflater: Inflater;
  readonly #assembler: MessageAssembler;
  /** Takes what the inflater makes. */
  readonly #sink: InflateSink = (piece, isWhole) => {
    if (isWhole) this.#whole = this.#assembler.finishWhole(piece);
    else this.#assembler.push(piece);
  };
  /** The inflater works on the last piece; then `#isDue` says that this is to be completed. */
  #work: Promise<void> | null = null;
  #isDue = false;
  /** What went wrong while it worked. */
  #fault: { readonly error: unknown } | null = null;
  /** What a message amounts to, if it came out in one piece. */
  #whole: Message | null = null;

  constructor(inflater: Inflater, assembler: MessageAssembler) {
    this.#inflater = inflater;
    this.#assembler = assembler;
  }

  /** Settles when the inflater is done; `null` while it does not work. */
  get work(): Promise<void> | null {
    return this.#work;
  }

  /** Whether the inflater has done its work, and {@linkcode Inflation.complete} has to be called. */
  get isDue(): boolean {
    return this.#isDue;
  }

  /**
   * Inflates the next piece of a message; returns whether that is done, and not just begun. Throws a
   * {@linkcode ProtocolError} for bytes that cannot be inflated, or a message that may not be.
   */
  take(piece: Uint8Array, isLast: boolean): boolean {
    try {
      const work = this.#inflater.inflate(piece, isLast, this.#sink);
      if (work === undefined) return true;
      this.#wait(work);
      return false;
    } catch (error) {
      throw toProtocolError(error);
    }
  }

  /** Ends the piece that took its time; throws what {@linkcode Inflation.take} would have. */
  complete(): void {
    this.#isDue = false;
    if (this.#fault !== null) throw toProtocolError(this.#fault.error);
  }

  /** The message is complete. */
  finish(): Message {
    const message = this.#whole ?? this.#assembler.finish();
    this.#whole = null;
    return message;
  }

  /** Forgets the piece in work. */
  discard(): void {
    this.#work = null;
    this.#isDue = false;
  }

  #wait(inflating: Promise<void>): void {
    const work: Promise<void> = inflating.then(
      () => null,
      (error) => ({ error }),
    ).then((fault) => {
      if (this.#work !== work) return; // discarded meanwhile
      this.#work = null;
      this.#isDue = true;
      this.#fault = fault;
    });
    this.#work = work;
  }
}

/** A fault of the message's own, or what the inflater says of its bytes. */
function toProtocolError(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new ProtocolError(`Message cannot be inflated: ${why}`, CloseCode.InvalidPayload);
}
