/** Pages that are wrong don't pass. @module */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import type { RuntimeName } from "../toolchain.ts";
import {
  type Block,
  isExpected,
  joinBlocks,
  readBlocks,
  readExpectations,
  readLinks,
  toModule,
} from "./markdown.ts";
import { faultOf } from "./coverage.ts";
import { runModule } from "./module_block.ts";
import { readCommands, runCommand } from "./shell_block.ts";
import { createWorkspace, type Workspace } from "./workspace.ts";

const RUNTIME: RuntimeName = process.versions.deno ? "deno" : process.versions.bun ? "bun" : "node";

const page = (...lines: string[]): Block[] => readBlocks("page.md", lines.join("\n"));

const program = (...code: string[]): Block[] => page("```ts", ...code, "```");

describe("readBlocks()", () => {
  test("reads language, place and code", () => {
    const [block] = page("# Title", "", "- item", "  ```ts", "  a;", "", "  b;", "  ```");
    assertEquals([block.language, block.line, block.code], ["ts", 5, "a;\n\nb;"]);
  });

  test("reads the comment in front of a block, and only there", () => {
    const blocks = page(
      ...["<!-- with: echo; on: bun, node; stays -->", "", "```ts", "```"],
      ...["<!-- continues -->", "text", "```ts", "```", "<!-- bench:speed -->", "```ts", "```"],
    );
    assertEquals(
      blocks.map(({ peer, runtimes, stays, continues }) => [peer, runtimes, stays, continues]),
      [
        ["echo", ["bun", "node"], true, false],
        [undefined, ["deno", "bun", "node"], false, false],
        [undefined, ["deno", "bun", "node"], false, false],
      ],
    );
  });

  test("rejects what it does not understand", () => {
    assertThrows(() => page("```ts", "a"), Error, "page.md:1: the block has no end");
    assertThrows(() => page("<!-- stays; goes -->"), Error, '"goes" is no directive');
    assertThrows(() => page("<!-- on: rhino -->"), Error, '"rhino" is none of deno, bun, node');
    const orphan = page("<!-- continues -->", "```ts", "a", "```");
    assertThrows(() => joinBlocks(orphan), Error, "nothing to continue");
  });

  test("keeps the numbers of lines in a joined program", () => {
    const blocks = page("", "```ts", "a", "```", "", "<!-- continues -->", "```ts", "b", "```");
    assertEquals(toModule(joinBlocks(blocks)[0]), "\n\na\n\n\n\n\nb\n");
  });
});

test("readExpectations() takes the comments behind console.log()", () => {
  const code =
    'console.log(a); // 1\nif (b) console.log("(", f(b)); // ( …\nc; // 3\nconsole.log(d);';
  assertEquals(readExpectations(code), ["1", "( …"]);
});

test("isExpected() takes all but … by the letter", () => {
  assertEquals(isExpected("a.b 12 ms", "a.b … ms"), true);
  assertEquals(isExpected("axb 12 ms", "a.b … ms"), false);
  assertEquals(isExpected("say 1", "1"), false);
});

test("readLinks() finds files, but no addresses, anchors or code", () => {
  const text = "[a](a.md) [b](b.md#x) [c](#x) [d](https://d.example/) `[e](e.md)`";
  assertEquals(readLinks(text), ["a.md", "b.md"]);
});

test("faultOf() says why a block is not covered", () => {
  const faults = page(
    ...["```ts", "```", "```sh", "```", "```nginx", "```"],
    ...["<!-- covered by: tests/nowhere_test.ts -->", "```nginx", "```"],
    ...["<!-- covered by: tests/server_test.ts -->", "```nginx", "```"],
    ...["<!-- not run: no engine -->", "```dockerfile", "```"],
    ...["<!-- not run: no wish -->", "```ts", "```"],
  ).map(faultOf);
  assertEquals(faults, [
    null,
    null,
    "page.md:6: nothing runs nginx",
    "page.md:9: there is no tests/nowhere_test.ts",
    "page.md:12: tests/server_test.ts does not read page.md",
    null,
    "page.md:18: nothing runs ts",
  ]);
});

describe("a page fails", () => {
  let workspace: Workspace;
  before(async () => {
    workspace = await createWorkspace();
  });
  after(() => workspace.remove());

  const fails = async (blocks: Block[], message: string): Promise<void> => {
    await assertRejects(() => runModule(blocks, RUNTIME, workspace), Error, message);
  };

  const commandFails = async (line: string, message: string): Promise<void> => {
    const blocks = page("```sh", `${line} # why`, "```");
    const [command] = readCommands(blocks[0]);
    const run = () => runCommand(command, blocks[0], blocks, RUNTIME, workspace);
    await assertRejects(run, Error, message);
  };

  test("when a program prints something else than it says", () =>
    fails(program("console.log(1 + 1); // 3"), "page.md:2: it did not print: 3"));

  test("when a program throws", () =>
    fails(program("console.log(1); // 1", "throw new Error()"), "it ended with status 1"));

  test("when a program that stays says nothing", () =>
    fails(page("<!-- stays -->", "```ts", "```"), "must print what it says"));

  test("when its peer is unknown", () =>
    fails(page("<!-- with: nobody -->", "```ts", "```"), '"with: nobody" is none of echo'));

  for (
    const [line, message] of [
      ["npm install ws", "the package is @twoway/websocket"],
      ["deno task nonsense", "there is no such task"],
      ["make", "there is no way to run it"],
      [`${RUNTIME} run nowhere.ts`.replace("node run", "node"), 'no block "// nowhere.ts"'],
    ]
  ) {
    test(`when it says: ${line}`, () => commandFails(line, message));
  }

  test("when a command of it fails", () =>
    commandFails(`${RUNTIME} run cli.ts --nonsense`.replace("node run", "node"), "status 2"));
});
