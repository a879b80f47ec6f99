/**
 * Writes `transcripts.txt` anew, from what this runtime makes of every case:
 *
 * ```sh
 * deno run -A tests/catalogue/update.ts
 * ```
 *
 * @module
 */

import { runAll } from "./bench.ts";
import { CASES } from "./cases.ts";
import { titleOf, writeTranscripts } from "./transcripts.ts";

const transcripts = new Map<string, string[]>();
const { outcomes, finished } = runAll(CASES);
for (const row of CASES) {
  const outcome = await outcomes.get(row.name)!;
  if ("error" in outcome) throw outcome.error;
  row.check(outcome.transcript);
  transcripts.set(titleOf(row), outcome.transcript);
}
await finished;
writeTranscripts(transcripts);
console.log(`${transcripts.size} transcripts`);
