/**
 * The public symbols of the package and the examples in their doc comments, as `deno doc` finds
 * them: there is no list to be kept.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { executable, ROOT } from "../toolchain.ts";
import { run } from "./run.ts";

/** The package's name, by which examples import it. */
export const PACKAGE = "@twoway/websocket";

/** A code block of a doc comment. */
export interface Example {
  /** What it belongs to, such as `Server.broadcast`, or an entry point's module comment. */
  readonly name: string;
  /** How to import what it belongs to, such as `@twoway/websocket/core`: the first way. */
  readonly specifier: string;
  /** Where the comment stands: a path below the root, and a line. */
  readonly place: string;
  readonly code: string;
}

/** Something that an entry point exports. */
export interface PublicSymbol {
  readonly name: string;
  readonly place: string;
  /** How to import it: all ways. */
  readonly specifiers: readonly string[];
  /** Those in its own comment, not in those of its members. */
  readonly examples: readonly Example[];
}

/** An entry point of deno.json's exports. */
export interface EntryPoint {
  readonly specifier: string;
  /** The code blocks of its module comment, in any language. */
  readonly blocks: readonly Block[];
  readonly symbolCount: number;
}

/** What the doc comments hold. */
export interface Docs {
  readonly entryPoints: readonly EntryPoint[];
  readonly symbols: readonly PublicSymbol[];
  /** The `ts` blocks of symbols, of their members and of modules: the same comment's only once. */
  readonly examples: readonly Example[];
  /** Code blocks in no language, or in one that nobody runs. */
  readonly foreignBlocks: readonly string[];
}

/** A fenced code block. */
export interface Block {
  readonly language: string;
  readonly code: string;
}

/** Of what `deno doc --json` prints, what is read here. */
interface DocOutput {
  readonly nodes: Readonly<
    Record<string, {
      readonly module_doc?: Comment;
      readonly symbols: readonly {
        readonly name: string;
        readonly declarations: readonly Declaration[];
      }[];
    }>
  >;
}
interface Comment {
  readonly doc?: string;
  readonly tags?: readonly { readonly kind: string; readonly doc?: string }[];
}
interface Location {
  readonly filename: string;
  readonly line: number;
}
interface Declaration {
  readonly location: Location;
  readonly jsDoc?: Comment;
  readonly kind: string;
  readonly def?: { readonly target?: Location };
}

/** Every path by which the package can be imported, and the file behind it. */
export function readEntryPoints(): Map<string, string> {
  const { exports } = JSON.parse(readFileSync(`${ROOT}deno.json`, "utf8"));
  return new Map(
    Object.entries<string>(exports).map(([path, file]) => [PACKAGE + path.slice(1), file.slice(2)]),
  );
}

/** Reads the doc comments of all entry points. */
export async function readDocs(): Promise<Docs> {
  const files = readEntryPoints();
  const { status, stdout, stderr } = await run(
    executable("deno"),
    ["doc", "--json", ...files.values()],
    ROOT,
  );
  if (status !== 0) throw new Error(`deno doc failed (${status}): ${stderr}`);
  return new DocsReader(files).read(JSON.parse(stdout));
}

/** A symbol that is being put together from its declarations. */
interface Draft {
  readonly name: string;
  readonly place: string;
  readonly specifiers: Set<string>;
  readonly declarations: Declaration[];
}

class DocsReader {
  readonly #files: ReadonlyMap<string, string>;
  readonly #examples: Example[] = [];
  readonly #foreignBlocks: string[] = [];

  constructor(files: ReadonlyMap<string, string>) {
    this.#files = files;
  }

