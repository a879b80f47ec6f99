/**
 * Express and WebSockets on one port: `node express.ts [port]`. A refused WebSocket gets what the
 * application answers.
 *
 * @module
 */

// @ts-types="@types/express"
import express from "express";
import { attach } from "../../src/node.ts"; // or "@twoway/websocket/node"
import { announce, chat, endOnSignal, page, port } from "./common.ts";

const app = express();
app.get("/", (_, response) => void response.type("html").send(page));
app.use((request, response) => {
  response.status(404).send(`Express has nothing at ${request.url}\n`);
});

const http = app.listen(port, "127.0.0.1", () => {
  const sockets = attach(http, {
    path: "/chat",
    refuse: (request, response) => app(request, response),
  }, chat);
  announce(http);
  endOnSignal(sockets, () => http.close());
});
