/**
 * The arena's messages as bytes, in network byte order. Pure functions: values in, bytes out, and back.
 *
 * | message           | bytes | what                                                                  |
 * | ----------------- | ----- | --------------------------------------------------------------------- |
 * | input, to server  | 1     | type 1                                                                |
 * |                   | 1 + 1 | direction right and down, −127 to 127 each; both 0 is standing still  |
 * | hello, to page    | 1     | type 2                                                                |
 * |                   | 1     | the player that the page steers; 0: it watches                        |
 * |                   | 1     | ticks per second                                                      |
 * |                   | 2     | side of the arena                                                     |
 * |                   | 1     | number of walls, then for each:                                       |
 * |                   | 4 × 2 | left, top, right, bottom                                              |
 * | snapshot, to page | 1     | type 3                                                                |
 * |                   | 4     | tick, modulo 2³²                                                      |
 * |                   | 1     | number of players, then for each:                                     |
 * |                   | 1     | id                                                                    |
 * |                   | 2 × 2 | x and y, in 64ths                                                     |
 * |                   | 2     | score; 65 535 also stands for more                                    |
 * |                   | 1     | number of coins, then for each:                                       |
 * |                   | 2 × 2 | x and y, in 64ths                                                     |
 *
 * The page runs `encodeInput()`, `decodeHello()` and `decodeSnapshot()` from their own source text, so
 * these three use nothing outside of themselves.
 *
 * @module
 */

import type { Point, Wall } from "./arena_map.ts";
import type { Player } from "./arena_world.ts";

/** The bytes of an input. */
export const INPUT_SIZE = 3;

/** A direction: −127 to 127 each, right and down. */
export interface Input {
  readonly dx: number;
  readonly dy: number;
}

/** What does not change while a page is connected, but for whether it watches. */
export interface Hello {
  readonly id: number;
  readonly tickRate: number;
  readonly size: number;
  readonly walls: readonly Wall[];
}

/** The world at one time. */
export interface Snapshot {
  readonly time: number;
  readonly players: readonly Player[];
  readonly coins: readonly Point[];
}

/** Rounds, so that it takes fractions too. */
export function encodeInput({ dx, dy }: Input): Uint8Array<ArrayBuffer> {
  return new Uint8Array([1, Math.round(dx), Math.round(dy)]);
}

/** Throws a `RangeError` for what is no input. */
export function decodeInput(bytes: Uint8Array): Input {
  if (bytes.length !== INPUT_SIZE) {
    throw new RangeError(`An input has ${INPUT_SIZE} bytes, not ${bytes.length}`);
  }
  if (bytes[0] !== 1) throw new RangeError(`An input has type 1, not ${bytes[0]}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [dx, dy] = [view.getInt8(1), view.getInt8(2)];
  if (dx < -127 || dy < -127) throw new RangeError("A direction is from -127 to 127, not -128");
  return { dx, dy };
}

export function encodeHello({ id, tickRate, size, walls }: Hello): Uint8Array {
  const bytes = new Uint8Array(6 + 8 * walls.length);
  const view = new DataView(bytes.buffer);
  bytes.set([2, id, tickRate]);
  view.setUint16(3, size);
  view.setUint8(5, walls.length);
  walls.flat().forEach((value, i) => view.setUint16(6 + 2 * i, value));
  return bytes;
}

export function decodeHello(view: DataView): Hello {
  const at = (i: number): number => view.getUint16(6 + 2 * i);
  return {
    id: view.getUint8(1),
    tickRate: view.getUint8(2),
    size: view.getUint16(3),
    walls: Array.from({ length: view.getUint8(5) }, (_, wall) => {
      const i = 4 * wall;
      return [at(i), at(i + 1), at(i + 2), at(i + 3)];
    }),
  };
}

export function encodeSnapshot({ time, players, coins }: Snapshot): Uint8Array {
  const bytes = new Uint8Array(7 + 7 * players.length + 4 * coins.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 3);
  view.setUint32(1, time); // modulo 2³²
  view.setUint8(5, players.length);
  let offset = 6;
  for (const { id, x, y, score } of players) {
    view.setUint8(offset, id);
    view.setUint16(offset + 1, Math.round(x * 64));
    view.setUint16(offset + 3, Math.round(y * 64));
    view.setUint16(offset + 5, Math.min(score, 65_535));
    offset += 7;
  }
  view.setUint8(offset++, coins.length);
  for (const { x, y } of coins) {
    view.setUint16(offset, Math.round(x * 64));
    view.setUint16(offset + 2, Math.round(y * 64));
    offset += 4;
  }
  return bytes;
}

export function decodeSnapshot(view: DataView): Snapshot {
  let offset = 6;
  const players = Array.from({ length: view.getUint8(5) }, () => {
    const player = {
      id: view.getUint8(offset),
      x: view.getUint16(offset + 1) / 64,
      y: view.getUint16(offset + 3) / 64,
      score: view.getUint16(offset + 5),
    };
    offset += 7;
    return player;
  });
  const coins = Array.from({ length: view.getUint8(offset++) }, () => {
    const coin = { x: view.getUint16(offset) / 64, y: view.getUint16(offset + 2) / 64 };
    offset += 4;
    return coin;
  });
  return { time: view.getUint32(1), players, coins };
}
