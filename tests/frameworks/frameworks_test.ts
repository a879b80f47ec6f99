/** The examples with frameworks: pages and WebSockets on one port, on each runtime. @module */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { utimesSync } from "node:fs";
import { describe, test } from "node:test";
import { WebSocket } from "ws";
import { connect, HandshakeError } from "../../mod.ts";
import { type Program, startProgram } from "../programs.ts";
import { ROOT, runtimeCommand, type RuntimeName, RUNTIMES } from "../toolchain.ts";

/** Starting three runtimes with a framework each takes a while on a busy machine. */
const OPTIONS = { timeout: 60_000 };

function start(runtime: RuntimeName, framework: string): Promise<Program> {
  const script = `examples/frameworks/${framework}.ts`;
  const { command, args } = runtimeCommand(runtime, script, ["0"]);
  return startProgram(command, args);
}

/** The URL of a WebSocket. */
function socketUrl({ url }: Program, path: string): string {
  return url.replace("http:", "ws:") + path;
}

/** One hears what the other says: ours, and npm's `ws`. */
async function talk(program: Program): Promise<void> {
  const ours = await connect(socketUrl(program, "chat"));
  const theirs = new WebSocket(socketUrl(program, "chat"));
  const heard: string[] = [];
  const heardAll = new Promise<void>((resolve, reject) => {
    theirs.on("error", reject);
    theirs.on("message", (data) => heard.push(`${data}`) === 2 && resolve());
  });
  await new Promise((resolve, reject) => theirs.on("open", resolve).on("error", reject));
  await ours.send("from ours");
  assertEquals(await ours.receive(), "from ours");
  theirs.send("from theirs");
  assertEquals(await ours.receive(), "from theirs");
  await heardAll;
  assertEquals(heard, ["from ours", "from theirs"]);
  const closed = new Promise((resolve) => theirs.on("close", resolve));
  theirs.close(4000);
  assertEquals(await closed, 4000);
  assertEquals((await ours.close()).wasClean, true);
}

/** Status and body of a refused handshake. */
async function refusal(
  program: Program,
  path: string,
  headers: Record<string, string> = {},
): Promise<[number | undefined, string]> {
  const connecting = connect(socketUrl(program, path), { headers });
  const error = await assertRejects(() => connecting, HandshakeError);
  return [error.status, new TextDecoder().decode(error.body)];
}

async function pageOf(program: Program, path: string): Promise<[number, string]> {
  const response = await fetch(program.url + path);
  return [response.status, await response.text()];
}

for (const runtime of RUNTIMES) {
  for (
    const [framework, name] of [["express", "Express"], ["fastify", "Fastify"], ["hono", "Hono"]]
  ) {
    describe(`examples/frameworks/${framework}.ts on ${runtime}`, () => {
      test("serves pages and WebSockets on one port, and renders refusals", OPTIONS, async () => {
        const program = await start(runtime, framework);
        try {
          const [status, text] = await pageOf(program, "");
          assertEquals(status, 200);
          assertStringIncludes(text, "<title>Chat</title>");
          assertEquals(await pageOf(program, "x"), [404, `${name} has nothing at /x\n`]);
          await talk(program);
          assertEquals(await refusal(program, "x"), [404, `${name} has nothing at /x\n`]);
          const evil = { origin: "http://evil.example" };
          assertEquals(await refusal(program, "chat", evil), [
            404,
            `${name} has nothing at /chat\n`,
          ]);
          await talk(program);
        } finally {
          const last = await connect(socketUrl(program, "chat"));
          const end = last.receive();
          assertEquals(await program.stop(), 0);
          assertEquals([await end, (await last.closed).code], [null, 1001]);
        }
      });
    });
  }

  describe(`examples/frameworks/vite.ts on ${runtime}`, () => {
    test("serves pages and WebSockets on one port, beside Vite's own socket", OPTIONS, async () => {
      const program = await start(runtime, "vite");
      try {
        const [status, text] = await pageOf(program, "");
        assertEquals(status, 200);
        assertStringIncludes(text, "/@vite/client");
        assertEquals((await pageOf(program, "main.js"))[0], 200);
        await talk(program);
        const [, client] = await pageOf(program, "@vite/client");
        const token = /wsToken = "([^"]+)"/.exec(client)?.[1];
        assert(token !== undefined, "Vite's client has no token");
        const reloading = await connect(socketUrl(program, `?token=${token}`), {
          protocols: ["vite-hmr"],
        });
        assertEquals(JSON.parse(await reloading.receive() as string), { type: "connected" });
        assertEquals(reloading.protocol, "vite-hmr");
        await talk(program);
        const now = new Date();
        utimesSync(`${ROOT}examples/frameworks/site/index.html`, now, now);
        assertEquals(JSON.parse(await reloading.receive() as string).type, "full-reload");
        reloading.abort();
        assertEquals((await refusal(program, "chat", { origin: "http://evil.example" }))[0], 403);
      } finally {
        await program.stop(); // the status is Vite's own
      }
    });
  });
}
