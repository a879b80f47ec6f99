/**
 * The web's own classes, the same on every runtime: `WebSocket`, to be used as it is or in place of
 * the global one, and `WebSocketStream`.
 *
 * @example
 * ```ts
 * import { WebSocket } from "@twoway/websocket/web";
 *
 * Object.assign(globalThis, { WebSocket }); // for libraries that look for it there
 * ```
 *
 * @module
 */

export {
  type BinaryType,
  type ReadyState,
  WebSocket,
  type WebSocketErrorEvent,
  type WebSocketEventMap,
  type WebSocketInit,
} from "./websocket.ts";
export {
  type WebSocketChunk,
  type WebSocketOpenInfo,
  WebSocketStream,
  type WebSocketStreamOptions,
} from "./websocket_stream.ts";
export { type WebSocketCloseInfo, WebSocketError } from "./websocket_error.ts";
export { CloseEvent, type CloseEventConstructor, type CloseEventInit } from "./close_event.ts";
export type { EventHandler } from "./event_handlers.ts";
export type { WebConnectOptions } from "./options.ts";
export { setBaseURL } from "./url.ts";
