/** The web's classes against servers that are not ours, plain and by TLS. @module */

import { assert, assertEquals } from "@std/assert";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { WebSocket, WebSocketStream } from "../../src/web/mod.ts";
import { type Program, startProgram } from "../programs.ts";
import { createCertificates } from "../runtime/certificates.ts";
import { runtimeCommand, RUNTIMES } from "../toolchain.ts";
import { closing, next } from "../web/events.ts";

const PYTHON = "/usr/bin/python3";

const hasPython = spawnSync(PYTHON, ["-c", "import websockets"]).status === 0;
const mayLack = process.env.CI === undefined;

/** What starts a peer, but for its certificate. */
const PEERS: [name: string, command: string, args: string[]][] = RUNTIMES.map((runtime) => {
  const { command, args } = runtimeCommand(runtime, "tests/fixtures/peer_server.ts", [], ["-A"]);
  const name = { deno: "Deno.upgradeWebSocket", bun: "Bun.serve", node: "npm's ws" }[runtime];
  return [name, command, args];
});
if (hasPython || !mayLack) {
  PEERS.push(["Python's websockets", PYTHON, ["tests/fixtures/python_echo.py"]]);
}

const MESSAGES = [
  "",
  "hello",
  "ÿ€😀\ufeff",
  "x".repeat(70_000),
  new Uint8Array(0),
  Uint8Array.of(0, 1, 254, 255),
  new Uint8Array(300_000).map((_, i) => i * 31),
];

test("Python's websockets is there", { skip: mayLack && !hasPython }, () => assert(hasPython));

for (const [name, command, args] of PEERS) {
  for (const scheme of ["ws", "wss"]) {
    describe(`${name} by ${scheme}:`, () => {
      let program: Program;
      let url = "";
      let ca = "";
      let folder = "";

      before(async () => {
        const certificates = await createCertificates();
        ca = certificates.ca;
        folder = mkdtempSync(join(tmpdir(), "twoway-"));
        const files = [join(folder, "cert.pem"), join(folder, "key.pem")];
        writeFileSync(files[0], certificates.cert);
        writeFileSync(files[1], certificates.key);
        program = await startProgram(command, scheme === "ws" ? args : [...args, ...files]);
        url = program.url.replace("ws:", `${scheme}:`);
      });
      after(async () => {
        await program.stop();
        rmSync(folder, { recursive: true });
      });

      test("WebSocket gets back what it sends", async () => {
        const socket = new WebSocket(url, { tls: { caCerts: [ca] } });
        socket.binaryType = "arraybuffer";
        await next(socket, "open");
        const received: unknown[] = [];
        const all = new Promise<void>((resolve) => {
          socket.onmessage = ({ data }) => {
            received.push(data instanceof ArrayBuffer ? new Uint8Array(data) : data);
            if (received.length === MESSAGES.length) resolve();
          };
        });
        for (const message of MESSAGES) socket.send(message);
        await all;
        assertEquals(received, MESSAGES);
        socket.close(4000, "enough");
        const [code, , wasClean] = await closing(socket);
        assertEquals([code, wasClean], [4000, true]);
      });

      test("WebSocketStream gets back what it sends", async () => {
        const stream = new WebSocketStream(url, { tls: { caCerts: [ca] } });
        const { readable, writable } = await stream.opened;
        const writer = writable.getWriter();
        const reader = readable.getReader();
        for (const message of MESSAGES) {
          await writer.write(message);
          assertEquals((await reader.read()).value, message);
        }
        stream.close({ closeCode: 1000 });
        assertEquals((await stream.closed).closeCode, 1000);
      });
    });
  }
}
