import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { checkArchitecture, scan, type Sources } from "./architecture.ts";
import { ROOT } from "./toolchain.ts";

/** The modules under `folder`, below the root, and their texts. */
function readSources(folder: string): Array<[string, string]> {
  if (!existsSync(ROOT + folder)) return [];
  return readdirSync(ROOT + folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === "node_modules") return [];
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory()) return readSources(`${path}/`);
    return path.endsWith(".ts") ? [readSource(path)] : [];
  });
}

function readSource(path: string): [string, string] {
  return [path, readFileSync(ROOT + path, "utf8")];
}

function readJson(path: string) {
  return JSON.parse(readFileSync(ROOT + path, "utf8"));
}

/** A small project that keeps all rules. */
const SOUND: Sources = new Map([
  [
    "mod.ts",
    `export { serve } from "./src/server.ts";\nexport type { Conn } from "./src/runtime/conn.ts";`,
  ],
  [
    "src/server.ts",
    `import { listen } from "./runtime/mod.ts";\nimport { S } from "./session.ts";`,
  ],
  [
    "src/session.ts",
    `import { Protocol } from "./core/protocol.ts";\nimport type { Conn } from "./runtime/conn.ts";\nimport { deflate } from "./runtime/zlib.ts";`,
  ],
  ["src/client.ts", `import { S } from "./session.ts";`],
  ["src/upgrade.ts", `import { prepend } from "./runtime/conn.ts";`],
  ["src/core/protocol.ts", `import { frame } from "./frame.ts"; // not import "./handshake.ts"`],
  [
    "src/core/handshake.ts",
    `import { http } from "./http.ts";\ncrypto.subtle.digest("SHA-1", bytes);`,
  ],
  ["src/core/frame.ts", "const text = `the process of Deno`; const pattern = /[\"'`]/;"],
  ["src/core/http.ts", `/** Uses no Date. */ const date = head.Date ?? "setTimeout()";`],
  [
    "src/runtime/mod.ts",
    `import type { Conn } from "./conn.ts";\n"Deno" in globalThis ? import("./deno.ts") : import("./node.ts");`,
  ],
  ["src/runtime/deno.ts", `import type { Conn } from "./conn.ts";\nDeno.listen({ port: 0 });`],
  ["src/runtime/node.ts", `import net from "node:net";`],
  ["src/runtime/zlib.ts", `import zlib from "node:zlib";`],
  ["src/runtime/conn.ts", ""],
  ["examples/echo.ts", `import process from "node:process";\nimport { serve } from "../mod.ts";`],
]);

