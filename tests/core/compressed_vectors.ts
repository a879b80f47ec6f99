/**
 * Compressed frames that a peer may send, as bytes, and what they amount to: section 4 of the
 * catalogue, for both roles.
 *
 * @module
 */

import { deflateRawSync } from "node:zlib";
import type { ProtocolLimits } from "../../src/core/protocol.ts";
import { joinBytes } from "../frames.ts";
import { frame, hex, line, type RawFrame, utf8 } from "./wire.ts";

/** Frames for an end that has agreed on permessage-deflate, and what they amount to. */
export interface CompressedVector {
  /** What must happen: the name of its test. */
  readonly name: string;
  readonly frames: readonly RawFrame[];
  /** The lines of its transcript; `error 1007 …` stands for any reason of the inflater's. */
  readonly events: readonly string[];
  /** Whether the peer may refer to earlier messages. @default {both are tried} */
  readonly keepsContext?: boolean;
  /** The peer's window. @default {15} */
  readonly windowBits?: number;
  readonly limits?: Partial<ProtocolLimits>;
}

const TEXT = 0xc1;
const BINARY = 0xc2;
const PING = 0x89;
/** First bytes of fragments: compressed, middle, last. */
const TEXT_START = 0x41;
const BINARY_START = 0x42;
const MIDDLE = 0x00;
const LAST = 0x80;

const HELLO = hex("f2 48 cd c9 c9 07 00");
const HELLO_AGAIN = hex("f2 00 11 00 00");
const SAYS_HELLO = 'text "Hello"';
const RSV = "error 1002 A reserved bit is set that no extension has defined";
const ORPHAN = "error 1002 Continuation frame without a message to continue";
const NOT_UTF8 = "error 1007 Text is not valid UTF-8";
const CORRUPT = "error 1007 …";
const MORE = frame(TEXT, HELLO);

/** What zlib makes of `bytes`, less the tail of the flush (RFC 7692 section 7.2.1). */
export function deflated(
  bytes: Uint8Array,
  level: number = 6,
  windowBits: number = 15,
): Uint8Array {
  const all = deflateRawSync(bytes, { level, windowBits, finishFlush: 2 });
  return new Uint8Array(all.subarray(0, all.length - 4));
}

/** A message in fragments of `size` bytes. */
function fragments(payload: Uint8Array, size: number, start: number): RawFrame[] {
  const frames: RawFrame[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const isLast = at + size >= payload.length;
    const first = (at === 0 ? start : MIDDLE) | (isLast ? LAST : 0);
    frames.push(frame(first, payload.slice(at, at + size)));
  }
  return frames;
}

const EXAMPLES: readonly CompressedVector[] = [
  { name: "RFC 7692 7.2.3.1 a message", frames: [frame(TEXT, HELLO)], events: [SAYS_HELLO] },
  {
    name: "RFC 7692 7.2.3.1 a message in two fragments",
    frames: [frame(TEXT_START, hex("f248cd")), frame(LAST, hex("c9c90700"))],
    events: [SAYS_HELLO],
  },
  {
    name: "RFC 7692 7.2.3.2 sharing the window",
    keepsContext: true,
    frames: [frame(TEXT, HELLO), frame(TEXT, HELLO_AGAIN)],
    events: [SAYS_HELLO, SAYS_HELLO],
  },
  {
    name: "RFC 7692 7.2.3.3 a stored block",
    frames: [frame(TEXT, hex("00 05 00 fa ff 48 65 6c 6c 6f 00"))],
    events: [SAYS_HELLO],
  },
  {
    name: "RFC 7692 7.2.3.5 two blocks",
    frames: [frame(TEXT, hex("f2 48 05 00 00 00 ff ff ca c9 c9 07 00"))],
    events: [SAYS_HELLO],
  },
];

