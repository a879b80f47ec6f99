/** Upgrades that come before the response to an earlier request: answers keep their order. @module */

import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import http from "node:http";
import { describe, test } from "node:test";
import { HandshakeError } from "../../mod.ts";
import { attach, upgrade } from "../../src/node.ts";
import { runtimeName } from "../../src/runtime/mod.ts";
import { until } from "../catalogue/servers.ts";
import { REQUEST, requestWith } from "../raw_peer.ts";
import { ByteClient, page, withHttp } from "./http_server.ts";

const FAST = "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n";
const SLOW = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
const H2C = "GET /h2c HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
const EVIL = requestWith("Origin: http://evil.example");

/** Answers at once, but for `/slow`. */
function create(): http.Server {
  return http.createServer((request, response) => {
    if (request.url === "/slow") setTimeout(() => page(request, response), 100);
    else page(request, response);
  });
}

/** The statuses that a client gets to see, in their order. */
function statuses(answer: string): string[] {
  return answer.match(/(?<=HTTP\/1\.1 )\d{3}/g) ?? [];
}

const refuse = (_: unknown, response: http.ServerResponse): void => void response.end("refused");

describe("an upgrade right behind an ordinary request", () => {
  for (
    const [what, request, expected] of [
      ["is accepted", REQUEST, ["200", "101"]],
      ["is refused", EVIL, ["200", "403"]],
      ["to another protocol is answered", H2C, ["200", "200"]],
    ] as const
  ) {
    test(`${what} behind the response to that, if it is there`, async () => {
      await withHttp(async (server) => {
        const sockets = attach(server, { refuse }, (session) => session.close());
        const client = await ByteClient.connect(server);
        await client.send(FAST + request);
        await until(() => statuses(client.text).length === 2);
        assertEquals(statuses(client.text), [...expected]);
        client.socket.destroy();
        await sockets.shutdown();
      }, create());
    });

    test(`whose response is not there ends the connection: no answer can overtake (${what})`, async () => {
      await withHttp(async (server) => {
        const errors: unknown[] = [];
        const onError = (error: unknown): void => void errors.push(error);
        const sockets = attach(server, { refuse, onError }, (session) => session.close());
        const client = await ByteClient.connect(server);
        await client.send(SLOW + request);
        if (runtimeName === "bun") {
          // Its parser takes what was sent ahead for ordinary requests.
          await until(() => statuses(client.text).length === 2);
          assertMatch(client.text, /page \/slow[^]*page \//);
        } else {
          await client.ended;
          assertEquals(client.text, "");
        }
        client.socket.destroy();
        assertEquals(errors, []);
        assertEquals(sockets.stats().pendingHandshakes + sockets.stats().sessions, 0);
        await sockets.shutdown();
      }, create());
    });
  }

  test("is rejected by upgrade()", { skip: runtimeName === "bun" }, async () => {
    await withHttp(async (server) => {
      const upgrading = new Promise((resolve, reject) => {
        server.once("upgrade", (request, socket, head) => {
          upgrade(request, socket, head).then(resolve, reject);
        });
      });
      upgrading.catch(() => {});
      const client = await ByteClient.connect(server);
      await client.send(SLOW + REQUEST);
      const error = await assertRejects(() => upgrading, HandshakeError);
      assertStringIncludes(error.message, "earlier one");
      await client.ended;
      assertEquals(client.text, "");
    }, create());
  });
});
