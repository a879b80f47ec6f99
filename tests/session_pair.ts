/** Two sessions wired together in memory, or one with its peer's bytes in the test's hands. @module */

import { Timers } from "../src/clock.ts";
import type { Role } from "../src/core/receiver.ts";
import { nextMaskKey } from "../src/mask_keys.ts";
import { resolveSessionOptions, type SessionOptions } from "../src/options.ts";
import { HeaderList } from "../src/core/headers.ts";
import { createRequestInfo } from "../src/request_info.ts";
import type { Conn } from "../src/runtime/conn.ts";
import { type MemoryConn, type MemoryOptions, memoryPair } from "../src/runtime/memory.ts";
import { type SessionInit, WebSocketSession } from "../src/session.ts";
import type { SessionPlan } from "../src/session_plan.ts";
import { FakeClock } from "../src/fake_clock.ts";

/** What a test may choose. */
export interface PairOptions extends SessionOptions {
  readonly memory?: MemoryOptions;
  /** In place of timers of the session's own; then the clock that is returned stands still. */
  readonly timers?: Timers;
  readonly run?: SessionPlan<WebSocketSession>["run"];
  readonly handlers?: SessionPlan<WebSocketSession>["handlers"];
  readonly onError?: (error: unknown) => void;
  readonly compression?: SessionInit<unknown>["compression"];
}

/** A session over a connection, as servers and clients make them. */
export function createSession(
  conn: Conn,
  role: Role,
  clock: FakeClock,
  { run, handlers, onError, compression, memory: _, timers, ...options }: PairOptions,
): WebSocketSession {
  const head = { method: "GET", target: "/", headers: new HeaderList() };
  return new WebSocketSession<unknown>({
    plan: {
      ...(role === "client" ? { role, maskKey: nextMaskKey } : { role }),
      options: resolveSessionOptions(options),
      timers: timers ?? new Timers(clock),
      run,
      handlers,
      onError,
    },
    conn,
    request: createRequestInfo(head, false),
    protocol: "",
    extensions: "",
    data: undefined,
    compression,
  });
}

/** A client and a server; the options of the server, defaults for the client. */
export function sessionPair(
  options: PairOptions = {},
  clientOptions: PairOptions = {},
): { client: WebSocketSession; server: WebSocketSession; clock: FakeClock } {
  const clock = new FakeClock();
  const [left, right] = memoryPair(options.memory);
  const client = createSession(left, "client", clock, clientOptions);
  const server = createSession(right, "server", clock, options);
  return { client, server, clock };
}

/** A session whose peer is the test. */
export function sessionAndPeer(
  role: Role,
  options: PairOptions = {},
): { session: WebSocketSession; peer: MemoryConn; conn: MemoryConn; clock: FakeClock } {
  const clock = new FakeClock();
  const [peer, conn] = memoryPair(options.memory);
  return { session: createSession(conn, role, clock, options), peer, conn, clock };
}

/** What a peer has sent up to its FIN, or as much as `size` bytes. */
export async function readAll(peer: Conn, size: number = Infinity): Promise<Uint8Array> {
  const bytes: number[] = [];
  while (bytes.length < size) {
    const next = await peer.read();
    if (next === null) break;
    for (const byte of next) bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
