import { describe, test } from "node:test";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { sharedBuffers } from "../../src/core/buffer_pool.ts";
import { prepareMessage } from "../../src/core/prepared_message.ts";
import { Sender } from "../../src/core/sender.ts";
import { seededBytes, seededRandom } from "../cuts.ts";
import { decodeFrames, encodeFrame, joinBytes } from "../frames.ts";
import {
  BOUNDARIES,
  createClient,
  createServer,
  KIB,
  takeAll,
  takeFrames,
  word,
} from "./senders.ts";
import { hex, utf8 } from "./wire.ts";

describe("Sender", () => {
  test("writes nothing once the connection is gone, and takes nothing more", () => {
    const before = sharedBuffers.used;
    const sender = createServer();
    sender.message("one");
    sender.ping(hex("01"));
    sender.pong(hex("02"));
    sender.abandon();
    sender.pong(hex("03"));
    sender.close(1000, "bye");
    assertEquals([sender.hasOutput, sender.take(), sharedBuffers.used], [false, null, before]);
    assertThrows(() => sender.message("two"), TypeError, "the connection is gone");
    assertThrows(() => sender.ping(hex("01")), TypeError, "the connection is gone");
  });

  test("sends its own text, whatever the function that draws keys does", () => {
    const other = createServer();
    const maskKey = (): number => {
      other.message("another's message");
      return 0;
    };
    const sender = new Sender({ maskKey, maxPendingPongs: 1 });
    sender.message("hello to the peer");
    const [{ payload }] = decodeFrames("client", joinBytes(...takeAll(sender)));
    assertEquals(payload, utf8("hello to the peer"));
  });

  test("writes text, binary, ping, pong and Close frames", () => {
    const sender = createServer();
    assertStrictEquals(sender.take(), null);
    const seen = (): Uint8Array => joinBytes(...takeAll(sender));
    sender.message("hé");
    assertEquals(seen(), hex("81 03 68c3a9"));
    sender.message(hex("00ff"));
    assertEquals(seen(), hex("82 02 00ff"));
    sender.message("");
    assertEquals(seen(), hex("81 00"));
    sender.ping(hex("01"));
    assertEquals(seen(), hex("89 01 01"));
    sender.pong(hex("02"));
    assertEquals(seen(), hex("8a 01 02"));
    sender.close(1000, "bye");
    assertEquals(seen(), hex("88 05 03e8 627965"));
  });

  test("writes an empty Close frame without a code", () => {
    const sender = createServer();
    sender.close();
    assertEquals(joinBytes(...takeAll(sender)), hex("88 00"));
  });

  for (const role of ["server", "client"] as const) {
    test(`writes messages of every boundary length as the independent decoder reads them (${role})`, () => {
      for (const length of BOUNDARIES) {
        const sender = role === "server" ? createServer() : createClient().sender;
        const bytes = seededBytes(length, length);
        const text = "é".repeat(length / 2) + "t".repeat(length % 2);
        sender.message(bytes);
        sender.message(text);
        const written = joinBytes(...takeAll(sender));
        const frames = decodeFrames(role, written);
        assertEquals(frames.map(({ opcode, payload }) => [opcode, payload]), [
          [2, bytes],
          [1, utf8(text)],
        ]);
        assertEquals(written, joinBytes(...frames.map(encodeFrame)), "not in the shortest form");
      }
    });
  }

  test("A-7 masks every frame of a client with a key of its own", () => {
    const { sender, keysUsed } = createClient();
    for (let i = 0; i < 50; i++) sender.message("same");
    sender.pong(utf8("same"));
    sender.ping(utf8("same"));
    sender.close(1000, "same");
    const frames = takeFrames(sender, "client");
    const keys = frames.map(({ mask }) => new DataView(mask!.buffer).getUint32(0));
    assertEquals(keysUsed(), 53);
    assertEquals(keys.toSorted((a, b) => a - b), Array.from({ length: 53 }, (_, i) => i + 1));
    const payloads = new Set(frames.map((frame) => word(frame).replace(/.*:/, "")));
    assertEquals(payloads, new Set(["same"]));
  });

  test("A-7 puts keys of every size on the wire as they are", () => {
    for (const key of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x01020304]) {
      const sender = new Sender({ maskKey: () => key, maxPendingPongs: 1 });
      sender.message(seededBytes(100, 1));
      const [{ mask, payload }] = takeFrames(sender, "client");
      assertEquals(new DataView(mask!.buffer).getUint32(0), key);
      assertEquals(payload, seededBytes(100, 1));
    }
  });

  for (const size of [100, 20 * KIB, 70 * KIB, 300 * KIB, 600 * KIB]) {
    test(`A-4 takes ${size} bytes as they are at the call and never changes them`, () => {
      for (const role of ["server", "client"] as const) {
        const sender = role === "server" ? createServer() : createClient().sender;
        const bytes = seededBytes(size, 1);
        const short = bytes.subarray(0, 100);
        sender.message(bytes);
        sender.ping(short);
        sender.pong(short);
        assertEquals(bytes, seededBytes(size, 1));
        bytes.fill(0);
        const [pong, ping, message] = takeFrames(sender, role);
        for (const { payload } of [pong, ping]) assertEquals(payload, seededBytes(100, 1));
        assertEquals(message.payload, seededBytes(size, 1));
        assertEquals(bytes, new Uint8Array(size));
      }
    });
  }

  test("A-4 takes shared memory and parts of larger arrays", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(4));
    shared.set([1, 2, 3, 4]);
    const { sender } = createClient();
    sender.message(shared);
    sender.message(shared.subarray(1, 3));
    const frames = takeFrames(sender, "client");
    assertEquals(frames.map(({ payload }) => payload), [hex("01020304"), hex("0203")]);
    assertEquals([...shared], [1, 2, 3, 4]);
  });

  test("A-1 refuses what is neither text nor a Uint8Array, and writes nothing", () => {
    const sender = createServer();
    const wrong: unknown[] = [
      5,
      null,
      undefined,
      {},
      [1, 2],
      new ArrayBuffer(3),
      new Uint16Array(2),
    ];
    wrong.push(new DataView(new ArrayBuffer(3)), new Uint8ClampedArray(1), true, 1n, Symbol("s"));
    for (const value of wrong) {
      assertThrows(() => sender.message(value as string), TypeError, "is not a Uint8Array");
      assertThrows(() => sender.ping(value as Uint8Array), TypeError, "is not a Uint8Array");
      assertThrows(() => prepareMessage(value as string), TypeError, "is not a Uint8Array");
    }
    assertThrows(
      () => sender.ping("ping" as unknown as Uint8Array),
      TypeError,
      "Cannot send: [object String] is not a Uint8Array",
    );
    assertStrictEquals(sender.take(), null);
    assertEquals(sender.bufferedAmount, 0);
  });
});

