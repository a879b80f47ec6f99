/**
 * Codecs for tests: the real ones, and one whose work takes as long as the test wants.
 *
 * @module
 */

import type { InflateSink, MessageCodec } from "../../src/core/permessage_deflate.ts";
import { Protocol, type ProtocolLimits } from "../../src/core/protocol.ts";
import type { Role } from "../../src/core/receiver.ts";
import type { CodecEngine } from "../../src/runtime/deflate.ts";
import { codecEngine } from "../../src/runtime/zlib.ts";
import { LIMITS } from "./transcript.ts";

/** What a test may choose. */
export interface CodecChoice {
  readonly keepsContext?: boolean;
  readonly windowBits?: number;
  readonly threshold?: number;
  readonly engine?: CodecEngine;
}

/** Lets the event loop turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** A codec as sessions have it; compresses everything unless told otherwise. */
export function createCodec(
  { keepsContext = true, windowBits = 15, threshold = 0, engine = codecEngine() }: CodecChoice = {},
): MessageCodec & { close(): void } {
  const deflater = engine.createDeflater({
    level: 6,
    memLevel: 8,
    windowBits,
    keepsContext,
    turn,
  });
  const inflater = engine.createInflater({ windowBits, keepsContext, turn });
  const close = (): void => {
    deflater.close();
    inflater.close();
  };
  return { deflater, inflater, threshold, key: `${windowBits}`, close };
}

/** A protocol that has agreed on permessage-deflate; a client masks with 01 02 03 04. */
export function createCompressed(
  role: Role,
  codec: MessageCodec = createCodec(),
  limits: Partial<ProtocolLimits> = {},
): Protocol {
  const all = { ...LIMITS, ...limits };
  return role === "server"
    ? new Protocol({ role, limits: all, codec })
    : new Protocol({ role, limits: all, codec, maskKey: () => 0x01020304 });
}

/** A codec whose every message waits until the test lets it go on; it turns bytes around. */
export class SlowCodec implements MessageCodec {
  readonly threshold = 0;
  readonly key = "slow";
  readonly deflater = {
    deflate: (bytes: Uint8Array): Promise<Uint8Array> => this.#later(() => bytes.map((b) => ~b)),
    reset: (): void => void this.resets++,
  };
  readonly inflater = {
    inflate: (bytes: Uint8Array, _isLast: boolean, sink: InflateSink): Promise<void> =>
      this.#later(() => sink(bytes.map((b) => ~b), this.isWhole)),
  };
  /** Whether each message comes out in one piece. */
  isWhole = false;
  /** How often the compressor was told to forget. */
  resets = 0;
  readonly #waiting: { run: () => void; fail: (error: unknown) => void }[] = [];

  /** Messages in work. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Does the first work that waits. */
  async go(): Promise<void> {
    this.#waiting.shift()!.run();
    await turn();
  }

  /** Fails the first work that waits. */
  async fail(error: unknown): Promise<void> {
    this.#waiting.shift()!.fail(error);
    await turn();
  }

  #later<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, fail) => {
      const run = (): void => {
        try {
          resolve(work());
        } catch (error) {
          fail(error);
        }
      };
      this.#waiting.push({ run, fail });
    });
  }
}
