/** Tests of masking run with both of its widths. @module */

import { test } from "node:test";
import { useWideWords } from "../../src/core/mask_words.ts";

/** Masks with words of either width, whichever this runtime would take. */
export function testBothWidths(name: string, body: () => void): void {
  for (const isWide of [false, true]) {
    test(`${name} (words of ${isWide ? 64 : 32} bits)`, () => {
      useWideWords(isWide);
      try {
        body();
      } finally {
        useWideWords(false);
      }
    });
  }
}
