/**
 * The arena's world: walls, coins, and players that move. No sockets, no clock, and chance is an
 * argument, so that the same steps lead to the same world, on every runtime.
 *
 * @module
 */

import {
  COIN_RADIUS,
  distance,
  GRID,
  PLAYER_RADIUS,
  type Point,
  SIZE,
  SPOTS,
  touches,
  WALLS,
} from "./arena_map.ts";

/** Steps of the world in one second. */
export const TICK_RATE = 30;

/** Coins that lie about at any time. */
export const COINS = 10;

/** How far a player gets in one step. It is less than a wall is thick. */
const SPEED = 6;

/** Somebody in the arena. */
export interface Player extends Point {
  /** From 1 on; free for somebody else when the player has left. */
  readonly id: number;
  readonly score: number;
}

/** What the world itself may change of a player. */
type Moving = { id: number; x: number; y: number; score: number; dx: number; dy: number };

/** The arena and everybody in it. */
export class World {
  readonly #players = new Map<number, Moving>();
  readonly #maxPlayers: number;
  readonly #random: () => number;
  #coins: readonly Point[] = [];
  #time = 0;

  /** `random()` is at least 0 and below 1, as `Math.random()`. */
  constructor(maxPlayers: number, random: () => number) {
    this.#maxPlayers = maxPlayers;
    this.#random = random;
    while (this.#coins.length < COINS) this.#coins = [...this.#coins, this.#pickSpot()];
  }

  /** Steps that the world has made. */
  get time(): number {
    return this.#time;
  }

  get players(): readonly Player[] {
    return [...this.#players.values()];
  }

  get coins(): readonly Point[] {
    return this.#coins;
  }

  /** A new player, who stands still; `null` if there are as many as there may be. */
  join(): Player | null {
    let id = 1;
    while (this.#players.has(id)) id++;
    if (id > this.#maxPlayers) return null;
    const player = { id, ...this.#pickSpot(), score: 0, dx: 0, dy: 0 };
    this.#players.set(id, player);
    return player;
  }

  leave(id: number): void {
    this.#players.delete(id);
  }

  /** Where a player wants to go from now on: 127 is full speed, in whichever direction. */
  steer(id: number, dx: number, dy: number): void {
    const player = this.#players.get(id);
    if (player !== undefined) Object.assign(player, { dx, dy });
  }

  /** One step: everybody moves, then coins are taken and new ones appear. */
  step(): void {
    this.#time++;
    for (const player of this.#players.values()) move(player);
    this.#coins = this.#coins.map((coin) => {
      const taker = findTaker(coin, this.#players.values());
      if (taker === null) return coin;
      taker.score++;
      return this.#pickSpot();
    });
  }

  /** A free place: without wall, coin or player. There are always more places than those. */
  #pickSpot(): Point {
    const taken = [...this.#coins, ...this.#players.values()];
    const free = SPOTS.filter((spot) => taken.every((point) => distance(spot, point) > 2 * GRID));
    const spots = free.length > 0 ? free : SPOTS;
    return spots[Math.floor(this.#random() * spots.length)];
  }
}

/** First along one axis, then along the other: so a player slides along a wall. */
function move(player: Moving): void {
  // Not Math.hypot(): unlike a square root, engines may round it differently.
  const strength = Math.sqrt(player.dx * player.dx + player.dy * player.dy);
  const scale = SPEED / Math.max(127, strength);
  const [low, high] = [PLAYER_RADIUS, SIZE - PLAYER_RADIUS];
  const x = clamp(player.x + player.dx * scale, low, high);
  const wallX = WALLS.find((wall) => touches(wall, x, player.y));
  if (wallX === undefined) player.x = x;
  else player.x = player.dx > 0 ? wallX[0] - PLAYER_RADIUS : wallX[2] + PLAYER_RADIUS;
  const y = clamp(player.y + player.dy * scale, low, high);
  const wallY = WALLS.find((wall) => touches(wall, player.x, y));
  if (wallY === undefined) player.y = y;
  else player.y = player.dy > 0 ? wallY[1] - PLAYER_RADIUS : wallY[3] + PLAYER_RADIUS;
}

/** The nearest player who reaches the coin; who came first, if two are as near. */
function findTaker(coin: Point, players: Iterable<Moving>): Moving | null {
  let taker: Moving | null = null;
  let reach = PLAYER_RADIUS + COIN_RADIUS;
  for (const player of players) {
    if (distance(coin, player) >= reach) continue;
    reach = distance(coin, player);
    taker = player;
  }
  return taker;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
