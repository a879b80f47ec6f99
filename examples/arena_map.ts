/** The ground of the arena: its walls, and where something has room. Pure geometry. @module */

/** The length of a side of the arena, which is a square. Lengths and places are in this unit. */
export const SIZE = 640;

/** Half the width of a player. */
export const PLAYER_RADIUS = 12;

/** Half the width of a coin. */
export const COIN_RADIUS = 7;

/** A rectangle: left, top, right, bottom. */
export type Wall = readonly [number, number, number, number];

/** What stops players, besides the border. */
export const WALLS: readonly Wall[] = [
  [120, 110, 240, 130],
  [120, 130, 140, 230],
  [400, 510, 520, 530],
  [500, 410, 520, 510],
  [400, 110, 520, 130],
  [500, 130, 520, 230],
  [120, 510, 240, 530],
  [120, 410, 140, 510],
  [310, 200, 330, 280],
  [310, 360, 330, 440],
  [200, 310, 280, 330],
  [360, 310, 440, 330],
];

/** A place. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Whether a player would be in a wall; a wall counts them as square. */
export function touches([left, top, right, bottom]: Wall, x: number, y: number): boolean {
  return x > left - PLAYER_RADIUS && x < right + PLAYER_RADIUS &&
    y > top - PLAYER_RADIUS && y < bottom + PLAYER_RADIUS;
}

/** How far two places are apart. */
export function distance(a: Point, b: Point): number {
  return Math.sqrt((a.x - b.x) ** 2 + (a.y - b.y) ** 2);
}

/** The distance between the places where something may appear. */
export const GRID = 20;

/** The places where something may appear: those without walls. */
export const SPOTS: readonly Point[] = listSpots();

function listSpots(): Point[] {
  const spots: Point[] = [];
  for (let y = GRID; y <= SIZE - GRID; y += GRID) {
    for (let x = GRID; x <= SIZE - GRID; x += GRID) {
      if (!WALLS.some((wall) => touches(wall, x, y))) spots.push({ x, y });
    }
  }
  return spots;
}
