import { describe, test } from "node:test";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { ProtocolError } from "../../src/core/errors.ts";
import { Opcode } from "../../src/core/frame.ts";
import type { MessageLimits } from "../../src/core/message.ts";
import { type Received, Receiver, type Role } from "../../src/core/receiver.ts";
import { countAllocations } from "../allocations.ts";
import { cuts, seededBytes, seededRandom } from "../cuts.ts";
import { encodeFrame, joinBytes, MASK, xor } from "../frames.ts";
import { describeEvent, LIMITS, peerOf, ROLES, transcriptOfAllCuts } from "./transcript.ts";
import { NOT_TEXT } from "./vectors.ts";
import { frame, hex, line, type RawFrame, utf8, wire } from "./wire.ts";

function create(role: Role, limits: Partial<MessageLimits> = {}): Receiver {
  return new Receiver(role, { ...LIMITS, ...limits });
}

/** The events in `bytes`, up to the error, with what comes the short way marked. */
function waysTaken(receiver: Receiver, bytes: Uint8Array): string[] {
  const events: string[] = [];
  receiver.receive(bytes);
  while (true) {
    const data = receiver.nextShort();
    if (data === null) return [...events, ...rest(receiver)];
    events.push(`short ${describeEvent({ type: "message", data })}`);
  }
}

/** The events in `bytes`, up to the error. */
function outcome(receiver: Receiver, bytes: Uint8Array): string[] {
  receiver.receive(bytes);
  return rest(receiver);
}

function rest(receiver: Receiver): string[] {
  const events: string[] = [];
  try {
    for (let event = receiver.next(); event !== null; event = receiver.next()) {
      events.push(describeEvent(event));
    }
  } catch (error) {
    assert(error instanceof ProtocolError);
    events.push(`error ${error.closeCode}`);
  }
  return events;
}

/** How many of `bytes`, one after another, are taken without an error. */
function countAccepted(receiver: Receiver, bytes: Uint8Array): number {
  for (const [i, byte] of bytes.entries()) {
    if (outcome(receiver, Uint8Array.of(byte)).at(-1)?.startsWith("error")) return i;
  }
  return bytes.length;
}

/** What each opcode is, by its number; the others are reserved. */
const KINDS = new Map([
  [0, "continuation"],
  [1, "text"],
  [2, "binary"],
  [8, "close"],
  [9, "ping"],
  [10, "pong"],
]);

/**
 * What the table of RFC 6455 section 5.2 says about a first frame that begins with these two bytes
 * and goes on with zeros: `zeros` of them have arrived.
 */
function expected(role: Role, first: number, second: number, zeros: number): string[] {
  const kind = KINDS.get(first % 16);
  const isFinal = first >= 0x80;
  const isMasked = second >= 0x80;
  const length = second % 128;
  if (kind === undefined) return ["error 1002"];
  if (first % 16 >= 8 && (!isFinal || first % 128 >= 16 || length > 125)) return ["error 1002"];
  // An extended length of zeros is not minimal, and known before the mask.
  if (length > 125) return zeros >= (length === 126 ? 2 : 8) ? ["error 1002"] : [];
  if (zeros < (isMasked ? 4 : 0)) return [];
  const isMine = isMasked === (role === "server");
  if (!isMine || first % 128 >= 16 || kind === "continuation") return ["error 1002"];
  if (zeros < (isMasked ? 4 : 0) + length) return [];
  return isFinal ? [expectedEvent(kind, new Uint8Array(length))] : [];
}

function expectedEvent(kind: string, zeros: Uint8Array): string {
  if (kind === "text") return `text ${JSON.stringify("\0".repeat(zeros.length))}`;
  if (kind === "close") return zeros.length === 0 ? 'close 1005 ""' : "error 1002";
  return line(kind as "binary" | "ping" | "pong", zeros);
}

