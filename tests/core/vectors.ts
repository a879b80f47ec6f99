/**
 * Frames that a peer may send, as bytes, and what they amount to: sections 3 and 5 of the
 * catalogue, for both roles.
 *
 * @module
 */

import type { Role } from "../../src/core/receiver.ts";
import { closeFrame, frame, hex, line, type RawFrame, utf8, wire } from "./wire.ts";

/** Bytes that a peer sends, and what they amount to. */
export interface Vector {
  /** What must happen: the name of its test. */
  readonly name: string;
  /** The bytes for an end of this role; `null` where the case is not for it. */
  readonly wire: (role: Role) => Uint8Array | null;
  /** The lines of its transcript. */
  readonly events: readonly string[];
}

function both(name: string, frames: readonly RawFrame[], ...events: string[]): Vector {
  return { name, events, wire: (role) => wire(role, ...frames) };
}

/** Bytes as they are, for one role. */
function only(role: Role, name: string, bytes: string, ...events: string[]): Vector {
  return { name, events, wire: (asked) => asked === role ? hex(bytes) : null };
}

/** The error ends it: what follows a broken rule is not looked at. */
function fails(name: string, frames: readonly RawFrame[], ...events: string[]): Vector {
  return both(name, [...frames, frame(TEXT, "more"), frame(CLOSE)], ...events);
}

const TEXT = 0x81;
const BINARY = 0x82;
const PING = 0x89;
const PONG = 0x8a;
const CLOSE = 0x88;
/** The first byte of fragments: first of a text, first of a binary, middle, last. */
const TEXT_START = 0x01;
const BINARY_START = 0x02;
const MIDDLE = 0x00;
const LAST = 0x80;

const GOOD = frame(TEXT, "good");
const SAYS_GOOD = 'text "good"';
const BYTES_125 = new Uint8Array(125).map((_, i) => i);

const UNMASKED = "error 1002 Frame from the client is not masked";
const MASKED = "error 1002 Frame from the server is masked";
const RSV = "error 1002 A reserved bit is set that no extension has defined";
const CONTROL_RSV = "error 1002 Control frame has a reserved bit set";
const CONTROL_FRAGMENT = "error 1002 Control frame is fragmented";
const CONTROL_LENGTH = "error 1002 Control frame payload is longer than 125 bytes";
const ORPHAN = "error 1002 Continuation frame without a message to continue";
const INTERLEAVED = "error 1002 A new message begins before the last one is complete";
const TOP_BIT = "error 1002 Frame length has its most significant bit set";
const TOO_LONG = "error 1009 Message is longer than 1048576 bytes (limits.maxMessageSize)";
const UNSAFE_LENGTH = "error 1009 Frame length exceeds 2^53 - 1 bytes";
const NOT_UTF8 = "error 1007 Text is not valid UTF-8";

const notMinimal = (length: number): string =>
  `error 1002 Frame length ${length} is not minimally encoded`;

const MASKING: readonly Vector[] = [
  only("server", "F-1 unmasked text to a server", "81 02 68 69", UNMASKED),
  only("server", "F-1 unmasked ping to a server", "89 00", UNMASKED),
  only("server", "F-1 unmasked close to a server", "88 02 03e8", UNMASKED),
  only("server", "F-1 header of an unmasked long message to a server", "82 7e 0100", UNMASKED),
  only("client", "F-2 masked text to a client", "81 85 01020304 69676f686e", MASKED),
  only("client", "F-2 masked close to a client", "88 82 03e80000 0000", MASKED),
  only("client", "F-2 masked empty ping to a client", "89 80 01020304", MASKED),
  only("server", "F-3 mask key 00000000 is a key", "81 82 00000000 6869", 'text "hi"'),
  only("server", "F-3 mask key ffffffff is a key", "82 82 ffffffff 00ff", "binary ff00"),
  only("server", "RFC 6455 5.7 masked Hello", "81 85 37fa213d 7f9f4d5158", 'text "Hello"'),
  only("client", "RFC 6455 5.7 unmasked Hello", "81 05 48656c6c6f", 'text "Hello"'),
  only("client", "RFC 6455 5.7 Hello in fragments", "01 03 48656c 80 02 6c6f", 'text "Hello"'),
];

