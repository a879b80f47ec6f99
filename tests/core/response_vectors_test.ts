/** The responses of the catalogue, in memory: the same outcome however their bytes are cut. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, test } from "node:test";
import { HandshakeError } from "../../src/core/errors.ts";
import { checkResponse } from "../../src/core/handshake.ts";
import { HeadReader } from "../../src/core/head_reader.ts";
import type { ResponseHead } from "../../src/core/http.ts";
import { cuts } from "../cuts.ts";
import { joinBytes } from "../frames.ts";
import { latin1 } from "../latin1.ts";
import { OFFERED, RESPONSE_VECTORS } from "./response_vectors.ts";

const LIMITS = { maxHeaderSize: 16_384, maxHeaderLine: 8192, maxHeaders: 100 };
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** The final head with what follows it, or the error, or `null` if the head is incomplete. */
function read(pieces: readonly Uint8Array[]): [ResponseHead, Uint8Array] | string | null {
  let reader = HeadReader.forResponses(LIMITS);
  let bytes = new Uint8Array(0);
  try {
    for (const [i, piece] of pieces.entries()) {
      bytes = piece.slice();
      for (let head = reader.receive(bytes); head !== null; head = reader.receive(bytes)) {
        bytes = new Uint8Array(reader.rest);
        if (![100, 103].includes(head.status)) {
          return [head, joinBytes(bytes, ...pieces.slice(i + 1))];
        }
        reader = HeadReader.forResponses(LIMITS);
      }
    }
    return null;
  } catch (error) {
    assert(error instanceof HandshakeError, String(error));
    assertEquals(error.status, undefined);
    return error.message;
  }
}

/** A head as something to compare. */
function describeRead(result: ReturnType<typeof read>): unknown {
  if (result === null || typeof result === "string") return result;
  const [{ headers, ...head }, rest] = result;
  return [{ ...head, headers: [...headers] }, rest];
}

describe("HeadReader and checkResponse()", () => {
  for (const { name, answer, outcome, status } of RESPONSE_VECTORS) {
    test(name, async () => {
      const bytes = latin1(answer(ACCEPT));
      const whole = read([bytes]);
      for (const { name: cut, pieces } of cuts(bytes)) {
        assertEquals(describeRead(read(pieces)), describeRead(whole), `${cut}: not as whole`);
      }
      assert(whole !== null, "the head is incomplete");
      if (typeof whole === "string") {
        assert("error" in outcome, whole);
        return assertStringIncludes(whole, outcome.error);
      }
      const request = { host: "a", target: "/", key: KEY, protocols: OFFERED };
      const agreed = await checkResponse(whole[0], request).catch((error) => error);
      if ("protocol" in outcome) return assertEquals(agreed.protocol, outcome.protocol);
      if (name === "R-13 9 interim responses") return assertEquals(agreed.protocol, "");
      assert(agreed instanceof HandshakeError, String(agreed));
      assertEquals([agreed.status, agreed.headers], [status, [...whole[0].headers]]);
      assertStringIncludes(agreed.message, outcome.error);
    });
  }
});
