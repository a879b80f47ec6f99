/** The package's types, as TypeScript sees them from someone's project. @module */

import { type Check, demand } from "./checks.ts";
import { createProject, installPackage } from "./project.ts";
import { tool, type Workshop } from "./workshop.ts";

/** Options of TypeScript, one set for each check. */
interface Setting {
  readonly module: string;
  readonly moduleResolution: string;
  readonly lib: string;
  /** The major version of `@types/node`. */
  readonly types: number;
}

const MODULES = [
  { module: "node16", moduleResolution: "node16" },
  { module: "nodenext", moduleResolution: "nodenext" },
  { module: "preserve", moduleResolution: "bundler" },
];
const LIBS = ["es2022", "es2022,dom,dom.iterable,dom.asynciterable"];
const SETTINGS: readonly Setting[] = [
  ...MODULES.flatMap((modules) => LIBS.map((lib) => ({ ...modules, lib, types: 24 }))),
  ...[20, 26].flatMap((types) => LIBS.map((lib) => ({ ...MODULES[0], lib, types }))),
];

/** One version of TypeScript; nothing is passed over, not even inside the package. */
export async function typeChecks(workshop: Workshop, version: string): Promise<Check[]> {
  const folder = await createProject(workshop, version);
  const { node } = workshop;
  return [
    {
      name: `${version}: installs the tarball`,
      check: () => installPackage(workshop, node, folder),
    },
    ...SETTINGS.map((setting) => ({
      name: `${version}: types, ${describe(setting)}`,
      check: async () => {
        const typeRoots = await linkTypes(folder, setting.types);
        const { types: _, ...options } = { ...setting, typeRoots, target: "es2022" };
        await demand(node.command, [
          tool(`${version}/bin/tsc`),
          ...["--noEmit", "--strict", "--skipLibCheck", "false", "--types", "node"],
          ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
          "types.mts",
        ], { cwd: folder });
      },
    })),
  ];
}

function describe({ moduleResolution, lib, types }: Setting): string {
  return `${moduleResolution}, ${lib.includes("dom") ? "with" : "without"} DOM, Node ${types}'s`;
}

/** A folder in which `node` is one version of `@types/node`. */
async function linkTypes(folder: string, version: number): Promise<string> {
  const types = `${folder}types-${version}`;
  await Deno.mkdir(types, { recursive: true });
  try {
    await Deno.symlink(await Deno.realPath(tool(`types-node-${version}`)), `${types}/node`);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  return types;
}
