/** What the speed benchmark measures, and the ratios to the best peer that are asked for. @module */

import type { RuntimeName } from "../../tests/toolchain.ts";
import type { EchoLoad } from "./load.ts";

/** How our server takes messages. */
export type Api = "iteration" | "handlers";

/** The least ratio to the best peer of the same runtime. */
export type Targets = Partial<Record<Api, Record<RuntimeName, number>>>;

/** One load on a server. */
export interface Load {
  readonly name: string;
  readonly connections: number;
  readonly work: EchoLoad | { readonly kind: "broadcast"; readonly burst: number } | {
    readonly kind: "handshake";
  };
  readonly targets: Targets;
  /** What one server alone does not measure twice: whichever way messages are taken. */
  readonly apis: readonly Api[];
  readonly compress?: boolean;
}

const BOTH: readonly Api[] = ["iteration", "handlers"];
const ALL_AT_LEAST_1 = { deno: 1, bun: 1, node: 1 };

function echo(
  name: string,
  connections: number,
  [size, inFlight, isText]: [size: number, inFlight: number, isText: boolean],
  targets: Targets,
): Load {
  const kind = "echo";
  return { name, connections, work: { kind, size, inFlight, isText }, targets, apis: BOTH };
}

const ONE_IN_FLIGHT = {
  iteration: { deno: 0.9, bun: 0.9, node: 0.9 },
  handlers: { deno: 1, bun: 0.95, node: 1 },
};
const LARGE = { iteration: ALL_AT_LEAST_1, handlers: ALL_AT_LEAST_1 };

/** Every load, by what takes part of the others along to what stands alone. */
export const LOADS: readonly Load[] = [
  echo("20 B text, 1 in flight", 50, [20, 1, true], ONE_IN_FLIGHT),
  echo("20 B binary, 1 in flight", 50, [20, 1, false], ONE_IN_FLIGHT),
  echo("20 B text, 32 in flight", 50, [20, 32, true], {
    iteration: { deno: 9, bun: 0.7, node: 10 },
    handlers: { deno: 12, bun: 1, node: 16 },
  }),
  echo("20 B binary, 32 in flight", 50, [20, 32, false], {
    iteration: { deno: 9, bun: 0.9, node: 12 },
    handlers: { deno: 12, bun: 1.2, node: 18 },
  }),
  echo("1 KiB binary, 4 in flight", 50, [1024, 4, false], {
    iteration: { deno: 2.5, bun: 0.9, node: 1.8 },
    handlers: { deno: 3, bun: 1, node: 2 },
  }),
  echo("16 KiB binary, 2 in flight", 20, [16_384, 2, false], LARGE),
  echo("128 KiB binary, 2 in flight", 4, [131_072, 2, false], LARGE),
  echo("1 MiB binary, 1 in flight", 2, [1_048_576, 1, false], LARGE),
];
