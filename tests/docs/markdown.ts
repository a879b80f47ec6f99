/**
 * The code blocks of a Markdown page, and what HTML comments in front of them tell the tests. Readers
 * of the page don't see these comments. They hold one or more of these, separated by semicolons:
 *
 * - `continues`: the block goes on where the one before it ended: both are one program.
 * - `with: echo`: port 8000 is a server of `peers.ts` by that name.
 * - `stays`: the program does not end by itself; it is ended once it has printed what it says it does.
 * - `on: node`: only for these runtimes, separated by commas.
 * - `covered by: tests/x_test.ts`: that test reads the block from the page and runs it.
 * - `not run: reason`: for Dockerfiles only, which take an engine that the tests' machines don't have.
 *
 * @module
 */

import { type RuntimeName, RUNTIMES } from "../toolchain.ts";

/** A fenced block of code. */
export interface Block {
  /** The path of its page below the root. */
  readonly page: string;
  /** The line of its first line of code, from 1. */
  readonly line: number;
  /** The word behind the fence; empty if there is none. */
  readonly language: string;
  readonly code: string;
  readonly continues: boolean;
  readonly stays: boolean;
  /** The peer that it talks to. */
  readonly peer?: string;
  /** The runtimes that it is for. */
  readonly runtimes: readonly RuntimeName[];
  /** The path of the test that runs it, below the root. */
  readonly coveredBy?: string;
  /** Why nothing runs it. */
  readonly notRun?: string;
}

type Directives = Omit<Block, "page" | "line" | "language" | "code">;

const NONE: Directives = { continues: false, stays: false, runtimes: RUNTIMES };

/** Reads the blocks of a page. Throws an `Error` for what it does not understand. */
export function readBlocks(page: string, text: string): Block[] {
  const blocks: Block[] = [];
  const lines = text.split("\n");
  let directives = NONE;
  for (let i = 0; i < lines.length; i++) {
    const fence = /^( *)(```+)(\w*)$/.exec(lines[i]);
    if (fence === null) {
      const comment = /^<!-- (.+) -->$/.exec(lines[i]);
      if (comment !== null) directives = readDirectives(comment[1], `${page}:${i + 1}`);
      else if (lines[i].trim() !== "") directives = NONE;
      continue;
    }
    const [, indent, marks, language] = fence;
    const end = lines.indexOf(indent + marks, i + 1);
    if (end < 0) throw new Error(`${page}:${i + 1}: the block has no end`);
    const code = lines.slice(i + 1, end).map((line) => line.slice(indent.length)).join("\n");
    blocks.push({ page, line: i + 2, language, code, ...directives });
    directives = NONE;
    i = end;
  }
  return blocks;
}

/** Reads a comment; one that doesn't begin with a word of ours is somebody else's. */
function readDirectives(comment: string, place: string): Directives {
  if (!/^(continues|stays|with: |on: |covered by: |not run: )/.test(comment)) return NONE;
  return comment.split(";").reduce(
    (directives, part) => ({ ...directives, ...readDirective(part.trim(), place) }),
    NONE,
  );
}

function readDirective(text: string, place: string): Partial<Directives> {
  const [, name, value] = /^([a-z ]+)(?:: (.+))?$/.exec(text) ?? [];
  if (name === "continues" && value === undefined) return { continues: true };
  if (name === "stays" && value === undefined) return { stays: true };
  if (name === "with" && value) return { peer: value };
  if (name === "covered by" && value) return { coveredBy: value };
  if (name === "not run" && value) return { notRun: value };
  if (name === "on" && value) return { runtimes: value.split(", ").map(toRuntime) };
  throw new Error(`${place}: "${text}" is no directive`);
}

function toRuntime(name: string): RuntimeName {
  const runtime = RUNTIMES.find((known) => known === name);
  if (runtime === undefined) throw new Error(`"${name}" is none of ${RUNTIMES.join(", ")}`);
  return runtime;
}

/** Programs of a page: each begins with a block that continues none. */
export function joinBlocks(blocks: readonly Block[]): Block[][] {
  const programs: Block[][] = [];
  for (const block of blocks) {
    if (!block.continues) programs.push([block]);
    else if (programs.length > 0) programs.at(-1)!.push(block);
    else throw new Error(`${block.page}:${block.line}: there is nothing to continue`);
  }
  return programs;
}

/** The blocks as one module, in which each line has the number that it has on the page. */
export function toModule(blocks: readonly Block[]): string {
  const lines: string[] = [];
  for (const { line, code } of blocks) {
    while (lines.length < line - 1) lines.push("");
    lines.push(...code.split("\n"));
  }
  return lines.join("\n") + "\n";
}

/** What the code says it prints: the comments behind `console.log()`; "…" stands for anything. */
export function readExpectations(code: string): string[] {
  return code.split("\n").flatMap((line) =>
    /^\s*.*\bconsole\.log\(.*\/\/ (.+)$/.exec(line)?.[1] ?? []
  );
}

/** Whether a line of output is what was expected. */
export function isExpected(line: string, expectation: string): boolean {
  const parts = expectation.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(line);
}

/** The targets of a page's links to other files, without what follows `#`. */
export function readLinks(text: string): string[] {
  const prose = text.replace(/^( *)```[^]*?^ *```$/gm, "").replace(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^)\s#]+)(?:#[^)\s]*)?\)/g)]
    .map(([, target]) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}