describe("Receiver", () => {
  for (const role of ROLES) {
    test(`F-60 meets the table for every first and second byte, then nothing (${role})`, () => {
      for (let pair = 0; pair < 65_536; pair++) {
        const [first, second] = [pair >> 8, pair & 0xff];
        const events = outcome(create(role), Uint8Array.of(first, second));
        const wanted = expected(role, first, second, 0);
        assert(`${events}` === `${wanted}`, `${first}, ${second}: ${events}, not ${wanted}`);
      }
    });

    test(`F-60 meets the table for every first and second byte, then zeros (${role})`, () => {
      for (let pair = 0; pair < 65_536; pair++) {
        const [first, second] = [pair >> 8, pair & 0xff];
        const length = second % 128;
        const zeros = length > 125 ? 12 : length + (second >= 0x80 ? 4 : 0);
        const bytes = new Uint8Array(2 + zeros);
        bytes.set([first, second]);
        const events = outcome(create(role), bytes);
        const wanted = expected(role, first, second, zeros);
        assert(`${events}` === `${wanted}`, `${first}, ${second}: ${events}, not ${wanted}`);
        const isShort = /^(?:text|binary)/.test(wanted[0]);
        const ways = isShort ? [`short ${wanted}`] : wanted;
        assert(
          `${waysTaken(create(role), bytes)}` === `${ways}`,
          `${first}, ${second}: not ${ways}`,
        );
      }
    });

    test(`takes whole messages of up to 125 bytes the short way (${role})`, () => {
      for (const length of [0, 1, 2, 3, 4, 63, 64, 65, 124, 125]) {
        const text = "x".repeat(length);
        const bytes = wire(role, frame(0x81, text), frame(0x82, text), frame(0x81, text));
        const [isText, isBinary] = [`text "${text}"`, line("binary", utf8(text))];
        assertEquals(
          waysTaken(create(role), bytes),
          [isText, isBinary, isText].map((event) => `short ${event}`),
        );
      }
    });

    test(`takes everything else the long way (${role})`, () => {
      const long = "x".repeat(126);
      const ways = (...frames: RawFrame[]): string[] =>
        waysTaken(create(role, { maxMessageSize: 200 }), wire(role, frame(0x82, "a"), ...frames));
      assertEquals(ways(frame(0x81, long)), ["short binary 61", `text "${long}"`]);
      assertEquals(ways(frame(0x82, long)), ["short binary 61", line("binary", utf8(long))]);
      assertEquals(ways(frame(0x81, "é")), ["short binary 61", 'text "é"']);
      assertEquals(ways(frame(0x89, "p")), ["short binary 61", "ping 70"]);
      assertEquals(ways(frame(0x01, "b"), frame(0x80, "c")), ["short binary 61", 'text "bc"']);
      for (const first of [0x91, 0xa1, 0xc1, 0xd2, 0xf1, 0x83, 0x80]) {
        assertEquals(ways(frame(first, "b")), ["short binary 61", "error 1002"]);
      }
      assertEquals(ways(frame(0x81, "b", "7e0001")), ["short binary 61", "error 1002"]);
      assertEquals(ways(frame(0x81, "b", "7f0000000000000001")), ["short binary 61", "error 1002"]);
    });

    test(`takes no message the short way inside of another (${role})`, () => {
      for (const first of [0x81, 0x82]) {
        const frames = [frame(0x01, "b"), frame(0x89, "p"), frame(first, "c")];
        const receiver = create(role);
        receiver.receive(wire(role, ...frames));
        const seen: unknown[] = [receiver.nextShort(), receiver.next()?.type, receiver.nextShort()];
        assertEquals([...seen, ...rest(receiver)], [null, "ping", null, "error 1002"]);
      }
    });

    test(`takes no frame the short way before all of it is there (${role})`, () => {
      const bytes = wire(role, frame(0x82, "ab"));
      for (let at = 0; at < bytes.length; at++) {
        const receiver = create(role);
        assertEquals(waysTaken(receiver, bytes.slice(0, at)), []);
        receiver.receive(bytes.slice(at));
        assertStrictEquals(receiver.nextShort() === null, at > 0, `${at}`);
        assertEquals(rest(receiver), at > 0 ? ["binary 6162"] : []);
        assertEquals(waysTaken(receiver, bytes.slice()), ["short binary 6162"]);
      }
    });

    test(`takes nothing of a payload for a short frame (${role})`, () => {
      for (const first of [0x89, 0x81, 0x82]) {
        const text = wire(role, frame(0x82, "a"));
        const payload = role === "server" ? xor(text, MASK) : text;
        const bytes = wire(role, frame(first, payload)); // there it looks like a frame
        const header = bytes.length - payload.length;
        const receiver = create(role);
        assertEquals(waysTaken(receiver, bytes.slice(0, header)), []);
        receiver.receive(bytes.slice(header));
        assertStrictEquals(receiver.nextShort(), null);
        assertEquals(rest(receiver).length, 1);
      }
    });

    test(`takes no message the short way that is masked as the other end's (${role})`, () => {
      for (const first of [0x81, 0x82]) {
        for (const text of ["", "abcd", "x".repeat(125)]) {
          // Behind it is enough for a header of either kind.
          const bytes = wire(peerOf(role), frame(first, text), frame(0x81, "behind"));
          assertEquals(waysTaken(create(role), bytes), ["error 1002"]);
        }
      }
    });

    test(`takes no message the short way that is longer than allowed (${role})`, () => {
      const ways = (size: number, maxMessageSize: number): string[] =>
        waysTaken(create(role, { maxMessageSize }), wire(role, frame(0x82, new Uint8Array(size))));
      assertEquals(ways(100, 100), [`short ${line("binary", new Uint8Array(100))}`]);
      assertEquals(ways(101, 100), ["error 1009"]);
      assertEquals(ways(1, 0), ["error 1009"]);
      assertEquals(ways(0, 0), ["short binary "]);
    });

    test(`F-12 knows a reserved opcode by its first byte (${role})`, () => {
      for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
        for (const first of [opcode, 0x80 + opcode]) {
          assertEquals(countAccepted(create(role), wire(role, frame(first, "", "7f"))), 0);
        }
      }
    });

    for (const [bytes, why, impossible] of NOT_TEXT) {
      test(`F-40 fails at byte ${impossible} of ${bytes}: ${why} (${role})`, () => {
        const text = hex(bytes);
        const header = role === "server" ? 6 : 2;
        const whole = wire(role, frame(0x81, text));
        assertEquals(countAccepted(create(role), whole), header + impossible);
        const inFragment = wire(role, frame(0x01), frame(0x80, text));
        assertEquals(countAccepted(create(role), inFragment), 2 * header + impossible);
        const large = wire(role, frame(0x01, joinBytes(text, new Uint8Array(70_000))));
        const long = role === "server" ? 14 : 10;
        assertEquals(countAccepted(create(role), large.slice(0, 100)), long + impossible);
      });
    }

    test(`F-40 fails in the piece of a large frame that holds the impossible byte (${role})`, () => {
      const text = utf8("é".repeat(50_000));
      const bytes = wire(role, frame(0x81, joinBytes(text, [0xff], text)));
      const receiver = create(role);
      const seen: string[] = [];
      let at = 0;
      for (; at < bytes.length && seen.length === 0; at += 10_000) {
        seen.push(...outcome(receiver, bytes.slice(at, at + 10_000)));
      }
      assertEquals([at, seen], [110_000, ["error 1007"]]);
    });

    test(`F-38 takes messages at the limit, and fails one byte past it (${role})`, () => {
      const at = (sizes: number[]): string[] => {
        const frames = sizes.map((size, i) => {
          const first = (i === 0 ? 2 : 0) | (i === sizes.length - 1 ? 0x80 : 0);
          return frame(first, new Uint8Array(size));
        });
        return transcriptOfAllCuts(role, wire(role, ...frames), { maxMessageSize: 10 });
      };
      const longest = [line("binary", new Uint8Array(10))];
      const error = ["error 1009 Message is longer than 10 bytes (limits.maxMessageSize)"];
      for (const sizes of [[10], [5, 5], [10, 0], [0, 10], Array(10).fill(1)]) {
        assertEquals(at(sizes), longest);
      }
      for (const sizes of [[11], [5, 6], [11, 0], [10, 1], Array(11).fill(1)]) {
        assertEquals(at(sizes), error);
      }
    });

    test(`F-38 knows a message that is too long by its header (${role})`, () => {
      const bytes = wire(role, frame(0x82, new Uint8Array(1000)));
      const header = role === "server" ? 8 : 4;
      assertEquals(countAccepted(create(role, { maxMessageSize: 999 }), bytes), header - 1);
      assertEquals(countAccepted(create(role, { maxMessageSize: 1000 }), bytes), bytes.length);
    });

    test(`M-3 fails past the most fragments, however they are cut (${role})`, () => {
      const fragments = [frame(0x02), ...Array(3).fill(frame(0x00))];
      const bytes = wire(role, ...fragments, frame(0x80, "x"));
      const says = "error 1008 Message has more than 4 fragments (limits.maxFragments)";
      assertEquals(transcriptOfAllCuts(role, bytes, { maxFragments: 4 }), [says]);
      assertEquals(transcriptOfAllCuts(role, bytes, { maxFragments: 5 }), ["binary 78"]);
    });

    test(`takes whole messages with one fragment allowed, however they are cut (${role})`, () => {
      const bytes = wire(role, frame(0x82, "xy"), frame(0x81, "z"), frame(0x82, "xy"));
      const events = ["binary 7879", 'text "z"', "binary 7879"];
      assertEquals(transcriptOfAllCuts(role, bytes, { maxFragments: 1 }), events);
    });

    test(`reads random frames of an independent encoder in any pieces (${role})`, () => {
      for (let seed = 1; seed <= 6; seed++) {
        const { bytes, events } = randomTraffic(role, seed);
        assertEquals(transcriptOfAllCuts(role, bytes), events, `seed ${seed}`);
      }
    });
  }

  test("takes one event at a time", () => {
    const receiver = create("client");
    receiver.receive(wire("client", frame(0x81, "a"), frame(0x89, "b"), frame(0x81, "c")));
    const seen: unknown[] = [];
    for (let i = 0; i < 5; i++) seen.push(receiver.hasInput, receiver.next()?.type);
    assertEquals(seen, [
      ...[true, "message", true, "ping", true, "message"],
      ...[false, undefined, false, undefined],
    ]);
  });

  test("X-6 forgets everything with discard()", () => {
    for (const cut of cuts(wire("server", frame(0x01, "a€")))) {
      const receiver = create("server");
      receiver.receive(cut.pieces[0]);
      receiver.next();
      receiver.discard();
      assertEquals(receiver.hasInput, false);
      assertEquals(outcome(receiver, wire("server", frame(0x81, "b"))), ['text "b"']);
    }
    for (const bytes of [hex("81"), hex("89 83 01020304 00")]) {
      const receiver = create("server");
      receiver.receive(bytes);
      receiver.next();
      receiver.discard();
      const events = outcome(receiver, wire("server", frame(0x89, "p"), frame(0x81, "b")));
      assertEquals(events, ["ping 70", 'text "b"']);
    }
  });

  test("takes empty reads as nothing", () => {
    const receiver = create("server");
    for (const byte of wire("server", frame(0x01, "a"), frame(0x80, "b")).subarray(0, -1)) {
      assertEquals(outcome(receiver, new Uint8Array(0)), []);
      assertEquals(outcome(receiver, Uint8Array.of(byte)), []);
    }
    assertEquals(outcome(receiver, new Uint8Array(0)), []);
    assertEquals(outcome(receiver, hex("63")), ['text "ab"']);
  });
});