/** Code that breaks a rule when it is added to a file of that project, and what is then said. */
const VIOLATIONS: ReadonlyArray<readonly [rule: string, file: string, code: string, says: string]> =
  [
    [
      "core imports only core",
      "src/core/frame.ts",
      `import { x } from "../clock.ts";`,
      "may not import ../clock.ts",
    ],
    [
      "core does not import types from runtime",
      "src/core/frame.ts",
      `import type { Conn } from "../runtime/conn.ts";`,
      "may not import",
    ],
    [
      "core imports no module of the platform",
      "src/core/frame.ts",
      `import { x } from "node:crypto";`,
      "may not import node:crypto",
    ],
    [
      "core imports nothing dynamically",
      "src/core/frame.ts",
      `await import("./http.ts");`,
      "(dynamic)",
    ],
    [
      "runtime imports nothing from core",
      "src/runtime/conn.ts",
      `import { x } from "../core/frame.ts";`,
      "may not import",
    ],
    [
      "runtime/mod.ts imports no adapter statically",
      "src/runtime/mod.ts",
      `import { listen } from "./node.ts";`,
      "may not import ./node.ts (value)",
    ],
    [
      "an adapter does not import another",
      "src/runtime/deno.ts",
      `import { listen } from "./node.ts";`,
      "may not import ./node.ts",
    ],
    [
      "the server does not import an adapter",
      "src/server.ts",
      `import { listen } from "./runtime/deno.ts";`,
      "may not import",
    ],
    [
      "the server does not load an adapter",
      "src/server.ts",
      `await import("./runtime/deno.ts");`,
      "(dynamic)",
    ],
    [
      "only runtime/zlib.ts imports node:zlib",
      "src/runtime/node.ts",
      `import zlib from "node:zlib";`,
      "may not import node:zlib",
    ],
    [
      "the server imports no module of the platform",
      "src/server.ts",
      `import net from "node:net";`,
      "may not import node:net",
    ],
    [
      "nothing is imported by a bare name",
      "src/server.ts",
      `import x from "npm:ws";`,
      "may not import npm:ws",
    ],
    [
      "a session does not import runtime/mod.ts",
      "src/session.ts",
      `import { dial } from "./runtime/mod.ts";`,
      "may not import",
    ],
    [
      "a session imports only types from runtime/conn.ts",
      "src/session.ts",
      `import { prepend } from "./runtime/conn.ts";`,
      "(value)",
    ],
    [
      "an inline type is an import of the module",
      "src/session.ts",
      `import { type Conn } from "./runtime/conn.ts";`,
      "(value)",
    ],
    [
      "a session does not import the server",
      "src/session.ts",
      `import type { Server } from "./server.ts";`,
      "may not import",
    ],
    [
      "the client does not import the server",
      "src/client.ts",
      `import { x } from "./server.ts";`,
      "may not import",
    ],
    [
      "the server does not import the client",
      "src/server.ts",
      `import { x } from "./client.ts";`,
      "may not import",
    ],
    [
      "the server does not import the command line",
      "src/server.ts",
      `import { x } from "./cli/text.ts";`,
      "may not import",
    ],
    [
      "the command line imports only entry points",
      "src/cli/client.ts",
      `import { x } from "../client.ts";`,
      "may not import",
    ],
    ["a re-export is an import", "src/client.ts", `export * from "./server.ts";`, "may not import"],
    [
      "an import for its effects is one",
      "src/client.ts",
      `import "./server.ts";`,
      "may not import",
    ],
    [
      "an import may span lines",
      "src/client.ts",
      `import {\n  x,\n  y,\n} from "./server.ts";`,
      "may not import",
    ],
    [
      "an example imports only entry points",
      "examples/echo.ts",
      `import { x } from "../src/server.ts";`,
      "may not import",
    ],
    ["every file has its part", "src/extra.ts", "", "belongs to no part"],
    [
      "the protocol does not know the handshake",
      "src/core/frame.ts",
      `import { x } from "./handshake.ts";`,
      "protocol.ts knows src/core/handshake.ts",
    ],
    [
      "the handshake does not know the protocol",
      "src/core/http.ts",
      `import type { P } from "./protocol.ts";`,
      "handshake.ts knows src/core/protocol.ts",
    ],
    [
      "there are no cycles",
      "src/core/frame.ts",
      `import { x } from "./protocol.ts";`,
      "Cycle: src/core/protocol.ts → src/core/frame.ts → src/core/protocol.ts",
    ],
    [
      "types make no cycles",
      "src/core/frame.ts",
      `import type { P } from "./protocol.ts";`,
      "Cycle:",
    ],
    ["core tells no time", "src/core/frame.ts", "const now = Date.now();", "uses Date"],
    ["core measures no time", "src/core/frame.ts", "performance.now();", "uses performance"],
    ["core starts no timers", "src/core/frame.ts", "setTimeout(f, 1);", "uses setTimeout"],
    ["core throws no dice", "src/core/frame.ts", "Math.random();", "uses Math.random"],
    [
      "core has no random bytes",
      "src/core/frame.ts",
      "crypto.getRandomValues(key);",
      "uses crypto",
    ],
    [
      "not even in the handshake",
      "src/core/handshake.ts",
      "crypto.getRandomValues(key);",
      "uses crypto",
    ],
    [
      "core hashes only in the handshake",
      "src/core/frame.ts",
      "crypto.subtle.digest(a, b);",
      "uses crypto",
    ],
    ["core logs nothing", "src/core/frame.ts", "console.log(1);", "uses console"],
    ["core does not know Deno", "src/core/frame.ts", "Deno.exit();", "uses Deno"],
    ["core does not know Bun", "src/core/frame.ts", "Bun.gc();", "uses Bun"],
    ["core does not know Node", "src/core/frame.ts", "process.exit();", "uses process"],
    ["core finds globals in templates, too", "src/core/frame.ts", "`${Date.now()}`;", "uses Date"],
    [
      "the server does not detect Deno by name",
      "src/server.ts",
      `if ("Deno" in globalThis) f();`,
      "names Deno",
    ],
    ["the server does not detect Bun", "src/server.ts", "if (globalThis.Bun) f();", "names Bun"],
    ["a session does not detect Node", "src/session.ts", "process.versions.node;", "names process"],
    [
      "an adapter does not detect another runtime",
      "src/runtime/deno.ts",
      "typeof Bun;",
      "names Bun",
    ],
  ];

describe("checkArchitecture()", () => {
  test("finds nothing in a project that keeps the rules", () => {
    assertEquals(checkArchitecture(SOUND), []);
  });

  for (const [rule, file, code, says] of VIOLATIONS) {
    test(`notices: ${rule}`, () => {
      const text = `${SOUND.get(file) ?? ""}\n${code}`;
      const problems = checkArchitecture(new Map([...SOUND, [file, text]]));
      assert(problems.length > 0, "nothing was found");
      assertStringIncludes(problems.join("\n"), says);
    });
  }
});

describe("the project", () => {
  const sources: Sources = new Map([
    readSource("mod.ts"),
    ...existsSync(`${ROOT}cli.ts`) ? [readSource("cli.ts")] : [],
    ...readSources("src/"),
    ...readSources("examples/"),
  ]);

  test("keeps the import directions of the design", () => {
    assertEquals(checkArchitecture(sources), []);
  });

  test("is read whole: every local import leads to a file", () => {
    const missing = [...sources].flatMap(([file, source]) =>
      scan(source).imports.filter(({ specifier }) => specifier.startsWith("."))
        .map(({ specifier }) => new URL(specifier, `file:///${file}`).pathname.slice(1))
        .filter((path) => !sources.has(path))
    );
    assertEquals(missing, []);
    assert(sources.size > 20, `only ${sources.size} files were found`);
  });

  test("has neither package.json nor tsconfig.json at its root, where they would steer Deno", () => {
    assert(!existsSync(`${ROOT}package.json`));
    assert(!existsSync(`${ROOT}tsconfig.json`));
  });

  test("pins the same versions for Deno as for Bun and Node", () => {
    const npm = readJson("tests/package.json").devDependencies;
    const frameworks = readJson("examples/frameworks/package.json");
    const packages = { ...frameworks.devDependencies, ...frameworks.dependencies, ...npm };
    const pinned = Object.values<string>(readJson("deno.json").imports)
      .flatMap((url) => url.match(/^npm:\/?(.+)@(\d[^/]*)/)?.slice(1, 3).join(" ") ?? []);
    assert(pinned.length > 0);
    for (const one of pinned) {
      const [name, version] = one.split(" ");
      assertEquals([name, packages[name]], [name, version]);
    }
  });
});