const RESERVED_BITS: readonly Vector[] = [0x40, 0x20, 0x10, 0x70].flatMap((bits) => {
  const name = `F-10 reserved bits ${bits.toString(16)} on`;
  return [
    fails(`${name} a text message`, [GOOD, frame(TEXT | bits, "x")], SAYS_GOOD, RSV),
    fails(`${name} a binary message`, [frame(BINARY | bits, "x")], RSV),
    fails(`${name} a first fragment`, [frame(TEXT_START | bits, "x")], RSV),
    fails(`${name} a continuation`, [frame(TEXT_START), frame(LAST | bits)], RSV),
    both(`${name} a message whose payload does not come`, [frame(TEXT | bits, "", "05")], RSV),
    fails(`${name} a ping`, [frame(PING | bits)], CONTROL_RSV),
    fails(`${name} a pong`, [frame(PONG | bits)], CONTROL_RSV),
    fails(`${name} a close`, [frame(CLOSE | bits)], CONTROL_RSV),
  ];
});

const GIB = "7f0000000040000000";

const RESERVED_OPCODES: readonly Vector[] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap(
  (opcode) => {
    const error = `error 1002 Opcode ${opcode} is reserved`;
    return [
      fails(`F-12 opcode ${opcode}`, [GOOD, frame(0x80 | opcode)], SAYS_GOOD, error),
      fails(`F-12 opcode ${opcode} as a fragment`, [frame(opcode)], error),
      fails(`F-12 opcode ${opcode} in a message`, [frame(TEXT_START), frame(0x80 | opcode)], error),
      both(`F-12 opcode ${opcode} that announces 1 GiB`, [frame(0x80 | opcode, "", GIB)], error),
      only("server", `F-12 opcode ${opcode} known by one byte`, `8${opcode.toString(16)}`, error),
    ];
  },
);

const SEQUENCES: readonly Vector[] = [
  fails("F-20 continuation without a start", [frame(LAST, "x")], ORPHAN),
  fails("F-20 continuation behind a whole message", [GOOD, frame(LAST, "x")], SAYS_GOOD, ORPHAN),
  fails(
    "F-20 continuation behind the last fragment",
    [frame(TEXT_START, "a"), frame(LAST, "b"), frame(LAST, "c")],
    'text "ab"',
    ORPHAN,
  ),
  fails("F-21 empty middle fragment as the first frame", [frame(MIDDLE)], ORPHAN),
  fails(
    "F-23 two starts without an end",
    [frame(TEXT_START, "a"), frame(TEXT_START, "b"), frame(LAST, "c")],
    INTERLEAVED,
  ),
  fails("F-23 whole text in a message", [frame(BINARY_START, "a"), frame(TEXT, "b")], INTERLEAVED),
  fails("F-23 whole binary in a text", [frame(TEXT_START), frame(BINARY)], INTERLEAVED),
  fails("F-24 fragmented ping", [frame(0x09)], CONTROL_FRAGMENT),
  fails("F-24 fragmented pong", [frame(0x0a, "x")], CONTROL_FRAGMENT),
  fails("F-24 fragmented close", [frame(0x08)], CONTROL_FRAGMENT),
  both("F-25 ping of 126 bytes", [frame(PING, "", "7e007e")], CONTROL_LENGTH),
  both("F-25 pong of 126 bytes", [frame(PONG, "", "7e007e")], CONTROL_LENGTH),
  both("F-25 close of 126 bytes", [frame(CLOSE, "", "7e007e")], CONTROL_LENGTH),
  both("F-25 ping of 65 536 bytes", [frame(PING, "", "7f0000000000010000")], CONTROL_LENGTH),
  fails("F-25 ping of 5 bytes in the long form", [frame(PING, "hello", "7e0005")], CONTROL_LENGTH),
];

const LENGTHS: readonly Vector[] = [
  both("F-30 2 in 16 bits", [frame(TEXT, "hi", "7e0002")], notMinimal(2)),
  both("F-30 0 in 16 bits", [frame(TEXT, "", "7e0000")], notMinimal(0)),
  both("F-30 125 in 16 bits", [frame(TEXT, "", "7e007d")], notMinimal(125)),
  both("F-30 2 in 64 bits", [frame(TEXT, "hi", "7f0000000000000002")], notMinimal(2)),
  both("F-30 126 in 64 bits", [frame(BINARY, "", "7f000000000000007e")], notMinimal(126)),
  both("F-30 65 535 in 64 bits", [frame(BINARY, "", "7f000000000000ffff")], notMinimal(65_535)),
  both("F-31 2^63", [frame(BINARY, "", "7f8000000000000000")], TOP_BIT),
  both("F-31 2^63 + 1 on a text", [frame(TEXT, "", "7f8000000000000001")], TOP_BIT),
  both("F-31 2^64 - 1", [frame(BINARY, "", "7fffffffffffffffff")], TOP_BIT),
  both("F-32 2^53 + 1", [frame(BINARY, "", "7f0020000000000001")], UNSAFE_LENGTH),
  both("F-33 2^53", [frame(BINARY, "", "7f0020000000000000")], UNSAFE_LENGTH),
  both("F-33 2^63 - 1", [frame(BINARY, "", "7f7fffffffffffffff")], UNSAFE_LENGTH),
  both("F-33 2^53 - 1", [frame(BINARY, "", "7f001fffffffffffff")], TOO_LONG),
  both("F-34 2^32", [frame(BINARY, "", "7f0000000100000000")], TOO_LONG),
  both("F-35 2^31", [frame(BINARY, "", "7f0000000080000000")], TOO_LONG),
  both("F-36 one more than the limit", [frame(TEXT, "", "7f0000000000100001")], TOO_LONG),
  both(
    "F-37 lengths whose sum overflows 63 bits",
    [frame(BINARY_START, "a"), frame(LAST, "", "7f7fffffffffffffff")],
    UNSAFE_LENGTH,
  ),
  both(
    "F-37 lengths whose sum overflows 53 bits",
    [frame(BINARY_START, "a"), frame(LAST, "", "7f001fffffffffffff")],
    TOO_LONG,
  ),
];