  read({ nodes }: DocOutput): Docs {
    const entryPoints: EntryPoint[] = [];
    const drafts = new Map<string, Draft>();
    for (const [specifier, file] of this.#files) {
      const module = nodes[pathToFileURL(ROOT + file).href];
      if (module === undefined) throw new Error(`deno doc says nothing of ${file}`);
      const owner = { name: `module ${specifier}`, specifier, place: `${file}:1` };
      const blocks = this.#readComment(module.module_doc, owner).blocks;
      entryPoints.push({ specifier, blocks, symbolCount: module.symbols.length });
      for (const { name, declarations } of module.symbols) {
        for (const declaration of declarations) collect(drafts, name, specifier, declaration);
      }
    }
    const symbols = [...drafts.values()].map((draft) => this.#readSymbol(draft));
    return {
      entryPoints,
      symbols,
      examples: this.#examples,
      foreignBlocks: this.#foreignBlocks,
    };
  }

  #readSymbol({ name, place, specifiers, declarations }: Draft): PublicSymbol {
    const [specifier] = specifiers;
    const examples: Example[] = [];
    for (const { jsDoc, def } of declarations) {
      examples.push(...this.#readComment(jsDoc, { name, specifier, place }).examples);
      this.#readMembers(def, { name, specifier, place });
    }
    return { name, place, specifiers: [...specifiers], examples };
  }

  /** Methods, properties, constructors, call signatures: whatever has a comment of its own. */
  #readMembers(def: object | undefined, owner: Omit<Example, "code">): void {
    for (const members of Object.values(def ?? {})) {
      if (!Array.isArray(members)) continue;
      for (const member of members) {
        const name = `${owner.name}.${member?.name ?? "new"}`;
        this.#readComment(member?.jsDoc, { ...owner, name });
      }
    }
  }

  #readComment(
    comment: Comment | undefined,
    owner: Omit<Example, "code">,
  ): { blocks: Block[]; examples: Example[] } {
    const texts = [comment?.doc, ...(comment?.tags ?? []).map(({ doc }) => doc)];
    const blocks = texts.flatMap((text) => readBlocks(text ?? ""));
    const examples: Example[] = [];
    for (const { language, code } of blocks) {
      if (language === "ts") examples.push({ ...owner, code });
      else if (language !== "sh") this.#foreignBlocks.push(`${owner.name} (${owner.place})`);
    }
    this.#examples.push(...examples);
    return { blocks, examples };
  }
}

/** What is exported by several entry points is one symbol, known by its declaration. */
function collect(
  drafts: Map<string, Draft>,
  name: string,
  specifier: string,
  declaration: Declaration,
): void {
  const { filename, line } = declaration.def?.target ?? declaration.location;
  const file = filename.slice(pathToFileURL(ROOT).href.length);
  // A value and a type may share their name; both stand in the same file.
  const key = `${file} ${name}`;
  let draft = drafts.get(key);
  if (draft === undefined) {
    draft = { name, place: `${file}:${line}`, specifiers: new Set(), declarations: [] };
    drafts.set(key, draft);
  }
  draft.specifiers.add(specifier);
  if (declaration.kind !== "reference") draft.declarations.push(declaration);
}

/** How many `ts` blocks the comments of each file have, whether `deno doc` reads them or not. */
export function countBlocks(): Map<string, number> {
  const inSrc = readdirSync(`${ROOT}src`, { recursive: true })
    .map((path) => `src/${String(path).replaceAll("\\", "/")}`);
  const counts = new Map<string, number>();
  for (const file of ["mod.ts", "cli.ts", ...inSrc]) {
    if (!file.endsWith(".ts")) continue;
    const { length } = readFileSync(ROOT + file, "utf8").match(/^ *\* ```ts$/gm) ?? [];
    if (length > 0) counts.set(file, length);
  }
  return counts;
}

/** The fenced code blocks of a Markdown text. */
export function readBlocks(markdown: string): Block[] {
  return Array.from(
    markdown.matchAll(/^```([^\n]*)\n(.*?)^```$/gms),
    ([, language, code]) => ({ language, code }),
  );
}

/** What a module imports by name: names and where they come from. */
export function readImports(code: string): { names: string[]; specifier: string }[] {
  return Array.from(
    code.matchAll(/^import\s+(?:type\s+)?(.+?)\s+from\s+"([^"]+)";$/gms),
    ([, clause, specifier]) => ({ names: clause.match(/\b(?!type\b)\w+/g) ?? [], specifier }),
  );
}
