/** The methods of the example: what a server offers, checked, and as a type for its clients. @module */

import { ErrorCode, JsonRpcError } from "./json_rpc_error.ts";
import type { Context, Method } from "./json_rpc_handler.ts";

/** The methods as a client sees them. */
export type ExampleMethods = {
  add(params: { a: number; b: number }): number;
  divide(params: { a: number; b: number }): number;
  /** Answers after so many milliseconds, at most 10 000. */
  sleep(params: { ms: number }): string;
  /** Sends notifications `count`, from 1 on, and then answers. */
  count(params: { to: number }): string;
};

function numbers<Name extends string>(params: unknown, ...names: Name[]): Record<Name, number> {
  const given = Object(params);
  for (const name of names) {
    if (Number.isFinite(given[name])) continue;
    throw new JsonRpcError(ErrorCode.InvalidParams, `${name} is not a number`, { name });
  }
  return given;
}

/** What runs for each of them. */
export const METHODS: Readonly<Record<keyof ExampleMethods, Method>> = {
  add(params) {
    const { a, b } = numbers(params, "a", "b");
    return a + b;
  },
  divide(params) {
    const { a, b } = numbers(params, "a", "b");
    if (b === 0) throw new JsonRpcError(1, "Division by zero", { a });
    return a / b;
  },
  async sleep(params) {
    const { ms } = numbers(params, "ms");
    await new Promise((resolve) => setTimeout(resolve, Math.min(ms, 10_000)));
    return "rested";
  },
  async count(params: unknown, { notify }: Context) {
    const { to } = numbers(params, "to");
    for (let i = 1; i <= Math.min(to, 1000); i++) await notify("count", { i });
    return "done";
  },
};
