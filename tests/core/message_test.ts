import { describe, test } from "node:test";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { ProtocolError } from "../../src/core/errors.ts";
import { Opcode } from "../../src/core/frame.ts";
import { type Message, MessageAssembler, type MessageOpcode } from "../../src/core/message.ts";
import { countAllocations } from "../allocations.ts";
import { seededBytes } from "../cuts.ts";
import { joinBytes } from "../frames.ts";
import { CUT_TEXT, NOT_TEXT } from "./vectors.ts";
import { hex, utf8 } from "./wire.ts";

const { Text, Binary } = Opcode;

function create(maxMessageSize: number = 1_048_576, maxFragments: number = 65_536) {
  return new MessageAssembler({ maxMessageSize, maxFragments });
}

/** The message in fragments, each of which arrives as a whole. */
function assemble(
  assembler: MessageAssembler,
  opcode: typeof Text | typeof Binary,
  fragments: readonly Uint8Array[],
): Message {
  assembler.begin(opcode);
  for (const fragment of fragments) {
    assembler.announce(fragment.length);
    assembler.push(fragment);
  }
  return assembler.finish();
}

function failure(code: () => unknown): string {
  const { closeCode, message } = assertThrows(code, ProtocolError);
  return `${closeCode} ${message}`;
}

const TOO_LONG = "1009 Message is longer than 10 bytes (limits.maxMessageSize)";
const TOO_MANY = "1008 Message has more than 3 fragments (limits.maxFragments)";
const NOT_UTF8 = "1007 Text is not valid UTF-8";

function whole(assembler: MessageAssembler, opcode: MessageOpcode, bytes: Uint8Array): Message {
  assembler.checkSize(bytes.length);
  return assembler.whole(opcode, bytes, 0, bytes.length, 0);
}

describe("MessageAssembler", () => {
  test("takes a message as a whole", () => {
    const assembler = create();
    assertEquals(whole(assembler, Text, utf8("é😀")), "é😀");
    assertEquals(whole(assembler, Text, utf8("")), "");
    assertEquals(whole(assembler, Binary, hex("00ff")), hex("00ff"));
    assertEquals(assembler.isActive, false);
  });

  test("A-6 copies a whole binary message out of what it lies in, also out of a Buffer", () => {
    for (const memory of [seededBytes(64, 1), Buffer.from(seededBytes(64, 1))]) {
      const message = whole(create(), Binary, memory.subarray(10, 20));
      memory.fill(0);
      assertEquals(message, seededBytes(64, 1).slice(10, 20));
      assert(message instanceof Uint8Array && !(message instanceof Buffer));
      assertEquals(message.buffer.byteLength, 10);
    }
  });

  test("joins fragments, empty ones among them", () => {
    const assembler = create();
    for (const sizes of [[0], [0, 0, 0], [1], [1000, 0, 5000, 1], [1023, 1, 1], [70_000, 3]]) {
      const fragments = sizes.map((size, i) => seededBytes(size, i));
      const message = assemble(assembler, Binary, fragments);
      assertEquals(message, joinBytes(...fragments));
      assert(typeof message !== "string");
      assertEquals(message.buffer.byteLength, message.length);
    }
  });

  test("F-41 joins text that is cut inside characters", () => {
    const fragments = Array.from(utf8("a😀\ufeff\0é"), (byte) => Uint8Array.of(byte));
    assertEquals(assemble(create(), Text, fragments), "a😀\ufeff\0é");
    assertEquals(assemble(create(), Text, []), "");
  });

  test("copies what it is given", () => {
    const assembler = create();
    const memory = hex("010203");
    assembler.begin(Binary);
    assembler.announce(6);
    assembler.push(memory);
    memory.fill(9);
    assembler.push(memory);
    assertEquals(assembler.finish(), hex("010203 090909"));
  });

  test("is active from begin() to finish() or discard()", () => {
    const assembler = create();
    const seen = [assembler.isActive];
    for (const end of [() => assembler.finish(), () => assembler.discard()]) {
      assembler.begin(Text);
      seen.push(assembler.isActive);
      end();
      seen.push(assembler.isActive);
    }
    assertEquals(seen, [false, true, false, true, false]);
  });

  test("starts the next message anew behind one that was discarded", () => {
    const assembler = create(10, 3);
    for (let i = 0; i < 3; i++) {
      assembler.begin(Text);
      assembler.announce(8);
      assembler.push(hex("6162e282"));
      assembler.discard();
    }
    assertEquals(assemble(assembler, Text, [utf8("ab"), utf8("cd")]), "abcd");
  });

  test("throws a TypeError where no message has begun", () => {
    const assembler = create();
    for (
      const code of [
        () => assembler.announce(1),
        () => assembler.push(hex("61")),
        () => assembler.finish(),
      ]
    ) {
      assertThrows(code, TypeError, "No message has begun");
    }
  });

  test("F-38 takes a message at the limit in any fragments", () => {
    const assembler = create(10);
    assertEquals(whole(assembler, Text, utf8("0123456789")), "0123456789");
    for (const sizes of [[10], [5, 5], [9, 1], [10, 0], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]]) {
      const fragments = sizes.map((size) => new Uint8Array(size));
      assertEquals(assemble(assembler, Binary, fragments), new Uint8Array(10));
    }
  });

  test("F-38 fails one byte past the limit when it is announced", () => {
    assertEquals(failure(() => whole(create(10), Binary, new Uint8Array(11))), TOO_LONG);
    for (const sizes of [[11], [5, 6], [10, 1], [10, 0, 2 ** 53 - 1]]) {
      const assembler = create(10);
      assembler.begin(Binary);
      for (const size of sizes.slice(0, -1)) {
        assembler.announce(size);
        assembler.push(new Uint8Array(size));
      }
      assertEquals(failure(() => assembler.announce(sizes.at(-1)!)), TOO_LONG);
    }
  });

  test("counts bytes of UTF-8 against the limit, not characters", () => {
    assertEquals(whole(create(10), Text, utf8("éééée")), "éééée");
    assertEquals(failure(() => whole(create(10), Text, utf8("éééééé"))), TOO_LONG);
  });

  test("M-3 fails past the most fragments, empty ones counted", () => {
    for (const size of [0, 1]) {
      const assembler = create(10, 3);
      assembler.begin(Text);
      for (let i = 0; i < 3; i++) {
        assembler.announce(size);
        assembler.push(new Uint8Array(size));
      }
      assertEquals(failure(() => assembler.announce(size)), TOO_MANY);
    }
    assertEquals(assemble(create(10, 1), Binary, [hex("61")]), hex("61"));
  });

  for (const [bytes, why, impossible] of NOT_TEXT) {
    test(`F-40 fails at byte ${impossible} of ${bytes} in any pieces: ${why}`, () => {
      assertEquals(failure(() => whole(create(), Text, hex(bytes))), NOT_UTF8);
      const assembler = create();
      assembler.begin(Text);
      assembler.announce(1000);
      for (const byte of hex(bytes).slice(0, impossible)) assembler.push(Uint8Array.of(byte));
      const last = hex(bytes).slice(impossible, impossible + 1);
      assertEquals(failure(() => assembler.push(last)), NOT_UTF8);
    });
  }

  for (const bytes of CUT_TEXT) {
    test(`F-40 fails where the text ends inside a character: ${bytes}`, () => {
      assertEquals(failure(() => whole(create(), Text, hex(bytes))), NOT_UTF8);
      assertEquals(failure(() => assemble(create(), Text, [hex(bytes)])), NOT_UTF8);
    });
  }
});

