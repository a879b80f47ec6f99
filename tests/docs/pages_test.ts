/** Every code block of the pages runs, and prints what it says. @module */

import { assertEquals } from "@std/assert";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { posix } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { executable, ROOT, type RuntimeName } from "../toolchain.ts";
import { type Block, joinBlocks, readBlocks, readLinks, toModule } from "./markdown.ts";
import { moduleName, runModule } from "./module_block.ts";
import { readCommands, runCommand } from "./shell_block.ts";
import { faultOf, isOurs } from "./coverage.ts";
import { createWorkspace, type Workspace } from "./workspace.ts";

const RUNTIME: RuntimeName = process.versions.deno ? "deno" : process.versions.bun ? "bun" : "node";

const listPages = (folder: string): string[] =>
  readdirSync(ROOT + folder).filter((name) => name.endsWith(".md")).sort()
    .map((name) => folder + name);

const PAGES = [...listPages(""), ...listPages("docs/")];

const readPage = (page: string): string => readFileSync(ROOT + page, "utf8");

/** Blocks without a language are drawings and output. */
const blocksOf = (page: string): Block[] =>
  readBlocks(page, readPage(page)).filter(({ language }) => language !== "");

const isModule = (block: Block): boolean => block.language === "ts" && isOurs(block);

const modulesOf = (page: string): Block[][] => joinBlocks(blocksOf(page).filter(isModule));

let workspace: Workspace;
before(async () => {
  workspace = await createWorkspace();
});
after(() => workspace.remove());

for (const page of PAGES) {
  describe(page, () => {
    const blocks = blocksOf(page);
    for (const program of modulesOf(page)) {
      const { line, runtimes } = program[0];
      if (!runtimes.includes(RUNTIME)) continue;
      test(`the program in line ${line} does what it says`, { timeout: 30_000 }, async () => {
        await runModule(program, RUNTIME, workspace);
      });
    }

    for (const block of blocks.filter((block) => block.language === "sh" && isOurs(block))) {
      test(`the commands in line ${block.line} run`, { timeout: 60_000 }, async () => {
        for (const line of readCommands(block)) {
          await runCommand(line, block, blocks, RUNTIME, workspace);
        }
      });
    }

    test("no block is without a test", () => {
      assertEquals(blocks.map(faultOf).filter((fault) => fault !== null), []);
    });

    test("links lead to files that are there", () => {
      const missing = readLinks(readPage(page))
        .filter((link) => !existsSync(ROOT + posix.join(posix.dirname(page), link)));
      assertEquals(missing, []);
    });
  });
}

test("docs/README.md lists every page of docs/", () => {
  const index = readLinks(readPage("docs/README.md"));
  const unlisted = listPages("docs/").map((page) => posix.basename(page))
    .filter((name) => name !== "README.md" && !index.includes(name));
  assertEquals(unlisted, []);
});

test("the types of all blocks are right", { skip: RUNTIME !== "deno", timeout: 60_000 }, () => {
  const files = PAGES.flatMap(modulesOf).map((program) => {
    const name = `types_${moduleName(program)}`;
    const isBun = program[0].runtimes.join() === "bun";
    const code = isBun ? `declare const Bun: import("${ROOT}tests/docs/bun_api.ts").Bun; ` : "";
    writeFileSync(workspace.deno + name, code + toModule(program));
    return name;
  });
  const { status, stderr } = spawnSync(executable("deno"), ["check", "--no-lock", ...files], {
    cwd: workspace.deno,
    env: { ...process.env, NO_COLOR: "1" },
    encoding: "utf8",
  });
  assertEquals(status, 0, stderr);
});
