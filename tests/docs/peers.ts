/** The servers that blocks find at port 8000, by the names that pages give them. @module */

import { serve, type Server } from "../../mod.ts";

/** A running peer. */
export interface Peer {
  readonly port: number;
  stop(): Promise<void>;
}

/** How each of them is started. */
const PEERS: Readonly<Record<string, () => Promise<Server<unknown>>>> = {
  /** Sends everything back; knows the subprotocol of the pages. */
  echo: () =>
    serve({ port: 0, protocols: ["chat.v1"], compress: true }, async (session) => {
      for await (const message of session) await session.send(message);
    }),

  /** Numbered events, from the one behind `?after=`; the third one ends the feed. */
  feed: () =>
    serve({ port: 0, origin: "any" }, async (session) => {
      const after = Number(session.request.target.split("after=")[1] ?? 0);
      for (let id = after + 1; id <= 3; id++) {
        await session.send(JSON.stringify({ id }));
        if (id === 1) return session.abort();
      }
    }),

  /** Reads one message in a hundredth of a second. */
  slow: () =>
    serve({ port: 0 }, async (session) => {
      for await (const _ of session) await new Promise((resolve) => setTimeout(resolve, 10));
    }),
};

/** Starts a peer. Throws an `Error` for a name that none has. */
export async function startPeer(name: string): Promise<Peer> {
  const start = PEERS[name];
  if (start === undefined) {
    throw new Error(`"with: ${name}" is none of ${Object.keys(PEERS).join(", ")}`);
  }
  const server = await start();
  if (server.addr.transport !== "tcp") throw new Error("Not a TCP address");
  return { port: server.addr.port, stop: () => server.shutdown() };
}
