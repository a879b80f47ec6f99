import { describe, test } from "node:test";
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import type { Protocol } from "../../src/core/protocol.ts";
import { joinBytes } from "../frames.ts";
import {
  createProtocol,
  outputOf,
  pair,
  payloadOf,
  peerOf,
  ROLES,
  takeEvents,
  takeOutput,
  transcript,
  transfer,
} from "./transcript.ts";
import { frame, hex, utf8, wire } from "./wire.ts";

/** How the input ends, as the bytes of the last frame, and the answer that it gets. */
const ENDINGS = [
  { name: "none", last: null, answer: null },
  { name: "close", last: frame(0x88, hex("0fa0")), answer: hex("0fa0") },
  { name: "close without code", last: frame(0x88), answer: hex("") },
  {
    name: "error",
    last: frame(0x83),
    answer: joinBytes(hex("03ea"), utf8("Opcode 3 is reserved")),
  },
] as const;

const STATES: Record<string, "open" | "closing" | "closed"> = {
  "false, none": "open",
  "false, close": "closing",
  "false, close without code": "closing",
  "false, error": "closing",
  "true, none": "closing",
  "true, close": "closed",
  "true, close without code": "closed",
  "true, error": "closed",
};

describe("Protocol's state", () => {
  for (const role of ROLES) {
    for (const closeSent of [false, true]) {
      for (const { name, last, answer } of ENDINGS) {
        const setUp = (): Protocol => {
          const protocol = createProtocol(role);
          if (closeSent) protocol.sendClose(1001, "ours");
          takeOutput(protocol);
          if (last !== null) transcript(protocol, [wire(role, last)]);
          return protocol;
        };
        const now = `${closeSent}, ${name}`;

        test(`with closeSent and ending ${now} is ${STATES[now]} (${role})`, () => {
          const protocol = setUp();
          assertEquals(protocol.state, STATES[now]);
          assertEquals(protocol.closeSent, closeSent);
          assertEquals(protocol.role, role);
        });

        test(`takes input with closeSent and ending ${now} only before the end (${role})`, () => {
          const more = wire(role, frame(0x81, "more"));
          assertEquals(transcript(setUp(), [more]), last === null ? ['text "more"'] : []);
        });

        test(`takes messages with closeSent and ending ${now} only before our Close (${role})`, () => {
          const protocol = setUp();
          const send = (): void => {
            protocol.sendMessage("m");
            protocol.sendPing(utf8("p"));
          };
          if (closeSent) assertThrows(send, TypeError, "Cannot send: a Close frame has been sent");
          else send();
          assertEquals(outputOf(protocol), closeSent ? [] : ["ping:p", "text:m"]);
        });

        test(`sends one Close frame with closeSent and ending ${now} (${role})`, () => {
          const protocol = setUp();
          protocol.sendClose(1001, "ours");
          protocol.sendClose(1000, "again");
          protocol.answerClose();
          assertEquals(outputOf(protocol), closeSent ? [] : ["close:ours"]);
          assertEquals(protocol.state, last === null ? "closing" : "closed");
        });

        test(`answers the end with closeSent and ending ${now} (${role})`, () => {
          const protocol = setUp();
          protocol.answerClose();
          protocol.answerClose();
          if (answer === null || closeSent) assertStrictEquals(protocol.takeOutput(), null);
          else assertEquals(payloadOf(protocol), answer);
          assertEquals(protocol.state, last === null ? STATES[now] : "closed");
        });
      }
    }
  }
});

