/**
 * A request whose `Upgrade` field nobody wants, such as curl's for h2c: "A server MAY ignore a
 * received Upgrade header field" (RFC 9110 section 7.8), and without a listener for `upgrade` it
 * would have been an ordinary one.
 *
 * @module
 */

import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { requestBodyFraming } from "../core/body.ts";
import type { RequestHead } from "../core/http.ts";
import { whenFree } from "./pipelining.ts";

/** Answers an ordinary request, as the listeners for `request` do. */
export type AnswerRequest = (request: IncomingMessage, response: ServerResponse) => void;

/** Whether a request has no body: its parser has stopped in front of that. */
export function isBodiless(head: RequestHead): boolean {
  try {
    const framing = requestBodyFraming(head);
    return framing.kind === "none" || (framing.kind === "length" && framing.length === 0);
  } catch {
    return false;
  }
}

/** Lets `answer` write one response to a socket that `node:http` has given away, then ends it. */
export function answerPlain(
  request: IncomingMessage,
  stream: Duplex,
  answer: AnswerRequest,
): void {
  const socket = stream as Socket;
  socket.on("error", () => {}); // a reset: nobody wants the response any more
  whenFree(request, socket, () => respond(request, socket, answer), () => socket.destroy());
}

function respond(request: IncomingMessage, socket: Socket, answer: AnswerRequest): void {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  socket.on("drain", () => response.emit("drain"));
  // As `node:http` does: whoever answers for long learns that the client has left. Nothing that
  // comes behind the request counts: the connection ends with the response.
  socket.on("end", () => socket.end());
  socket.resume();
  response.once("finish", () => {
    response.detachSocket(socket);
    socket.destroySoon();
  });
  answer(request, response);
}
