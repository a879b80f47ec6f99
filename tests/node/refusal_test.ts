/** Refusals of `attach()` and `upgrade()`: ours, `accept`'s, and those that a framework renders. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { IncomingMessage, type ServerResponse } from "node:http";
import { Socket } from "node:net";
import { describe, test } from "node:test";
import { HandshakeError } from "../../mod.ts";
import { sharedTimers } from "../../src/clock.ts";
import { attach, type AttachOptions } from "../../src/node.ts";
import { render } from "../../src/node/refusal.ts";
import { until } from "../catalogue/servers.ts";
import { REQUEST, requestWith } from "../raw_peer.ts";
import { ByteClient, withHttp } from "./http_server.ts";

const EVIL = requestWith("Origin: http://evil.example");

/** Runs a test with the answer to a request that is refused. */
async function answerTo(
  request: string,
  options: AttachOptions,
  check: (answer: string, client: ByteClient) => void,
): Promise<void> {
  await withHttp(async (server) => {
    const sockets = attach(server, options, () => {});
    const client = await ByteClient.connect(server);
    check(await client.exchange(request), client);
    await until(() => sockets.stats().responses === 0);
    assertEquals(sockets.stats().pendingHandshakes, 0);
    await sockets.shutdown();
  });
}

describe("a refusal", () => {
  test("of accept is written as it is, also where refuse is given", async () => {
    const accept = (): Response => new Response("not today", { status: 401, headers: { a: "b" } });
    let calls = 0;
    const refuse = (): void => void calls++;
    for (const options of [{ accept }, { accept, refuse }]) {
      await answerTo(REQUEST, options, (answer) => {
        assertStringIncludes(answer, "HTTP/1.1 401 ");
        assertStringIncludes(answer.toLowerCase(), "\r\na: b\r\n");
        assert(answer.endsWith("\r\n\r\nnot today"), answer);
      });
    }
    assertEquals(calls, 0);
  });

  test("that the framework renders has the error's status and fields, if it sets no others", async () => {
    const errors: HandshakeError[] = [];
    const refuse = (_: IncomingMessage, response: ServerResponse, error: HandshakeError): void => {
      errors.push(error);
      response.end(`<p>${error.status}</p>`);
    };
    await answerTo(REQUEST.replace("Version: 13", "Version: 8"), { refuse }, (answer) => {
      assertStringIncludes(answer, "HTTP/1.1 426 ");
      assertStringIncludes(answer.toLowerCase(), "\r\nsec-websocket-version: 13\r\n");
      assertStringIncludes(answer.toLowerCase(), "\r\nconnection: close\r\n");
      assert(answer.endsWith("<p>426</p>"), answer);
    });
    assertStringIncludes(errors[0].message, "Sec-WebSocket-Version");
    const other = (_: IncomingMessage, response: ServerResponse): void => {
      response.writeHead(499, { "x-own": "1" }).end("own");
    };
    await answerTo(EVIL, { refuse: other }, (answer) => {
      assertStringIncludes(answer, "HTTP/1.1 499 ");
      assertStringIncludes(answer.toLowerCase(), "\r\nx-own: 1\r\n");
    });
  });

  test("may be rendered later, in pieces, as the client reads them", async () => {
    const refuse = async (_: IncomingMessage, response: ServerResponse): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      for (let i = 0; i < 100; i++) {
        const hasRoom = response.write("x".repeat(100_000));
        if (!hasRoom) await new Promise((resolve) => response.once("drain", resolve));
      }
      response.end("the end");
    };
    await answerTo(EVIL, { refuse }, (answer) => {
      assert(answer.length > 10_000_000, `${answer.length} bytes`);
      assertStringIncludes(answer.slice(-30), "the end");
    });
  });

  test("N-4 is readable by a client that goes on sending", async () => {
    const render = (_: IncomingMessage, response: ServerResponse): void => void response.end("no");
    for (const refuse of [undefined, render]) {
      await answerTo(EVIL + "x".repeat(1_000_000), { refuse }, (answer, client) => {
        assertStringIncludes(answer, "HTTP/1.1 403 ");
        assert(client.hasEnded, "the connection was reset");
      });
    }
  });

  test("N-7 is the last answer on its connection", async () => {
    const render = (_: IncomingMessage, response: ServerResponse): void => void response.end("no");
    for (const refuse of [undefined, render]) {
      await answerTo(EVIL + EVIL, { refuse }, (answer) => {
        assertEquals(answer.split("HTTP/1.1 ").length, 2, answer);
      });
    }
  });

  test("is ours when the framework writes nothing within handshakeTimeout", async () => {
    let late: ServerResponse | undefined;
    const refuse = (_: IncomingMessage, response: ServerResponse): void => void (late = response);
    await answerTo(EVIL, { refuse, handshakeTimeout: 100 }, (answer) => {
      assert(answer.startsWith("HTTP/1.1 403 "), answer);
      assertStringIncludes(answer, 'option "origin"');
      // Whoever renders too late harms nobody.
      late!.write("late");
      late!.end("too late");
    });
  });

  test("that is rendered while ours is on its way does not get among it", async () => {
    const refuse = (_: IncomingMessage, response: ServerResponse): void => {
      setTimeout(() => {
        response.flushHeaders();
        response.write("late");
        response.end("too late");
      }, 150);
    };
    await withHttp(async (server) => {
      const sockets = attach(server, { refuse, handshakeTimeout: 100 }, () => {});
      const client = await ByteClient.connect(server);
      await client.send(EVIL);
      // The server still waits for our FIN.
      await new Promise((resolve) => setTimeout(resolve, 300));
      const answer = client.text;
      assert(answer.startsWith("HTTP/1.1 403 "), answer);
      assertEquals([answer.includes("late"), answer.split("HTTP/1.1").length], [false, 2]);
      client.socket.destroy();
      await sockets.shutdown();
    });
  });

  test("that the framework does not end is cut off at handshakeTimeout", async () => {
    const refuse = (_: IncomingMessage, response: ServerResponse): void => {
      response.write("a part");
    };
    await answerTo(EVIL, { refuse, handshakeTimeout: 100 }, (answer) => {
      assertStringIncludes(answer, "a part");
      assert(!answer.endsWith("0\r\n\r\n"), answer);
    });
  });

  test("is ours when the framework fails, which onError is told", async () => {
    const failures = [
      () => {
        throw new Error("broken");
      },
      () => Promise.reject(new Error("broken")),
    ];
    for (const refuse of failures) {
      const errors: unknown[] = [];
      const onError = (error: unknown): void => void errors.push((error as Error).message);
      await answerTo(EVIL, { refuse, onError }, (answer) => {
        assert(answer.startsWith("HTTP/1.1 403 "), answer);
      });
      assertEquals(errors, ["broken"]);
    }
  });

  test("is not asked for when the socket has closed", async () => {
    const socket = new Socket();
    await new Promise((resolve) => socket.once("close", resolve).destroy());
    let calls = 0;
    const rendering = await render(
      () => calls++,
      new IncomingMessage(socket),
      socket,
      new HandshakeError("refused", { status: 403 }),
      { timers: sharedTimers, handshakeTimeout: 50, onError: () => {} },
    );
    assertEquals([rendering, calls], ["nothing", 0]);
  });

  test("is ours at shutdown, whoever renders others", async () => {
    let calls = 0;
    await withHttp(async (server) => {
      const sockets = attach(server, {
        accept: () => new Promise<never>(() => {}),
        refuse: () => void calls++,
      }, () => {});
      const client = await ByteClient.connect(server);
      await client.send(REQUEST);
      await until(() => sockets.stats().pendingHandshakes === 1);
      await sockets.shutdown();
      await client.ended;
      assertStringIncludes(client.text, "HTTP/1.1 503 ");
      client.socket.destroy();
    });
    assertEquals(calls, 0);
  });
});
