/** Clients of an HTTP/2 server with attach() that send whatever they like, by a seed. @module */

import { assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { connect } from "../mod.ts";
import { attach } from "../src/node.ts";
import { Random } from "./fuzz/random.ts";
import {
  CONNECT,
  end,
  FIRST_WINDOW,
  frame,
  GET,
  goAway,
  grant,
  headers,
  reset,
  sendBlindly,
} from "./http2_raw_peer.ts";
import { startHttp2 } from "./http2_servers.ts";

const CLIENTS = 300;
const AT_A_TIME = 10;

const [DATA, SETTINGS, PING] = [0, 4, 6];
const END_STREAM = 1;
const INITIAL_WINDOW_SIZE = 4;

/** All that a first window takes, with its header. */
const GREETING = new Uint8Array(FIRST_WINDOW - 4);

/** Frames of a client that mostly knows the protocol; a third of them break it, too. */
class HostileClient {
  readonly #random: Random;
  readonly #isWild: boolean;
  #streams = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#isWild = this.#random.oneIn(3);
  }

  *pieces(): Generator<number[]> {
    for (let count = 0; count < 6; count++) {
      yield Array.from({ length: 1 + this.#random.below(6) }, () => this.#frames()).flat();
    }
  }

  #frames(): number[] {
    const random = this.#random;
    const stream = 2 * random.below(this.#streams + 1) + 1; // perhaps one that nobody has begun
    switch (random.below(this.#isWild ? 14 : 11)) {
      case 0:
      case 1:
        return headers(2 * this.#streams++ + 1, random.oneIn(10) ? GET : CONNECT);
      case 2:
        return end(stream);
      case 3:
        return [...end(stream), ...reset(stream)];
      case 4:
        return reset(stream);
      case 5:
        return [...grant(0), ...grant(stream)];
      case 6:
        return random.oneIn(3) ? goAway(random.below(2)) : [];
      case 7:
        return frame(DATA, random.oneIn(4) ? END_STREAM : 0, stream, message(random.below(126)));
      case 8:
        return frame(DATA, 0, stream, [...random.bytes(random.size(300))]);
      case 9:
        return frame(PING, random.below(2), 0, [1, 2, 3, 4, 5, 6, 7, 8]);
      case 10:
        return frame(SETTINGS, 0, 0, [0, INITIAL_WINDOW_SIZE, 0, 0, random.below(256), 255]);
      case 11: {
        const payload = [...random.bytes(random.size(20))];
        return frame(random.below(11), random.below(256), stream, payload);
      }
      case 12:
        return [...random.bytes(random.size(30))];
      default:
        return frame(DATA, 0, stream, new Array(17_000).fill(0)); // longer than any may be
    }
  }
}

/** A masked binary message of so many bytes. */
function message(length: number): number[] {
  return [0x82, 0x80 | length, 0, 0, 0, 0, ...new Array(length).fill(1)];
}

describe("attach() to a server of node:http2", () => {
  test("outlives clients that send what they like", async () => {
    const running = await startHttp2({
      isSecure: false,
      prepare: (server) =>
        attach(server, { path: "/chat", onError: () => {} }, async (session) => {
          session.send(GREETING).catch(() => {}); // most will have left
          for await (const message of session) await session.send(message);
        }),
    });
    let seed = 0;
    const work = async (): Promise<void> => {
      while (seed < CLIENTS) {
        await sendBlindly(running.port, new HostileClient(++seed).pieces(), seed % 8);
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
    const session = await connect(`${running.url}/chat`, { http2: true });
    assertEquals((await session.receive())?.length, GREETING.length);
    await session.close();
    await running.close();
  });
});
