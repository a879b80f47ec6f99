/**
 * Offers of permessage-deflate and answers to them, as cases that run over TCP: H-65, H-66 and R-21
 * to R-23 of the catalogue, where both ends could compress.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { closeFrame, wire } from "../core/wire.ts";
import { joinBytes } from "../frames.ts";
import { latin1 } from "../latin1.ts";
import { requestWith } from "../raw_peer.ts";
import type { Case } from "./bench.ts";
import { answerWith, switching } from "./client_bench.ts";

const PMD = "permessage-deflate";
const END = closeFrame(1000, "end");

/** The line of a session that has opened. */
const opened = (extensions: string | null): string =>
  extensions === null ? "open" : `open with ${extensions}`;

/** What a server that compresses makes of an offer. */
function offer(id: string, value: string, agreed: string | null): Case {
  const request = requestWith(`Sec-WebSocket-Extensions: ${value}`);
  const bytes = joinBytes(latin1(request), wire("server", END));
  const answer = `peer: Sec-WebSocket-Extensions: ${agreed}`;
  return {
    name: `${id} offered ${value} (server)`,
    play: ({ takeover }, cut) => takeover.server.play(cut(bytes)),
    check(transcript) {
      assertEquals(transcript[0], `server: ${opened(agreed)}`);
      assertEquals(
        transcript.filter((line) => /extensions/i.test(line)),
        agreed === null ? [] : [answer],
      );
      assertEquals(transcript.slice(-2), ['peer: close 1000 ""', "peer: FIN"]);
    },
  };
}

/** What a client that has offered to compress makes of an answer. */
function answer(id: string, value: string, outcome: { opens: string } | { fails: string }): Case {
  return {
    name: `${id} answered ${value} (client)`,
    play: ({ takeover }, cut) =>
      takeover.client.play({
        answer: (accept) => answerWith(switching(accept, value), wire("client", END)),
        cut,
      }),
    check(transcript) {
      if ("opens" in outcome) {
        return assertEquals(transcript.slice(0, 2), [
          `client: ${opened(outcome.opens)}`,
          'client: closed 1000 "end" clean',
        ]);
      }
      assertEquals(transcript.length, 1);
      assertStringIncludes(transcript[0], "client: failed, HandshakeError ");
      assertStringIncludes(transcript[0], outcome.fails);
    },
  };
}

/** Parameters that no offer may have. */
const WRONG_OFFERS = [
  "foo",
  "server_no_context_takeover; server_no_context_takeover",
  "server_max_window_bits=7",
  "server_max_window_bits=16",
  "server_max_window_bits=08",
  "server_max_window_bits=1000",
  "client_max_window_bits=99",
  "server_no_context_takeover=1",
  "__proto__",
];

const WRONG_ANSWERS: readonly (readonly [params: string, why: string])[] = [
  ["foo=1", "foo"],
  ["server_no_context_takeover; server_no_context_takeover", "twice"],
  ["server_max_window_bits=1000", '"1000", not a number from 8 to 15'],
  ["server_max_window_bits=7", '"7", not a number from 8 to 15'],
  ["server_max_window_bits=08", '"08", not a number from 8 to 15'],
  ["server_max_window_bits", "not a number from 8 to 15"],
  ["client_max_window_bits", "client_max_window_bits has no value"],
  ["client_max_window_bits=16", '"16", not a number from 8 to 15'],
  ["server_no_context_takeover=1", "server_no_context_takeover has a value"],
];

/** All of them. */
export const NEGOTIATION_CASES: readonly Case[] = [
  offer("H-65", PMD, PMD),
  offer("H-65", `${PMD}; server_max_window_bits="10"`, `${PMD}; server_max_window_bits=10`),
  ...WRONG_OFFERS.flatMap((params) => [
    offer("H-65", `${PMD}; ${params}`, null),
    offer("H-66", `${PMD}; ${params}, ${PMD}`, PMD),
  ]),
  offer("H-66", `x-foo; a=1, ${PMD}`, PMD),
  offer("H-66", "x-foo, bar", null),
  answer("R-21", PMD, { opens: PMD }),
  answer("R-21", "x-foo", { fails: 'the server uses extension "x-foo" unasked' }),
  answer("R-21", `${PMD}, x-foo`, { fails: 'the server uses extension "x-foo" unasked' }),
  answer("R-21", `${PMD}, ${PMD}`, { fails: "the server uses an extension twice" }),
  ...WRONG_ANSWERS.map(([params, why]) => answer("R-22", `${PMD}; ${params}`, { fails: why })),
  ...[8, 9, 15].map((bits) => {
    const value = `${PMD}; server_max_window_bits=${bits}`;
    return answer("R-23", value, { opens: value });
  }),
];
