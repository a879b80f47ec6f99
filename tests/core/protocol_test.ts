import { describe, test } from "node:test";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../src/core/errors.ts";
import { type Event, Protocol } from "../../src/core/protocol.ts";
import { prepareMessage } from "../../src/core/prepared_message.ts";
import { countAllocations } from "../allocations.ts";
import { cuts, seededBytes, seededRandom } from "../cuts.ts";
import { decodeFrames, joinBytes } from "../frames.ts";
import { word } from "./senders.ts";
import {
  createProtocol,
  describeEvent,
  LIMITS,
  outputOf,
  pair,
  peerOf,
  ROLES,
  takeEvents,
  takeOutput,
  transcript,
  transcriptOfAllCuts,
  transfer,
} from "./transcript.ts";
import { VECTORS } from "./vectors.ts";
import { frame, hex, utf8, wire } from "./wire.ts";

describe("Protocol's input", () => {
  for (const role of ROLES) {
    for (const { name, wire, events } of VECTORS) {
      const bytes = wire(role);
      if (bytes === null) continue;
      test(`${name} (${role})`, () => {
        assertEquals(transcriptOfAllCuts(role, bytes), events);
      });
    }

    test(`X-6 ends behind a Close frame and behind an error (${role})`, () => {
      for (const last of [frame(0x88, hex("03e8")), frame(0x83)]) {
        const protocol = createProtocol(role);
        protocol.receive(wire(role, frame(0x81, "a"), last, frame(0x89), frame(0x81, "late")));
        assertEquals(takeEvents(protocol).length, 2);
        assertEquals(protocol.hasInput, false);
        const late = wire(role, frame(0x89, "late"), frame(0x81, "late"), last);
        assertEquals(transcript(protocol, [late, late]), []);
        assertStrictEquals(protocol.takeOutput(), null);
      }
    });

    test(`X-6 buffers nothing of 1 GiB behind a Close frame or an error (${role})`, () => {
      for (const bytes of [wire(role, frame(0x01, "a"), frame(0x88)), wire(role, frame(0x83))]) {
        const protocol = createProtocol(role);
        transcript(protocol, [bytes]);
        const late = new Uint8Array(65_536);
        const { allocated, copied } = countAllocations(() => {
          for (let i = 0; i < 16_384; i++) {
            protocol.receive(late);
            assert(protocol.next() === null && !protocol.hasInput);
          }
        });
        assertEquals([allocated, copied], [0, 0]);
      }
    });

    test(`has a shortcut for short messages (${role})`, () => {
      const protocol = createProtocol(role);
      protocol.receive(wire(role, frame(0x82, "a"), frame(0x89, "p"), frame(0x81, "b")));
      assertEquals(protocol.nextShortMessage(), utf8("a"));
      assertStrictEquals(protocol.nextShortMessage(), null);
      assertEquals(protocol.next(), { type: "ping", data: utf8("p") });
      assertEquals(protocol.nextShortMessage(), "b");
      assertStrictEquals(protocol.nextShortMessage(), null);
      assertStrictEquals(protocol.next(), null);
    });

    test(`refuses more bytes while earlier ones wait for next() (${role})`, () => {
      const protocol = createProtocol(role);
      const bytes = wire(role, frame(0x81, "a"));
      assertEquals(protocol.hasInput, false);
      protocol.receive(bytes);
      assertEquals(protocol.hasInput, true);
      const says = "Cannot receive: earlier bytes wait for next()";
      assertThrows(() => protocol.receive(bytes.slice()), TypeError, says);
      assertEquals(takeEvents(protocol).map(describeEvent), ['text "a"']);
      assertEquals(transcript(protocol, [wire(role, frame(0x81, "b"))]), ['text "b"']);
    });
  }

  test("passes on errors that are not the peer's fault, and does not end", () => {
    const protocol = createProtocol("server");
    protocol.receive(null as unknown as Uint8Array);
    assertThrows(() => protocol.next(), TypeError);
    assertEquals(protocol.state, "open");
  });
});

describe("Protocol's answers to pings", () => {
  for (const role of ROLES) {
    test(`F-51 have the same payload of any length, however the ping is cut (${role})`, () => {
      for (const length of [0, 1, 124, 125]) {
        const payload = seededBytes(length, 1);
        for (const { name, pieces } of cuts(wire(role, frame(0x89, payload)))) {
          const protocol = createProtocol(role);
          transcript(protocol, pieces);
          const [{ opcode, payload: answer }] = decodeFrames(role, takeOutput(protocol));
          assertEquals([opcode, answer], [10, payload], name);
        }
      }
    });

    test(`F-51 go ahead of messages that wait, and follow what is under way (${role})`, () => {
      const protocol = createProtocol(role);
      protocol.sendMessage("x".repeat(600_000));
      protocol.sendMessage("behind");
      const first = protocol.takeOutput()!.slice();
      transcript(protocol, [wire(role, frame(0x89, "1"), frame(0x89, "2"), frame(0x8a, "3"))]);
      protocol.outputWritten();
      const frames = decodeFrames(role, joinBytes(first, takeOutput(protocol)));
      assertEquals(frames.slice(1).map(word), ["pong:1", "pong:2", "text:behind"]);
    });

    test(`F-51 are not changed by what is done with the event (${role})`, () => {
      const protocol = createProtocol(role);
      protocol.receive(wire(role, frame(0x89, "mine")));
      const event = protocol.next();
      assert(event?.type === "ping");
      event.data.fill(0);
      assertEquals(outputOf(protocol), ["pong:mine"]);
    });

    test(`M-6 are bounded in a flood to a deaf peer (${role})`, () => {
      const protocol = createProtocol(role, { maxPendingPongs: 3 });
      const pings = Array.from({ length: 1000 }, (_, i) => frame(0x89, `${i}`));
      assertEquals(transcript(protocol, [wire(role, ...pings)]).length, 1000);
      assertEquals(outputOf(protocol), ["pong:0", "pong:1", "pong:999"]);
    });

    test(`F-50 are none for a pong (${role})`, () => {
      const protocol = createProtocol(role);
      transcript(protocol, [wire(role, frame(0x8a, "a"), frame(0x8a, "a"))]);
      assertStrictEquals(protocol.takeOutput(), null);
    });

    test(`X-8 are none behind our Close frame (${role})`, () => {
      const protocol = createProtocol(role);
      transcript(protocol, [wire(role, frame(0x89, "before"))]);
      protocol.sendClose(1000);
      assertEquals(transcript(protocol, [wire(role, frame(0x89, "late"))]), ["ping 6c617465"]);
      assertEquals(outputOf(protocol), ["pong:before", "close:"]);
    });
  }
});

