/** WebSockets over HTTP/2: this runtime as client of each of the three. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import http2 from "node:http2";
import { describe, test } from "node:test";
import { connect } from "../../mod.ts";
import { seededBytes } from "../cuts.ts";
import { RUNTIMES } from "../toolchain.ts";
import { certificates, startEcho, stopEcho } from "./http2_program.ts";

const { ca } = certificates;
const tls = { caCerts: [ca] };

const MESSAGES = [
  "hello",
  "",
  "ÿ€😀",
  "x".repeat(70_000),
  Uint8Array.of(),
  seededBytes(500_000, 1),
];

/** Opens a connection, and many sessions on it, which fare differently. */
async function useConnection(url: string): Promise<void> {
  const session = http2.connect(url.replace("wss:", "https:"), { ca });
  session.on("error", () => {});
  const open = (name: string) => connect(`${url}/${name}`, { http2: session });
  // Not read, and echoing more than fits: neither side gets rid of what it has.
  const unread = await open("unread");
  for (let i = 0; i < 40; i++) unread.send(new Uint8Array(200_000)).catch(() => {});
  await Promise.all(Array.from({ length: 30 }, async (_, i) => {
    const client = await open(`${i}`);
    assertStringIncludes(await client.receive() as string, `/${i} by 2.0`);
    if (i % 3 === 0) {
      client.send(new Uint8Array(100_000)).catch(() => {});
      return client.abort();
    }
    for (let round = 0; round < 20; round++) {
      const message = i % 3 === 1 ? seededBytes(30_000, i) : `${i} ${round}`;
      await client.send(message);
      assertEquals(await client.receive(), message);
    }
    assertEquals((await client.close()).wasClean, true);
  }));
  assert(unread.bufferedAmount > 1_000_000, `${unread.bufferedAmount}`);
  unread.abort();
  session.destroy();
}

for (const runtime of RUNTIMES) {
  describe(`over HTTP/2 with a server on ${runtime}`, () => {
    test(
      "each message comes back, over a connection of its own and a shared one, compressed or not",
      {
        timeout: 60_000,
      },
      async () => {
        const program = await startEcho(runtime);
        const { url } = program;
        const session = http2.connect(url.replace("wss:", "https:"), { ca });
        session.on("error", () => {});
        try {
          for (const option of [true, session]) {
            for (const compress of [false, true]) {
              const trust = option === true ? tls : undefined;
              const client = await connect(`${url}/a?b`, { http2: option, tls: trust, compress });
              assertEquals(await client.receive(), "/a?b by 2.0");
              assertEquals(client.extensions !== "", compress);
              for (const message of MESSAGES) {
                await client.send(message);
                assertEquals(await client.receive(), message);
              }
              assert(await client.ping() >= 0);
              const { code, wasClean } = await client.close(4000, "enough");
              assertEquals([code, wasClean], [4000, true]);
            }
          }
          const old = await connect(url, { tls });
          assertEquals(await old.receive(), "/ by 1.1");
          await old.close();
        } finally {
          session.destroy();
          await stopEcho(program, runtime);
        }
      },
    );

    test("many sessions share a connection, some unread, some aborted, some with much to say", {
      timeout: 60_000,
    }, async () => {
      const program = await startEcho(runtime);
      try {
        // Whatever is wrong with a server after that may show only when the connection ends.
        for (let count = 0; count < 3; count++) await useConnection(program.url);
      } finally {
        await stopEcho(program, runtime);
      }
    });

    test("the server's shutdown closes sessions with 1001", { timeout: 60_000 }, async () => {
      const program = await startEcho(runtime);
      const { url } = program;
      const client = await connect(url, { http2: true, tls });
      await client.receive();
      const reading = client.receive();
      await stopEcho(program, runtime);
      assertEquals([await reading, (await client.closed).code], [null, 1001]);
    });
  });
}
