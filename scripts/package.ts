/**
 * `deno task package`: packs the sources for npm, installs the tarball in empty folders, and checks
 * that it works there: on Node and Bun, with TypeScript, and through bundlers.
 *
 * @module
 */

import { bundleChecks } from "./npm/bundle_checks.ts";
import { type Check, runChecks } from "./npm/checks.ts";
import { engineChecks } from "./npm/engine_checks.ts";
import { tarballChecks } from "./npm/tarball_checks.ts";
import { typeChecks } from "./npm/type_checks.ts";
import { missingNodes, withWorkshop, type Workshop } from "./npm/workshop.ts";
import { describeTally } from "./reports.ts";

/** Rows at a time: most of them wait for one process after the other. */
const WIDTH = 2;

async function listChecks(workshop: Workshop): Promise<Check[][]> {
  const { nodes, bun } = workshop;
  return await Promise.all([
    bundleChecks(workshop),
    typeChecks(workshop, "typescript-5"),
    typeChecks(workshop, "typescript-7"),
    tarballChecks(workshop),
    ...[...nodes, bun].map((engine) => engineChecks(workshop, engine)),
  ]);
}

if (import.meta.main) {
  const tally = await withWorkshop(async (workshop) => {
    const tally = await runChecks(await listChecks(workshop), WIDTH);
    const missing = missingNodes(workshop);
    if (missing.length > 0) {
      console.log(`left out, not pinned for this platform: ${missing.join(", ")}`);
    }
    return tally;
  });
  console.log(`\n${describeTally(tally)}`);
  if (tally.failed > 0) Deno.exit(1);
}
