import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import process from "node:process";
import { describe, test } from "node:test";
import { connect } from "../../mod.ts";
import { runExample, startExample } from "../programs.ts";
import { RUNTIMES } from "../toolchain.ts";

const ECHO = "examples/echo.ts";
const MIB = 1_048_576;

for (const runtime of RUNTIMES) {
  describe(`examples/echo.ts on ${runtime}`, () => {
    for (const flags of [[], ["--handlers"]]) {
      test(`echoes text and binary as they came ${flags.join(" ")}`, async () => {
        const echo = await startExample(runtime, ECHO, ["--port", "0", ...flags]);
        try {
          assertStringIncludes(echo.url, "ws://127.0.0.1:");
          const session = await connect(echo.url);
          const sending = (async () => {
            for (let i = 0; i < 5000; i++) {
              await session.send(i % 2 === 0 ? `${i}` : Uint8Array.of(i));
            }
          })();
          for (let i = 0; i < 5000; i++) {
            assertEquals(await session.receive(), i % 2 === 0 ? `${i}` : Uint8Array.of(i));
          }
          await sending;
          const large = new Uint8Array(MIB).map((_, i) => i * 7);
          session.send(large);
          assertEquals(await session.receive(), large);
          assertEquals((await session.close(1000)).wasClean, true);
        } finally {
          assertEquals(await echo.stop(), 0);
        }
      });
    }

    test("obeys its limits", async () => {
      const limits = ["--max-message-size", "10", "--max-fragments", "1", "--max-connections", "1"];
      const echo = await startExample(runtime, ECHO, ["--port", "0", ...limits]);
      const session = await connect(echo.url);
      const refused = await connect(echo.url).catch((error) => error);
      assertEquals(refused.status, 503);
      session.send("12345678901");
      const { code, reason } = await session.closed;
      assertEquals(code, 1009);
      assertStringIncludes(reason, "limits.maxMessageSize");
      assertEquals(await echo.stop(), 0);
    });

    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      test(`leaves with status 0 on ${signal}, after closing its sessions with 1001`, async () => {
        const echo = await startExample(runtime, ECHO, ["--port", "0"]);
        const session = await connect(echo.url);
        process.kill(echo.process.pid!, signal);
        assertEquals((await session.closed).code, 1001);
        assertEquals(await echo.ended, 0);
      });
    }

    for (
      const [what, args, status, message] of [
        ["an unknown flag", ["--prot", "1"], 2, "--prot"],
        ["a port that is no number", ["--port", "x"], 2, '--port is "x"'],
        ["a port that is too large", ["--port", "65536"], 2, '--port is "65536"'],
        ["a limit of zero", ["--max-fragments", "0"], 2, '--max-fragments is "0"'],
      ] as [string, string[], number, string][]
    ) {
      test(`refuses ${what} in one clear line, with status ${status}`, async () => {
        const outcome = await runExample(runtime, ECHO, args);
        assertEquals([outcome.status, outcome.stdout], [status, ""]);
        assertStringIncludes(outcome.stderr, message);
        assertEquals(outcome.stderr.trim().split("\n").length, 1, outcome.stderr);
      });
    }

    test("says in one line that its port is in use, with status 1", async () => {
      const echo = await startExample(runtime, ECHO, ["--port", "0"]);
      const { port } = new URL(echo.url);
      const outcome = await runExample(runtime, ECHO, ["--port", port]);
      assertEquals([outcome.status, outcome.stdout], [1, ""]);
      assertEquals(
        outcome.stderr.trim(),
        `Cannot listen on 127.0.0.1:${port}: address already in use`,
      );
      assertEquals(await echo.stop(), 0);
    });

    test("lists its flags", async () => {
      const { status, stdout } = await runExample(runtime, ECHO, ["--help"]);
      assertEquals(status, 0);
      assert(stdout.includes("--max-message-size"));
    });
  });
}
