import { assert, assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import {
  decodeHello,
  decodeSnapshot,
  encodeInput,
  type Hello,
  type Snapshot,
} from "../../examples/arena_codec.ts";
import {
  accept,
  Arena,
  INPUT_BURST,
  INPUTS_PER_TICK,
  type Seat,
} from "../../examples/arena_game.ts";
import { World } from "../../examples/arena_world.ts";
import { connect, type Message, serve, type WebSocketSession } from "../../mod.ts";
import { MemoryListener, type MemoryOptions } from "../../src/testing.ts";
import { runExample, startExample } from "../programs.ts";
import { settle } from "../settle.ts";
import { RUNTIMES } from "../toolchain.ts";

/** A page as the server sees it. */
class Client {
  readonly session: WebSocketSession;
  hello: Hello | null = null;

  constructor(session: WebSocketSession) {
    this.session = session;
  }

  static async enter(url: string, conn?: ReturnType<MemoryListener["connect"]>): Promise<Client> {
    return new Client(await connect(url, { conn }));
  }

  /** The next snapshot; a hello before it is kept. */
  async next(): Promise<Snapshot> {
    for (;;) {
      const message: Message | null = await this.session.receive();
      assert(message instanceof Uint8Array);
      const view = new DataView(message.buffer, message.byteOffset, message.length);
      if (view.getUint8(0) === 3) return decodeSnapshot(view);
      assertEquals(view.getUint8(0), 2);
      this.hello = decodeHello(view);
    }
  }

  /** The first snapshot that is what the test waits for. */
  async until(isIt: (snapshot: Snapshot) => boolean): Promise<Snapshot> {
    for (;;) {
      const snapshot = await this.next();
      if (isIt(snapshot)) return snapshot;
    }
  }

  /** How the session ended. Only who reads on gets to the Close. */
  async end(): Promise<readonly [number, string]> {
    while (await this.session.receive() !== null);
    const { code, reason } = await this.session.closed;
    return [code, reason];
  }

  steer(dx: number, dy: number): void {
    this.session.send(encodeInput({ dx, dy }));
  }
}

/** An arena in memory, which steps when the test says so. */
async function createArena(maxPlayers = 4): Promise<{
  world: World;
  enter(options?: MemoryOptions): Promise<Client>;
  step(steps?: number): number;
  end(): Promise<void>;
}> {
  const listener = new MemoryListener();
  const clients: Client[] = [];
  const world = new World(maxPlayers, () => 0);
  const arena = new Arena(world);
  const server = await serve<Seat>({ listener, accept }, arena);
  return {
    world,
    enter: async (options) => {
      const client = await Client.enter("ws://arena/", listener.connect(options));
      clients.push(client);
      return client;
    },
    step: (steps = 1) => arena.step(steps, server),
    // Not by a closing handshake, which would wait for those who do not read.
    end: async () => {
      for (const { session } of clients) session.abort();
      await server.shutdown();
    },
  };
}

describe("the arena", () => {
  test("tells who comes which player is theirs, and what there is", async () => {
    const { enter, end } = await createArena();
    const [ada, bob] = [await enter(), await enter()];
    assertEquals((await ada.next()).players.map(({ id }) => id), [1]);
    assertEquals((await bob.next()).players.map(({ id }) => id), [1, 2]);
    assertEquals([ada.hello!.id, bob.hello!.id], [1, 2]);
    const { tickRate, size, walls } = ada.hello!;
    assertEquals([tickRate, size, walls.length], [30, 640, 12]);
    await end();
  });

  test("moves players as they ask, and tells everybody", async () => {
    const { enter, step, end } = await createArena();
    const [ada, bob] = [await enter(), await enter()];
    const [, { players: [start] }] = [await ada.next(), await bob.next()];
    ada.steer(-127, 0);
    await settle();
    assertEquals(step(2), 2);
    for (const client of [ada, bob]) {
      const { time, players } = await client.next();
      assertEquals([time, players[0].x, players[0].y], [2, start.x - 12, start.y]);
    }
    await end();
  });

  for (
    const [title, message, code, reason] of [
      ["text", "left", 1003, "The arena takes binary messages"],
      ["a wrong length", new Uint8Array(4), 1007, "An input has 3 bytes, not 4"],
      ["an unknown type", new Uint8Array(3), 1007, "An input has type 1, not 0"],
      [
        "a direction out of range",
        new Uint8Array([1, 128, 0]),
        1007,
        "A direction is from -127 to 127, not -128",
      ],
    ] as const
  ) {
    test(`closes with ${code} on ${title}, and the others play on`, async () => {
      const { enter, step, end } = await createArena();
      const [bad, good] = [await enter(), await enter()];
      bad.session.send(message);
      assertEquals(await bad.end(), [code, reason]);
      await good.next();
      step();
      assertEquals((await good.next()).players.map(({ id }) => id), [2]);
      await end();
    });
  }

  test("closes with 1008 on more inputs than the ticks allow, and takes the others", async () => {
    const { world, enter, step, end } = await createArena();
    const ada = await enter();
    await ada.next();
    for (let i = 0; i < INPUT_BURST; i++) ada.steer(1, 0);
    ada.steer(127, 0);
    assertEquals(await ada.end(), [1008, `More than ${INPUTS_PER_TICK} inputs per tick`]);

    // As many as a tick gives are fine for ever.
    const bob = await enter();
    for (let i = 0; i < 2 * INPUT_BURST; i++) {
      for (let j = 0; j < INPUTS_PER_TICK; j++) bob.steer(0, 127);
      await bob.next();
      await settleSome();
      step();
    }
    assertEquals([bob.session.state, world.players.length], ["open", 1]);
    await end();
  });

  test("sends who is behind no queue, but the newest when they have caught up", async () => {
    const { enter, step, end } = await createArena();
    const [slow, quick] = [await enter({ highWaterMark: 200 }), await enter()];
    await quick.next();
    const counts: number[] = [];
    for (let i = 0; i < 150; i++) {
      counts.push(step());
      await quick.next();
      await settleSome();
    }
    // What a receive queue and the transport hold reached the slow one; then nothing did.
    const reached = counts.filter((count) => count === 2).length;
    assert(reached < 30, `${reached}`);
    assertEquals(new Set(counts.slice(100)), new Set([1]));

    const got: Snapshot[] = [];
    while (got.length <= reached) got.push(await slow.next()); // the first came on entering
    assert(got.at(-1)!.time < 100);
    await settle();
    assertEquals(step(), 2);
    assertEquals((await slow.next()).time, 151);
    await end();
  });

  test("lets those over its number watch, and play in their turn", async () => {
    const { enter, step, end } = await createArena(1);
    const [ada, bob, eve] = [await enter(), await enter(), await enter()];
    for (const client of [ada, bob, eve]) await client.next();
    assertEquals([ada, bob, eve].map(({ hello }) => hello!.id), [1, 0, 0]);
    bob.steer(127, 0); // moves nobody
    await settle();
    step();
    assertEquals((await ada.next()).players.length, 1);

    await ada.session.close();
    await settle();
    step();
    for (const client of [bob, eve]) await client.until(({ time }) => time === 2);
    assertEquals([bob, eve].map(({ hello }) => hello!.id), [1, 0]);
    bob.session.abort();
    await settle();
    step();
    await eve.until(({ time }) => time === 3);
    assertEquals(eve.hello!.id, 1);
    await end();
  });
});

/** Enough for what a step sent to arrive. */
function settleSome(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

for (const runtime of RUNTIMES) {
  test(`examples/arena.ts on ${runtime} lets two players see each other move`, async () => {
    const program = await startExample(runtime, "examples/arena.ts", ["--port", "0"]);
    const url = program.url.replace("http", "ws");
    const [ada, bob] = await Promise.all([Client.enter(url), Client.enter(url)]);
    const hasBoth = ({ players }: Snapshot): boolean => players.length === 2;
    const start = await ada.until(hasBoth);
    await bob.until(hasBoth); // who came first has snapshots without the other
    const me = ada.hello!.id;
    const of = ({ players }: Snapshot, id: number) => players.find((player) => player.id === id)!;
    const { x, y } = of(start, me);
    ada.steer(x < 320 ? 127 : -127, y < 320 ? 127 : -127);
    const seen = await bob.until((snapshot) => {
      const now = of(snapshot, me);
      return Math.abs(now.x - x) + Math.abs(now.y - y) > 30;
    });
    assert(seen.time - start.time >= 4, `${seen.time - start.time} ticks`);

    // The pace: 30 ticks take a second.
    const [from, began] = [await bob.next(), performance.now()];
    await bob.until(({ time }) => time >= from.time + 15);
    const took = performance.now() - began;
    assert(took > 350 && took < 2000, `15 ticks took ${took} ms`);

    const page = await (await fetch(program.url)).text();
    assert(page.includes("function decodeSnapshot("));

    // What is larger than any input is refused by its size alone.
    bob.session.send(new Uint8Array(1000));
    assertEquals((await bob.end())[0], 1009);
    await ada.until(({ players }) => players.length === 1);
    const stopped = program.stop();
    assertEquals(await ada.end(), [1001, ""]);
    assertEquals(await stopped, 0);
  });
}

test("examples/arena.ts says what is wrong with a flag", async () => {
  const { status, stderr } = await runExample("deno", "examples/arena.ts", ["--players", "0"]);
  assertEquals([status, stderr], [2, `--players is "0", not a whole number from 1 to 32\n`]);
});
