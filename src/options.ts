/**
 * Every limit, timer and default, in one place, and the checks of what users give.
 *
 * @module
 */

/**
 * Sizes and counts that bound a connection or a server. `Infinity` must be written out.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, type Limits, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const limits: Limits = { maxMessageSize: 1000 };
 * const server = await serve({ port: 0, limits }, {});
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`);
 * await session.send(new Uint8Array(1001));
 * assertEquals(await session.receive(), null);
 * assertEquals((await session.closed).code, 1009);
 * await server.shutdown();
 * ```
 */
export interface Limits {
  /** The longest message accepted, in bytes. Checked before buffering; 1009. @default {1_048_576} */
  readonly maxMessageSize?: number;
  /** The most frames in one message, empty ones counted; 1008. @default {65_536} */
  readonly maxFragments?: number;
  /** The most pongs waiting; past that the newest replaces the last. @default {128} */
  readonly maxPendingPongs?: number;
  /** The longest request or response head, in bytes; 431. @default {16_384} */
  readonly maxHeaderSize?: number;
  /** The longest line in it, in bytes; 431, or 414 for the request line. @default {8192} */
  readonly maxHeaderLine?: number;
  /** The most header fields; 431. @default {100} */
  readonly maxHeaders?: number;
  /** The longest body of a plain HTTP request, in bytes; 413. @default {1_048_576} */
  readonly maxBodySize?: number;
  /** From this backlog on, in bytes, `send()` waits. @default {65_536} */
  readonly sendHighWaterMark?: number;
  /** At this backlog before a message, in bytes, the session is dropped. @default {16_777_216} */
  readonly maxSendBacklog?: number;
  /** At this many unread messages, or `maxMessageSize` bytes, reading stops. @default {16} */
  readonly receiveQueue?: number;
  /** A session lets others work after this many frames… @default {64} */
  readonly turnFrames?: number;
  /** …or this many bytes… @default {262_144} */
  readonly turnBytes?: number;
  /** …or this many milliseconds. @default {5} */
  readonly turnTime?: number;
  /** The most open sessions of a server; 503. @default {10_000} */
  readonly maxConnections?: number;
  /**
   * The most connections in their handshake; beyond it the oldest is dropped (408). Also the most
   * refusals on their way at a time; beyond it connections end without one. @default {1000}
   */
  readonly maxPendingHandshakes?: number;
  /** The most open sessions of one address (IPv6: of one /64); 429. @default {Infinity} */
  readonly maxConnectionsPerAddress?: number;
}

/**
 * Automatic pings that find out whether a silent peer is still there.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, type KeepaliveOptions, serve } from "@twoway/websocket";
 * import { FakeClock, MemoryListener } from "@twoway/websocket/testing";
 *
 * const keepalive: KeepaliveOptions = { interval: 10_000, timeout: 5000 };
 * const [listener, clock] = [new MemoryListener(), new FakeClock()];
 * const server = await serve({ listener, keepalive: false }, {});
 * const session = await connect("ws://test/", { conn: listener.connect(), clock, keepalive });
 * await clock.advance(9000);
 * assertEquals(session.latency, undefined);
 * await clock.advance(1000); // a ping leaves, and is answered
 * assertEquals(session.latency, 0);
 * await session.close();
 * await server.shutdown();
 * ```
 */
export interface KeepaliveOptions {
  /** Milliseconds of silence before a ping. @default {25_000} */
  readonly interval?: number;
  /** Milliseconds after it in which any byte must arrive. @default {20_000} */
  readonly timeout?: number;
}

/**
 * How messages are compressed where the peer supports permessage-deflate (RFC 7692).
 *
 * Compression costs time, and memory with `contextTakeover`. Do not compress messages in which
 * secrets stand beside text that an attacker chooses: their size then tells of the secret (CRIME,
 * BREACH); `send(message, { compress: false })` leaves one out.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type CompressOptions, connect, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const compress: CompressOptions = { threshold: 200, level: 6 };
 * const server = await serve({ port: 0, compress }, (session) => session.send("so ".repeat(1000)));
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`, { compress: true });
 * assertEquals(session.extensions.split(";")[0], "permessage-deflate");
 * assertEquals(await session.receive(), "so ".repeat(1000));
 * await session.close();
 * await server.shutdown();
 * ```
 */
