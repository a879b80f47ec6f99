/**
 * Where the cases of the catalogue are run over TCP, several at a time.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { FEW_CUTS } from "../cuts.ts";
import { ClientBench } from "./client_bench.ts";
import { ServerBench } from "./server_bench.ts";

/** Both ends, to be played to. */
interface Ends {
  readonly server: ServerBench;
  readonly client: ClientBench;
}

/** Where cases are run: without compression, with it, and with contexts that outlive messages. */
export interface Bench {
  readonly plain: Ends;
  readonly compressed: Ends;
  readonly takeover: Ends;
}

/** What an end answers is not compressed, so that transcripts can tell it. */
const COMPRESS = { threshold: Infinity };

async function startBench(): Promise<Bench> {
  const start = async (compress: Parameters<typeof ServerBench.start>[0]): Promise<Ends> => ({
    server: await ServerBench.start(compress),
    client: await ClientBench.start(compress),
  });
  return {
    plain: await start(false),
    compressed: await start(COMPRESS),
    takeover: await start({ ...COMPRESS, contextTakeover: true }),
  };
}

async function stopBench(bench: Bench): Promise<void> {
  for (const { server, client } of [bench.plain, bench.compressed, bench.takeover]) {
    client.stop();
    await server.stop();
  }
}

/** One row of a table. */
export interface Case {
  /** The row's name, id first, and which end is under test. */
  readonly name: string;
  /** What happens when the bytes are cut in this way. */
  readonly play: (bench: Bench, cut: Cut) => Promise<string[]>;
  /** Throws unless the transcript is what the table says. */
  readonly check: (transcript: readonly string[]) => void;
}

/** Cuts bytes into pieces. */
export type Cut = (bytes: Uint8Array) => Uint8Array[];

/** How long one case may take, in milliseconds. */
const CASE_TIMEOUT = 10_000;

/** The transcript of a case; fails if it depends on how the bytes are cut (O6) or come in. */
export async function transcriptOf(
  { name, play }: Case,
  bench: Bench,
  cuts: typeof FEW_CUTS = FEW_CUTS,
): Promise<string[]> {
  let first: string[] | null = null;
  for (const isPulled of [false, true]) {
    for (const { server } of Object.values<Ends>({ ...bench })) server.isPulled = isPulled;
    for (const { name: cutName, cut } of cuts) {
      const way = `${name}, ${cutName}, ${isPulled ? "pulled" : "pushed"}`;
      const lines = await within(CASE_TIMEOUT, way, play(bench, cut));
      first ??= lines;
      assertEquals(lines, first, `${way}: other events than whole and pushed`);
    }
  }
  return first!;
}

async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not over after ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** What came of a case. */
export type Outcome = { readonly transcript: string[] } | { readonly error: unknown };

/** How many cases are under way at the same time, each on a bench of its own. */
const BENCHES = 6;

/** Runs all cases; each outcome is a promise of its own, so that each can be a test. */
export function runAll(cases: readonly Case[], cuts?: typeof FEW_CUTS): {
  outcomes: Map<string, Promise<Outcome>>;
  finished: Promise<void>;
} {
  const tell = new Map<string, (outcome: Outcome) => void>();
  const outcomes = new Map(cases.map(({ name }) => {
    assert(!tell.has(name), `two cases are called ${name}`);
    return [name, new Promise<Outcome>((resolve) => tell.set(name, resolve))];
  }));
  const queue = cases.values();
  const work = async (): Promise<void> => {
    const bench = await startBench();
    for (const row of queue) {
      const outcome = await transcriptOf(row, bench, cuts).then(
        (transcript) => ({ transcript }),
        (error) => ({ error }),
      );
      tell.get(row.name)!(outcome);
    }
    await stopBench(bench);
  };
  const finished = Promise.all(Array.from({ length: BENCHES }, work)).then(() => {});
  finished.catch(() => {}); // looked at in a test of its own
  return { outcomes, finished };
}