const BITS: readonly CompressedVector[] = [
  { name: "C-2 a message without RSV1", frames: [frame(0x81, "raw")], events: ['text "raw"'] },
  { name: "C-3 RSV1 on a ping", frames: [frame(0xc9), MORE], events: [controlBit()] },
  { name: "C-3 RSV1 on a pong", frames: [frame(0xca), MORE], events: [controlBit()] },
  { name: "C-3 RSV1 on a close", frames: [frame(0xc8), MORE], events: [controlBit()] },
  {
    name: "C-4 RSV1 on a continuation",
    frames: [frame(TEXT_START, hex("f34ace")), frame(0xc0, hex("c8cb0404")), MORE],
    events: [RSV],
  },
  {
    name: "C-4 RSV1 on a continuation of a message that is not compressed",
    frames: [frame(0x01, "a"), frame(0xc0, HELLO), MORE],
    events: [RSV],
  },
  { name: "C-1 RSV2 stays reserved", frames: [frame(0xa1, "x"), MORE], events: [RSV] },
  { name: "C-1 RSV3 beside RSV1", frames: [frame(0xd1, HELLO), MORE], events: [RSV] },
  {
    name: "C-5 a continuation behind a compressed message",
    frames: [frame(TEXT, HELLO), frame(LAST, HELLO), MORE],
    events: [SAYS_HELLO, ORPHAN],
  },
];

function controlBit(): string {
  return "error 1002 Control frame has a reserved bit set";
}

const CONTROL: readonly CompressedVector[] = [
  {
    name: "C-6 a ping between compressed fragments",
    frames: [
      frame(TEXT_START, hex("f248cd")),
      frame(PING, "p"),
      frame(LAST, hex("c9c90700")),
    ],
    events: ["ping 70", SAYS_HELLO],
  },
  {
    name: "C-6 a ping before the first fragment, and a hundred among them",
    frames: [
      frame(PING, "p"),
      frame(TEXT_START, hex("f248")),
      ...Array.from({ length: 100 }, () => frame(PING, "p")),
      frame(MIDDLE),
      frame(LAST, hex("cdc9c90700")),
    ],
    events: [...Array.from({ length: 101 }, () => "ping 70"), SAYS_HELLO],
  },
  {
    name: "C-12 compressed, not compressed and a ping, one behind the other",
    frames: [frame(TEXT, HELLO), frame(0x81, "raw"), frame(PING), frame(TEXT, HELLO)],
    events: [SAYS_HELLO, 'text "raw"', "ping ", SAYS_HELLO],
  },
];

const STREAMS: readonly CompressedVector[] = [
  { name: "C-8 an empty message", frames: [frame(TEXT, hex("00"))], events: ['text ""'] },
  { name: "C-8 an empty message without a byte", frames: [frame(TEXT)], events: ['text ""'] },
  {
    name: "C-8 empty fragments",
    frames: [
      frame(BINARY_START),
      frame(MIDDLE),
      frame(LAST),
      frame(BINARY_START),
      frame(LAST, hex("00")),
      frame(BINARY_START, hex("00")),
      frame(LAST),
    ],
    events: ["binary ", "binary ", "binary "],
  },
  {
    name: "C-9 blocks with BFINAL, twice",
    frames: [1, 2].map(() => frame(TEXT, hex("f3 48 cd c9 c9 07 00 00"))),
    events: [SAYS_HELLO, SAYS_HELLO],
  },
  {
    name: "C-9 BFINAL at the very end, and a message behind it",
    frames: [frame(TEXT, hex("f3 48 cd c9 c9 07 00")), frame(TEXT, HELLO)],
    events: [SAYS_HELLO, SAYS_HELLO],
  },
  {
    name: "C-9 BFINAL in the middle of a message",
    frames: [frame(TEXT, joinBytes(hex("f3 48 cd c9 c9 07 00"), HELLO))],
    events: ['text "HelloHello"'],
  },
  {
    name: "C-15 fragments of a byte",
    frames: fragments(HELLO, 1, TEXT_START),
    events: [SAYS_HELLO],
  },
  {
    name: "C-15 flushed blocks inside, and at the end",
    frames: [frame(TEXT, joinBytes(HELLO, hex("0000ffff"), HELLO, hex("0000ffff 00")))],
    events: ['text "HelloHello"'],
  },
  {
    name: "C-15 nothing but flushes",
    frames: [frame(TEXT, joinBytes(...Array.from({ length: 50 }, () => hex("000000ffff")), [0]))],
    events: ['text ""'],
  },
  ...[0, 1, 6, 9].map((level) => {
    const data = Uint8Array.from({ length: 20 }, (_, i) => (i * i) % 5);
    return {
      name: `C-15 level ${level} in fragments of 3 bytes`,
      frames: fragments(deflated(data, level), 3, BINARY_START),
      events: [line("binary", data)],
    };
  }),
];

