import { assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import {
  decodeHello,
  decodeInput,
  decodeSnapshot,
  encodeHello,
  encodeInput,
  encodeSnapshot,
  type Hello,
  type Snapshot,
} from "../../examples/arena_codec.ts";

const HELLO: Hello = { id: 5, tickRate: 30, size: 640, walls: [[1, 2, 300, 4], [5, 6, 7, 640]] };

const SNAPSHOT: Snapshot = {
  time: 0x01020304,
  players: [
    { id: 1, x: 12, y: 628, score: 0 },
    { id: 255, x: 100.5, y: 0.015625, score: 258 },
  ],
  coins: [{ x: 20, y: 40.25 }],
};

const HELLO_BYTES = "02 05 1e 0280 02 0001 0002 012c 0004 0005 0006 0007 0280";

const SNAPSHOT_BYTES = "03 01020304 02 01 0300 9d00 0000 ff 1920 0001 0102 01 0500 0a10";

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

describe("the arena's messages", () => {
  test("have the bytes that the table says", () => {
    assertEquals(hex(encodeInput({ dx: 127, dy: -127 })), "017f81");
    assertEquals(hex(encodeHello(HELLO)), HELLO_BYTES.replaceAll(" ", ""));
    assertEquals(hex(encodeSnapshot(SNAPSHOT)), SNAPSHOT_BYTES.replaceAll(" ", ""));
  });

  test("are decoded to what was encoded", () => {
    assertEquals(decodeHello(view(encodeHello(HELLO))), HELLO);
    assertEquals(decodeSnapshot(view(encodeSnapshot(SNAPSHOT))), SNAPSHOT);
    const empty = { time: 0, players: [], coins: [] };
    assertEquals(decodeSnapshot(view(encodeSnapshot(empty))), empty);
    for (let dx = -127; dx <= 127; dx++) {
      assertEquals(decodeInput(encodeInput({ dx, dy: -dx })), { dx, dy: 0 - dx });
    }
  });

  test("keep places within half of a 64th, and scores and ticks within their bytes", () => {
    const player = { id: 1, x: 1 / 3, y: 639.999, score: 70_000 };
    const { time, players } = decodeSnapshot(
      view(encodeSnapshot({ time: 2 ** 32 + 7, players: [player], coins: [] })),
    );
    assertEquals(time, 7);
    assertEquals(players, [{ id: 1, x: 21 / 64, y: 640, score: 65_535 }]);
  });

  test("take fractions of a direction", () => {
    assertEquals(decodeInput(encodeInput({ dx: 126.6, dy: -0.4 })), { dx: 127, dy: 0 });
  });

  test("are read from the middle of a buffer", () => {
    const bytes = new Uint8Array([9, 9, 1, 3, 0xfc, 9]).subarray(2, 5);
    assertEquals(decodeInput(bytes), { dx: 3, dy: -4 });
  });

  for (
    const [bytes, message] of [
      [[], "An input has 3 bytes, not 0"],
      [[1, 0], "An input has 3 bytes, not 2"],
      [[1, 0, 0, 0], "An input has 3 bytes, not 4"],
      [[3, 0, 0], "An input has type 1, not 3"],
      [[1, 128, 0], "A direction is from -127 to 127, not -128"],
      [[1, 0, 128], "A direction is from -127 to 127, not -128"],
    ] as const
  ) {
    test(`do not include the input [${bytes}]: ${message}`, () => {
      assertThrows(() => decodeInput(new Uint8Array(bytes)), RangeError, message);
    });
  }

  test("are read by functions that use nothing outside of themselves, as the page needs", () => {
    const source = `${encodeInput}\n${decodeHello}\n${decodeSnapshot}
      return { encodeInput, decodeHello, decodeSnapshot };`;
    const page = new Function(source)();
    assertEquals(hex(page.encodeInput({ dx: 1, dy: 2 })), "010102");
    assertEquals(page.decodeHello(view(encodeHello(HELLO))), HELLO);
    assertEquals(page.decodeSnapshot(view(encodeSnapshot(SNAPSHOT))), SNAPSHOT);
  });
});
