/** Events as promises and as a log. @module */

import type { CloseEvent, WebSocket } from "../../src/web/mod.ts";

/** The next event of a type. */
export function next<E extends Event = Event>(target: EventTarget, type: string): Promise<E> {
  return new Promise((resolve) =>
    target.addEventListener(type, (event) => resolve(event as E), { once: true })
  );
}

/** The code, reason and cleanness with which a socket closes. */
export async function closing(socket: WebSocket): Promise<[number, string, boolean]> {
  const { code, reason, wasClean } = await next<CloseEvent>(socket, "close");
  return [code, reason, wasClean];
}

/** The types of a socket's events, as they come. */
export function logOf(socket: WebSocket): string[] {
  const log: string[] = [];
  for (const type of ["open", "message", "error", "close"]) {
    socket.addEventListener(type, () => log.push(`${type} ${socket.readyState}`));
  }
  return log;
}

/** The name of the DOMException that `act` throws; the error's own name where it is another. */
export function thrownBy(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as Error).name;
  }
  return "nothing";
}
