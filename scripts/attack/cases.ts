/** The attacks of the catalogue's section 6, by id. @module */

import { createConnection } from "node:net";
import { constants, deflateRawSync } from "node:zlib";
import { connect } from "../../mod.ts";
import type { Conn } from "../../src/runtime/conn.ts";
import { joinBytes } from "../../tests/frames.ts";
import { latin1 } from "../../tests/latin1.ts";
import { REQUEST } from "../../tests/raw_peer.ts";
import { frame, RawClient, repeat, within } from "./raw_client.ts";

const MIB = 1_048_576;

/** How long one message may keep the server's event loop, in milliseconds. */
const MAX_BLOCK = 10;

/** What an attack is told. */
export interface Attack {
  readonly url: string;
  /** From 0 to 1: how much of the full attack to run; tests run a part. */
  readonly scale: number;
}

/** One case. */
export interface AttackCase {
  readonly id: string;
  readonly what: string;
  /** Flags of `examples/echo.ts`. */
  readonly flags?: readonly string[];
  /** Which server: `examples/echo.ts` unless said otherwise. */
  readonly server?: string;
  /** How much memory may grow, in MiB, when it is not 32. */
  readonly gate?: number;
  /**
   * So many connections are held open, and what TCP alone costs for each of them is added to the gate:
   * on Deno 9000 of them are 50 MiB before anything of ours comes. @default {0}
   */
  readonly holds?: number;
  /** Attacks, and returns what came of it; throws if that is wrong. */
  readonly run: (attack: Attack) => Promise<string>;
}

function expectEnd(seen: string | null, ...wanted: string[]): string {
  if (seen !== null && wanted.includes(seen)) return `closed ${seen}`;
  throw new Error(`ended with ${seen}, not ${wanted.join(" or ")}`);
}

/** Floods one connection until the server ends it. */
async function floodUntilClosed(
  url: string,
  start: Uint8Array,
  bytes: Uint8Array,
  total: number,
  ...codes: string[]
): Promise<string> {
  const client = await RawClient.open(url);
  await client.write(start);
  const written = await client.flood(bytes, total);
  const end = expectEnd(await within(5000, client.ended), ...codes);
  client.close();
  return `${end} after ${(written / MIB).toFixed(1)} MiB`;
}

/** Opens `count` connections, a few at a time, and does something with each. */
async function openMany<T>(
  count: number,
  open: (i: number) => Promise<T>,
): Promise<T[]> {
  const all: T[] = [];
  while (all.length < count) {
    const size = Math.min(50, count - all.length);
    all.push(...await Promise.all(Array.from({ length: size }, (_, i) => open(all.length + i))));
  }
  return all;
}

