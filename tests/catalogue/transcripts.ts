/**
 * What must come of every case, on every runtime: `transcripts.txt`, one block per case. Where
 * outcomes are meant to change, `update.ts` writes the file anew, and the difference shows how.
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import { quote } from "./words.ts";

const FILE = new URL("transcripts.txt", import.meta.url);

/** The transcripts by the names of their cases. */
export function readTranscripts(): Map<string, string[]> {
  const blocks = readFileSync(FILE, "utf8").trimEnd().split("\n\n");
  return new Map(blocks.map((block) => {
    const [name, ...lines] = block.split("\n");
    return [name, lines.map((line) => line.trimStart())];
  }));
}

/** Replaces the file. */
export function writeTranscripts(transcripts: ReadonlyMap<string, readonly string[]>): void {
  const blocks = [...transcripts].map(([name, lines]) =>
    [name, ...lines.map((line) => `  ${line}`)].join("\n")
  );
  writeFileSync(FILE, blocks.join("\n\n") + "\n");
}

/** The name of a case as it stands in the file: in ASCII, on one line. */
export function titleOf({ name }: { readonly name: string }): string {
  return quote(name).slice(1, -1);
}
