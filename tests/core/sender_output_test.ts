import { describe, test } from "node:test";
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Protocol } from "../../src/core/protocol.ts";
import { prepareMessage } from "../../src/core/prepared_message.ts";
import { countAllocations } from "../allocations.ts";
import { seededBytes } from "../cuts.ts";
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

describe("Sender's writes", () => {
  test("join the small frames of one turn", () => {
    const sender = createServer();
    for (let i = 0; i < 1000; i++) sender.message(`${i}`);
    sender.close();
    assertEquals(takeAll(sender).length, 1);
  });

  test("have at most 256 KiB, also of one large message", () => {
    for (const sender of [createServer(), createClient().sender]) {
      sender.message(seededBytes(1000 * KIB, 1));
      const writes = takeAll(sender);
      assertEquals(writes.slice(0, -1).map(({ length }) => length), Array(3).fill(256 * KIB));
      const masked = (writes[0][1] & 0x80) !== 0;
      const frames = decodeFrames(masked ? "client" : "server", joinBytes(...writes));
      assertEquals(frames[0].payload, seededBytes(1000 * KIB, 1));
    }
  });

  test("stay unchanged until they are reported as written", () => {
    const sender = createServer();
    sender.message("first");
    const bytes = sender.take()!;
    const before = bytes.slice();
    sender.message("second");
    sender.pong(hex("01"));
    sender.close(1000);
    assertEquals(bytes, before);
    assertEquals(sender.take(), before);
    sender.written();
    assertEquals(takeFrames(sender).map(word), ["pong:\x01", "text:second", "close:"]);
  });

  test("copy a message's bytes once", () => {
    const sender = createServer();
    const message = seededBytes(1000 * KIB, 1);
    sender.message(message); // the pool has its buffers from here on
    takeAll(sender);
    const { copied, allocated } = countAllocations(() => sender.message(message));
    assertEquals(copied, message.length);
    assertEquals(allocated, 0);
  });
});

describe("Sender's bufferedAmount", () => {
  test("is exactly the payload bytes that have not left, without frames and control payloads", () => {
    const sender = createServer();
    const seen: number[] = [];
    const step = (code: () => unknown): void => {
      code();
      seen.push(sender.bufferedAmount);
    };
    step(() => sender.message("é"));
    step(() => sender.message(new Uint8Array(300 * KIB)));
    step(() => sender.prepared(prepareMessage(new Uint8Array(20_000))));
    step(() => sender.ping(new Uint8Array(100)));
    step(() => sender.pong(new Uint8Array(100)));
    step(() => sender.close(1000, "reason"));
    const queued = 2 + 300 * KIB + 20_000;
    assertEquals(seen, [2, 2 + 300 * KIB, queued, queued, queued, queued]);
    seen.length = 0;
    while (sender.take() !== null) step(() => sender.written());
    // "é", the large message in two parts, the prepared one, Close
    assertEquals(seen, [queued - 2, queued - 2, 20_000, 0, 0]);
  });

  test("counts a message that has left in part as a whole", () => {
    const sender = createServer();
    sender.message(new Uint8Array(256 * KIB));
    sender.take();
    assertEquals(sender.bufferedAmount, 256 * KIB);
    sender.written();
    assertEquals(sender.bufferedAmount, 256 * KIB);
    sender.take();
    sender.written();
    assertEquals(sender.bufferedAmount, 0);
  });

  test("counts a prepared message's size once for each time it is sent", () => {
    const sender = createServer();
    const prepared = prepareMessage("hello");
    for (let i = 0; i < 3; i++) sender.prepared(prepared);
    assertEquals(sender.bufferedAmount, 15);
  });
});

describe("prepareMessage()", () => {
  test("makes the frame that a server sends", () => {
    for (const length of BOUNDARIES) {
      const payload = seededBytes(length, 1);
      const { frame, size } = prepareMessage(payload);
      assertEquals(frame, encodeFrame({ opcode: 2, payload }));
      assertEquals(size, length);
    }
    assertEquals(prepareMessage("hé").frame, hex("81 03 68c3a9"));
    assertEquals(prepareMessage("hé").size, 3);
  });

  test("A-4 copies the bytes", () => {
    const bytes = hex("0102");
    const { frame } = prepareMessage(bytes);
    bytes.fill(0);
    assertEquals(frame, hex("82 02 0102"));
  });

  test("M-13 gives one frame that many share, uncopied from 16 KiB up, and unchanged", () => {
    for (const length of [10, 16_379, 16_380, 20_000, 300_000]) {
      const prepared = prepareMessage(seededBytes(length, 1));
      const before = prepared.frame.slice();
      for (let i = 0; i < 3; i++) {
        const sender = createServer();
        sender.message("before");
        sender.prepared(prepared);
        sender.message("behind");
        sender.pong(hex("01"));
        const first = sender.take()!;
        const writes = [first.slice()];
        const buffers = [first.buffer];
        sender.written();
        sender.ping(hex("02"));
        for (let bytes = sender.take(); bytes !== null; bytes = sender.take()) {
          writes.push(bytes.slice());
          buffers.push(bytes.buffer);
          sender.written();
        }
        const frames = decodeFrames("server", joinBytes(...writes));
        const messages = frames.filter(({ opcode }) => opcode < 8).map(({ payload }) => payload);
        assertEquals(messages, [utf8("before"), seededBytes(length, 1), utf8("behind")]);
        assertEquals(buffers.includes(prepared.frame.buffer), prepared.frame.length >= 16_384);
        assertEquals(prepared.frame, before);
      }
    }
  });

  test("cannot be sent by a client, which masks each frame anew", () => {
    const { sender } = createClient();
    assertThrows(
      () => sender.prepared(prepareMessage("m")),
      TypeError,
      "Cannot send: a client masks each frame anew",
    );
    assertStrictEquals(sender.take(), null);
  });
});

test("hasOutput knows of messages, pongs and pings until they have been written", () => {
  const protocol = new Protocol({
    role: "server",
    limits: { maxMessageSize: 100, maxFragments: 10, maxPendingPongs: 10 },
  });
  const causes = [
    () => protocol.sendMessage("hi"),
    () => protocol.sendPing(),
    () => {
      protocol.receive(Uint8Array.of(0x89, 0x80, 0, 0, 0, 0));
      protocol.next();
    },
  ];
  for (const cause of causes) {
    assertEquals(protocol.hasOutput, false);
    cause();
    assertEquals(protocol.hasOutput, true);
    protocol.takeOutput();
    assertEquals(protocol.hasOutput, true);
    protocol.outputWritten();
  }
  assertEquals(protocol.hasOutput, false);
});