describe("Receiver's messages", () => {
  test("A-6 are not views of what was received, also over 1000 reads of one Buffer", () => {
    const memory = Buffer.alloc(200);
    const receiver = create("server");
    const kept: Uint8Array[] = [];
    for (let i = 0; i < 1000; i++) {
      const first = 0x80 | [Opcode.Binary, Opcode.Ping, Opcode.Pong][i % 3];
      const bytes = wire("server", frame(first, seededBytes(i % 100, i)));
      memory.set(bytes);
      receiver.receive(memory.subarray(0, bytes.length));
      const event = receiver.next();
      assert(event !== null && event.type !== "close" && typeof event.data !== "string");
      kept.push(event.data);
      assertStrictEquals(receiver.next(), null);
    }
    for (const [i, data] of kept.entries()) {
      assertEquals(data, seededBytes(i % 100, i));
      assertStrictEquals(Object.getPrototypeOf(data), Uint8Array.prototype);
      assertEquals(data.buffer.byteLength, data.length);
    }
  });

  test("stay the same whatever is done with those before", () => {
    const receiver = create("server");
    receiver.receive(wire("server", ...Array(5).fill(frame(0x82, "same"))));
    for (let event: Received | null; (event = receiver.next()) !== null;) {
      assert(event.type === "message" && typeof event.data !== "string");
      assertEquals(event.data, utf8("same"));
      event.data.fill(0);
    }
  });
});