/** Closes connections a few at a time: how they end is not what these attacks are about. */
async function closeAll(connections: readonly { close(): void }[]): Promise<void> {
  for (let at = 0; at < connections.length; at += 50) {
    connections.slice(at, at + 50).forEach((connection) => connection.close());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Does something `count` times, so many at a time. */
async function times(count: number, width: number, act: () => Promise<void>): Promise<void> {
  let left = count;
  await Promise.all(Array.from({ length: width }, async () => {
    while (left-- > 0) await act();
  }));
}

/** Whether a server has given a connection up: then writing to it fails before long. */
async function isCutOff(client: RawClient): Promise<boolean> {
  for (let i = 0; i < 50; i++) {
    if (!await client.write(frame(0x8a))) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

/** The status with which a server refuses; "none" if it leaves without a word. */
async function refusal(conn: Conn): Promise<string> {
  const bytes = await conn.read().catch(() => null);
  return /^HTTP\/1\.1 (\d+) /.exec(new TextDecoder().decode(bytes ?? undefined))?.[1] ?? "none";
}

/** Connects and leaves by RST, as no `Conn` does. */
function connectAndReset(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let isOpen = false;
    const socket = createConnection(Number(port), hostname, () => {
      isOpen = true;
      socket.resetAndDestroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(isOpen));
  });
}

/** Floods a server from a peer that reads nothing; `mayTakeAll` where the server need not stop. */
function deaf(
  what: string,
  bytes: Uint8Array,
  total: number,
  { mayTakeAll = false }: { mayTakeAll?: boolean } = {},
): AttackCase["run"] {
  return async ({ url, scale }) => {
    const client = await RawClient.open(url, { deaf: true });
    // More than the buffers of two sockets, in any case.
    const offered = Math.max(total * scale, 32 * MIB);
    const written = await client.flood(bytes, offered);
    client.close();
    if (written === 0) throw new Error("nothing was taken");
    if (written >= offered && !mayTakeAll) {
      throw new Error(`all of ${what} were taken from one who reads nothing`);
    }
    return `${(written / MIB).toFixed(1)} MiB of ${what} taken`;
  };
}

function bomb(size: number, level = 9): Uint8Array {
  const all = deflateRawSync(new Uint8Array(size), { level, finishFlush: constants.Z_SYNC_FLUSH });
  return all.subarray(0, all.length - 4);
}

/** The catalogue's attacks. */
export const CASES: readonly AttackCase[] = [
  {
    id: "M-1",
    what: "fragments of 1 MiB, 600 MiB in all",
    run: ({ url, scale }) =>
      floodUntilClosed(
        url,
        frame(0x02),
        frame(0x00, new Uint8Array(MIB)),
        600 * MIB * scale,
        "1009",
      ),
  },
  {
    id: "M-2",
    what: "5000 idle connections after 64 KiB each",
    holds: 5000,
    run: async ({ url, scale }) => {
      const message = frame(0x82, new Uint8Array(65_536));
      const clients = await openMany(5000 * scale, async () => {
        const client = await RawClient.open(url);
        await client.write(message);
        return client;
      });
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await closeAll(clients);
      return `${clients.length} connections`;
    },
  },
  {
    id: "M-3",
    what: "5 million empty continuations",
    run: ({ url, scale }) =>
      floodUntilClosed(
        url,
        frame(0x02),
        repeat(frame(0x00), 10_000),
        30_000_000 * Math.max(scale, 0.1),
        "1008",
      ),
  },
  {
    id: "M-4",
    what: "2 million continuations of 1 byte",
    run: ({ url, scale }) =>
      floodUntilClosed(
        url,
        frame(0x02),
        repeat(frame(0x00, Uint8Array.of(0x61)), 10_000),
        14_000_000 * Math.max(scale, 0.1),
        "1008",
      ),
  },
  {
    id: "M-5",
    what: "a frame of 900 kB in 200 000 writes of a byte",
    run: async ({ url, scale }) => {
      const client = await RawClient.open(url);
      const bytes = frame(0x82, new Uint8Array(900_000));
      const count = Math.round(200_000 * scale);
      for (let at = 0; at < count; at++) await client.write(bytes.subarray(at, at + 1));
      await client.write(bytes.subarray(count));
      return `${count} writes, ${expectEnd(await client.leave(), "1005")}`;
    },
  },
  {
    id: "M-6",
    what: "2 million pings of 125 bytes to a peer that does not read",
    // The newest pong replaces the last (RFC 6455 5.5.3), so the server can read on.
    run: deaf("pings", repeat(frame(0x89, new Uint8Array(125)), 2000), 262_000_000, {
      mayTakeAll: true,
    }),
  },
  {
    id: "M-7",
    what: "1000 headers that announce 1 MiB, and 1 byte",
    gate: 10,
    run: async ({ url, scale }) => {
      const part = frame(0x82, new Uint8Array(MIB)).subarray(0, 15);
      const clients = await openMany(Math.max(200, 1000 * scale), async () => {
        const client = await RawClient.open(url);
        await client.write(part);
        return client;
      });
      await new Promise((resolve) => setTimeout(resolve, 3000));
      await closeAll(clients);
      return `${clients.length} connections`;
    },
  },
  {
    id: "M-8",
    what: "1 MB that inflates to 1 GiB",
    flags: ["--compress"],
    run: async ({ url, scale }) => {
      const size = Math.max(16 * MIB, 1024 * MIB * scale);
      const bytes = frame(0xc2, bomb(size));
      const client = await RawClient.open(url, { compress: true });
      await client.write(bytes);
      const end = expectEnd(await within(5000, client.ended), "1009");
      client.close();
      return `${end}, ${(bytes.length / MIB).toFixed(2)} MiB sent`;
    },
  },
  {
    id: "M-8b",
    what: "the same in 64 fragments",
    flags: ["--compress"],
    run: async ({ url, scale }) => {
      const payload = bomb(Math.max(16 * MIB, 1024 * MIB * scale));
      const size = Math.ceil(payload.length / 64);
      const client = await RawClient.open(url, { compress: true });
      for (let i = 0; i < 64; i++) {
        const part = payload.subarray(i * size, (i + 1) * size);
        await client.write(frame(i === 0 ? 0x42 : i === 63 ? 0x80 : 0x00, part));
      }
      const end = expectEnd(await within(5000, client.ended), "1009");
      client.close();
      return end;
    },
  },
  {
    id: "M-8c",
    what: "2000 messages that inflate to just below the limit",
    flags: ["--compress"],
    run: async ({ url, scale }) => {
      const client = await RawClient.open(url, { compress: true });
      const count = Math.max(20, Math.round(2000 * scale));
      const message = frame(0xc2, bomb(MIB - 1));
      for (let i = 0; i < count; i++) if (!await client.write(message)) break;
      const end = expectEnd(await client.leave(60_000), "1005");
      return `${count} messages, ${end}`;
    },
  },
  {
    id: "M-9",
    what: "400 MB to echo, to a peer that does not read",
    run: deaf("messages", frame(0x82, new Uint8Array(100_000)), 400_000_000),
  },
  {
    id: "M-10",
    what: "a million empty messages",
    run: async ({ url, scale }) => {
      const client = await RawClient.open(url);
      const written = await client.flood(
        repeat(frame(0x82), 5000),
        6_000_000 * Math.max(scale, 0.05),
        10_000,
      );
      return `${Math.round(written / 6)} messages, ${expectEnd(await client.leave(), "1005")}`;
    },
  },
  {
    id: "M-10b",
    what: "5 million empty messages to an application that takes its time",
    server: "tests/fixtures/attacked_server.ts",
    flags: ["--slow"],
    run: deaf("messages", repeat(frame(0x82), 5000), 30_000_000),
  },
  {
    id: "M-11",
    what: "10 000 connections with half a header",
    run: async ({ url, scale }) => {
      const half = latin1(REQUEST.slice(0, 80));
      const conns = await openMany(Math.max(1200, 10_000 * scale), async () => {
        const conn = await RawClient.dial(url);
        await conn.write(half);
        return conn;
      });
      // Long before handshakeTimeout: those beyond the limit went to make room.
      const answers = await Promise.all(
        conns.slice(0, 100).map((conn) => within(2000, refusal(conn))),
      );
      await closeAll(conns);
      const dropped = answers.filter((status) => status === "408").length;
      if (dropped < 100) throw new Error(`only ${dropped} of the 100 oldest were dropped`);
      return `${conns.length} connections, the oldest were dropped`;
    },
  },
  {
    id: "M-11b",
    what: "9000 connections with half a message each",
    holds: 9000,
    run: async ({ url, scale }) => {
      const half = frame(0x82, new Uint8Array(1000)).subarray(0, 500);
      const clients = await openMany(9000 * scale, async () => {
        const client = await RawClient.open(url);
        await client.write(half);
        return client;
      });
      await new Promise((resolve) => setTimeout(resolve, 500));
      await closeAll(clients);
      return `${clients.length} connections`;
    },
  },
  {
    id: "M-12",
    what: "10 000 times connect, compress, close",
    flags: ["--compress"],
    run: async ({ url, scale }) => {
      const bytes = joinBytes(
        frame(0xc2, bomb(20_000)),
        frame(0x88),
      );
      const count = Math.round(10_000 * scale);
      await times(count, 50, async () => {
        const client = await RawClient.open(url, { compress: true });
        await client.write(bytes);
        await within(5000, client.ended);
        client.close();
      });
      return `${count} cycles`;
    },
  },
  {
    id: "M-13",
    what: "a broadcast to 100 connections, 5 of them deaf",
    server: "tests/fixtures/attacked_server.ts",
    flags: ["--broadcast"],
    run: async ({ url }) => {
      const deaf = await Promise.all(
        Array.from({ length: 5 }, () => RawClient.open(url, { deaf: true })),
      );
      const others = await openMany(95, () => RawClient.open(url));
      const speaker = await RawClient.open(url);
      const message = frame(0x82, new Uint8Array(65_536));
      // What fills the buffers of a connection, and the backlog that the server allows.
      for (let i = 0; i < 160; i++) {
        await speaker.write(message);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const cutOff = await Promise.all(deaf.map(isCutOff));
      await closeAll([...deaf, ...others, speaker]);
      if (!cutOff.every((is) => is)) throw new Error("deaf connections are still there");
      return "the deaf ones were cut off";
    },
  },
  {
    id: "M-14",
    what: "50 000 times connect and reset",
    run: async ({ url, scale }) => {
      const count = Math.round(50_000 * scale);
      let failed = 0;
      await times(count, 50, async () => {
        if (!await connectAndReset(url)) failed++;
      });
      if (failed > 0) throw new Error(`${failed} of ${count} could not connect`);
      return `${count} connections`;
    },
  },
  {
    id: "M-14b",
    what: "50 000 times connect, upgrade, close",
    run: async ({ url, scale }) => {
      const count = Math.round(50_000 * scale);
      const close = frame(0x88);
      await times(count, 50, async () => {
        const client = await RawClient.open(url);
        await client.write(close);
        await within(5000, client.ended);
        client.close();
      });
      return `${count} sessions`;
    },
  },
  {
    id: "M-16",
    what: "text messages of 1 MiB, each blocking for less than 10 ms",
    server: "tests/fixtures/attacked_server.ts",
    flags: ["--blocks"],
    run: async ({ url, scale }) => {
      const text = "€".repeat(349_525);
      const session = await connect(url);
      const blocks: number[] = [];
      for (let i = 0; i < Math.max(15, 100 * scale); i++) {
        await session.send(text);
        if (await session.receive() !== text) throw new Error("the echo is another text");
        blocks.push(Number(await session.receive()));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await session.close(1000);
      blocks.sort((a, b) => a - b);
      const middle = blocks[blocks.length >> 1];
      const said = `blocked for ${middle.toFixed(1)} ms (median), ${
        blocks.at(-1)!.toFixed(1)
      } (most)`;
      // What else the machine does can only add to single ones.
      if (!(middle < MAX_BLOCK)) throw new Error(said);
      return said;
    },
  },
];

/** M-15: all of them in a random order, until the time is over. */
export async function soak(attack: Attack, milliseconds: number): Promise<string> {
  const started = performance.now();
  const cases = CASES.filter(({ server, flags, id }) =>
    server === undefined && flags === undefined && !["M-2", "M-11", "M-11b"].includes(id)
  );
  let count = 0;
  while (performance.now() - started < milliseconds) {
    await cases[Math.floor(Math.random() * cases.length)].run({ ...attack, scale: 0.05 });
    count++;
  }
  return `${count} attacks`;
}
