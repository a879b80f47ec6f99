import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { type CloseStatus, ProtocolError, TimeoutError } from "../../mod.ts";
import { closeMeaning, describeEnd, isGoodEnd } from "../../src/cli/close_meaning.ts";

for (
  const [code, meaning] of [
    [999, "not assigned"],
    [1000, "normal closure"],
    [1001, "going away"],
    [1002, "protocol error"],
    [1003, "unsupported data"],
    [1004, "reserved"],
    [1005, "no code given"],
    [1006, "no Close frame arrived"],
    [1007, "invalid payload"],
    [1008, "policy violation"],
    [1009, "message too big"],
    [1010, "an extension is missing"],
    [1011, "internal error"],
    [1012, "service restart"],
    [1013, "try again later"],
    [1014, "bad gateway"],
    [1015, "TLS handshake failed"],
    [1016, "not assigned"],
    [2999, "not assigned"],
    [3000, "unauthorized"],
    [3001, "registered for a library or framework"],
    [3003, "forbidden"],
    [3008, "timeout"],
    [3999, "registered for a library or framework"],
    [4000, "the application's own"],
    [4999, "the application's own"],
    [5000, "not assigned"],
  ] as const
) {
  test(`closeMeaning() knows ${code}: ${meaning}`, () => {
    assertEquals(closeMeaning(code), meaning);
  });
}

function ended(status: Partial<CloseStatus>): CloseStatus {
  return { code: 1000, reason: "", wasClean: true, ...status };
}

const LOST = { code: 1006, wasClean: false };

for (
  const [status, sent, line, isGood] of [
    [{}, undefined, "Closed by the server with 1000 (normal closure)", true],
    [{ code: 1001 }, undefined, "Closed by the server with 1001 (going away)", true],
    [{ code: 1005 }, undefined, "Closed by the server with 1005 (no code given)", true],
    [
      { code: 4001, reason: "go\naway\x1b[2J" },
      undefined,
      `Closed by the server with 4001 (the application's own): "go away\\x1b[2J"`,
      false,
    ],
    [
      { wasClean: false },
      undefined,
      "Closed by the server with 1000 (normal closure), but could not be answered",
      false,
    ],
    [{}, 1000, "Closed by us with 1000 (normal closure)", true],
    [{ code: 1005 }, 1000, "Closed by us with 1000 (normal closure)", true],
    [
      { code: 1011, reason: "oh" },
      1000,
      `Closed by us with 1000 (normal closure); the server answered 1011 (internal error): "oh"`,
      false,
    ],
    [LOST, undefined, "Connection lost, 1006 (no Close frame arrived)", false],
    [LOST, 1000, "Connection lost, 1006 (no Close frame arrived)", false],
    [
      { ...LOST, error: new Error("reset") },
      undefined,
      "Connection lost, 1006 (no Close frame arrived): reset",
      false,
    ],
    [
      { ...LOST, error: new TimeoutError("The peer was silent") },
      undefined,
      "Dropped by us: The peer was silent",
      false,
    ],
    [
      { error: new ProtocolError("A frame is masked") },
      undefined,
      "Closed by us with 1002 (protocol error): A frame is masked",
      false,
    ],
  ] as [Partial<CloseStatus>, number | undefined, string, boolean][]
) {
  test(`describeEnd(): ${line}`, () => {
    assertEquals(describeEnd(ended(status), "server", sent), line);
    assertEquals(isGoodEnd(ended(status)), isGood);
  });
}
