/** A short run of each fuzzing target, with fixed seeds; `deno task fuzz` goes on. @module */

import { assert, assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { test } from "node:test";
import { fuzzOne, TARGETS } from "./fuzz.ts";
import { Random } from "./random.ts";
import type { Target } from "./target.ts";

const RUNS = 1500;

for (const target of TARGETS) {
  test(`${RUNS} inputs of target ${target.name} find no fault`, async () => {
    const count = target.name === "deflate" ? RUNS / 5 : RUNS;
    for (let seed = 0; seed < count; seed++) {
      const fault = await fuzzOne(target, seed);
      if (fault === null) continue;
      const { input, error } = fault;
      throw new Error(
        `deno task fuzz --replay ${target.name}:${seed}\n${encodeHex(input)}\n${error}`,
      );
    }
  });
}

test("what is found is made small", async () => {
  const target: Target = {
    name: "x",
    generate: (random) => random.bytes(1000).fill(0x58, 500, 501),
    check(input) {
      if (input.includes(0x58)) throw new Error("found");
    },
  };
  const fault = await fuzzOne(target, 1);
  assertEquals(fault?.input, Uint8Array.of(0x58));
});

test("a seed means the same input, and another seed another one", () => {
  for (const target of TARGETS) {
    const inputs = [7, 7, 8, 9, 10].map((seed) => encodeHex(target.generate(new Random(seed))));
    assertEquals(inputs[0], inputs[1]);
    assert(new Set(inputs).size > 2, target.name);
  }
});