describe("Sender's order", () => {
  test("is that of the calls for messages and the Close frame", () => {
    const sender = createServer();
    const sizes = [3, 70_000, 0, 300_000, 5, 20_000, 1];
    for (const [i, size] of sizes.entries()) {
      if (i % 2 === 0) sender.message(seededBytes(size, i));
      else sender.prepared(prepareMessage(seededBytes(size, i)));
    }
    sender.close(1000);
    const frames = takeFrames(sender);
    assertEquals(frames.map(({ opcode }) => opcode), [...sizes.map(() => 2), 8]);
    assertEquals(
      frames.slice(0, -1).map(({ payload }) => payload),
      sizes.map((size, i) => seededBytes(size, i)),
    );
  });

  test("F-51 has pongs in the order of their pings, then our ping, ahead of messages", () => {
    const sender = createServer();
    sender.message("m");
    for (const name of ["1", "2", "3"]) sender.pong(utf8(name));
    sender.ping(utf8("p"));
    sender.message("n");
    const words = takeFrames(sender).map(word);
    assertEquals(words, ["pong:1", "pong:2", "pong:3", "ping:p", "text:m", "text:n"]);
  });

  test("F-51 has no pong inside a frame: it follows the message under way", () => {
    const sender = createServer();
    sender.message("x".repeat(600 * KIB));
    sender.message("y");
    const writes: Uint8Array[] = [];
    for (let bytes = sender.take(); bytes !== null; bytes = sender.take()) {
      sender.pong(utf8(`${writes.length}`));
      sender.ping(utf8(`${writes.length}`));
      writes.push(bytes.slice());
      sender.written();
      if (writes.length === 5) break;
    }
    const words = decodeFrames("server", joinBytes(...writes)).map(word);
    assertEquals(words.map((word) => word.slice(0, 8)), [
      "text:xxx",
      "pong:0",
      "pong:1",
      "pong:2",
      "ping:2",
      "text:y",
      "pong:3",
      "ping:3",
    ]);
  });

  test("X-5 has the Close frame last, behind pongs and pings that wait", () => {
    const sender = createServer();
    sender.message("x".repeat(300 * KIB));
    const first = sender.take()!.slice();
    sender.pong(utf8("1"));
    sender.ping(utf8("2"));
    sender.message("m");
    sender.close(1001, "c");
    sender.pong(utf8("late"));
    sender.written();
    const rest = joinBytes(...takeAll(sender));
    const words = decodeFrames("server", joinBytes(first, rest)).map(word);
    assertEquals(words.slice(1), ["pong:1", "ping:2", "text:m", "close:c"]);
    sender.pong(utf8("late"));
    assertStrictEquals(sender.take(), null);
  });

  test("has only the last of several pings", () => {
    const sender = createServer();
    for (const name of ["1", "2", "3"]) sender.ping(utf8(name));
    assertEquals(takeFrames(sender).map(word), ["ping:3"]);
    sender.ping(utf8("4"));
    assertEquals(takeFrames(sender).map(word), ["ping:4"]);
  });

  test("is kept by every frame in a random mix", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const random = seededRandom(seed);
      const sender = createServer();
      const writes: Uint8Array[] = [];
      for (let i = 0; i < 200; i++) {
        const choice = random();
        const text = `${i} `.repeat(1 + 2 ** (random() * 14));
        if (choice < 0.3) sender.message(text);
        else if (choice < 0.5) sender.prepared(prepareMessage(text));
        else if (choice < 0.7) sender.pong(utf8(`${i}`));
        else {
          const bytes = sender.take();
          if (bytes === null) continue;
          writes.push(bytes.slice());
          if (random() < 0.5) sender.pong(utf8(`${i}`));
          else sender.message(text);
          sender.written();
        }
      }
      sender.close(1000);
      const frames = decodeFrames("server", joinBytes(...writes, ...takeAll(sender)));
      for (const opcode of [1, 10]) {
        const numbers = frames.filter((frame) => frame.opcode === opcode)
          .map((frame) => Number.parseInt(word(frame).split(":")[1]));
        assert(numbers.length > 10);
        assertEquals(numbers, numbers.toSorted((a, b) => a - b));
      }
      assertEquals(frames.at(-1)?.opcode, 8);
      assertEquals(sender.bufferedAmount, 0);
    }
  });
});

