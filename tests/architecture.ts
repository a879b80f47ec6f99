/**
 * The directions in which the modules may import each other, checked on their source texts: in goes
 * a table of files, out come the rules broken, one line each.
 *
 * @module
 */

/** Paths below the root, as `src/core/frame.ts`, and what the files contain. */
export type Sources = ReadonlyMap<string, string>;

/** A group of files with the same rights. */
interface Part {
  /** Files, or folders ending in a slash; the longest match decides. */
  readonly files: readonly string[];
  /** The parts it may import. */
  readonly values: readonly string[];
  /** The parts of which it may import types only. */
  readonly types?: readonly string[];
  /** The parts that it may import by `import()`. */
  readonly dynamic?: readonly string[];
  /** Modules of the platform that it may import. */
  readonly builtins?: RegExp;
}

/** Who may import whom. A new file of `src` that is not below a folder named here is added here. */
const PARTS: Readonly<Record<string, Part>> = {
  core: { files: ["src/core/"], values: ["core"] },

  conn: {
    files: ["src/runtime/conn.ts", "src/runtime/bytes.ts", "src/runtime/http2_client.ts"],
    values: ["conn"],
  },
  transport: { files: ["src/runtime/"], values: ["conn", "transport"] },
  nodePeer: {
    files: ["src/runtime/node_peer.ts"],
    values: ["conn"],
    builtins: /^node:(?:net|tls)$/,
  },
  http2Stream: {
    files: ["src/runtime/http2_stream.ts", "src/runtime/deno_http2.ts"],
    values: ["conn", "transport", "nodePeer", "http2Stream"],
    builtins: /^node:http2$/,
  },
  http2: {
    files: ["src/runtime/http2.ts"],
    values: ["conn", "transport", "nodePeer", "http2Stream"],
    builtins: /^node:http2$/,
  },
  codec: { files: ["src/runtime/deflate.ts"], values: [] },
  zlib: {
    files: [
      "src/runtime/zlib.ts",
      "src/runtime/zlib_handle.ts",
      "src/runtime/zlib_stream.ts",
      "src/runtime/zlib_sync.ts",
    ],
    values: ["conn", "codec", "zlib"],
    builtins: /^node:zlib$/,
  },
  names: {
    files: ["src/runtime/names.ts"],
    values: ["conn", "transport"],
    builtins: /^node:dns$/,
  },
  adapters: {
    files: [
      "src/runtime/deno.ts",
      "src/runtime/deno_socket.ts",
      "src/runtime/bun.ts",
      "src/runtime/bun_dialling.ts",
      "src/runtime/bun_socket.ts",
    ],
    values: ["conn", "transport", "adapters"],
  },
  nodeAdapter: {
    files: [
      "src/runtime/node.ts",
      "src/runtime/node_socket.ts",
      "src/runtime/node_tls_server.ts",
    ],
    values: ["conn", "transport", "maps", "nodePeer", "nodeAdapter"],
    builtins: /^node:(?!zlib$|http2$)/,
  },
  runtime: {
    files: ["src/runtime/mod.ts"],
    values: [],
    types: ["conn"],
    dynamic: ["adapters", "nodeAdapter", "names", "http2"],
  },

  maps: { files: ["src/churn_map.ts"], values: [] },
  table: { files: ["src/session_table.ts"], values: ["maps"] },
  lists: { files: ["src/linked_list.ts"], values: [] },
  clock: { files: ["src/clock.ts"], values: ["lists", "maps", "runtime"] },
  tuning: {
    files: ["src/tuning.ts"],
    values: ["core", "runtime"],
    builtins: /^node:buffer$/,
  },
  base: {
    files: [
      "src/address.ts",
      "src/errors.ts",
      "src/mask_keys.ts",
      "src/options.ts",
      "src/payload.ts",
      "src/ready.ts",
      "src/request_info.ts",
    ],
    values: ["core", "clock", "base"],
    types: ["conn"],
  },
  session: {
    files: [
      "src/session.ts",
      "src/closing.ts",
      "src/compression.ts",
      "src/inbox.ts",
      "src/intake.ts",
      "src/keepalive.ts",
      "src/outbox.ts",
      "src/session_engine.ts",
      "src/session_plan.ts",
      "src/streams.ts",
      "src/turns.ts",
      "src/user_calls.ts",
    ],
    values: ["core", "clock", "tuning", "zlib", "base", "session"],
    types: ["conn", "codec", "table"],
  },
  upgrade: {
    files: [
      "src/upgrade.ts",
      "src/accept_loop.ts",
      "src/admission.ts",
      "src/cancellation.ts",
      "src/exchange.ts",
      "src/http_responder.ts",
      "src/refusal.ts",
      "src/incoming.ts",
      "src/lookahead.ts",
      "src/origin.ts",
      "src/plain_request.ts",
    ],
    values: ["core", "conn", "lists", "maps", "clock", "base", "session", "runtime", "upgrade"],
  },
  server: {
    files: ["src/server.ts", "src/serve_options.ts", "src/server_session.ts"],
    values: [
      "core",
      "conn",
      "lists",
      "table",
      "clock",
      "base",
      "session",
      "runtime",
      "upgrade",
      "server",
    ],
  },
  client: {
    files: ["src/client.ts", "src/client/", "src/reconnect.ts", "src/retry.ts"],
    values: ["core", "conn", "clock", "base", "session", "runtime", "client"],
  },
  node: {
    files: ["src/node.ts", "src/node/"],
    values: [
      "core",
      "conn",
      "clock",
      "base",
      "session",
      "upgrade",
      "server",
      "nodeAdapter",
      "http2Stream",
      "node",
    ],
    builtins: /^node:(?!zlib$)/,
  },
  testing: {
    files: ["src/testing.ts", "src/fake_clock.ts"],
    values: ["conn", "transport", "clock", "testing"],
    types: ["base", "session", "server", "client"],
  },
  web: {
    files: ["src/web/"],
    values: ["core", "clock", "base", "session", "client", "web"],
    types: ["conn"],
  },

  mod: {
    files: ["mod.ts"],
    values: ["core", "clock", "base", "session", "upgrade", "server", "client"],
    types: ["conn"],
  },
  // What users may import, too: the entry points of the package.
  cli: { files: ["cli.ts", "src/cli/"], values: ["mod", "cli"], builtins: /^node:/ },
  examples: {
    files: ["examples/"],
    values: ["mod", "node", "testing", "web", "examples"],
    builtins: /^node:/,
  },
  frameworks: {
    files: ["examples/frameworks/"],
    values: ["mod", "node", "frameworks"],
    builtins: /^(?:node:.*|express|fastify|hono|@hono\/node-server|vite)$/,
  },
};