/** Bytes that are not UTF-8, why, and which of them cannot belong to any text; 0 is the first. */
export const NOT_TEXT: ReadonlyArray<readonly [bytes: string, why: string, impossible: number]> = [
  ["80", "a continuation byte at the start", 0],
  ["6162bf", "a continuation byte behind ASCII", 2],
  ["c328", "two-byte sequence, broken", 1],
  ["c3c3a9", "two-byte sequence, started anew", 1],
  ["c0af", "overlong in two bytes", 0],
  ["c1bf", "overlong in two bytes, the longest", 0],
  ["e080af", "overlong in three bytes", 1],
  ["e09fbf", "overlong in three bytes, the longest", 1],
  ["f08080af", "overlong in four bytes", 1],
  ["f08fbfbf", "overlong in four bytes, the longest", 1],
  ["eda080", "the first surrogate", 1],
  ["edbfbf", "the last surrogate", 1],
  ["eda080edb080", "a pair of surrogates", 1],
  ["e28228", "three-byte sequence, broken", 2],
  ["f0908028", "four-byte sequence, broken", 3],
  ["f4908080", "above U+10FFFF", 1],
  ["f5808080", "far above U+10FFFF", 0],
  ["f888808080", "five-byte sequence", 0],
  ["fc8480808080", "six-byte sequence", 0],
  ["fe", "never in UTF-8", 0],
  ["ff", "never in UTF-8", 0],
  ["cebae1bdb9cf83cebcceb5eda080656469746564", "a surrogate behind Greek", 12],
];

/** Bytes that begin like UTF-8 and end inside a character. */
export const CUT_TEXT: readonly string[] = [
  "c3",
  "e2",
  "e282",
  "f0",
  "f09f",
  "f09f98",
  "6162f09f98",
  "e282ace2",
];

const TEXTS: readonly Vector[] = [
  ...NOT_TEXT.flatMap(([bytes, why]) => [
    fails(`F-40 ${why}: ${bytes}`, [frame(TEXT, hex(bytes))], NOT_UTF8),
    fails(
      `F-40 ${why}: ${bytes} in a fragment that is not the last`,
      [frame(TEXT_START, "a"), frame(MIDDLE, hex(bytes))],
      NOT_UTF8,
    ),
    fails(`F-40 ${why}: ${bytes} in fragments of a byte`, fragments(hex(bytes)), NOT_UTF8),
  ]),
  ...CUT_TEXT.flatMap((bytes) => [
    fails(`F-40 ends inside a character: ${bytes}`, [frame(TEXT, hex(bytes))], NOT_UTF8),
    fails(
      `F-40 ends inside a character: ${bytes} in fragments of a byte`,
      fragments(hex(bytes)),
      NOT_UTF8,
    ),
  ]),
  both("F-40 byte order mark is kept", [frame(TEXT, hex("efbbbf616263"))], 'text "\ufeffabc"'),
  both(
    "F-40 byte order mark is kept in fragments",
    fragments(hex("efbbbf616263")),
    'text "\ufeffabc"',
  ),
  both("F-40 the binary message may be anything", [frame(BINARY, hex("c328ff"))], "binary c328ff"),
  both("F-41 emoji in fragments of a byte", fragments(utf8("😀🎉")), 'text "😀🎉"'),
  both("F-41 NUL bytes", [frame(TEXT, "\0a\0")], `text ${JSON.stringify("\0a\0")}`),
  both("F-41 U+FFFE and U+FFFF", [frame(TEXT, "\ufffe\uffff")], 'text "\ufffe\uffff"'),
  both(
    "F-41 the first and the last of each length",
    [frame(TEXT, "\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}")],
    'text "\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}"',
  ),
];