export interface CompressOptions {
  /** Messages of fewer bytes are sent as they are. @default {1024} */
  readonly threshold?: number;
  /** From 1, fast, to 9, small; README.md says what each saves and costs. @default {1} */
  readonly level?: number;
  /** The base-2 logarithm of the largest window, 8 to 15, for both directions. @default {15} */
  readonly windowBits?: number;
  /** From 1 to 9: memory for the compressor's own tables. @default {8} */
  readonly memLevel?: number;
  /**
   * Whether messages may refer to earlier ones: they get smaller, and each session holds up to
   * 304 KiB for its whole life, or 432 with `memLevel: 9`. @default {false}
   */
  readonly contextTakeover?: boolean;
  /**
   * With `contextTakeover`: the bytes that all sessions of this process may hold for it. Once they
   * are spent, new connections do without. @default {67_108_864}
   */
  readonly contextBudget?: number;
}

/**
 * What servers and clients have in common. Durations are in milliseconds.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, serve, type SessionOptions, type TcpAddr } from "@twoway/websocket";
 *
 * const common: SessionOptions = { compress: true, keepalive: false, closeTimeout: 2000 };
 * const server = await serve({ ...common, port: 0 }, (session) => session.send("hello"));
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`, common);
 * assertEquals(await session.receive(), "hello");
 * await session.close();
 * await server.shutdown();
 * ```
 */
export interface SessionOptions {
  /** Compresses messages; `true` for all defaults. @default {false} */
  readonly compress?: boolean | CompressOptions;
  /** Sizes and counts. */
  readonly limits?: Limits;
  /** Automatic pings; `false` sends none. */
  readonly keepalive?: KeepaliveOptions | false;
  /** For the whole opening handshake, TLS included; not reset by bytes. @default {10_000} */
  readonly handshakeTimeout?: number;
  /** For the closing handshake and the end of the connection. @default {10_000} */
  readonly closeTimeout?: number;
  /** For the transport to take one write as a whole, which is at most 256 KiB. @default {30_000} */
  readonly writeStallTimeout?: number;
}

/** {@linkcode SessionOptions} with every default filled in. */
export interface ResolvedSessionOptions {
  readonly compress: Required<CompressOptions> | false;
  readonly limits: Required<Limits>;
  readonly keepalive: Required<KeepaliveOptions> | false;
  readonly handshakeTimeout: number;
  readonly closeTimeout: number;
  readonly writeStallTimeout: number;
}

const LIMITS: Required<Limits> = {
  maxMessageSize: 1_048_576,
  maxFragments: 65_536,
  maxPendingPongs: 128,
  maxHeaderSize: 16_384,
  maxHeaderLine: 8192,
  maxHeaders: 100,
  maxBodySize: 1_048_576,
  sendHighWaterMark: 65_536,
  maxSendBacklog: 16_777_216,
  receiveQueue: 16,
  turnFrames: 64,
  turnBytes: 262_144,
  turnTime: 5,
  maxConnections: 10_000,
  maxPendingHandshakes: 1000,
  maxConnectionsPerAddress: Infinity,
};

const KEEPALIVE: Required<KeepaliveOptions> = { interval: 25_000, timeout: 20_000 };

const TIMEOUTS = { handshakeTimeout: 10_000, closeTimeout: 10_000, writeStallTimeout: 30_000 };

const COMPRESS: Required<CompressOptions> = {
  threshold: 1024,
  level: 1,
  windowBits: 15,
  memLevel: 8,
  contextTakeover: false,
  contextBudget: 67_108_864,
};

/** What zlib takes, both ends included. */
const ZLIB_RANGES: Readonly<Record<string, readonly [number, number]>> = {
  level: [1, 9],
  windowBits: [8, 15],
  memLevel: [1, 9],
};

const SESSION_OPTIONS = ["compress", "limits", "keepalive", ...Object.keys(TIMEOUTS)];

/**
 * Fills in the defaults. Throws a `TypeError` for a value of the wrong type or a name that is not
 * an option (`others` lists those that the caller knows besides), a `RangeError` for a number that
 * is no bound.
 */
