/**
 * Hono on its Node adapter, and WebSockets, on one port: `node hono.ts [port]`. A refused WebSocket
 * gets what the application answers.
 *
 * @module
 */

import { getRequestListener, serve } from "@hono/node-server";
import { Hono } from "hono";
import { attach } from "../../src/node.ts"; // or "@twoway/websocket/node"
import { announce, chat, endOnSignal, page, port } from "./common.ts";

const app = new Hono();
app.get("/", (context) => context.html(page));
app.notFound((context) => context.text(`Hono has nothing at ${context.req.path}\n`, 404));

const http = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, () => announce(http));
const sockets = attach(http, { path: "/chat", refuse: getRequestListener(app.fetch) }, chat);
endOnSignal(sockets, () => http.close());