describe("Protocol's closing handshake", () => {
  for (const role of ROLES) {
    test(`X-2 echoes every code that may be sent (${role})`, () => {
      for (const code of [1000, 1001, 1002, 1003, 1007, 1010, 1011, 1012, 1014, 3000, 4999]) {
        const protocol = createProtocol(role);
        const payload = Uint8Array.of(code >> 8, code & 0xff, 0x78);
        transcript(protocol, [wire(role, frame(0x88, payload))]);
        protocol.answerClose();
        assertEquals(payloadOf(protocol), payload.slice(0, 2));
      }
    });

    test(`X-2 answers what breaks a rule with its code and the rule (${role})`, () => {
      const answers = [
        [frame(0x88, "x"), 1002, "Close frame has a payload of 1 byte"],
        [frame(0x88, hex("03ed")), 1002, "Close code 1005 is not allowed"],
        [frame(0x88, hex("03e8ff")), 1007, "Text is not valid UTF-8"],
        [frame(0x81, hex("ff")), 1007, "Text is not valid UTF-8"],
        [
          frame(0x82, "", "7f0000000100000000"),
          1009,
          "Message is longer than 1048576 bytes (limits.maxMessageSize)",
        ],
      ] as const;
      for (const [broken, code, reason] of answers) {
        const protocol = createProtocol(role);
        transcript(protocol, [wire(role, broken)]);
        protocol.answerClose();
        const expected = joinBytes([code >> 8, code & 0xff], utf8(reason));
        assertEquals(payloadOf(protocol), expected);
      }
    });

    test(`X-5 loses no reply to an earlier message (${role})`, () => {
      const protocol = createProtocol(role);
      protocol.receive(wire(role, frame(0x81, "a"), frame(0x89, "b"), frame(0x88, hex("03e8"))));
      for (const event of takeEvents(protocol)) {
        if (event.type === "message") protocol.sendMessage("reply");
      }
      protocol.sendMessage("more");
      protocol.answerClose();
      assertEquals(outputOf(protocol), ["pong:b", "text:reply", "text:more", "close:"]);
      assertEquals(protocol.state, "closed");
    });

    test(`X-5 delivers what crosses our Close frame (${role})`, () => {
      const protocol = createProtocol(role);
      transcript(protocol, [wire(role, frame(0x01, "a"))]);
      protocol.sendClose(1000);
      const late = wire(role, frame(0x80, "b"), frame(0x82, "c"), frame(0x88, hex("03e8")));
      assertEquals(transcript(protocol, [late]), ['text "ab"', "binary 63", 'close 1000 ""']);
      protocol.answerClose();
      assertEquals(outputOf(protocol), ["close:"]);
    });
  }

  test("X-5 has one close event on each side where both close at once", () => {
    const { server, client } = pair();
    server.sendClose(1001, "server");
    client.sendClose(1000, "client");
    const [fromServer, fromClient] = [takeOutput(server), takeOutput(client)];
    assertEquals(transcript(client, [fromServer]), ['close 1001 "server"']);
    assertEquals(transcript(server, [fromClient]), ['close 1000 "client"']);
    for (const end of [server, client]) {
      end.answerClose();
      assertStrictEquals(end.takeOutput(), null);
      assertEquals(end.state, "closed");
    }
  });

  test("X-5 ends with one Close frame on each side where one side closes", () => {
    for (const closer of ROLES) {
      const ends = pair();
      const [first, second] = [ends[closer], ends[peerOf(closer)]];
      first.sendMessage("last");
      first.sendClose(4000, "done");
      assertEquals(transfer(first, second), ['text "last"', 'close 4000 "done"']);
      second.answerClose();
      assertEquals(transfer(second, first), ['close 4000 ""']);
      first.answerClose();
      assertStrictEquals(first.takeOutput(), null);
      assertEquals([first.state, second.state], ["closed", "closed"]);
    }
  });

  test("X-3 refuses codes and reasons that may not be sent, and stays open", () => {
    for (const role of ROLES) {
      const protocol = createProtocol(role);
      for (const code of [1005, 1006, 1015, 999, 5000, 1.5, NaN]) {
        assertThrows(() => protocol.sendClose(code), RangeError);
      }
      assertThrows(() => protocol.sendClose(1000, "é".repeat(62)), RangeError);
      assertThrows(() => protocol.sendClose(1000, "\udc00"), TypeError);
      assertEquals(protocol.state, "open");
      assertStrictEquals(protocol.takeOutput(), null);
      protocol.sendClose();
      assertEquals(payloadOf(protocol), hex(""));
    }
  });
});
