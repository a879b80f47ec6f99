/**
 * Whether a client that has failed tries again, and when: functions of the error, of how often it has
 * failed, and of chance.
 *
 * @module
 */

import { CloseCode } from "./core/close_code.ts";
import type { CloseStatus } from "./core/close.ts";
import { HandshakeError, ProtocolError } from "./core/errors.ts";
import { ClosedError } from "./errors.ts";
import { checkDuration, checkNames, MAX_DURATION, resolveNumbers } from "./options.ts";

/**
 * How the pauses between attempts grow. Each is drawn at random below a bound that doubles.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type BackoffOptions, keepConnected } from "@twoway/websocket";
 *
 * const backoff: BackoffOptions = { first: 1, factor: 3, jitter: 0 };
 * const delays: number[] = [];
 * const sessions = keepConnected("ws://127.0.0.1:1/", { // nobody listens there
 *   backoff,
 *   onRetry: ({ delay }) => delays.push(delay),
 *   shouldRetry: (_error, { attempt }) => attempt < 4,
 * });
 * await sessions.next().catch(() => {});
 * assertEquals(delays, [1, 3, 9]);
 * ```
 */
export interface BackoffOptions {
  /** The first bound, in milliseconds. @default {1000} */
  readonly first?: number;
  /**
   * The last bound, in milliseconds. A session that has lived as long counts as a success, and the
   * pauses begin anew. @default {30_000}
   */
  readonly max?: number;
  /** What the bound is multiplied by after each failure, at least 1. @default {2} */
  readonly factor?: number;
  /**
   * The part of each pause that is random: 1, all of it, keeps the clients of a server that comes
   * back from arriving at once; 0 makes the bound the pause. @default {1}
   */
  readonly jitter?: number;
}

/** What decides about a pause. */
export interface RetryPolicy {
  readonly backoff: Required<BackoffOptions>;
  readonly maxRetryAfter: number;
  /** Chance: from 0, included, to 1, excluded. */
  readonly random: () => number;
}

const BACKOFF: Required<BackoffOptions> = { first: 1000, max: 30_000, factor: 2, jitter: 1 };

/** Fills in the defaults; throws a `TypeError` or `RangeError` for what can't be one. */
export function resolveBackoff(backoff: BackoffOptions = {}): Required<BackoffOptions> {
  checkNames(backoff, Object.keys(BACKOFF), "backoff.");
  return resolveNumbers(backoff, BACKOFF, "backoff.", checkBackoff);
}

function checkBackoff(value: number, name: string): void {
  if (name === "backoff.jitter" && value === 0) return;
  checkDuration(value, name);
  // Nobody waits for ever between two attempts.
  if (value === Infinity) throw new RangeError(`Option ${name} is Infinity, not finite`);
  if (name === "backoff.jitter" && value > 1) {
    throw new RangeError(`Option ${name} is ${value}, more than 1`);
  }
  if (name === "backoff.factor" && value < 1) {
    throw new RangeError(`Option ${name} is ${value}, less than 1`);
  }
}

/** Refusals by a server that may think better of it: slow, early, too many; and all from 500 on. */
const TEMPORARY_STATUSES: readonly number[] = [408, 425, 429];

/** Ends that the next session would come to as well, or that were meant: do not come back. */
const PERMANENT_CODES: readonly number[] = [
  CloseCode.Normal,
  CloseCode.ProtocolError,
  CloseCode.UnsupportedData,
  CloseCode.InvalidPayload,
  CloseCode.PolicyViolation,
  CloseCode.MessageTooBig,
  CloseCode.MandatoryExtension,
];

/** Whether what has failed may work later, all by itself. */
export function isTemporary(error: unknown): boolean {
  if (error instanceof ClosedError) return error.status === undefined || mayReturn(error.status);
  if (error instanceof HandshakeError) {
    const { status } = error;
    return status === undefined || status >= 500 || TEMPORARY_STATUSES.includes(status);
  }
  // What connect() says of its arguments; the system's errors are of neither class.
  return !(error instanceof TypeError || error instanceof RangeError);
}

/** A peer that broke the protocol, or our limits, would do so again. */
function mayReturn({ code, error }: CloseStatus): boolean {
  return !PERMANENT_CODES.includes(code) && !(error instanceof ProtocolError);
}

/**
 * Milliseconds to wait before the attempt that follows the `count`th failure in a row: by the
 * backoff, or longer if the server has asked for it.
 */
export function computeDelay(error: unknown, count: number, policy: RetryPolicy): number {
  const { first, max, factor, jitter } = policy.backoff;
  const bound = Math.min(max, first * factor ** (count - 1));
  const backoff = bound * (1 - jitter * draw(policy));
  return Math.min(MAX_DURATION, Math.max(backoff, wish(error, backoff, policy)));
}

/** When the server wants to see us again, in milliseconds; 0 if it has not said so. */
function wish(error: unknown, backoff: number, policy: RetryPolicy): number {
  const { maxRetryAfter } = policy;
  if (error instanceof HandshakeError) {
    const after = readRetryAfter(error.headers);
    // The backoff on top: all who were told the same would come at the same moment.
    return after === undefined ? 0 : Math.min(maxRetryAfter, after) + backoff;
  }
  const range = WISHES.get(error instanceof ClosedError ? error.status?.code : undefined);
  if (range === undefined) return 0;
  const [from, to] = range;
  return Math.min(maxRetryAfter, from + (to - from) * draw(policy));
}

const WISHES: ReadonlyMap<number | undefined, readonly [from: number, to: number]> = new Map([
  // "A client may reconnect, and if it chooses to do, should reconnect using a randomized delay of
  // 5 - 30s" (IANA's registry of close codes)
  [CloseCode.ServiceRestart, [5000, 30_000]],
  // The registry would rather have a person decide: at least it takes longer.
  [CloseCode.TryAgainLater, [30_000, 60_000]],
]);

function draw({ random }: RetryPolicy): number {
  const value = random();
  if (value >= 0 && value < 1) return value;
  throw new RangeError(`Option random returned ${value}, not a number from 0 to below 1`);
}

/**
 * The milliseconds that a response asks for with `Retry-After` (RFC 9110 section 10.2.3), as seconds
 * or as a date; `undefined` if it does not, or not in either form. `now` is the time of day.
 */
export function readRetryAfter(
  headers: Iterable<readonly [name: string, value: string]>,
  now: number = Date.now(),
): number | undefined {
  const fields = new Map(headers);
  const value = fields.get("retry-after");
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = parseDate(value);
  if (date === undefined) return undefined;
  // By the server's own clock, if it tells the time: ours may be wrong.
  return Math.max(0, date - (parseDate(fields.get("date")) ?? now));
}

/** Of the three forms of RFC 9110 section 5.6.7 the one that is not obsolete. */
const DATE = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

function parseDate(text: string | undefined): number | undefined {
  if (text === undefined || !DATE.test(text)) return undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : date;
}
