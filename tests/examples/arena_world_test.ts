import { assert, assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { MAX_CATCH_UP, startLoop } from "../../examples/arena_loop.ts";
import { SIZE, touches, WALLS } from "../../examples/arena_map.ts";
import { type Player, World } from "../../examples/arena_world.ts";
import { FakeClock } from "../../src/testing.ts";

/** Chance with a seed, the same on every runtime. */
function createChance(seed: number): () => number {
  return () => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

/** Chance of which a test says what it is: which of so many places. */
function constant(value: number): () => number {
  return () => value;
}

function join(world: World): Player {
  const player = world.join();
  assert(player !== null);
  return player;
}

/** Steers players at random and calls `check` after each step. */
function play(world: World, steps: number, seed: number, check: () => void = () => {}): void {
  const random = createChance(seed);
  for (let i = 0; i < steps; i++) {
    for (const { id } of world.players) {
      const direction = (): number => Math.floor(random() * 255) - 127;
      if (random() < 0.05) world.steer(id, direction(), direction());
    }
    world.step();
    check();
  }
}

describe("the arena's world", () => {
  test("is the same for the same chance and the same inputs, on every runtime", () => {
    const worlds = [1, 2].map(() => {
      const world = new World(4, createChance(7));
      for (let i = 0; i < 4; i++) join(world);
      play(world, 3000, 8);
      return world;
    });
    const [first, second] = worlds.map(({ players, coins, time }) => ({ players, coins, time }));
    assertEquals(first, second);
    assertEquals(first.time, 3000);
    assertEquals(first.players.map(({ score }) => score), [4, 5, 8, 8]);
    assertEquals(first.players.map(({ x, y }) => [x, y]), [
      [273.32668188918615, 443.29403725829695],
      [64.3443252219892, 613.8379173197785],
      [550.478420363359, 593.6359487318518],
      [532, 530.9292739549272],
    ]);
  });

  test("keeps everybody out of the walls, and no faster than they may be", () => {
    const world = new World(8, createChance(1));
    for (let i = 0; i < 8; i++) join(world);
    let before: Player[] = structuredClone([...world.players]);
    play(world, 3000, 2, () => {
      for (const { id, x, y } of world.players) {
        assert(
          x >= 12 && x <= SIZE - 12 && y >= 12 && y <= SIZE - 12,
          `${id} is out at ${x}, ${y}`,
        );
        assert(!WALLS.some((wall) => touches(wall, x, y)), `${id} is in a wall at ${x}, ${y}`);
        const old = before.find((player) => player.id === id)!;
        assert(Math.hypot(x - old.x, y - old.y) < 6.001, `${id} jumped`);
      }
      before = structuredClone([...world.players]);
    });
  });

  test("lets players slide along walls and stop at the border", () => {
    const world = new World(1, constant(0));
    const player = join(world);
    Object.assign(player, { x: 180, y: 97 }); // above a wall, which ends at 240
    world.steer(player.id, 127, 127);
    for (let i = 0; i < 5; i++) world.step();
    assertEquals([Math.round(player.x), player.y], [201, 98]);
    for (let i = 0; i < 300; i++) world.step();
    assertEquals([player.x, player.y], [SIZE - 12, SIZE - 12]);
  });

  test("moves players diagonally no faster than straight, slower when they ask for it", () => {
    const world = new World(1, constant(0));
    const player = join(world);
    const distanceOf = (dx: number, dy: number): number => {
      const { x, y } = player;
      world.steer(player.id, dx, dy);
      world.step();
      world.steer(player.id, -dx, -dy);
      const moved = Math.hypot(player.x - x, player.y - y);
      world.step();
      return Math.round(moved * 1000) / 1000;
    };
    assertEquals(distanceOf(127, 0), 6);
    assertEquals(distanceOf(127, 127), 6);
    assertEquals(distanceOf(0, 0), 0);
    assertEquals(distanceOf(63.5, 0), 3);
  });

  test("gives a coin to the nearest who reaches it, and puts another one elsewhere", () => {
    for (const [near, far, scores] of [[0, 1, [1, 0]], [1, 0, [0, 1]]] as const) {
      const world = new World(2, constant(0)); // the first free place each time
      const players = [join(world), join(world)];
      const [coin] = world.coins;
      Object.assign(players[near], { x: coin.x, y: coin.y + 5 });
      Object.assign(players[far], { x: coin.x + 10, y: coin.y });
      world.step();
      assertEquals(players.map(({ score }) => score), [...scores]);
      assertEquals(world.coins.length, 10);
      assert(world.coins.every(({ x, y }) => x !== coin.x || y !== coin.y));
    }
  });

  test("has so many players and no more, and gives numbers anew", () => {
    const world = new World(2, createChance(1));
    assertEquals([join(world).id, join(world).id, world.join()], [1, 2, null]);
    world.leave(1);
    assertEquals(world.players.map(({ id }) => id), [2]);
    world.steer(1, 127, 127); // who has left
    assertEquals(join(world).id, 1);
  });

  test("has a place for everybody", () => {
    for (let seed = 0; seed < 20; seed++) {
      const world = new World(32, createChance(seed));
      for (let i = 0; i < 32; i++) join(world);
      const points = [...world.players, ...world.coins];
      assertEquals(new Set(points.map(({ x, y }) => `${x} ${y}`)).size, 42);
    }
  });
});

describe("the arena's loop", () => {
  /** Runs a loop, and keeps how many steps each call asked for. */
  function observe(rate = 30): { clock: FakeClock; calls: number[]; stop: () => void } {
    const clock = new FakeClock();
    const calls: number[] = [];
    const stop = startLoop(rate, (steps) => void calls.push(steps), clock);
    return { clock, calls, stop };
  }

  const sum = (calls: readonly number[]): number => calls.reduce((a, b) => a + b, 0);

  test("makes 30 steps each second, one at a time, and does not drift", async () => {
    const { clock, calls, stop } = observe();
    await clock.advance(20_001); // whole milliseconds do not divide by the interval
    assertEquals([sum(calls), Math.max(...calls)], [600, 1]);
    stop();
  });

  test("makes up for late timers, whose lateness does not add up", async () => {
    const { clock, calls, stop } = observe();
    for (let i = 0; i < 100; i++) await clock.standStill(101);
    assertEquals(sum(calls), Math.floor(10_100 * 30 / 1000));
    assert(Math.max(...calls) <= 4);
    stop();
  });

  test("skips time after a long pause", async () => {
    const { clock, calls, stop } = observe();
    await clock.standStill(60_000);
    assertEquals(calls, [MAX_CATCH_UP]);
    await clock.advance(1001);
    assertEquals([sum(calls), Math.max(...calls.slice(1))], [MAX_CATCH_UP + 30, 1]);
    stop();
  });

  test("asks for no step when a timer comes early", async () => {
    const clock = new FakeClock();
    const calls: number[] = [];
    const early = {
      now: () => clock.now(),
      schedule: (ms: number, callback: () => void) => clock.schedule(ms / 2, callback),
      cancel: (call: unknown) => clock.cancel(call),
    };
    const stop = startLoop(30, (steps) => void calls.push(steps), early);
    await clock.advance(1001);
    assertEquals(calls, Array(30).fill(1));
    stop();
  });

  test("leaves no timer behind when it is stopped", async () => {
    const { clock, calls, stop } = observe();
    await clock.advance(110);
    stop();
    await clock.advance(1000);
    assertEquals([calls.length, clock.pending], [3, 0]);
  });
});
