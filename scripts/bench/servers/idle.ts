/**
 * Our echo server with defaults, on any runtime. Its argument is `iteration` or `handlers`; the line
 * `gc` on standard input is answered with what lives on.
 *
 * @module
 */

import process from "node:process";
import { type Handler, type Handlers, serve } from "../../../mod.ts";
import { answerHeapQuestions } from "../heap.ts";

const iterate: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

const handlers: Handlers = {
  message: (session, message) => session.send(message),
};

const { addr } = await serve({ port: 0 }, process.argv[2] === "handlers" ? handlers : iterate);
answerHeapQuestions();
if (addr.transport === "tcp") console.log(addr.port);
