/**
 * Ten thousand seeds, a third of them on each runtime: what one runtime alone gets wrong shows in
 * its own third, what the code gets wrong in any.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { simulate, Simulation } from "./simulate.ts";

const RUNTIME = "Deno" in globalThis ? 0 : "Bun" in globalThis ? 1 : 2;
const COMMAND = ["deno run -A", "bun", "node"][RUNTIME];

const SEEDS = 3400;
const BATCH = 340;

describe("simulation", () => {
  for (let from = RUNTIME * SEEDS; from < (RUNTIME + 1) * SEEDS; from += BATCH) {
    test(`nothing goes wrong with seeds ${from} to ${from + BATCH - 1}`, async () => {
      const fault = await simulate(from, from + BATCH);
      if (fault === null) return;
      const replay = `${COMMAND} tests/simulation/simulate.ts --seed ${fault.seed}`;
      throw new Error(`${fault.error.message}\n${fault.lines.join("\n")}\n${replay}`);
    });
  }

  test("a seed always means the same", async () => {
    for (const seed of [3, 11, 42, 77, 100]) {
      const [first, second] = [await new Simulation(seed).run(), await new Simulation(seed).run()];
      assertEquals(first, second);
    }
  });

  test("all that may happen does: clean ends, resets, half-closes, aborts, every consumer", async () => {
    const lines = new Set<string>();
    for (let seed = 0; seed < 300; seed++) {
      for (const line of await new Simulation(seed).run()) {
        lines.add(line.slice(7).replace(/\d+.*/, ""));
      }
    }
    const seen = [...lines].join("\n");
    for (
      const what of [
        "client by calls, server by handlers",
        "client by iteration, server by calls",
        "send rejected",
        "ping rejected",
        "is reset",
        "direction ends",
        "abort",
        "close undefined",
      ]
    ) assert(seen.includes(what), what);
  });
});
