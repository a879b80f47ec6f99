/** What is read to where the reader brings the memory. @module */

import { assert, assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { type ReadBudget, ReadBuffer, SMALL } from "../../src/runtime/read_buffer.ts";

const LARGE = 262_144;

/** Fills the next buffers as a whole until they do not grow any more; returns their sizes. */
function fill(buffer: ReadBuffer): number[] {
  const sizes: number[] = [];
  for (let size = 0; size !== sizes.at(-1);) {
    sizes.push(size);
    size = buffer.next().length;
    buffer.take(size);
  }
  return sizes.slice(1);
}

function budgetOf(max: number): ReadBudget {
  return { max, used: 0 };
}

describe("ReadBuffer", () => {
  test("grows as long as reads fill it", () => {
    const budget = budgetOf(1e9);
    assertEquals(fill(new ReadBuffer(budget)), [512, 2048, 8192, 32_768, 131_072, LARGE]);
    assertEquals(budget.used, LARGE - SMALL);
  });

  test("gives the bytes that a read has brought", () => {
    const buffer = new ReadBuffer(budgetOf(1e9));
    buffer.next().set([1, 2, 3]);
    assertEquals(buffer.take(2), Uint8Array.of(1, 2));
    buffer.next().set([4]);
    assertEquals(buffer.take(1), Uint8Array.of(4));
  });

  test("shrinks when eight reads in a row could have done with less", () => {
    const buffer = new ReadBuffer(budgetOf(1e9));
    fill(buffer);
    buffer.take(LARGE / 8); // just not small
    for (let i = 0; i < 7; i++) {
      assertEquals(buffer.next().length, LARGE);
      buffer.take(1);
    }
    assertEquals(buffer.next().length, LARGE);
    buffer.take(LARGE / 8); // which starts the count anew
    for (let i = 0; i < 8; i++) {
      assertEquals(buffer.next().length, LARGE);
      buffer.take(1);
    }
    assertEquals(buffer.next().length, LARGE / 4);
  });

  test("M-2 goes back to little at once when much is in use, the first time", () => {
    const budget = budgetOf(1e8);
    const buffer = new ReadBuffer(budget);
    fill(buffer);
    budget.used = budget.max / 4 - 1;
    buffer.take(LARGE - 1);
    assertEquals(buffer.next().length, LARGE);
    budget.used = budget.max / 4;
    buffer.take(LARGE - 1);
    assertEquals(buffer.next().length, SMALL);
    assertEquals(budget.used, budget.max / 4 - (LARGE - SMALL));

    // Now it is known to be busy.
    budget.used = 0;
    fill(buffer);
    budget.used = budget.max * 3 / 4 - 1;
    buffer.take(LARGE - 1);
    assertEquals(buffer.next().length, LARGE);
    budget.used = budget.max * 3 / 4;
    buffer.take(LARGE - 1);
    assertEquals(buffer.next().length, SMALL);
  });

  test("M-2 the sum is bounded, leaves something for the last ones, and is given back", () => {
    const budget = budgetOf(4_000_000);
    const buffers = Array.from({ length: 5000 }, () => new ReadBuffer(budget));
    for (const buffer of buffers) {
      const left = budget.max - budget.used;
      const size = fill(buffer).at(-1)!;
      assert(size - SMALL <= left / 8, `${size} of ${left}`);
      assert(budget.used <= budget.max);
    }
    assert(budget.used > budget.max * 0.99);
    for (const buffer of buffers) buffer.release();
    assertEquals(budget.used, 0);
  });

  test("gives the memory of a long buffer back that nobody works on", () => {
    const canTransfer = "transfer" in ArrayBuffer.prototype; // not in Node 20
    for (const isHeld of [false, true]) {
      const buffer = new ReadBuffer(budgetOf(1e9));
      while (buffer.next().length < 32_768) buffer.take(buffer.next().length);
      const bytes = buffer.take(32_768);
      if (isHeld) buffer.hold();
      assertEquals(bytes.length, 32_768);
      assertEquals(buffer.next().length, 131_072);
      assertEquals(bytes.length, canTransfer && !isHeld ? 0 : 32_768);
      buffer.take(131_072);
      buffer.next();
      assertEquals(buffer.next().length, LARGE);
    }
  });
});
