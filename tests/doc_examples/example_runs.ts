/**
 * Runs the examples of doc comments on this runtime: each is a module in a folder in which the
 * package is installed, and those of one entry point share a process.
 *
 * @module
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { writeCertificates } from "../installed_package.ts";
import { runtimeCommand, type RuntimeName } from "../toolchain.ts";
import type { Example } from "./doc_comments.ts";
import { createPackageFolder, DENO_FLAGS, removeFolder } from "./package_folder.ts";
import { run } from "./run.ts";

/** The runtime that this test runs on. */
export const RUNTIME: RuntimeName = process.versions.bun
  ? "bun"
  : process.versions.deno
  ? "deno"
  : "node";

/** Adapters whose examples are not for every runtime. */
const ADAPTERS: Readonly<Record<string, readonly RuntimeName[]>> = {
  "src/runtime/deno.ts": ["deno"],
  "src/runtime/bun.ts": ["bun"],
};

/** Milliseconds for all examples of an entry point. */
const PATIENCE = 40_000;

/** What came of the examples that shared a process. */
interface Outcomes {
  /** By file: `"ok"`, or what went wrong. */
  readonly byFile: ReadonlyMap<string, string>;
  /** What went wrong with the process: it did not end by itself, or complained. */
  readonly fault: string | null;
}

/** All examples as files, and their outcomes. */
export class ExampleRuns {
  /** Where the files are. */
  readonly folder: string = createPackageFolder();
  /** Those for this runtime, by entry point. */
  readonly groups: Map<string, Example[]> = new Map();
  readonly #files = new Map<Example, string>();
  readonly #outcomes = new Map<string, Promise<Outcomes>>();

  private constructor() {}

  /** Writes the examples to files. */
  static async create(examples: readonly Example[]): Promise<ExampleRuns> {
    const runs = new ExampleRuns();
    for (const example of examples) runs.#add(example);
    // What examples find in their folder, as programs do.
    await writeCertificates(runs.folder);
    return runs;
  }

  /** The names of the files, in the folder. */
  get files(): string[] {
    return [...this.#files.values()];
  }

  #add(example: Example): void {
    const { name, specifier, place, code } = example;
    const number = String(this.#files.size + 1).padStart(3, "0");
    const file = `${number}_${name.replace(/[^\w.]+/g, "_")}.ts`;
    this.#files.set(example, file);
    writeFileSync(join(this.folder, file), code);
    const runtimes = ADAPTERS[place.replace(/:\d+$/, "")];
    if (runtimes?.includes(RUNTIME) === false) return;
    const group = this.groups.get(specifier);
    if (group === undefined) this.groups.set(specifier, [example]);
    else group.push(example);
  }

  /** `"ok"`, or what went wrong. */
  async outcomeOf(example: Example): Promise<string> {
    const { byFile, fault } = await this.#outcomesOf(example.specifier);
    return byFile.get(this.#files.get(example)!) ?? `It did not run to its end. ${fault}`;
  }

  /** What went wrong with the process that runs an entry point's examples; `null` for nothing. */
  async faultOf(specifier: string): Promise<string | null> {
    return (await this.#outcomesOf(specifier)).fault;
  }

  /** Removes the folder. */
  remove(): void {
    removeFolder(this.folder);
  }

  /** The examples run when somebody asks first. */
  #outcomesOf(specifier: string): Promise<Outcomes> {
    let outcomes = this.#outcomes.get(specifier);
    if (outcomes === undefined) {
      outcomes = this.#run(this.groups.get(specifier)!);
      this.#outcomes.set(specifier, outcomes);
    }
    return outcomes;
  }

  async #run(examples: readonly Example[]): Promise<Outcomes> {
    const files = examples.map((example) => this.#files.get(example)!);
    const results = `${files[0]}.results`;
    const { command, args } = runtimeCommand(
      RUNTIME,
      "tests/doc_examples/run_modules.ts",
      [results, ...files],
      ["-A", ...DENO_FLAGS],
    );
    const { status, stdout, stderr } = await run(command, args, this.folder, PATIENCE);
    const how = status === null ? "was killed: it did not end" : `ended with status ${status}`;
    return {
      byFile: readResults(join(this.folder, results)),
      // What fails in a handler only goes to the console.
      fault: status === 0 && stderr === "" ? null : `The process ${how}.\n${stdout}${stderr}`,
    };
  }
}

function readResults(path: string): Map<string, string> {
  if (!existsSync(path)) return new Map();
  const lines = readFileSync(path, "utf8").trim().split("\n");
  return new Map(lines.map((line) => JSON.parse(line)));
}
