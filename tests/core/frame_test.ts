import { describe, test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../src/core/errors.ts";
import {
  decodeHeader,
  encodeHeader,
  type FrameHeader,
  headerSize,
  isControl,
  MAX_CONTROL_PAYLOAD,
  MAX_HEADER_SIZE,
  Opcode,
  RSV1,
  writeHeader,
} from "../../src/core/frame.ts";
import { seededRandom } from "../cuts.ts";
import { encodeFrame, joinBytes } from "../frames.ts";
import { hex } from "./wire.ts";

const plain = { fin: true, rsv: 0, mask: null } as const;

/** Headers as bytes and as values, both ways. */
const HEADERS: ReadonlyArray<readonly [bytes: string, header: FrameHeader]> = [
  ["8100", { ...plain, opcode: Opcode.Text, length: 0 }],
  ["0100", { ...plain, opcode: Opcode.Text, length: 0, fin: false }],
  ["8001", { ...plain, opcode: Opcode.Continuation, length: 1 }],
  ["827d", { ...plain, opcode: Opcode.Binary, length: 125 }],
  ["827e007e", { ...plain, opcode: Opcode.Binary, length: 126 }],
  ["827effff", { ...plain, opcode: Opcode.Binary, length: 65_535 }],
  ["827f0000000000010000", { ...plain, opcode: Opcode.Binary, length: 65_536 }],
  ["827f000000007fffffff", { ...plain, opcode: Opcode.Binary, length: 2 ** 31 - 1 }],
  ["827f0000000080000000", { ...plain, opcode: Opcode.Binary, length: 2 ** 31 }],
  ["827f00000000ffffffff", { ...plain, opcode: Opcode.Binary, length: 2 ** 32 - 1 }],
  ["827f0000000100000000", { ...plain, opcode: Opcode.Binary, length: 2 ** 32 }],
  ["827f001fffffffffffff", { ...plain, opcode: Opcode.Binary, length: 2 ** 53 - 1 }],
  ["887d", { ...plain, opcode: Opcode.Close, length: 125 }],
  ["8900", { ...plain, opcode: Opcode.Ping, length: 0 }],
  ["8a00", { ...plain, opcode: Opcode.Pong, length: 0 }],
  ["8a80 01020304", { ...plain, opcode: Opcode.Pong, length: 0, mask: 0x01020304 }],
  ["8185 fffefdfc", { ...plain, opcode: Opcode.Text, length: 5, mask: 0xfffefdfc }],
  ["82fe007e 00000000", { ...plain, opcode: Opcode.Binary, length: 126, mask: 0 }],
  ["82ff0000000000010000 80000000", {
    ...plain,
    opcode: Opcode.Binary,
    length: 65_536,
    mask: 0x80000000,
  }],
  ["c101", { ...plain, opcode: Opcode.Text, length: 1, rsv: RSV1 }],
  ["a101", { ...plain, opcode: Opcode.Text, length: 1, rsv: 0b010 }],
  ["9101", { ...plain, opcode: Opcode.Text, length: 1, rsv: 0b001 }],
  ["7001", { ...plain, opcode: Opcode.Continuation, length: 1, rsv: 0b111, fin: false }],
];

/** Beginnings that break a rule with their last byte, and not before. */
const BROKEN: ReadonlyArray<readonly [bytes: string, says: string, closeCode?: number]> = [
  ["83", "Opcode 3 is reserved"],
  ["07", "Opcode 7 is reserved"],
  ["8b", "Opcode 11 is reserved"],
  ["ff", "Opcode 15 is reserved"],
  ["09", "Control frame is fragmented"],
  ["08", "Control frame is fragmented"],
  ["c9", "Control frame has a reserved bit set"],
  ["a8", "Control frame has a reserved bit set"],
  ["9a", "Control frame has a reserved bit set"],
  ["897e", "Control frame payload is longer than 125 bytes"],
  ["88ff", "Control frame payload is longer than 125 bytes"],
  ["817e0002", "Frame length 2 is not minimally encoded"],
  ["81fe007d", "Frame length 125 is not minimally encoded"],
  ["827f0000000000000000", "Frame length 0 is not minimally encoded"],
  ["82ff000000000000ffff", "Frame length 65535 is not minimally encoded"],
  ["827f8000000000000000", "Frame length has its most significant bit set"],
  ["82ffffffffffffffffff", "Frame length has its most significant bit set"],
  ["827f0020000000000000", "Frame length exceeds 2^53 - 1 bytes", 1009],
  ["827f7fffffffffffffff", "Frame length exceeds 2^53 - 1 bytes", 1009],
];

describe("decodeHeader()", () => {
  for (const [digits, header] of HEADERS) {
    const bytes = hex(digits);
    test(`reads ${digits} and asks for more before its end`, () => {
      for (let end = 0; end < bytes.length; end++) {
        assertEquals(decodeHeader(bytes.subarray(0, end)), null);
        assertEquals(decodeHeader(bytes, 0, end), null);
      }
      assertEquals(decodeHeader(bytes), { ...header, size: bytes.length });
    });

    test(`reads ${digits} in the middle of other bytes`, () => {
      const within = joinBytes([0xff, 0xff, 0xff], bytes, [0xff]);
      assertEquals(decodeHeader(within, 3), { ...header, size: bytes.length });
      assertEquals(decodeHeader(within, 3, 3 + bytes.length), { ...header, size: bytes.length });
      assertEquals(decodeHeader(within, 3, 2 + bytes.length), null);
    });
  }

  for (const [digits, says, closeCode = 1002] of BROKEN) {
    test(`rejects ${digits} at its last byte: ${says}`, () => {
      const bytes = hex(digits);
      assertEquals(decodeHeader(bytes.subarray(0, -1)), null);
      const error = assertThrows(() => decodeHeader(bytes), ProtocolError);
      assertEquals([error.message, error.closeCode], [says, closeCode]);
    });
  }
});

describe("encodeHeader()", () => {
  for (const [digits, header] of HEADERS) {
    test(`writes ${digits}`, () => {
      assertEquals(encodeHeader(header), hex(digits));
      assertEquals(headerSize(header.length, header.mask !== null), hex(digits).length);
    });
  }

  test("pairs with decodeHeader() for random headers", () => {
    const random = seededRandom(1);
    const below = (bound: number): number => Math.floor(random() * bound);
    for (let i = 0; i < 5000; i++) {
      const control = random() < 0.3;
      const header: FrameHeader = {
        fin: control || random() < 0.5,
        rsv: control ? 0 : below(8),
        opcode: Object.values(Opcode)[control ? 3 + below(3) : below(3)],
        mask: random() < 0.5 ? below(2 ** 32) : null,
        length: control ? below(126) : below(2 ** below(54)),
      };
      const bytes = encodeHeader(header);
      assertEquals(decodeHeader(bytes), { ...header, size: bytes.length });
    }
  });

  test("writes what an independent encoder writes, at every boundary length", () => {
    for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 65_537]) {
      const whole = encodeFrame({ opcode: 2, payload: new Uint8Array(length) });
      const header = encodeHeader({ ...plain, opcode: Opcode.Binary, length });
      assertEquals(header, whole.subarray(0, whole.length - length));
    }
  });
});

describe("writeHeader()", () => {
  test("returns the position behind the header and touches nothing else", () => {
    const header = { ...plain, opcode: Opcode.Text, length: 3, mask: 0x0a0b0c0d };
    const target = new Uint8Array(10).fill(0xee);
    assertEquals(writeHeader(target, 2, header), 8);
    assertEquals(target, hex("eeee 8183 0a0b0c0d eeee"));
  });
});

test("the longest header is 14 bytes, the longest control payload 125", () => {
  assertEquals(MAX_HEADER_SIZE, headerSize(Number.MAX_SAFE_INTEGER, true));
  assertEquals(MAX_CONTROL_PAYLOAD, 125);
});

test("isControl() holds for Close, Ping and Pong alone", () => {
  const control = Object.entries(Opcode).filter(([, opcode]) => isControl(opcode));
  assertEquals(control.map(([name]) => name), ["Close", "Ping", "Pong"]);
});
