/**
 * A client may send its request before the response to an earlier one has come. Answers to an
 * upgrade do not go through `node:http`, which would keep the order: they have to wait for it.
 *
 * @module
 */

import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setImmediate } from "node:timers";

/**
 * Calls `answer` when the socket owes no response to an earlier request: at once, or a turn later if
 * that response is being finished right now. Where it takes longer, calls `giveUp`: nobody who
 * means it sends an upgrade there, and what came of it would be read as something else.
 */
export function whenFree(
  request: IncomingMessage,
  socket: Duplex,
  answer: () => void,
  giveUp: () => void,
): void {
  if (!owesResponse(request, socket)) return answer();
  setImmediate(() => {
    if (owesResponse(request, socket)) giveUp();
    else answer();
  });
}

function owesResponse(request: IncomingMessage, socket: Duplex): boolean {
  const probe = new ServerResponse(request);
  try {
    probe.assignSocket(socket as Socket); // throws if there is another one
  } catch {
    return true;
  }
  probe.detachSocket(socket as Socket);
  return false;
}
