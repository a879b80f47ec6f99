/**
 * What `node:http2` of Deno 2.9.6 must not do. It answers some frames while nghttp2 still works on the
 * bytes that brought them; nghttp2 then frees twice, or reads what was freed, and the process ends. A peer
 * can bring that about at will, so what would be called meanwhile is put off until nghttp2 has returned.
 *
 * @module
 */

import type { Http2Session, Http2Stream } from "node:http2";

const isDeno = "Deno" in globalThis;

/** What has its calls put off. */
const guarded = new WeakSet<Http2Session | Http2Stream>();
/** Connections that may be working on bytes from their peer. */
const busy = new WeakSet<Http2Session>();

/** A connection closes or destroys itself for GOAWAY, and for what breaks the protocol. */
export function guardSession(session: Http2Session): void {
  if (!isDeno || guarded.has(session)) return;
  guarded.add(session);
  const begin = (): void => {
    busy.add(session);
    // In an event of the socket's, microtasks wait for its end, and with it for nghttp2's.
    queueMicrotask(() => busy.delete(session));
  };
  const listen = (): void => {
    busy.delete(session);
    if (!session.destroyed) session.socket.prependListener("data", begin);
  };
  busy.add(session); // bytes that were there before the session have no event
  if (session.connecting) session.once("connect", listen);
  else setTimeout(listen, 0);
  putOff(session, session, ["close", "destroy"]);
}

/** A stream that was reset ends its writing side: if its peer had ended the other one, it closes twice. */
export function guardStream(stream: Http2Stream): void {
  const { session } = stream;
  if (!isDeno || guarded.has(stream) || session === undefined) return;
  guarded.add(stream);
  guardSession(session);
  putOff(stream, session, ["end", "close"]);
}

function putOff<Name extends string>(
  target: { [name in Name]: (...args: never[]) => unknown },
  session: Http2Session,
  names: readonly Name[],
): void {
  for (const name of names) {
    const method = target[name];
    target[name] = (...args) => {
      if (!busy.has(session)) return method.apply(target, args);
      queueMicrotask(() => method.apply(target, args));
      return target;
    };
  }
}
