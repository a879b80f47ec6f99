/**
 * Where the npm package is tested: a folder that is removed afterwards, with the tarball in it, and
 * the tools and runtimes that `tests/package` pins.
 *
 * @module
 */

import { executable, ROOT, runtimesFolder } from "../../tests/toolchain.ts";
import { install, installToolchain } from "../toolchain.ts";
import { demand } from "./checks.ts";
import { type DenoJson, packageJson } from "./package_json.ts";

/** A runtime that the package is tested on. */
export interface Engine {
  readonly kind: "node" | "bun";
  /** As `Node 20.20.2`. */
  readonly name: string;
  readonly command: string;
  /** The environment of its programs: it is found first, and no registry is. */
  readonly env: Readonly<Record<string, string>>;
}

/** What the checks work with. */
export interface Workshop {
  /** Ends with a slash. */
  readonly folder: string;
  readonly deno: DenoJson;
  readonly tarball: string;
  /** From old to new. */
  readonly nodes: readonly Engine[];
  readonly bun: Engine;
  /** The Node that tools run on: the one of the tests. */
  readonly node: Engine;
}

/** The versions of Node that the package is for. */
const NODES = [20, 22, 24, 26];
/** Nobody listens there: what looks for a registry all the same fails at once. */
const NO_REGISTRY = "http://127.0.0.1:9/";
const HOME = `${ROOT}tests/package/`;

/** The path of a file of a package of `tests/package`. */
export function tool(path: string): string {
  return `${HOME}node_modules/${path}`;
}

/** Installs the tools, packs the sources, and runs `use` with both; then all is removed. */
export async function withWorkshop<T>(use: (workshop: Workshop) => Promise<T>): Promise<T> {
  await installToolchain();
  await install(HOME);
  const folder = `${await Deno.realPath(await Deno.makeTempDir())}/`;
  try {
    const node = await findEngine("node", executable("node"), folder);
    const bun = await findEngine("bun", executable("bun"), folder);
    const nodes = [...await otherNodes(folder), node]
      .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
    const deno: DenoJson = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
    const tarball = await pack(folder, deno, node);
    return await use({ folder, deno, tarball, nodes, bun, node });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What was asked for, and is not there on this machine. */
export function missingNodes({ nodes }: Workshop): string[] {
  return NODES.map((version) => `Node ${version}`)
    .filter((name) => !nodes.some((node) => node.name.startsWith(`${name}.`)));
}

/** The versions of Node beside that of the tests, for platforms that have a folder of them. */
async function otherNodes(folder: string): Promise<Engine[]> {
  const home = runtimesFolder().replace("/runtimes/", "/package/");
  try {
    await Deno.stat(home);
  } catch {
    return [];
  }
  await install(home);
  const { dependencies } = JSON.parse(await Deno.readTextFile(`${home}package.json`));
  return await Promise.all(
    Object.keys(dependencies).map((name) =>
      findEngine("node", `${home}node_modules/${name}/bin/node`, folder)
    ),
  );
}

async function findEngine(kind: "node" | "bun", command: string, folder: string): Promise<Engine> {
  const version = (await demand(command, ["--version"], {})).trim().replace(/^v/, "");
  const separator = Deno.build.os === "windows" ? ";" : ":";
  const env = {
    PATH: command.replace(/[^/\\]+$/, "") + separator + Deno.env.get("PATH"),
    npm_config_cache: `${folder}npm-cache`,
    npm_config_userconfig: `${folder}npmrc`,
    npm_config_registry: NO_REGISTRY,
    npm_config_offline: "true",
    npm_config_update_notifier: "false",
    BUN_INSTALL_CACHE_DIR: `${folder}bun-cache`,
  };
  return { kind, name: `${kind === "bun" ? "Bun" : "Node"} ${version}`, command, env };
}

/** What `deno pack` makes of the sources, with the `package.json` that dnt is given, as a tarball. */
async function pack(folder: string, deno: DenoJson, node: Engine): Promise<string> {
  const cwd = folder;
  const raw = `${folder}raw.tgz`;
  const flags = ["--allow-dirty", "--no-source-maps", "--output", raw];
  await demand(Deno.execPath(), ["pack", ...flags], {});
  await demand("tar", ["-xzf", raw], { cwd });
  const made = packageJson(deno, "./");
  await Deno.writeTextFile(`${folder}package/package.json`, JSON.stringify(made, null, 2));
  for (const { types } of Object.values(made.exports)) {
    await markModule(`${folder}package/${types}`);
  }
  const npm = [tool("npm/bin/npm-cli.js"), "pack", "./package", "--json"];
  const [{ filename }] = JSON.parse(await demand(node.command, npm, { cwd, env: node.env }));
  return `${folder}${filename}`;
}

/** `deno pack` leaves out `export {}`, which dnt writes, and without which a file is no module. */
async function markModule(path: string): Promise<void> {
  const text = await Deno.readTextFile(path);
  if (!/^export\b/m.test(text.replace(/\/\*[\s\S]*?\*\//g, ""))) {
    await Deno.writeTextFile(path, `${text}\nexport {};\n`);
  }
}
