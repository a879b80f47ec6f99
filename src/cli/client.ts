/**
 * The command line as a client.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { CloseCode, type CloseStatus, connect, type WebSocketSession } from "../../mod.ts";
import type { ClientCommand } from "./arguments.ts";
import { describeEnd, isGoodEnd } from "./close_meaning.ts";
import {
  aborted,
  CLOSING,
  describeAgreement,
  MAX_MESSAGE_SIZE,
  pingEvery,
  sendLines,
  Silence,
} from "./conversation.ts";
import { ExitStatus, Failure, toFailure } from "./failure.ts";
import type { Terminal } from "./terminal.ts";
import { formatMessage, showText } from "./text.ts";

/** What comes behind our Close frame is dropped beyond this many unread messages. */
const RECEIVE_QUEUE = 1024;

/**
 * Connects, sends lines and prints messages until one side closes, the input has ended, or
 * `interrupt` is aborted. Resolves with the exit status; rejects with a {@linkcode Failure}.
 */
export async function runClient(
  command: ClientCommand,
  terminal: Terminal,
  lines: AsyncIterable<string>,
  interrupt: AbortSignal,
): Promise<ExitStatus> {
  const session = await open(command, interrupt);
  terminal.note(`Connected to ${describeUrl(command.url)}${describeAgreement(session)}`);

  let sent: number | undefined;
  const leave = (): void => {
    if (session.state === "open") sent = CloseCode.Normal;
    void session.close(CloseCode.Normal);
  };
  void aborted(interrupt).then(() => {
    if (session.state === "open") terminal.note(CLOSING);
    leave();
  });

  // A slow reader of our output is no silence: what we sent may not have been answered yet.
  const silence = new Silence();
  let wrongLines = 0;
  const send = (message: string | Uint8Array): Promise<void> =>
    session.send(message).catch(() => {}); // the end is told below
  void sendLines(lines, command, terminal, send, () => wrongLines++).then(async () => {
    if (await lastsWhileOpen(silence, command.wait, session)) leave();
  });
  if (command.ping !== undefined) {
    void pingEvery(command.ping, session, (text) => terminal.note(text));
  }

  for await (const message of session) {
    silence.end();
    await terminal.message(formatMessage(message, command));
    silence.begin();
  }
  return conclude(await session.closed, sent, wrongLines, terminal);
}

/** A URL without its password: logs keep what is printed. */
function describeUrl(text: string): string {
  const { protocol, host, pathname, search } = new URL(text);
  return showText(`${protocol}//${host}${pathname}${search}`);
}

/** Whether `silence` lasts for so many milliseconds before the session ends. */
function lastsWhileOpen(silence: Silence, ms: number, session: WebSocketSession): Promise<boolean> {
  const over = new AbortController();
  void session.closed.then(() => over.abort());
  return silence.lasts(ms, over.signal);
}

/**
 * Tells how it ended, and what that means for the exit status; `sent` is the code of our own Close, if
 * we were the first, and `wrongLines` counts what was not sent.
 */
function conclude(
  status: CloseStatus,
  sent: number | undefined,
  wrongLines: number,
  terminal: Terminal,
): ExitStatus {
  const end = describeEnd(status, "server", sent);
  if (!isGoodEnd(status)) {
    terminal.error(end);
    return ExitStatus.BadEnd;
  }
  terminal.note(end);
  return wrongLines === 0 ? ExitStatus.Ok : ExitStatus.Usage;
}

async function open(command: ClientCommand, interrupt: AbortSignal): Promise<WebSocketSession> {
  const { url, protocols, origin, compress, timeout, headers, ca } = command;
  const tls = ca === undefined ? undefined : { caCerts: [await readCa(ca)] };
  try {
    return await connect(url, {
      protocols,
      headers,
      origin,
      compress,
      tls,
      handshakeTimeout: timeout,
      closeTimeout: timeout,
      limits: { maxMessageSize: MAX_MESSAGE_SIZE, receiveQueue: RECEIVE_QUEUE },
      signal: interrupt,
    });
  } catch (error) {
    if (interrupt.aborted) throw new Failure("Interrupted", ExitStatus.Interrupted);
    throw toFailure(error, timeout);
  }
}

async function readCa(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Failure(`Cannot read the file of --ca: ${showText(why)}`, ExitStatus.Usage);
  }
}