const FAULTS: readonly CompressedVector[] = [
  { name: "C-7 garbage", frames: [frame(BINARY, hex("ffffffff")), MORE], events: [CORRUPT] },
  {
    name: "C-7 a message that ends inside a block",
    frames: [frame(TEXT, HELLO.slice(0, 3)), MORE],
    events: [CORRUPT],
  },
  {
    name: "C-7 a message that ends inside a stored block",
    frames: [frame(BINARY, hex("00 05 00 fa ff 48")), MORE],
    events: [CORRUPT],
  },
  {
    name: "C-7 a message that ends inside the head of a block",
    keepsContext: false,
    frames: [frame(BINARY, hex("05 e0")), MORE],
    events: [CORRUPT],
  },
  {
    name: "C-7 lengths of a stored block that contradict each other",
    frames: [frame(BINARY, hex("00 05 00 05 00 48 65 6c 6c 6f 00")), MORE],
    events: [CORRUPT],
  },
  {
    name: "C-14 a reference to an earlier message, where none was agreed on",
    keepsContext: false,
    frames: [frame(TEXT, HELLO), frame(TEXT, HELLO_AGAIN), MORE],
    events: [SAYS_HELLO, CORRUPT],
  },
  {
    name: "C-13 a reference before the first byte",
    frames: [frame(TEXT, HELLO_AGAIN), MORE],
    events: [CORRUPT],
  },
  {
    name: "C-16 text that is not UTF-8 once it is inflated",
    frames: [frame(TEXT, hex("00 02 00 fd ff c3 28")), MORE],
    events: [NOT_UTF8],
  },
  {
    name: "C-16 a stored block that is not UTF-8",
    frames: [frame(TEXT, hex("00 02 00 fd ff c3 28 00")), MORE],
    events: [NOT_UTF8],
  },
  {
    name: "F-40 a character that is cut by the fragments is not cut",
    frames: fragments(deflated(utf8("€😀é")), 1, TEXT_START),
    events: ['text "€😀é"'],
  },
  {
    name: "F-40 fails fast in an inflated fragment",
    frames: [frame(TEXT_START, hex("00 02 00 fd ff c3 28")), frame(PING), MORE],
    events: [NOT_UTF8],
  },
  {
    name: "F-40 text that ends inside a character once it is inflated",
    frames: [frame(TEXT, deflated(Uint8Array.of(0x61, 0xe2, 0x82))), MORE],
    events: [NOT_UTF8],
  },
];

const TOO_LONG = "error 1009 Message is longer than 10 bytes (limits.maxMessageSize)";
const TEN = { maxMessageSize: 10 };

const LIMITS: readonly CompressedVector[] = [
  ...[9, 10].map((size) => ({
    name: `C-10 ${size} bytes where 10 are allowed`,
    limits: TEN,
    frames: [frame(TEXT, deflated(utf8("a".repeat(size))))],
    events: [`text "${"a".repeat(size)}"`],
  })),
  {
    name: "C-10 11 bytes where 10 are allowed",
    limits: TEN,
    frames: [frame(TEXT, deflated(utf8("a".repeat(11)))), MORE],
    events: [TOO_LONG],
  },
  {
    name: "F-38 11 bytes in fragments where 10 are allowed",
    limits: TEN,
    frames: [...fragments(deflated(utf8("abcdefghijk")), 2, TEXT_START), MORE],
    events: [TOO_LONG],
  },
  {
    name: "C-10 more bytes on the wire than the limit, fewer inflated",
    limits: TEN,
    frames: [
      frame(
        TEXT,
        joinBytes(...[..."0123456789"].map((c) => joinBytes(hex("000100feff"), utf8(c))), [0]),
      ),
    ],
    events: ['text "0123456789"'],
  },
  {
    name: "C-10 a limit that announces itself in no header",
    limits: TEN,
    frames: [frame(BINARY_START, deflated(new Uint8Array(1000)))],
    events: [TOO_LONG],
  },
  {
    name: "M-3 too many fragments of a compressed message",
    limits: { maxFragments: 3 },
    frames: [...fragments(HELLO, 2, TEXT_START), MORE],
    events: ["error 1008 Message has more than 3 fragments (limits.maxFragments)"],
  },
];

/** All of them. */
export const COMPRESSED_VECTORS: readonly CompressedVector[] = [
  ...EXAMPLES,
  ...BITS,
  ...CONTROL,
  ...STREAMS,
  ...FAULTS,
  ...LIMITS,
];
