/** What dnt is told to make of the sources. Pure, so that a test can read it. @module */

import { type DenoJson, type PackageJson, packageJson } from "./package_json.ts";

/** The folder of the package. */
const OUT_DIR = "npm";
/** The folder in it that dnt puts modules into, those without `require()`. */
const MODULES = "./esm/";

/** 7016: modules without types. 2669: a fault in dnt's own polyfills. Neither is of our sources. */
const IGNORED_DIAGNOSTICS: readonly number[] = [7016, 2669];

/** The options of dnt's `build()` that are used, but for `postBuild`, which does something. */
export interface DntOptions {
  readonly entryPoints: ReadonlyArray<{ readonly name: string; readonly path: string }>;
  readonly outDir: string;
  readonly shims: object;
  readonly test: boolean;
  readonly typeCheck: "single";
  readonly declaration: "inline";
  readonly declarationMap: boolean;
  readonly esModule: boolean;
  readonly scriptModule: boolean;
  readonly skipSourceOutput: boolean;
  readonly compilerOptions: { readonly target: string; readonly lib: readonly string[] };
  readonly package: PackageJson & { readonly devDependencies: Readonly<Record<string, string>> };
  filterDiagnostic(diagnostic: { readonly code: number }): boolean;
}

/** What dnt is told; `typesNode` is the version of `@types/node` that it checks with. */
export function dntOptions(deno: DenoJson, typesNode: string): DntOptions {
  return {
    entryPoints: Object.entries(deno.exports).map(([name, path]) => ({ name, path })),
    outDir: OUT_DIR,
    shims: {},
    test: false,
    typeCheck: "single",
    declaration: "inline",
    declarationMap: false,
    esModule: true,
    scriptModule: false,
    skipSourceOutput: true,
    compilerOptions: {
      target: "ES2022",
      lib: ["ESNext", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
    },
    package: { ...packageJson(deno, MODULES), devDependencies: { "@types/node": typesNode } },
    filterDiagnostic: ({ code }) => !IGNORED_DIAGNOSTICS.includes(code),
  };
}

/** A program's text with exactly one `#!` line, whatever the compiler did with the one it had. */
export function withShebang(program: string): string {
  return "#!/usr/bin/env node\n" + program.replace(/^(?:#!.*\r?\n)+/, "");
}
