/**
 * The command line as a server, for testing clients.
 *
 * @module
 */

import {
  type Addr,
  CloseCode,
  type Handlers,
  serve,
  type Server,
  type WebSocketSession,
} from "../../mod.ts";
import type { ServerCommand } from "./arguments.ts";
import { describeEnd } from "./close_meaning.ts";
import {
  aborted,
  CLOSING,
  describeAgreement,
  MAX_MESSAGE_SIZE,
  pingEvery,
  sendLines,
} from "./conversation.ts";
import { ExitStatus, toFailure } from "./failure.ts";
import type { Terminal } from "./terminal.ts";
import { formatMessage, showText } from "./text.ts";

/** What a session's client is called: `"#1"`, `"#2"`, … */
type Name = string;

/**
 * Serves until `interrupt` is aborted: prints the messages of all clients, and sends each line to
 * all of them. Resolves with the exit status; rejects with a Failure if it can't listen.
 */
export async function runServer(
  command: ServerCommand,
  terminal: Terminal,
  lines: AsyncIterable<string>,
  interrupt: AbortSignal,
): Promise<ExitStatus> {
  const server = await listen(command, createHandlers(command, terminal, interrupt), terminal);
  terminal.note(`Listening on ws://${showAddress(server.addr)}/`);
  void sendLines(lines, command, terminal, async (message) => {
    const sessions = [...server.sessions.values()];
    if (sessions.length === 0) terminal.note("Not sent: nobody is connected");
    // Not broadcast(): the next line waits until all have taken this one.
    await Promise.allSettled(sessions.map((session) => session.send(message)));
  });
  await aborted(interrupt);
  terminal.note(CLOSING);
  await server.shutdown();
  return ExitStatus.Ok;
}

async function listen(
  { hostname, port, protocols, origin, compress, timeout }: ServerCommand,
  handlers: Handlers<Name>,
  terminal: Terminal,
): Promise<Server<Name>> {
  try {
    return await serve<Name>({
      hostname,
      port,
      protocols,
      origin: origin === undefined || origin === "any" ? origin : [origin],
      compress,
      handshakeTimeout: timeout,
      closeTimeout: timeout,
      limits: { maxMessageSize: MAX_MESSAGE_SIZE },
      onError: (error) => terminal.error(showText(String(error))),
    }, handlers);
  } catch (error) {
    throw toFailure(error, timeout);
  }
}

function createHandlers(
  command: ServerCommand,
  terminal: Terminal,
  interrupt: AbortSignal,
): Handlers<Name> {
  let count = 0;
  return {
    open(session) {
      session.data = `#${++count}`;
      terminal.note(describeClient(session));
      if (command.ping === undefined) return;
      void pingEvery(
        command.ping,
        session,
        (text) => terminal.note(`${session.data} ${text}`),
      );
    },
    async message(session, message) {
      await terminal.message(formatMessage(message, command), `${session.data} `);
      if (command.echo) await session.send(message);
    },
    close(session, status) {
      const sent = interrupt.aborted ? CloseCode.GoingAway : undefined;
      terminal.note(`${session.data} ${describeEnd(status, "client", sent)}`);
    },
  };
}

function describeClient(session: WebSocketSession<Name>): string {
  const { data, remoteAddr, request } = session;
  const target = showText(request.target);
  return `${data} Connected from ${showAddress(remoteAddr)} to ${target}` +
    describeAgreement(session);
}

function showAddress(addr: Addr | undefined): string {
  if (addr?.transport !== "tcp") return "an unknown address";
  const host = addr.hostname.includes(":") ? `[${addr.hostname}]` : addr.hostname;
  return `${host}:${addr.port}`;
}
