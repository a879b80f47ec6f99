/**
 * What the client and the server of the command line have in common: lines that become messages,
 * and pings.
 *
 * @module
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { WebSocketSession } from "../../mod.ts";
import type { CommonOptions } from "./arguments.ts";
import type { Terminal } from "./terminal.ts";
import { parseHex, showText } from "./text.ts";

/** The longest message taken, and the most bytes that wait to be printed. */
export const MAX_MESSAGE_SIZE = 67_108_864;

/** Said when an interrupt begins to close: the peer may take its time. */
export const CLOSING = "Closing; another Ctrl-C ends at once";

/**
 * Sends each line, one after the other, and tells `onWrong` of each that can't be a message; resolves at
 * the end of the input. Reading the next line waits for `send`.
 */
export async function sendLines(
  lines: AsyncIterable<string>,
  { binary }: CommonOptions,
  terminal: Terminal,
  send: (message: string | Uint8Array) => Promise<void>,
  onWrong: () => void = () => {},
): Promise<void> {
  try {
    for await (const line of lines) {
      const message = binary ? parseHex(line) : line;
      if (message !== null) {
        await send(message);
        continue;
      }
      onWrong();
      terminal.error(`Not sent, since it is not hexadecimal (--binary): ${showText(line)}`);
    }
  } catch (error) {
    terminal.error(`Cannot read standard input: ${error instanceof Error ? error.message : error}`);
  }
}

/** Tells when nothing has been going on for a while. */
export class Silence {
  #isBroken = false;
  #since = performance.now();

  /** Something goes on: the silence is over until `begin()`. */
  end(): void {
    this.#isBroken = true;
  }

  /** From now on there is silence. */
  begin(): void {
    this.#isBroken = false;
    this.#since = performance.now();
  }

  /** Resolves when it has lasted that long from now on, or with `false` as soon as the signal is aborted. */
  async lasts(ms: number, signal: AbortSignal): Promise<boolean> {
    let left = ms;
    while (await pause(left, signal)) {
      left = this.#isBroken ? ms : this.#since + ms - performance.now();
      if (left <= 0 && !this.#isBroken) return true;
      left = Math.max(left, MIN_PAUSE);
    }
    return false;
  }
}

/** Between two looks at whether there is silence, in milliseconds. */
const MIN_PAUSE = 5;

/** Pings over and over while the session is open; a ping waits for the one before. */
export async function pingEvery(
  interval: number,
  session: Pick<WebSocketSession, "closed" | "ping">,
  show: (text: string) => void,
): Promise<void> {
  const over = new AbortController();
  void session.closed.then(() => over.abort());
  while (await pause(interval, over.signal)) {
    const latency = await session.ping().catch(() => null); // closing, or closed
    if (latency === null) return;
    show(`Pong after ${latency.toFixed(1)} ms`);
  }
}

/** Resolves after that time (never, if it is infinite), or with `false` as soon as the signal is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    if (ms === Infinity) await aborted(signal);
    else await sleep(ms, undefined, { signal });
    return !signal.aborted;
  } catch {
    return false;
  }
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** What was agreed on, behind the address: `" (chat.v1, permessage-deflate)"`, or nothing. */
export function describeAgreement(
  { protocol, extensions }: Pick<WebSocketSession, "protocol" | "extensions">,
): string {
  const agreed = [protocol, extensions].filter((part) => part !== "");
  return agreed.length === 0 ? "" : ` (${showText(agreed.join(", "))})`;
}