describe("Receiver's memory", () => {
  for (const role of ROLES) {
    test(`M-7 does not depend on what a header announces (${role})`, () => {
      const bytes = wire(role, frame(0x82, "", "7f0000000000100000"));
      const receiver = create(role);
      const { allocated } = countAllocations(() => {
        assertEquals(outcome(receiver, bytes), []);
        assertEquals(outcome(receiver, hex("00")), []);
      });
      assert(allocated <= 2048, `${allocated} bytes were allocated`);
    });

    test(`F-34 is none for a length that is refused (${role})`, () => {
      for (const length of ["7f7fffffffffffffff", "7f0000000100000000", "7fffffffffffffffff"]) {
        const bytes = wire(role, frame(0x82, "", length));
        const receiver = create(role);
        const { allocated } = countAllocations(() => outcome(receiver, bytes));
        assertEquals(allocated, 0);
      }
    });

    test(`M-5 is at most twice the payload of a frame dribbled in 200 000 reads (${role})`, () => {
      const payload = seededBytes(900_000, 1);
      const bytes = wire(role, frame(0x82, payload));
      const receiver = create(role);
      let message: unknown;
      const { allocated, copied } = countAllocations(() => {
        const header = bytes.length - payload.length;
        const ends = Array.from({ length: 200_001 }, (_, i) => header + Math.floor(i * 4.5));
        for (let i = 0, at = 0; i < ends.length; at = ends[i++]) {
          receiver.receive(bytes.subarray(at, ends[i]));
          const event = receiver.next();
          if (event?.type === "message") message = event.data;
        }
      });
      assertEquals(message, payload);
      assert(allocated <= 2 * payload.length, `${allocated} bytes were allocated`);
      assert(copied <= 2 * payload.length, `${copied} bytes were copied`);
    });

    test(`M-3 is the same after any number of empty fragments (${role})`, () => {
      const empty = wire(role, frame(0x00));
      const many = joinBytes(...Array(1000).fill(empty));
      const receiver = create(role, { maxFragments: 5_000_000 });
      assertEquals(outcome(receiver, wire(role, frame(0x02))), []);
      const { allocated, copied } = countAllocations(() => {
        for (let i = 0; i < 100; i++) assertEquals(outcome(receiver, many), []);
      });
      assertEquals([allocated, copied], [0, 0]);
      assertEquals(outcome(receiver, wire(role, frame(0x80, "x"))), ["binary 78"]);
    });
  }

  test("M-2 is a few bytes for the header that a read leaves unfinished", () => {
    const receiver = create("server");
    const { allocated } = countAllocations(() => {
      assertEquals(outcome(receiver, wire("server", frame(0x81, "a"))), ['text "a"']);
      assertEquals(outcome(receiver, hex("81")), []);
    });
    assert(allocated < 64, `${allocated} bytes were allocated`);
  });

  test("passes on errors that are not the peer's fault", () => {
    const receiver = create("server");
    receiver.receive(null as unknown as Uint8Array);
    assertThrows(() => receiver.next(), TypeError);
  });

  test("a read in the same array as the one before is another read", () => {
    const receiver = create("server");
    const place = new Uint8Array(500);
    for (const opcode of [1, 2]) {
      for (const [i, length] of [20, 20, 200, 200].entries()) {
        const payload = new Uint8Array(length).fill(0x61 + i);
        place.fill(0);
        place.set(encodeFrame({ opcode, payload, mask: MASK }));
        receiver.receive(place);
        const text = new TextDecoder().decode(payload);
        const data = opcode === 1 ? text : payload;
        assertEquals(receiver.next(), { type: "message", data } as Received);
        receiver.discard();
      }
    }
  });
});

