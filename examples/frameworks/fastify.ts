/**
 * Fastify and WebSockets on one port: `node fastify.ts [port]`. A refused WebSocket gets what the
 * application answers.
 *
 * @module
 */

import fastify from "fastify";
import { attach } from "../../src/node.ts"; // or "@twoway/websocket/node"
import { announce, chat, endOnSignal, page, port } from "./common.ts";

const app = fastify();
app.get("/", (_, reply) => reply.type("text/html").send(page));
app.setNotFoundHandler((request, reply) => {
  return reply.status(404).send(`Fastify has nothing at ${request.url}\n`);
});

const sockets = attach(app.server, {
  path: "/chat",
  refuse: (request, response) => app.routing(request, response),
}, chat);
await app.listen({ port, host: "127.0.0.1" });
announce(app.server);
endOnSignal(sockets, () => app.close());