export function resolveSessionOptions(
  options: SessionOptions,
  others: readonly string[] = [],
): ResolvedSessionOptions {
  checkNames(options, [...SESSION_OPTIONS, ...others], "");
  const { compress = false, limits = {}, keepalive = {} } = options;
  return {
    compress: resolveCompress(compress),
    limits: resolveLimits(limits),
    keepalive: resolveKeepalive(keepalive),
    ...resolveNumbers(options, TIMEOUTS, "", checkDuration),
  };
}

function resolveLimits(limits: Limits): Required<Limits> {
  checkNames(limits, Object.keys(LIMITS), "limits.");
  return resolveNumbers(
    limits,
    LIMITS,
    "limits.",
    (value, name) =>
      name === "limits.turnTime" ? checkDuration(value, name) : checkCount(value, name),
  );
}

function resolveKeepalive(keepalive: KeepaliveOptions | false): Required<KeepaliveOptions> | false {
  if (keepalive === false) return false;
  checkNames(keepalive, Object.keys(KEEPALIVE), "keepalive.");
  return resolveNumbers(keepalive, KEEPALIVE, "keepalive.", checkDuration);
}

function resolveCompress(compress: boolean | CompressOptions): Required<CompressOptions> | false {
  if (compress === false) return false;
  if (compress === true) return COMPRESS;
  checkNames(compress, Object.keys(COMPRESS), "compress.");
  const { contextTakeover = COMPRESS.contextTakeover, ...numbers } = compress;
  if (typeof contextTakeover !== "boolean") {
    throw new TypeError(
      `Option compress.contextTakeover is of type ${typeof contextTakeover}, not a boolean`,
    );
  }
  const { contextTakeover: _, ...defaults } = COMPRESS;
  const resolved = resolveNumbers(numbers, defaults, "compress.", checkCompress);
  return Object.freeze({ ...resolved, contextTakeover });
}

function checkCompress(value: number, name: string): void {
  const range = ZLIB_RANGES[name.slice("compress.".length)];
  if (range === undefined) {
    if (value === 0 && name === "compress.threshold") return; // that bounds nothing
    return checkCount(value, name);
  }
  checkNumber(value, name);
  const [min, max] = range;
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new RangeError(`Option ${name} is ${value}, not a whole number from ${min} to ${max}`);
}

/** Fills in the defaults of a group of numbers; `check` throws for one that can't be. */
export function resolveNumbers<T extends { readonly [name: string]: number }>(
  given: { readonly [K in keyof T]?: number },
  defaults: T,
  prefix: string,
  check: (value: number, name: string) => void,
): T {
  const resolved: Record<string, number> = { ...defaults };
  for (const name of Object.keys(defaults)) {
    const value = given[name];
    if (value === undefined) continue;
    check(value, prefix + name);
    resolved[name] = value;
  }
  return Object.freeze(resolved) as T;
}

/** Throws a `TypeError` for a name that is not known, and for what is no object. */
export function checkNames(options: object, known: readonly string[], prefix: string): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`Option ${prefix.slice(0, -1) || "object"} is not an object`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new TypeError(`Unknown option "${prefix}${name}"`);
  }
}

function checkCount(value: number, name: string): void {
  checkNumber(value, name);
  if (value === Infinity || Number.isSafeInteger(value)) return;
  throw new RangeError(`Option ${name} is ${value}, not a whole number below 2^53 or Infinity`);
}

/** Timers of the runtimes fire at once beyond this many milliseconds: 24.8 days. */
export const MAX_DURATION: number = 2 ** 31 - 1;

/** Throws a `TypeError` or `RangeError` for what is no number of milliseconds to wait at most. */
export function checkDuration(value: number, name: string): void {
  checkNumber(value, name);
  if (value === Infinity || value <= MAX_DURATION) return;
  throw new RangeError(
    `Option ${name} is ${value} ms, more than ${MAX_DURATION}; Infinity means never`,
  );
}

/** A bound of 0 would be no bound, or nothing would work. */
function checkNumber(value: number, name: string): void {
  if (typeof value !== "number") {
    throw new TypeError(
      `Option ${name} is ${value === null ? "null" : `of type ${typeof value}`}, not a number`,
    );
  }
  if (!(value > 0)) throw new RangeError(`Option ${name} is ${value}, not greater than 0`);
}
