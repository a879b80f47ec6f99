/**
 * Section 1 of the catalogue on a server of `node:http`, whose parser is not ours: which rows it does
 * not honour, and what comes instead, on each runtime. `docs/node-http.md` has the same list.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import http from "node:http";
import { describe, test } from "node:test";
import { attach } from "../../src/node.ts";
import { runtimeName } from "../../src/runtime/mod.ts";
import { REQUEST_VECTORS, type RequestVector } from "../core/request_vectors.ts";
import { ROOT } from "../toolchain.ts";
import { ByteClient, withHttp } from "./http_server.ts";

/** A status, or what is said in place of one where there is no answer. */
type Outcome = number | "closed" | "silence";

/** In the order of {@linkcode RUNTIME_ORDER}. */
type Row = readonly [name: string, deno: Outcome, bun: Outcome, node: Outcome];

const RUNTIME_ORDER = ["deno", "bun", "node"] as const;

/** What an ordinary request gets. */
const PAGE = 299;

const DIFFERENT: readonly Row[] = [
  ["H-2 two empty lines before it", 101, 101, 101],
  ["H-3 two spaces", 101, 400, 101],
  ["H-3 two spaces before the target", 101, 400, 101],
  ["H-3 two spaces before the version", 101, 400, 101],
  ["H-31 CONNECT", "closed", "closed", "closed"],
  ["H-33 get", 400, 400, 400],
  ["H-34 HTTP/1.2", 400, 400, 400],
  ["H-34 HTTP/2.0", 505, 400, 505],
  ["H-40 Connection: notupgrade", PAGE, PAGE, PAGE],
  ["H-40 no Connection", PAGE, PAGE, PAGE],
  ["H-40 Connection: Upgrade-Insecure", PAGE, PAGE, PAGE],
  ["H-40 Connection: close", PAGE, PAGE, PAGE],
  ["H-40 no Upgrade", PAGE, PAGE, PAGE],
  ["H-42 Upgrade: websocket/13", PAGE, PAGE, PAGE],
  ["H-42 Upgrade: xwebsocket", PAGE, PAGE, PAGE],
  ["H-51 a first line of 20 kB", 431, 431, 431],
  ["H-51 a first line that does not end", 400, 431, 400],
  ["H-80 the preface of HTTP/2", 400, 400, 400],
  ["H-80 the first line of HTTP/2's preface", "silence", "silence", "silence"],
];

/** Longer than any answer takes. */
const SILENCE = 1000;

async function play(server: http.Server, { request }: RequestVector): Promise<Outcome> {
  const client = await ByteClient.connect(server);
  void client.send(request);
  let timer!: ReturnType<typeof setTimeout>;
  const silence = new Promise<"silence">((resolve) => {
    timer = setTimeout(resolve, SILENCE, "silence");
  });
  const answer = await Promise.race([client.until("\r\n\r\n"), silence]);
  clearTimeout(timer);
  client.socket.destroy();
  if (answer === "silence") return answer;
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1];
  return status === undefined ? "closed" : Number(status);
}

describe("a server of node:http with attach()", () => {
  test("answers as serve() does, but for the rows listed", { timeout: 60_000 }, async () => {
    const server = http.createServer((request, response) => {
      response.statusCode = request.url === "/alive" ? 200 : PAGE;
      response.end(`page ${request.url}`);
    });
    const different = new Map(
      DIFFERENT.map(([name, ...outcomes]) =>
        [name, outcomes[RUNTIME_ORDER.indexOf(runtimeName)]] as const
      ),
    );
    const wrong: unknown[] = [];
    await withHttp(async (server) => {
      const sockets = attach(server, {
        accept: ({ target }) =>
          target === "/refused" ? new Response("", { status: 404 }) : undefined,
      }, () => {});
      await Promise.all(REQUEST_VECTORS.map(async (vector) => {
        const outcome = await play(server, vector);
        const expected = different.get(vector.name) ?? vector.status;
        if (outcome !== expected) wrong.push([vector.name, expected, outcome]);
      }));
      await sockets.shutdown();
    }, server);
    assertEquals(wrong, []);
  });

  test("docs/node-http.md lists those rows", () => {
    const page = readFileSync(`${ROOT}docs/node-http.md`, "utf8").replace(/ +\|/g, " |");
    const statuses = new Map(REQUEST_VECTORS.map(({ name, status }) => [name, status]));
    for (const [name, ...outcomes] of DIFFERENT) {
      const cells = outcomes.map((outcome) => outcome === PAGE ? "page" : outcome);
      const line = `| ${[name, statuses.get(name), ...cells].join(" | ")} |`;
      assert(page.includes(`\n${line}\n`), `docs/node-http.md lacks: ${line}`);
    }
  });
});
