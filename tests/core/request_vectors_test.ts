/** The requests of the catalogue, in memory: the same outcome however their bytes are cut. @module */

import { assert, assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { HandshakeError } from "../../src/core/errors.ts";
import { checkRequest, createResponse, isUpgradeRequest } from "../../src/core/handshake.ts";
import { HeadReader } from "../../src/core/head_reader.ts";
import type { RequestHead } from "../../src/core/http.ts";
import { cuts } from "../cuts.ts";
import { latin1 } from "../latin1.ts";
import { REQUEST_VECTORS } from "./request_vectors.ts";

const LIMITS = { maxHeaderSize: 16_384, maxHeaderLine: 8192, maxHeaders: 100 };

/** The head, the status and message of the refusal, or `null` if the head is incomplete. */
function read(pieces: readonly Uint8Array[]): RequestHead | string | null {
  const reader = HeadReader.forRequests(LIMITS);
  try {
    for (const piece of pieces) {
      const head = reader.receive(piece);
      if (head === null) continue;
      if (isUpgradeRequest(head)) checkRequest(head);
      return head;
    }
    return null;
  } catch (error) {
    assert(error instanceof HandshakeError, String(error));
    return `${error.status} ${error.message}`;
  }
}

/** A head as something to compare. */
function describeHead(outcome: RequestHead | string | null): unknown {
  if (outcome === null || typeof outcome === "string") return outcome;
  return { ...outcome, headers: [...outcome.headers] };
}

describe("HeadReader and checkRequest()", () => {
  for (const { name, request, status, has } of REQUEST_VECTORS) {
    // What policy refuses, and plain HTTP, is not for the core to judge.
    const expected = [403, 404].includes(status) ? 101 : status;
    test(`${name}: ${expected}`, async () => {
      const bytes = latin1(request);
      const whole = read([bytes]);
      for (const { name: cut, pieces } of cuts(bytes)) {
        assertEquals(describeHead(read(pieces)), describeHead(whole), `${cut}: not as whole`);
      }
      assert(whole !== null, "the head is incomplete");
      if (typeof whole === "string") return assertEquals(whole.slice(0, 3), `${expected}`, whole);
      if (!isUpgradeRequest(whole)) return assertEquals(expected, 426);
      assertEquals(expected, 101);
      const response = String.fromCharCode(...await createResponse(checkRequest(whole)));
      for (const line of has ?? []) {
        const [field, value] = line.split(": ");
        assert(response.toLowerCase().includes(`\r\n${field}: `), response);
        assert(response.includes(value), response);
      }
    });
  }
});
