/** Answers JSON-RPC 2.0: messages in, replies out, for each session of a server. @module */

import type { Handler, Message, WebSocketSession } from "../mod.ts";
import { ErrorCode, JsonRpcError } from "./json_rpc_error.ts";

/** What a method knows besides its `params`. */
export interface Context {
  readonly session: WebSocketSession;
  /** Tells the client something that it has not asked for. */
  notify(method: string, params?: unknown): Promise<void>;
}

/** A method; throws a `JsonRpcError` to answer with it. A notification calls it, too, and drops the result. */
export type Method = (params: unknown, context: Context) => unknown;

/** How much a handler takes on. */
export interface HandlerOptions {
  /** Messages of one session in work at a time; the next one waits. @default {16} */
  readonly maxRunning?: number;
  /** Calls in one batch. @default {100} */
  readonly maxBatch?: number;
  /** Is told what methods throw that is no `JsonRpcError`: clients are not. @default {console.error} */
  readonly onError?: (error: unknown) => void;
}

type Reply = { jsonrpc: "2.0"; id: unknown; result?: unknown; error?: unknown };

/** A handler for `serve()`. Calls run side by side, those of one batch one after another. */
export function handleJsonRpc(
  methods: Readonly<Record<string, Method>>,
  { maxRunning = 16, maxBatch = 100, onError = console.error }: HandlerOptions = {},
): Handler {
  async function answer(message: Message, context: Context): Promise<void> {
    const reply = await answerMessage(message, context);
    if (reply !== null) await context.session.send(JSON.stringify(reply));
  }

  async function answerMessage(
    message: Message,
    context: Context,
  ): Promise<Reply | Reply[] | null> {
    const request = parse(message);
    if (request === undefined) return refuse(null, ErrorCode.Parse, "Not JSON");
    if (!Array.isArray(request)) return await answerCall(request, context);
    if (request.length === 0 || request.length > maxBatch) {
      const text = `A batch of ${request.length} calls, not of 1 to ${maxBatch}`;
      return refuse(null, ErrorCode.InvalidRequest, text);
    }
    const replies: Reply[] = [];
    for (const call of request) {
      const reply = await answerCall(call, context);
      if (reply !== null) replies.push(reply);
    }
    return replies.length === 0 ? null : replies;
  }

  async function answerCall(request: unknown, context: Context): Promise<Reply | null> {
    const { jsonrpc, id, method, params } = Object(request);
    const isId = id === null || ["undefined", "string", "number"].includes(typeof id);
    const isParams = params === undefined || (typeof params === "object" && params !== null);
    if (jsonrpc !== "2.0" || typeof method !== "string" || !isId || !isParams) {
      return refuse(
        isId ? id ?? null : null,
        ErrorCode.InvalidRequest,
        "Not a JSON-RPC 2.0 request",
      );
    }
    const reply = await run(method, params, context).then(
      (result): Reply => ({ jsonrpc: "2.0", id, result: result ?? null }),
      (error): Reply => refuse(id, ...describe(error)),
    );
    return id === undefined ? null : reply;
  }

  async function run(name: string, params: unknown, context: Context): Promise<unknown> {
    if (!Object.hasOwn(methods, name)) {
      throw new JsonRpcError(ErrorCode.MethodNotFound, `There is no method ${name}`);
    }
    const result = await methods[name](params, context);
    JSON.stringify(result); // what JSON cannot hold is the method's fault, and told as that
    return result;
  }

  function describe(error: unknown): [code: number, message: string, data?: unknown] {
    if (error instanceof JsonRpcError) return [error.code, error.message, error.data];
    onError(error);
    return [ErrorCode.Internal, "Internal error"];
  }

  return async (session) => {
    const notify = (method: string, params?: unknown): Promise<void> =>
      session.send(JSON.stringify({ jsonrpc: "2.0", method, params }));
    const running = new Set<Promise<void>>();
    for await (const message of session) {
      // Whoever does not take the answers is not listened to either. A lost session is no news.
      const work = answer(message, { session, notify }).catch(() => {});
      running.add(work);
      work.then(() => running.delete(work));
      if (running.size >= maxRunning) await Promise.race(running);
    }
  };
}

function parse(message: Message): unknown {
  try {
    return JSON.parse(typeof message === "string" ? message : "");
  } catch {
    return undefined;
  }
}

function refuse(id: unknown, code: number, message: string, data?: unknown): Reply {
  return { jsonrpc: "2.0", id, error: { code, message, data } };
}
