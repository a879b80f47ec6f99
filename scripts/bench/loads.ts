/** What the speed benchmark measures, and the ratios to the best peer that are asked for. @module */

import type { RuntimeName } from "../../tests/toolchain.ts";
import type { Work } from "./load.ts";

/** How our server takes messages. */
export type Api = "iteration" | "handlers";

/** The least ratio to the best peer of the same runtime. */
export type Targets = Partial<Record<RuntimeName, number>>;

/** A server to measure. */
export interface Contestant {
  readonly name: string;
  /** Ours, one to compare with, or what stands under ours, without it. */
  readonly kind: "ours" | "peer" | "under";
  readonly script: string;
  readonly args: readonly string[];
  /** How it takes messages, where that is all of what it does. @default {something else} */
  readonly api?: Api;
  /** What is asked of ours. */
  readonly targets: Targets;
}

/** One load on a server. */
export interface Load {
  readonly name: string;
  /** What is counted in a second. */
  readonly unit: string;
  readonly connections: number;
  readonly work: Work;
  /** Seconds until all that a new server runs is compiled, and its speed remains the same. */
  readonly warmUp: number;
  /** How many times as long as others it is measured: its connections do not have their turn as soon. */
  readonly stretch: number;
  readonly contestants: (runtime: RuntimeName) => readonly Contestant[];
}

const FOLDER = "scripts/bench/servers";

/** What messages take; they come by the hundred thousand. */
const WARM_UP = 2;

/** The {@linkcode Load.stretch} of so many connections. */
function stretchFor(connections: number): number {
  return connections > 1000 ? 5 : 1;
}

function ours(api: Api, targets: Targets, ...flags: string[]): Contestant {
  const args = ["--port", "0", ...flags, ...(api === "handlers" ? ["--handlers"] : [])];
  return { name: `twoway, ${api}`, kind: "ours", script: "examples/echo.ts", args, api, targets };
}

/** What each runtime's users would take otherwise; `null` where nothing compresses. */
function peer(runtime: RuntimeName, compress: boolean, work: string): Contestant | null {
  const one = (name: string, script: string, ...args: string[]): Contestant => ({
    name,
    kind: "peer",
    script: `${FOLDER}/${script}`,
    args: [...args, work],
    targets: {},
  });
  if (runtime === "node") return one(`npm's ws${suffix(work)}`, "ws.ts", `${compress}`);
  if (runtime === "bun") return one(`Bun.serve${suffix(work)}`, "bun.ts", `${compress}`);
  return compress ? null : one(`Deno.upgradeWebSocket${suffix(work)}`, "deno.ts");
}

/** Frames over the runtime's sockets without any of our rules. */
function bare(work: Work, api: Api): Contestant {
  return {
    name: `bare, ${api}`,
    kind: "under",
    script: `${FOLDER}/bare.ts`,
    args: [JSON.stringify(work), api],
    api,
    targets: {},
  };
}

/** The runtime's sockets, and no frames. */
function sockets(work: Work): Contestant {
  return {
    name: work.kind === "handshake" ? "sockets and crypto.subtle alone" : "sockets alone",
    kind: "under",
    script: `${FOLDER}/sockets.ts`,
    args: [JSON.stringify(work)],
    targets: {},
  };
}

function suffix(work: string): string {
  return work === "echo" ? "" : `, ${work}`;
}

function present(all: readonly (Contestant | null)[]): Contestant[] {
  return all.filter((one) => one !== null);
}

/** What is asked of ours, by how it takes messages. */
type ApiTargets = Record<Api, Targets>;

const ONE_IN_FLIGHT: ApiTargets = {
  iteration: { deno: 0.9, bun: 0.9, node: 0.9 },
  handlers: { deno: 1, bun: 0.95, node: 1 },
};
const MANY_TEXTS: ApiTargets = {
  iteration: { deno: 9, bun: 0.7, node: 10 },
  handlers: { deno: 12, bun: 1, node: 16 },
};
const MANY_BINARIES: ApiTargets = {
  iteration: { deno: 9, bun: 0.9, node: 12 },
  handlers: { deno: 12, bun: 1.2, node: 18 },
};
const MEDIUM: ApiTargets = {
  iteration: { deno: 2.5, bun: 0.9, node: 1.8 },
  handlers: { deno: 3, bun: 1, node: 2 },
};
const AT_LEAST_1: Targets = { deno: 1, bun: 1, node: 1 };
const LARGE: ApiTargets = { iteration: AT_LEAST_1, handlers: AT_LEAST_1 };

interface EchoShape {
  readonly name: string;
  readonly size: number;
  readonly inFlight: number;
  readonly isText: boolean;
  readonly connections: number;
  readonly targets: ApiTargets;
}

