/** What an idle connection costs, above what TCP alone costs the runtime. @module */

import type { RuntimeName } from "../../tests/toolchain.ts";
import { median } from "./benchmark.ts";
import { canSeeMemory, Child } from "./children.ts";
import { type Held, heldBy } from "./held.ts";
import type { LoadJob } from "./load.ts";
import type { Api } from "./loads.ts";

const CONNECTIONS = 5000;

/** The first times a heap grows for good: then each time counts, and the median is the result. */
const WARM_UPS = 2;
const ROUNDS = 3;

/** KiB above TCP that a connection may cost. */
const MAX_KIB = 3;

/** What came of one runtime. */
export interface IdleRow {
  readonly runtime: RuntimeName;
  readonly tcp: Held;
  readonly iteration: Held;
  readonly handlers: Held;
  readonly target: number;
}

/** Measures the memory of idle connections; nothing where it can't be seen. */
export async function measureIdle(
  runtimes: readonly RuntimeName[],
  connections: number = CONNECTIONS,
): Promise<IdleRow[]> {
  const rows: IdleRow[] = [];
  for (const runtime of canSeeMemory ? runtimes : []) {
    const row = {
      runtime,
      tcp: await measure(runtime, null, connections),
      iteration: await measure(runtime, "iteration", connections),
      handlers: await measure(runtime, "handlers", connections),
      target: MAX_KIB,
    };
    console.error(`idle ${JSON.stringify(row)}`);
    rows.push(row);
  }
  return rows;
}

async function measure(
  runtime: RuntimeName,
  api: Api | null,
  connections: number,
): Promise<Held> {
  const script = `scripts/bench/servers/${api === null ? "tcp" : "idle"}.ts`;
  const args = api === null ? [] : [api];
  const server = new Child({ runtime, script, args, exposeGc: true });
  try {
    const port = await server.port();
    const job: LoadJob = {
      kind: "hold",
      isTcp: api === null,
      port,
      pid: server.process.pid!,
      connections,
      seconds: 0,
      warmUp: 0,
    };
    await hold({ ...job, connections: connections >> 2 }, async () => {}); // what comes only once
    const before = await heldBy(server);
    const seen: Held[] = [];
    for (let i = 0; i < WARM_UPS + ROUNDS; i++) {
      await hold(job, async () => {
        if (i >= WARM_UPS) seen.push(await heldBy(server));
      });
    }
    const each = (key: keyof Held): number =>
      (median(seen.map((held) => held[key])) - before[key]) / connections;
    return { resident: each("resident"), live: each("live") };
  } finally {
    await server.stop();
  }
}

async function hold(job: LoadJob, whileHeld: () => Promise<void>): Promise<void> {
  const script = "scripts/bench/load.ts";
  const load = new Child({ runtime: "bun", script, args: [JSON.stringify(job)] });
  try {
    const count = await load.value<number>();
    if (count !== job.connections) throw new Error(`${count} connections are open`);
    await whileHeld();
  } finally {
    await load.stop();
  }
}
