/** Every public symbol is documented with an example, and every example does what it says. @module */

import { assert, assertEquals } from "@std/assert";
import { after, describe, test } from "node:test";
import { executable, ROOT } from "../toolchain.ts";
import {
  countBlocks,
  type Example,
  type PublicSymbol,
  readBlocks,
  readDocs,
  readEntryPoints,
  readImports,
} from "./doc_comments.ts";
import { ExampleRuns, RUNTIME } from "./example_runs.ts";
import { DENO_FLAGS } from "./package_folder.ts";
import { run } from "./run.ts";

const docs = await readDocs();
const runs = await ExampleRuns.create(docs.examples);
after(() => runs.remove());

/** Whether an example imports the symbol, in one of the ways that there are. */
function shows({ code }: Example, { name, specifiers }: PublicSymbol): boolean {
  return readImports(code).some(({ names, specifier }) =>
    specifiers.includes(specifier) && names.includes(name)
  );
}

const timeout = 100_000;

describe("doc comments", () => {
  test("every public symbol has an example that imports it", () => {
    assert(docs.symbols.length > 100, "deno doc lists the symbols");
    const missing = docs.symbols
      .filter((symbol) => !symbol.examples.some((example) => shows(example, symbol)))
      .map(({ name, place }) => `${name} (${place})`);
    assertEquals(missing, []);
  });

  test("every entry point has an example in its module comment, or a command to run", () => {
    assertEquals(docs.entryPoints.length, readEntryPoints().size);
    const missing = docs.entryPoints.filter(({ blocks, symbolCount }) =>
      !blocks.some(({ language }) => language === (symbolCount > 0 ? "ts" : "sh"))
    );
    assertEquals(missing.map(({ specifier }) => specifier), []);
  });

  test("every code block is TypeScript, or commands for a shell", () => {
    assertEquals(docs.foreignBlocks, []);
  });

  test("every example is one of a public symbol, or of an entry point: all are run", () => {
    const counts = new Map<string, number>();
    for (const { place } of docs.examples) {
      const file = place.replace(/:\d+$/, "");
      counts.set(file, (counts.get(file) ?? 0) + 1);
    }
    assertEquals([...counts].sort(), [...countBlocks()].sort());
  });

  test("examples import the package by its name, @std/assert and node: alone", () => {
    const known = [...readEntryPoints().keys(), "@std/assert"];
    const foreign = docs.examples.flatMap(({ name, code }) =>
      readImports(code)
        .filter(({ specifier }) => !known.includes(specifier) && !specifier.startsWith("node:"))
        .map(({ specifier }) => `${name} imports ${specifier}`)
    );
    assertEquals(foreign, []);
  });

  for (const command of ["check", "fmt --check", "lint"]) {
    test(`examples pass deno ${command}`, { skip: RUNTIME !== "deno", timeout }, async () => {
      const [verb, ...flags] = command.split(" ");
      const config = verb === "check" ? DENO_FLAGS : [`--config=${ROOT}deno.json`];
      const args = [verb, ...flags, ...config, ...runs.files];
      const { status, stdout, stderr } = await run(executable("deno"), args, runs.folder);
      assertEquals(status, 0, stdout + stderr);
    });
  }
});

for (const [specifier, examples] of runs.groups) {
  describe(`examples of ${specifier}`, () => {
    for (const example of examples) {
      test(`${example.name} (${example.place})`, { timeout }, async () => {
        const outcome = await runs.outcomeOf(example);
        assert(outcome === "ok", `${outcome}\n\n${example.code}`);
      });
    }

    test("they close what they open, and nothing fails unseen", { timeout }, async () => {
      const fault = await runs.faultOf(specifier);
      assert(fault === null, fault ?? "");
    });
  });
}

describe("reading doc comments", () => {
  test("finds fenced blocks and their languages", () => {
    assertEquals(readBlocks("Text.\n\n```ts\na;\nb;\n```\n\n```\nc\n```\n"), [
      { language: "ts", code: "a;\nb;\n" },
      { language: "", code: "c\n" },
    ]);
  });

  test("finds what is imported: values, types and defaults", () => {
    const code = 'import {\n  a,\n  type B,\n} from "x";\nimport type { C } from "y";\n' +
      'import net from "node:net";\n';
    assertEquals(readImports(code), [
      { names: ["a", "B"], specifier: "x" },
      { names: ["C"], specifier: "y" },
      { names: ["net"], specifier: "node:net" },
    ]);
  });
});