/** Two modules that must not reach each other, over any number of imports. */
const STRANGERS = ["src/core/protocol.ts", "src/core/handshake.ts"];

/** Globals that do I/O, tell the time or throw dice: none of them in `src/core`. */
const IMPURE: readonly RegExp[] = [
  /(?<![.\w$])(?:Date|performance|Temporal)\b/,
  /(?<![.\w$])(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/,
  /(?<![.\w$])(?:process|Buffer|require|console|navigator|globalThis)\b(?!\s*[(?]?:)/,
  /(?<![.\w$])(?:fetch|WebSocket|EventSource|Worker|BroadcastChannel)\s*\(/,
  /\b(?:Deno|Bun)\b/,
  /\bMath\s*\.\s*random\b/,
  /(?<![.\w$])crypto\b/,
  /\bimport\s*\.\s*meta\b/,
];
/** The handshake hashes: that is no randomness. */
const SUBTLE = /(?<![.\w$])crypto\s*\.\s*subtle\b/g;

/** What tells the runtimes apart, and who may say it beside `src/runtime/mod.ts`. */
const DETECTION: ReadonlyArray<readonly [pattern: RegExp, allowedIn: RegExp]> = [
  [/\bDeno\b/, /^src\/runtime\/deno(?:_http2)?\.ts$/],
  [/\bBun\b/, /^src\/runtime\/bun\.ts$/],
  [/(?<![.\w$])(?:process|navigator)\b(?!\s*[(?]?:)/, /^src\/runtime\/node(?:_socket)?\.ts$/],
];

/** One import or re-export. */
interface Import {
  readonly specifier: string;
  readonly kind: "value" | "type" | "dynamic";
}

/** Every rule that the files break; empty where all is well. */
export function checkArchitecture(sources: Sources): string[] {
  const problems: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [file, source] of sources) {
    const { imports, code } = scan(source);
    problems.push(...checkImports(file, imports), ...checkGlobals(file, code));
    graph.set(file, localImports(file, imports));
  }
  return [...problems, ...findCycles(graph), ...findStrangers(graph)];
}

function checkImports(file: string, imports: readonly Import[]): string[] {
  const from = partOf(file);
  if (from === null) return [`${file} belongs to no part: add it to the table`];
  return imports.filter((one) => !isAllowed(file, PARTS[from], one))
    .map(({ specifier, kind }) => `${file} (${from}) may not import ${specifier} (${kind})`);
}

function isAllowed(file: string, part: Part, { specifier, kind }: Import): boolean {
  if (!specifier.startsWith(".")) return kind !== "dynamic" && !!part.builtins?.test(specifier);
  const to = partOf(resolve(file, specifier));
  if (to === null) return false;
  if (kind === "dynamic") return !!part.dynamic?.includes(to);
  return part.values.includes(to) || (kind === "type" && !!part.types?.includes(to));
}

function partOf(file: string): string | null {
  let found: string | null = null;
  let length = 0;
  for (const [name, { files }] of Object.entries(PARTS)) {
    for (const path of files) {
      const matches = path.endsWith("/") ? file.startsWith(path) : file === path;
      if (matches && path.length > length) [found, length] = [name, path.length];
    }
  }
  return found;
}

function resolve(file: string, specifier: string): string {
  return new URL(specifier, `file:///${file}`).pathname.slice(1);
}

function localImports(file: string, imports: readonly Import[]): string[] {
  return imports.filter(({ specifier }) => specifier.startsWith("."))
    .map(({ specifier }) => resolve(file, specifier));
}

function checkGlobals(file: string, code: string): string[] {
  const problems: string[] = [];
  if (file.startsWith("src/core/")) {
    const pure = file === "src/core/handshake.ts" ? code.replace(SUBTLE, "") : code;
    for (const pattern of IMPURE) {
      const found = pure.match(pattern);
      if (found) {
        problems.push(`${file} uses ${found[0]}: core has no I/O, no clock, no randomness`);
      }
    }
  }
  if (file.startsWith("src/") && file !== "src/runtime/mod.ts") {
    for (const [pattern, allowedIn] of DETECTION) {
      const found = allowedIn.test(file) ? null : code.match(pattern);
      if (found) {
        problems.push(`${file} names ${found[0]}: only src/runtime/mod.ts asks which it is`);
      }
    }
  }
  return problems;
}

/** Cycles of imports, those of types included. */
function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const problems: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) problems.push(`Cycle: ${[...path.slice(start), file].join(" → ")}`);
    if (start >= 0 || done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return problems;
}

function findStrangers(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const reached = (file: string, seen = new Set<string>()): Set<string> => {
    for (const next of graph.get(file) ?? []) {
      if (!seen.has(next)) reached(next, seen.add(next));
    }
    return seen;
  };
  return STRANGERS.flatMap((file) =>
    STRANGERS.filter((other) => other !== file && reached(file).has(other))
      .map((other) => `${file} knows ${other}`)
  );
}

// Comments, template literals, strings and regular expressions, in the order of their first marks.
// A slash begins an expression where a value may begin: behind an operator, a bracket or `return`.
const TOKENS =
  /\/\/.*|\/\*[\s\S]*?\*\/|`(?:\\[\s\S]|\$\{(?:[^{}`]|`[^`]*`|\{[^{}]*\})*\}|[^\\`])*`|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(?<=(?:[=(,:;!&|?{}[\n]|return|=>)\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/\w*/g;
const STATIC_IMPORT =
  /\b(?:import|export)\b(\s+type\b(?!\s*(?:,|from\b)))?\s*(?:[^"'`;()=]*?\bfrom\s*)?(["'])([^"'\n]+)\2/g;
const DYNAMIC_IMPORT = /\bimport\s*\(\s*(?:(["'])([^"'\n]+)\1)?/g;

/** The imports of a module, and its code without comments; of the texts in it only names stay. */
export function scan(source: string): { imports: Import[]; code: string } {
  const uncommented = source.replace(
    TOKENS,
    (token) => /^(?:\/|`)/.test(token) ? hollow(token) : token,
  );
  const imports: Import[] = [];
  for (const [, type, , specifier] of uncommented.matchAll(STATIC_IMPORT)) {
    imports.push({ specifier, kind: type ? "type" : "value" });
  }
  for (const [, , specifier = "(computed)"] of uncommented.matchAll(DYNAMIC_IMPORT)) {
    imports.push({ specifier, kind: "dynamic" });
  }
  // A text that is just a name may be a key: `"Deno" in globalThis`.
  const code = uncommented.replace(
    TOKENS,
    (token) => /^(["'])[A-Z]\w*\1$/.test(token) ? token : '""',
  );
  return { imports, code };
}

/** What is left of a comment, a template literal or a regular expression: the code in `${…}`. */
function hollow(token: string): string {
  if (!token.startsWith("`")) return " ";
  return [...token.matchAll(/\$\{([^{}]*)\}/g)].map(([, code]) => ` (${code}) `).join("") || '""';
}