describe("Sender's control frames", () => {
  test("M-6 are at most maxPendingPongs pongs: the newest takes the place of the last", () => {
    const sender = createServer(4);
    for (let i = 0; i < 100_000; i++) sender.pong(utf8(`${i}`));
    const pongs = ["pong:0", "pong:1", "pong:2", "pong:99999"];
    assertEquals(takeFrames(sender).map(word), pongs);
    for (let i = 0; i < 4; i++) sender.pong(utf8(`${i}`));
    assertEquals(takeFrames(sender).length, 4);
  });

  test("M-6 are bounded while a large message is under way to a deaf peer", () => {
    const sender = createServer(128);
    sender.message("x".repeat(300 * KIB));
    sender.take();
    for (let i = 0; i < 10_000; i++) sender.pong(new Uint8Array(125));
    sender.written();
    const frames = joinBytes(...takeAll(sender)).length;
    assert(frames < 60 * KIB + 128 * 127);
  });

  test("M-6 are one pong where none may wait", () => {
    const sender = createServer(0);
    for (let i = 0; i < 100; i++) sender.pong(utf8(`${i}`));
    assertEquals(takeFrames(sender).map(word), ["pong:99"]);
  });

  test("carry at most 125 bytes", () => {
    const sender = createServer();
    sender.ping(new Uint8Array(125));
    assertThrows(
      () => sender.ping(new Uint8Array(126)),
      RangeError,
      "Cannot ping: payload of 126 bytes, more than 125",
    );
    assertEquals(takeFrames(sender).map(({ payload }) => payload.length), [125]);
  });

  test("X-8 cannot follow a Close frame, nor can messages", () => {
    const sender = createServer();
    assertEquals(sender.closeSent, false);
    sender.close(1000);
    assertEquals(sender.closeSent, true);
    for (
      const code of [
        () => sender.message("m"),
        () => sender.prepared(prepareMessage("m")),
        () => sender.ping(hex("")),
      ]
    ) {
      assertThrows(code, TypeError, "Cannot send: a Close frame has been sent");
    }
    sender.close(1001);
    sender.pong(hex(""));
    assertEquals(takeFrames(sender).map(({ opcode }) => opcode), [8]);
  });

  test("X-3 refuse a Close frame that may not be sent, and write nothing", () => {
    const sender = createServer();
    for (const code of [0, 999, 1005, 1006, 1015, 5000, 1.5, NaN]) {
      assertThrows(() => sender.close(code), RangeError);
    }
    assertThrows(() => sender.close(1000, "r".repeat(124)), RangeError);
    assertThrows(() => sender.close(1000, "\ud800"), TypeError);
    assertThrows(() => sender.close(undefined, "why"), TypeError);
    assertEquals(sender.closeSent, false);
    assertStrictEquals(sender.take(), null);
    sender.close(1000);
    assertThrows(() => sender.close(1005), RangeError);
  });
});
