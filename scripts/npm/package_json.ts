/**
 * The `package.json` of the npm package, made from `deno.json`: a pure function, so that the package
 * by dnt and the one by `deno pack` say the same, and a test can hold them to it.
 *
 * @module
 */

/** What is read of `deno.json`. */
export interface DenoJson {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, string>>;
}

/** Where an entry point is: types first, because the first condition that fits is taken. */
export interface EntryFiles {
  readonly types: string;
  readonly default: string;
}

/** What npm, runtimes, bundlers and TypeScript are told. */
export interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly keywords: readonly string[];
  readonly license: string;
  readonly type: "module";
  readonly main: string;
  readonly types: string;
  readonly exports: Readonly<Record<string, EntryFiles>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly sideEffects: readonly string[];
  readonly engines: Readonly<Record<string, string>>;
}

/** The entry point that is also the command. */
export const CLI = "./cli";
/** What the command is called. */
export const COMMAND = "twoway";
/** The files beside the modules that the package shows. npm looks for them in its root. */
export const DOCUMENTS = ["README.md", "CHANGELOG.md", "LICENSE"] as const;

/** The `package.json` for modules that were compiled into `folder`, as `./` or `./esm/`. */
export function packageJson(deno: DenoJson, folder: `./${string}`): PackageJson {
  const files = (source: string): EntryFiles => {
    const path = folder + source.replace(/^\.\//, "").replace(/\.ts$/, "");
    return { types: `${path}.d.ts`, default: `${path}.js` };
  };
  const exports = Object.fromEntries(
    Object.entries(deno.exports).map(([name, source]) => [name, files(source)]),
  );
  const { ".": main, [CLI]: cli } = exports;
  if (!main || !cli) throw new Error(`deno.json exports no ${main ? CLI : "."}`);
  return {
    name: deno.name,
    version: deno.version,
    description: deno.description,
    keywords: ["websocket", "rfc6455", "permessage-deflate", "server", "client", "deno", "bun"],
    license: deno.license,
    type: "module",
    main: main.default,
    types: main.types,
    exports,
    bin: { [COMMAND]: cli.default },
    // A bundler may leave out every module whose exports nobody uses, but the one that runs.
    sideEffects: [cli.default],
    engines: { node: ">=20", bun: ">=1.4" },
  };
}