/** A text message in fragments of one byte, each, and an empty one at the end. */
function fragments(text: Uint8Array): RawFrame[] {
  const pieces = Array.from(text, (byte, i) => {
    return frame(i === 0 ? TEXT_START : MIDDLE, Uint8Array.of(byte));
  });
  return [...pieces, frame(LAST)];
}

const CONTROL: readonly Vector[] = [
  both("F-50 pong that nobody asked for", [frame(PONG), GOOD], "pong ", SAYS_GOOD),
  both("F-50 the same pong twice", [frame(PONG, "a"), frame(PONG, "a")], "pong 61", "pong 61"),
  both("F-50 pong of 125 bytes", [frame(PONG, BYTES_125)], line("pong", BYTES_125)),
  both("F-51 empty ping", [frame(PING)], "ping "),
  both("F-51 ping of 1 byte", [frame(PING, "a")], "ping 61"),
  both("F-51 ping of 125 bytes", [frame(PING, BYTES_125)], line("ping", BYTES_125)),
  both(
    "F-51 control frames between fragments",
    [
      frame(PING, "0"),
      frame(TEXT_START, "He"),
      frame(PING, "1"),
      frame(MIDDLE, "l"),
      frame(PONG, "2"),
      frame(PING),
      frame(LAST, "lo"),
      frame(PING, "3"),
    ],
    "ping 30",
    "ping 31",
    "pong 32",
    "ping ",
    'text "Hello"',
    "ping 33",
  ),
];

const MESSAGES: readonly Vector[] = [
  both("F-41 empty messages", [frame(TEXT), frame(BINARY)], 'text ""', "binary "),
  both(
    "F-41 empty fragments alone",
    [frame(TEXT_START), frame(MIDDLE), frame(LAST), frame(BINARY_START), frame(LAST)],
    'text ""',
    "binary ",
  ),
  both(
    "F-41 empty fragments around others",
    [frame(TEXT_START), frame(MIDDLE, "a"), frame(MIDDLE), frame(MIDDLE, "b"), frame(LAST), GOOD],
    'text "ab"',
    SAYS_GOOD,
  ),
  both(
    "F-41 messages one behind the other",
    [GOOD, frame(BINARY, "a"), frame(BINARY_START, "b"), frame(LAST, "c"), GOOD, frame(BINARY)],
    SAYS_GOOD,
    "binary 61",
    "binary 6263",
    SAYS_GOOD,
    "binary ",
  ),
];

const CLOSING: readonly Vector[] = [
  fails(
    "X-1 close of 1 byte",
    [frame(CLOSE, "\x02")],
    "error 1002 Close frame has a payload of 1 byte",
  ),
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((code) =>
    fails(`X-2 code ${code}`, [closeFrame(code)], `error 1002 Close code ${code} is not allowed`)
  ),
  ...[
    1000,
    1001,
    1002,
    1003,
    1007,
    1008,
    1009,
    1010,
    1011,
    1012,
    1013,
    1014,
    3000,
    3999,
    4000,
    4999,
  ]
    .map((code) => fails(`X-2 code ${code}`, [closeFrame(code, "why")], `close ${code} "why"`)),
  fails("X-4 reason that is not UTF-8", [closeFrame(1000, hex("eafc"))], NOT_UTF8),
  fails("X-4 reason that ends inside a character", [closeFrame(1000, hex("61e282"))], NOT_UTF8),
  fails(
    "X-4 code that is not allowed comes first",
    [closeFrame(1005, hex("eafc"))],
    "error 1002 Close code 1005 is not allowed",
  ),
  fails(
    "X-4 reason of 123 bytes",
    [closeFrame(1000, "é".repeat(61) + "!")],
    `close 1000 "${"é".repeat(61)}!"`,
  ),
  fails("X-5 close without code", [frame(CLOSE)], 'close 1005 ""'),
  fails(
    "X-5 close in the middle of a message",
    [frame(TEXT_START, "a"), closeFrame(1001)],
    'close 1001 ""',
  ),
  fails(
    "X-6 nothing counts behind a close",
    [
      GOOD,
      closeFrame(1000, "end"),
      frame(PING, "late"),
      closeFrame(1001),
      frame(0x83),
    ],
    SAYS_GOOD,
    'close 1000 "end"',
  ),
];

/** All of them. */
export const VECTORS: readonly Vector[] = [
  ...MASKING,
  ...RESERVED_BITS,
  ...RESERVED_OPCODES,
  ...SEQUENCES,
  ...LENGTHS,
  ...TEXTS,
  ...CONTROL,
  ...MESSAGES,
  ...CLOSING,
];
