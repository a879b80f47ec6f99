/**
 * Ends that are nobody's bug: one line for the user, and an exit status.
 *
 * @module
 */

import { HandshakeError, TimeoutError } from "../../mod.ts";
import { showText } from "./text.ts";

/** What the command line's exit status says; `--help` lists them. */
export const ExitStatus = {
  /** Closed in good order with 1000, 1001 or no code. */
  Ok: 0,
  /** No session came about: unreachable, refused, or the address can't be had. */
  NotConnected: 1,
  /** Wrong arguments, or lines that can't be sent. */
  Usage: 2,
  /** The session ended with another code, or without the closing handshake. */
  BadEnd: 3,
  /** Interrupted while connecting, or twice: 128 + SIGINT, as shells have it. */
  Interrupted: 130,
} as const;
/** One of the exit statuses. */
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];

/** Ends the command line with one line on standard error. */
export class Failure extends Error {
  readonly status: ExitStatus;

  constructor(message: string, status: ExitStatus) {
    super(message);
    this.name = "Failure";
    this.status = status;
  }
}

/** What `connect()` or `serve()` rejected with, in the words of the command line. */
export function toFailure(error: unknown, timeout: number): Failure {
  if (error instanceof HandshakeError) {
    return new Failure(describeRefusal(error), ExitStatus.NotConnected);
  }
  if (error instanceof TimeoutError) {
    const text = `Cannot connect: not done within ${timeout / 1000} s (--timeout)`;
    return new Failure(text, ExitStatus.NotConnected);
  }
  const isMisuse = error instanceof TypeError || error instanceof RangeError;
  const text = error instanceof Error ? error.message : String(error);
  return new Failure(showText(text), isMisuse ? ExitStatus.Usage : ExitStatus.NotConnected);
}

function describeRefusal({ message, headers, body }: HandshakeError): string {
  const location = headers.find(([name]) => name.toLowerCase() === "location")?.[1];
  const target = location === undefined ? "" : `, Location: ${showText(location)}`;
  const words = showText(new TextDecoder().decode(body));
  return showText(message) + target + (words === "" ? "" : `: ${words}`);
}