describe("Protocol.fail()", () => {
  test("ends the input in the place where it is called", () => {
    for (const role of ROLES) {
      const protocol = createProtocol(role);
      protocol.receive(wire(role, frame(0x01, "a"), frame(0x89, "p"), frame(0x80, "b")));
      assertEquals(protocol.next()?.type, "ping");
      const error = new ProtocolError("Deflate data is broken", 1007);
      assertEquals<Event>(protocol.fail(error), { type: "error", error });
      assertEquals([protocol.hasInput, protocol.state], [false, "closing"]);
      assertStrictEquals(protocol.next(), null);
      assertEquals(transcript(protocol, [wire(role, frame(0x81, "late"))]), []);
      protocol.answerClose();
      assertEquals(outputOf(protocol), ["pong:p", "close:Deflate data is broken"]);
    }
  });

  test("cuts a message that does not fit into a Close frame", () => {
    const protocol = createProtocol("server");
    protocol.fail(new ProtocolError("€".repeat(100)));
    protocol.answerClose();
    assertEquals(outputOf(protocol), [`close:${"€".repeat(41)}`]);
  });

  test("sends a message with a lone surrogate as the web does", () => {
    const protocol = createProtocol("server");
    protocol.fail(new ProtocolError('Parameter "\ud800" is unknown'));
    protocol.answerClose();
    assertEquals(outputOf(protocol), ['close:Parameter "\ufffd" is unknown']);
  });
});

describe("Protocol's output", () => {
  test("gives back each message from end to end, in any pieces", () => {
    for (const role of ROLES) {
      const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 65_537, 300_000];
      const { [role]: from, [peerOf(role)]: to } = pair();
      const expected: string[] = [];
      for (const length of lengths) {
        const text = "é😀".repeat(length / 6) + "x".repeat(length % 6);
        from.sendMessage(text);
        from.sendMessage(utf8(text));
        expected.push(`text ${JSON.stringify(text)}`, describeBinary(utf8(text)));
      }
      const random = seededRandom(1);
      const bytes = takeOutput(from);
      assertEquals(decodeFrames(role, bytes).length, expected.length);
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < bytes.length;) {
        const size = 1 + Math.floor(2 ** (random() * 17));
        pieces.push(bytes.slice(at, at + size));
        at += size;
      }
      assertEquals(transcript(to, pieces).join("\n") === expected.join("\n"), true);
    }
  });

  test("A-7 takes one fresh key for each frame of a client", () => {
    let key = 0;
    const client = new Protocol({ role: "client", limits: LIMITS, maskKey: () => ++key });
    for (let i = 0; i < 10; i++) client.sendMessage("same");
    client.sendPing();
    client.sendClose();
    const frames = decodeFrames("client", takeOutput(client));
    const keys = frames.map(({ mask }) => new DataView(mask!.buffer).getUint32(0));
    assertEquals(new Set(keys).size, 12);
    assertEquals(key, 12);
  });

  test("counts a message until all of it has left, and takes at most 256 KiB at once", () => {
    for (const role of ROLES) {
      const protocol = createProtocol(role);
      protocol.sendMessage(new Uint8Array(300_000));
      protocol.sendPing();
      const seen = [protocol.bufferedAmount];
      for (let bytes = protocol.takeOutput(); bytes !== null; bytes = protocol.takeOutput()) {
        assert(bytes.length <= 262_144);
        protocol.outputWritten();
        seen.push(protocol.bufferedAmount);
      }
      assertEquals(seen, [300_000, 300_000, 300_000, 0]);
    }
  });

  test("of a server takes prepared messages, of a client none", () => {
    const { server, client } = pair();
    const prepared = prepareMessage("hello");
    server.sendPrepared(prepared);
    assertEquals(transfer(server, client), ['text "hello"']);
    assertThrows(() => client.sendPrepared(prepared), TypeError, "a client masks each frame anew");
  });

  test("is unchanged by outputWritten() where nothing was taken", () => {
    const protocol = createProtocol("server");
    protocol.outputWritten();
    protocol.sendMessage("a");
    protocol.outputWritten();
    assertEquals(outputOf(protocol), ["text:a"]);
  });
});

function describeBinary(data: Uint8Array<ArrayBuffer>): string {
  return describeEvent({ type: "message", data });
}