describe("MessageAssembler's memory", () => {
  test("M-7 does not depend on what a frame announces", () => {
    const assembler = create();
    const { allocated } = countAllocations(() => {
      assembler.begin(Binary);
      assembler.announce(1_048_576);
      assembler.push(hex("61"));
    });
    assert(allocated <= 2048, `${allocated} bytes were allocated`);
  });

  test("M-11 is no more than has come, where that is little", () => {
    const assembler = create();
    const half = seededBytes(500, 1);
    const { allocated } = countAllocations(() => {
      assembler.begin(Binary);
      assembler.announce(1000);
      assembler.push(half);
    });
    assertEquals(allocated, 500);
    assembler.push(half);
    assertEquals(assembler.finish(), joinBytes(half, half));
  });

  test("is no more than a frame announces", () => {
    const assembler = create();
    const most = new Uint8Array(1100);
    const { allocated } = countAllocations(() => {
      assembler.begin(Binary);
      assembler.announce(1500);
      assembler.push(most);
    });
    assertEquals(allocated, 1500);
  });

  test("M-11 is 16 times what has come, where that is not much", () => {
    const assembler = create();
    const first = new Uint8Array(2000);
    const { allocated } = countAllocations(() => {
      assembler.begin(Binary);
      assembler.announce(1_048_576);
      assembler.push(first);
    });
    assertEquals(allocated, 32_000);
  });

  test("is that of 1 MiB alone where that comes by 64 KiB", () => {
    const assembler = create();
    const reads = Array.from({ length: 17 }, (_, i) => new Uint8Array(i === 0 ? 65_522 : 65_536));
    let left = 1_048_576;
    const { allocated } = countAllocations(() => {
      assembler.begin(Binary);
      assembler.announce(left);
      for (const read of reads) {
        const piece = read.subarray(0, left);
        assembler.push(piece);
        left -= piece.length;
      }
    });
    assertEquals([left, allocated], [0, 1_048_576]);
  });

  test("M-5 is at most twice the payload of a frame that comes byte by byte", () => {
    const assembler = create();
    const byte = hex("61");
    let message: Message = "";
    const { allocated, copied } = countAllocations(() => {
      assembler.begin(Binary);
      assembler.announce(900_000);
      for (let i = 0; i < 900_000; i++) assembler.push(byte);
      message = assembler.finish();
    });
    assertEquals(message.length, 900_000);
    // All that was ever allocated, which bounds what was in use at once.
    assert(allocated <= 1_800_000, `${allocated} bytes were allocated`);
    assert(copied <= 3 * 900_000, `${copied} bytes were copied`);
  });

  test("M-3 takes nothing for an empty fragment", () => {
    const assembler = create();
    const empty = new Uint8Array(0);
    const { allocated, copied } = countAllocations(() => {
      assembler.begin(Binary);
      for (let i = 0; i < 65_536; i++) {
        assembler.announce(0);
        assembler.push(empty);
      }
    });
    assertEquals([allocated, copied], [0, 0]);
  });

  test("M-4 takes a bounded number of bytes for each of many fragments of a byte", () => {
    const assembler = create();
    const byte = hex("61");
    const { allocated, copied } = countAllocations(() => {
      assembler.begin(Binary);
      for (let i = 0; i < 65_536; i++) {
        assembler.announce(1);
        assembler.push(byte);
      }
      assertStrictEquals(assembler.finish().length, 65_536);
    });
    assert(allocated <= 3 * 65_536, `${allocated} bytes were allocated`);
    assert(copied <= 3 * 65_536, `${copied} bytes were copied`);
  });
});