function shape(
  name: string,
  [size, inFlight, connections]: readonly [size: number, inFlight: number, connections: number],
  isText: boolean,
  targets: ApiTargets,
): EchoShape {
  return { name, size, inFlight, isText, connections, targets };
}

const SHAPES: readonly EchoShape[] = [
  shape("20 B text, 1 in flight", [20, 1, 50], true, ONE_IN_FLIGHT),
  shape("20 B binary, 1 in flight", [20, 1, 50], false, ONE_IN_FLIGHT),
  shape("20 B text, 32 in flight", [20, 32, 50], true, MANY_TEXTS),
  shape("20 B binary, 32 in flight", [20, 32, 50], false, MANY_BINARIES),
  shape("1 KiB, 4 in flight", [1024, 4, 50], false, MEDIUM),
  shape("16 KiB, 2 in flight", [16_384, 2, 20], false, LARGE),
  shape("128 KiB, 2 in flight", [131_072, 2, 4], false, LARGE),
  shape("1 MiB, 1 in flight", [1_048_576, 1, 2], false, LARGE),
];

/** Compressed messages are texts in any case. */
const COMPRESSED = SHAPES.filter(({ name }) => !name.includes("binary"));

function echo({ name, size, inFlight, isText, connections, targets }: EchoShape): Load {
  const work: Work = { kind: "echo", size, inFlight, isText, compress: false };
  return {
    name,
    unit: "messages/s",
    connections,
    work,
    warmUp: WARM_UP,
    stretch: stretchFor(connections),
    contestants: (runtime) =>
      present([
        ours("iteration", targets.iteration),
        ours("handlers", targets.handlers),
        peer(runtime, false, "echo"),
        bare(work, "iteration"),
        bare(work, "handlers"),
      ]),
  };
}

/** No targets: those of compression are its own benchmark's. */
function compressed({ name, size, inFlight, connections }: EchoShape): Load {
  return {
    name: `compressed ${name.replace(" text", "")}`,
    unit: "messages/s",
    connections,
    work: { kind: "echo", size, inFlight, isText: true, compress: true },
    warmUp: WARM_UP,
    stretch: stretchFor(connections),
    contestants: (runtime) =>
      present([ours("handlers", {}, "--compress"), peer(runtime, true, "echo")]),
  };
}

/** Ours, and loops over the peer's sockets; on Bun also what it has for this. */
function broadcast(receivers: number, burst: number, targets: Targets): Load {
  const work: Work = { kind: "broadcast", burst };
  return {
    name: `broadcast of ${burst === 1 ? "1 message" : `${burst} at once`} to ${receivers}`,
    unit: "deliveries/s",
    connections: receivers,
    work,
    warmUp: WARM_UP,
    stretch: stretchFor(receivers),
    contestants: (runtime) =>
      present([
        {
          name: "twoway, broadcast()",
          kind: "ours",
          script: `${FOLDER}/broadcast.ts`,
          args: [],
          targets,
        },
        peer(runtime, false, "loop"),
        runtime === "bun" ? peer(runtime, false, "publish") : null,
        sockets(work),
      ]),
  };
}

const HANDSHAKES: Load = {
  name: "handshakes, 50 at a time",
  unit: "handshakes/s",
  connections: 50,
  work: { kind: "handshake" },
  stretch: 1,
  warmUp: 10, // some thousand in a second, each through hundreds of functions
  contestants: (runtime) =>
    present([
      ours("handlers", { deno: 0.9, bun: 1, node: 0.75 }),
      peer(runtime, false, "echo"),
      sockets({ kind: "handshake" }),
    ]),
};

/** Cost that grows with connections alone would show here. */
function growth(connections: number): Load {
  return {
    name: `20 B, 1 in flight, on ${connections} connections`,
    unit: "messages/s",
    connections,
    work: { kind: "echo", size: 20, inFlight: 1, isText: true, compress: false },
    warmUp: WARM_UP,
    stretch: stretchFor(connections),
    contestants: () => [ours("handlers", {}, "--max-connections", "20000")],
  };
}

/** Loads that make one table. */
export interface Group {
  readonly title: string;
  readonly loads: readonly Load[];
}

/** Everything. */
export const GROUPS: readonly Group[] = [
  { title: "Echo", loads: SHAPES.map(echo) },
  { title: "Echo, compressed", loads: COMPRESSED.map(compressed) },
  {
    title: "Broadcast",
    loads: [
      broadcast(1000, 1, { bun: 0.8, node: 1.2 }),
      broadcast(1000, 10, { bun: 1, node: 5 }),
      broadcast(10_000, 1, {}),
      broadcast(10_000, 10, {}),
    ],
  },
  { title: "Handshakes", loads: [HANDSHAKES] },
  { title: "Growth", loads: [10, 100, 1000, 10_000].map(growth) },
];
