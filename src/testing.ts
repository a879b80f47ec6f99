/**
 * What you test your own handlers and clients with: connections in memory in place of ports, bad
 * luck that repeats itself, and a clock that does what it is told.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, serve } from "@twoway/websocket";
 * import { FakeClock, MemoryListener } from "@twoway/websocket/testing";
 *
 * const listener = new MemoryListener();
 * const clock = new FakeClock();
 * const server = await serve({ listener, clock }, (session) => session.send("hello"));
 * const session = await connect("ws://test/", { conn: listener.connect(), clock });
 * assertEquals(await session.receive(), "hello");
 * await session.close();
 * await server.shutdown();
 * ```
 *
 * @module
 */

export { FakeClock } from "./fake_clock.ts";
export { faultScript, type FaultScriptOptions } from "./runtime/faults.ts";
export {
  type MemoryConn,
  MemoryListener,
  type MemoryOptions,
  memoryPair,
} from "./runtime/memory.ts";
export type { Clock } from "./clock.ts";
export type {
  Addr,
  Conn,
  ConnFlow,
  ConnSink,
  Listener,
  TcpAddr,
  UnixAddr,
} from "./runtime/conn.ts";
