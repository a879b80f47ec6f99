/** The package through bundlers: what they make of it must run. @module */

import { type Check, demand } from "./checks.ts";
import { fixtureOf } from "./engine_checks.ts";
import { createProject, installPackage, runProgram } from "./project.ts";
import { tool, type Workshop } from "./workshop.ts";

/** Entry points that a server or a client on Node may bundle. */
const FOR_NODE = [".", "./web", "./testing"].map(fixtureOf);
/** The one that is for browsers, too. */
const FOR_BROWSERS = fixtureOf("./core");

/** A bundler, and its arguments to bundle a program into a folder. */
interface Bundler {
  readonly name: string;
  readonly forNode: (program: string, folder: string) => readonly string[];
  /** For the program that its configuration names. */
  readonly forBrowsers: (program: string, folder: string) => readonly string[];
}

const ESBUILD = [tool("esbuild/bin/esbuild"), "--bundle", "--minify", "--format=esm"];
const VITE = [tool("vite/bin/vite.js"), "build", "--config=vite.config.js"];
const BUNDLERS: readonly Bundler[] = [
  {
    name: "esbuild",
    forNode: (program, folder) => [...ESBUILD, "--platform=node", `--outdir=${folder}`, program],
    forBrowsers: (program, folder) => [
      ...ESBUILD,
      ...["--platform=browser", `--outdir=${folder}`, program],
    ],
  },
  {
    name: "vite",
    forNode: (program, folder) => [...VITE, `--outDir=${folder}`, "--ssr", program],
    forBrowsers: (_, folder) => [...VITE, `--outDir=${folder}`, "--mode=web"],
  },
];

/** Bundles by each bundler; what they make runs on the Node of the tests, and on Bun. */
export async function bundleChecks(workshop: Workshop): Promise<Check[]> {
  const { node } = workshop;
  const project = await createProject(workshop, "bundles");
  // From there, the package that is installed in the project cannot be found.
  const out = `${workshop.folder}out/`;
  await Deno.mkdir(out);
  await Deno.writeTextFile(`${out}package.json`, `{ "type": "module" }`);
  const bundle = (args: readonly string[]) => demand(node.command, args, { cwd: project });
  return [
    { name: "bundles: installs the tarball", check: () => installPackage(workshop, node, project) },
    ...BUNDLERS.flatMap(({ name, forNode, forBrowsers }) => [
      ...FOR_NODE.flatMap((program) => {
        const folder = `${out}${name}/node/${program}/`;
        return [
          {
            name: `${name}: bundles ${program}`,
            check: async () => void await bundle(forNode(program, folder)),
          },
          ...runs(workshop, folder, program, name),
        ];
      }),
      {
        name: `${name}: bundles ${FOR_BROWSERS} for browsers`,
        check: async () => {
          const folder = `${out}${name}/web/`;
          await bundle(forBrowsers(FOR_BROWSERS, folder));
          const text = await Deno.readTextFile(folder + FOR_BROWSERS);
          const builtin = /["']node:\w+["']/.exec(text);
          if (builtin) throw new Error(`${builtin[0]} is no module of browsers`);
        },
      },
      ...runs(workshop, `${out}${name}/web/`, FOR_BROWSERS, name),
    ]),
  ];
}

function runs({ node, bun }: Workshop, folder: string, program: string, bundler: string): Check[] {
  return [node, bun].map((engine) => ({
    name: `${engine.name}: runs ${program} as bundled by ${bundler}`,
    check: () => runProgram(engine, folder, [program]),
  }));
}
