/**
 * What a dashboard sends to whom: the last minute to those who come, then each sample to those who keep
 * up. Who reads slowly gets fewer samples, always the newest.
 *
 * @module
 */

import process from "node:process";
import { CloseCode, type Handlers, type Server, type WebSocketSession } from "../mod.ts";

/** Milliseconds between two samples. */
export const INTERVAL = 100;

/** Samples that are kept: one minute. */
export const HISTORY: number = 60_000 / INTERVAL;

/** Bytes that may wait for a page before it has to do without samples: about a hundred of them. */
export const MAX_BACKLOG = 8192;

/** What was measured at one time. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** How late the timer came, in milliseconds: the delay of the event loop. */
  readonly delay: number;
  /** Processor time used since the last sample, in per cent of one core. */
  readonly cpu: number;
  /** Memory taken by objects, in MiB. */
  readonly heap: number;
  /** Open pages. */
  readonly sessions: number;
}

/** What the server sends, as JSON. */
export type BoardMessage =
  | { readonly type: "history"; readonly interval: number; readonly samples: readonly Sample[] }
  | { readonly type: "sample"; readonly sample: Sample };

/** The handlers of a server that publishes samples. */
export class Board implements Handlers {
  readonly #samples: Sample[] = [];

  open(session: WebSocketSession): void {
    session.send(encode({ type: "history", interval: INTERVAL, samples: this.#samples }));
  }

  message(session: WebSocketSession): void {
    session.close(CloseCode.PolicyViolation, "This server only sends");
  }

  /** Keeps a sample, and sends it to everybody who keeps up; returns to how many. */
  publish(sample: Sample, server: Server): number {
    this.#samples.push(sample);
    if (this.#samples.length > HISTORY) this.#samples.shift();
    return server.broadcast(encode({ type: "sample", sample }), whoKeepsUp(server));
  }
}

/**
 * The sessions with a short backlog. The others lose this sample, and are sent the newest one as soon as
 * they have read what waits for them: their memory is bounded here, and their plot has a gap.
 */
function* whoKeepsUp(server: Server): Generator<WebSocketSession> {
  for (const session of server.sessions.values()) {
    if (session.bufferedAmount < MAX_BACKLOG) yield session;
  }
}

function encode(message: BoardMessage): string {
  return JSON.stringify(message);
}

/** Returns what measures this process; call it every `INTERVAL`. */
export function createMeter(): (sessions: number) => Sample {
  let last = performance.now();
  let lastUsage = process.cpuUsage();
  return (sessions) => {
    const now = performance.now();
    const elapsed = now - last;
    const { user, system } = process.cpuUsage();
    const used = (user + system - lastUsage.user - lastUsage.system) / 1000;
    [last, lastUsage] = [now, { user, system }];
    return {
      time: Date.now(),
      delay: round(Math.max(0, elapsed - INTERVAL)),
      cpu: round(used / elapsed * 100),
      heap: round(process.memoryUsage().heapUsed / 1_048_576),
      sessions,
    };
  };
}

/** Two digits behind the point are enough, and short. */
function round(value: number): number {
  return Math.round(value * 100) / 100;
}
