/** What both sides of JSON-RPC 2.0 agree on: a name, codes and errors. @module */

/** The subprotocol that both sides have to agree on. */
export const SUBPROTOCOL = "jsonrpc";

/** The codes that JSON-RPC itself gives out. */
export const ErrorCode = {
  Parse: -32700,
  InvalidRequest: -32600,
  MethodNotFound: -32601,
  InvalidParams: -32602,
  Internal: -32603,
} as const;

/** What the other side answers in place of a result. */
export class JsonRpcError extends Error {
  readonly code: number;
  /** Whatever more there is to say, as JSON. */
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.name = "JsonRpcError";
    this.code = code;
    this.data = data;
  }
}