/** Messages in fragments with control frames between them, and what they amount to. */
function randomTraffic(role: Role, seed: number): { bytes: Uint8Array; events: string[] } {
  const random = seededRandom(seed);
  const below = (bound: number): number => Math.floor(random() * bound);
  const lengths = [0, 1, 2, 125, 126, 127, 300];
  const parts: Uint8Array[] = [];
  const events: string[] = [];
  const send = (opcode: number, fin: boolean, payload: Uint8Array): void => {
    parts.push(encodeFrame({ opcode, fin, payload, mask: role === "server" ? MASK : null }));
  };
  for (let i = 0; i < 4; i++) {
    const payload = seededBytes(lengths[below(lengths.length)], seed + i).map((byte) =>
      byte & 0x7f
    );
    const ends = Array.from({ length: below(4) }, () => below(payload.length + 1)).sort((a, b) =>
      a - b
    );
    const opcode = 1 + below(2);
    for (const [j, end] of [...ends, payload.length].entries()) {
      const at = j === 0 ? 0 : ends[j - 1];
      send(j === 0 ? opcode : 0, j === ends.length, payload.subarray(at, end));
      if (random() < 0.5 && j < ends.length) {
        const ping = seededBytes(below(20), j);
        send(9, true, ping);
        events.push(line("ping", ping));
      }
    }
    const text = new TextDecoder().decode(payload);
    events.push(opcode === 1 ? `text ${JSON.stringify(text)}` : line("binary", payload));
  }
  return { bytes: joinBytes(...parts), events };
}
