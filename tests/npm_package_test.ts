import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { describe, test } from "node:test";
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { dntOptions, withShebang } from "../scripts/npm/dnt_options.ts";
import { CLI, type DenoJson, packageJson } from "../scripts/npm/package_json.ts";
import { readmeProgram } from "../scripts/npm/readme.ts";
import { executable, ROOT } from "./toolchain.ts";

const deno: DenoJson = JSON.parse(readFileSync(`${ROOT}deno.json`, "utf8"));

describe("packageJson()", () => {
  const made = packageJson(deno, "./esm/");

  test("says what deno.json says", () => {
    const { name, version, description, license } = made;
    assertEquals(
      { name, version, description, license },
      {
        name: deno.name,
        version: deno.version,
        description: deno.description,
        license: deno.license,
      },
    );
    for (const one of [name, version, description, license]) assertEquals(typeof one, "string");
  });

  test("has the exports of deno.json, types first", () => {
    assertEquals(Object.keys(made.exports), Object.keys(deno.exports));
    for (const [name, source] of Object.entries(deno.exports)) {
      const path = `./esm/${source.slice("./".length, -".ts".length)}`;
      assertEquals(Object.entries(made.exports[name]), [
        ["types", `${path}.d.ts`],
        ["default", `${path}.js`],
      ]);
    }
    assertEquals([made.main, made.types], ["./esm/mod.js", "./esm/mod.d.ts"]);
  });

  test("makes the command line a program, the only module with effects", () => {
    assertEquals(made.bin, { twoway: "./esm/cli.js" });
    assertEquals(made.sideEffects, ["./esm/cli.js"]);
    assertEquals(packageJson(deno, "./").bin, { twoway: "./cli.js" });
  });

  test("is of modules without dependencies, for the versions that are tested", () => {
    assertEquals([made.type, made.engines.node], ["module", ">=20"]);
    assertEquals(Object.keys(made).filter((key) => key.endsWith("ependencies")), []);
  });

  test("cannot be made without the entry points that it names", () => {
    assertThrows(() => packageJson({ ...deno, exports: { ".": "./mod.ts" } }, "./"), Error, CLI);
    assertThrows(() => packageJson({ ...deno, exports: { [CLI]: "./cli.ts" } }, "./"), Error, ".");
  });
});

describe("dntOptions()", () => {
  const options = dntOptions(deno, "24.0.0");

  test("have an entry point for each export of deno.json", () => {
    assertEquals(
      options.entryPoints,
      Object.entries(deno.exports).map(([name, path]) => ({ name, path })),
    );
  });

  test("have the package.json for the folder of dnt's modules, and need types to check with", () => {
    const { devDependencies, ...rest } = options.package;
    assertEquals(rest, packageJson(deno, "./esm/"));
    assertEquals(devDependencies, { "@types/node": "24.0.0" });
  });

  test("make modules and types, and nothing else", () => {
    const { esModule, scriptModule, test: tests, declaration, skipSourceOutput } = options;
    assertEquals([esModule, scriptModule, tests, declaration], [true, false, false, "inline"]);
    assertEquals([skipSourceOutput, options.declarationMap, options.shims], [true, false, {}]);
  });

  test("pass over faults of dnt's own, and no others", () => {
    const reported = [2322, 2669, 7016].filter((code) => options.filterDiagnostic({ code }));
    assertEquals(reported, [2322]);
  });
});

test("withShebang() leaves one #! line, whether there were none, one or two", () => {
  for (const before of ["", "#!/usr/bin/env node\n", "#!/usr/bin/env node\n#!/bin/deno\r\n"]) {
    assertEquals(withShebang(`${before}// #!\nrun();\n`), "#!/usr/bin/env node\n// #!\nrun();\n");
  }
});

describe("readmeProgram()", () => {
  test("takes the server of the README, under its own name and on any port", () => {
    const program = readmeProgram(readFileSync(`${ROOT}README.md`, "utf8"), deno.name);
    assertMatch(program, /^import \{ serve \} from "@twoway\/websocket";.*\bport: 0\b/s);
  });

  test("needs a server that can be moved", () => {
    const page = (code: string) => `# A\n\n\`\`\`ts\n${code}\n\`\`\`\n`;
    assertThrows(() => readmeProgram("# A", deno.name), Error, "begins with no server");
    assertThrows(() => readmeProgram(page("f();"), deno.name), Error, "begins with no server");
    const server = 'import { serve } from "./x.ts";\nserve({ port: 8000 });';
    assertThrows(() => readmeProgram(page(server), deno.name), Error, "names neither");
  });
});

test("scripts/build_npm.ts says in one line that JSR is out of reach", { timeout: 30_000 }, () => {
  const args = ["run", "-A", "--no-lock", "--quiet", "--no-check", "scripts/build_npm.ts"];
  const { status, stdout, stderr } = spawnSync(executable("deno"), args, {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...process.env, JSR_URL: "http://127.0.0.1:9/", NO_COLOR: "1" },
    timeout: 20_000,
  });
  assertEquals([status, stdout], [1, ""]);
  assertMatch(stderr, /^Cannot load jsr:@deno\/dnt@[\d.]+: .+\n$/);
});
