import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { constants, createInflateRaw } from "node:zlib";
import { concat } from "../src/core/bytes.ts";
import { count, median, table } from "../scripts/bench/benchmark.ts";
import { offerOf, prepare } from "../scripts/bench/raw_client.ts";
import type { LoadResult } from "../scripts/bench/load.ts";
import { echoFrame, requestFrame } from "../scripts/bench/known_frames.ts";
import { jsonMessages } from "../scripts/bench/records.ts";
import { BareSession } from "../scripts/bench/servers/bare_session.ts";
import type { Output } from "../scripts/bench/servers/peer.ts";
import { describeMissed, missedTargets, obstacleOf } from "../scripts/bench/missed.ts";
import { GROUPS } from "../scripts/bench/loads.ts";
import {
  bestOf,
  compare,
  medianOf,
  summarize,
  turnOrder,
  warmUpOrder,
} from "../scripts/bench/rounds.ts";
import {
  boundOf,
  describeSpread,
  roomOf,
  type SpeedRow,
  underOf,
} from "../scripts/bench/throughput.ts";

test("jsonMessages() are JSON of the size asked for, all different, the same each time", () => {
  for (const size of [1024, 16_384]) {
    const messages = jsonMessages(size, 50);
    assert(messages.every((text) => new TextEncoder().encode(text).length === size));
    assert(messages.every((text) => JSON.parse(text).events.length > 0));
    assertEquals(new Set(messages).size, 50);
    assertEquals(jsonMessages(size, 50), messages);
  }
});

/** The payload of a masked frame, and the `00 00 ff ff` that was left out. */
function payloadOf(frame: Uint8Array): Uint8Array {
  const at = frame[1] === 0xfe ? 8 : 6;
  const key = frame.subarray(at - 4, at);
  const payload = frame.subarray(at).map((byte, i) => byte ^ key[i & 3]);
  return Uint8Array.of(...payload, 0, 0, 0xff, 0xff);
}

for (const takeover of [false, true]) {
  test(`prepare() makes frames that stay valid when repeated, takeover: ${takeover}`, async () => {
    const texts = jsonMessages(1024, 5);
    const script = await prepare(texts, { offer: offerOf(true, takeover), takeover });
    assertEquals(script.starts.length, texts.length + 1);
    const stream = createInflateRaw();
    let output = "";
    stream.on("data", (piece) => output += piece);
    for (let i = 0; i < 2 * texts.length; i++) {
      const n = i % texts.length;
      const frame = script.bytes.slice(script.starts[n], script.starts[n + 1]);
      assertEquals(frame[0], 0xc1);
      stream.write(payloadOf(frame));
    }
    await new Promise<void>((resolve) => stream.flush(constants.Z_SYNC_FLUSH, () => resolve()));
    if (output.length < 2 * 5 * 1024) await new Promise((resolve) => stream.once("data", resolve));
    assertEquals(output, texts.join("") + texts.join(""));
    stream.destroy();
  });
}

test("median() is the middle one, the lower of two", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 3, 2]), 2);
});

test("table() aligns all columns but the first to the right", () => {
  const text = table(["a", "b"], [["x", count(1234567.4)]]);
  assertEquals(text, "| a | b |\n| --- | ---: |\n| x | 1 234 567 |");
});

function results(...rates: number[]): LoadResult[] {
  return rates.map((perSecond) => ({ perSecond, cpu: 1, load: 1, p50: 1, p99: 1 }));
}

test("bestOf() is the fastest of those that count, and nobody where none does", () => {
  assertEquals(bestOf(results(5, 9, 7), () => true), 1);
  assertEquals(bestOf(results(5, 9, 7), (i) => i !== 1), 2);
  assertEquals(bestOf(results(5), () => false), null);
});

test("compare() takes what was measured at the same time", () => {
  const own = [results(10, 30, 20), results(8, 8, 8), results(50, 1, 9)];
  const others = [results(10, 20, 40), results(4, 4, 4), results(100, 4, 10)];
  const { ratio, spread } = compare(own, others);
  assertEquals(ratio, 1); // the middle of 1, 2 and 0.5
  assertEquals(spread, [0.5, 2]);
  assertEquals(describeSpread(spread), "0.50 to 2.00");
  assertEquals(describeSpread(null), "");
});

test("summarize() takes the middle of all windows, and the processor time at their end", () => {
  const [a, b, c] = results(3, 1, 2);
  const { perSecond, cpu } = summarize([{ ...a, cpu: 7 }, { ...b, cpu: 6 }, { ...c, cpu: 5 }]);
  assertEquals([perSecond, cpu], [2, 5]);
});

test("medianOf() knows no processor time where one result has none", () => {
  const [a, b, c] = results(1, 2, 3);
  assertEquals(medianOf([{ ...a, cpu: 5 }, b, c]).cpu, 1);
  assertEquals(medianOf([a, b, { ...c, cpu: null }]).cpu, null);
});

test("warmUpOrder() has each be the first, and the last, as often as any", () => {
  for (const count of [1, 3, 5]) {
    const orders = Array.from({ length: count }, (_, round) => warmUpOrder(count, round));
    const all = Array.from({ length: count }, (_, i) => i);
    for (const order of orders) assertEquals(order.toSorted(), all);
    for (const place of all) assertEquals(orders.map((order) => order[place]).toSorted(), all);
  }
});

test("turnOrder() has each begin, and each behind each other", () => {
  assertEquals(turnOrder(1, 3), [0]);
  for (const count of [3, 5]) {
    const turns = Array.from({ length: count * (count - 1) }, (_, turn) => turnOrder(count, turn));
    const pairs = turns.flatMap((turn) => turn.slice(1).map((next, i) => `${turn[i]} ${next}`));
    assertEquals(new Set(turns.map(([first]) => first)).size, count);
    assertEquals(new Set(pairs).size, count * (count - 1));
    assert(turns.every((turn) => new Set(turn).size === count));
  }
});

test("underOf() is what takes messages in the same way, for all loads", () => {
  for (const { title, loads } of GROUPS) {
    for (const load of loads) {
      const all = load.contestants("bun");
      for (const one of all.filter(({ kind }) => kind === "ours")) {
        const under = all[underOf(one, all)];
        if (title === "Echo") assertEquals(under.name, `bare, ${one.api}`);
        else if (title === "Echo, compressed" || title === "Growth") assertEquals(under, undefined);
        else assert(under.name.startsWith("sockets"));
      }
    }
  }
});

test("boundOf() goes by processor time where the load is what is waited for", () => {
  const [peer] = results(1);
  const under = { ...peer, cpu: 0.5 };
  const comparison = { ratio: 1.5, spread: [1, 1.7] } as const;
  const most = (part: Partial<LoadResult>) => boundOf(comparison, { ...under, ...part }, peer);
  assertEquals(most({ load: 0.89 }), { most: 1.5, mostInRound: 1.7 });
  assertEquals(most({ load: 0.9 }), { most: 2, mostInRound: 2 });
  assertEquals(most({ cpu: 1 }), { most: 1.5, mostInRound: 1.7 });
  assertEquals(most({ cpu: null }), { most: 1.5, mostInRound: 1.7 });
  assertEquals(boundOf(undefined, under, peer), { most: null, mostInRound: null });
});

test("roomOf() is what the target leaves for ours over what stands under it", () => {
  assertEquals(roomOf(10, 2, 1, 1), { room: 10, own: 10 });
  assertEquals(roomOf(10, 2, 4, 4), { room: -5, own: -5 });
  assertEquals(roomOf(10, 3, 2, 1), { room: 20, own: 5 });
  const unknown = { room: null, own: null };
  assertEquals(roomOf(10, 2, 1, null), unknown);
  assertEquals(roomOf(null, 2, 1, 1), unknown);
  assertEquals(roomOf(10, null, 1, 1), unknown);
});

/** A row of ours with a target of 1. */
function row(figures: Partial<SpeedRow>): SpeedRow {
  const [result] = results(1);
  const names = { group: "G", load: "L", runtime: "node", server: "S", unit: "/s" } as const;
  const compared = { ratio: 0.8, spread: [0.7, 0.9], target: 1 } as const;
  return {
    ...names,
    ...compared,
    result,
    alone: 1,
    most: 2,
    mostInRound: 3,
    room: 3,
    own: 4,
    ...figures,
  };
}

test("obstacleOf() tells what stands between ours and a target", () => {
  assertEquals(obstacleOf(row({ ratio: 1 })), null);
  assertEquals(obstacleOf(row({ target: null })), null);
  assertEquals(obstacleOf(row({ most: 0.9, mostInRound: 0.99 })), "under");
  assertEquals(obstacleOf(row({ most: 0.9, mostInRound: 1 })), "doubt");
  assertEquals(obstacleOf(row({})), "ours");
  assertEquals(obstacleOf(row({ most: null })), "ours");
});

test("describeMissed() lists the targets by what stands in their way", () => {
  const held = { live: 5, resident: 5 };
  const idle = { runtime: "bun", tcp: { live: 1, resident: 1 }, iteration: held } as const;
  const rows = [
    row({}),
    row({ ratio: 1 }),
    row({ most: 0.9, mostInRound: 0.95, room: -1 }),
    row({ ratio: 0.9999, room: null }),
  ];
  const missed = missedTargets(rows, [
    { ...idle, handlers: held, target: 3 },
    { ...idle, handlers: held, target: 4 },
  ]);
  assertEquals(
    describeMissed(missed),
    [
      "What stands under ours, and keeps none of its rules, misses these in every round: 1.",
      "- L: S on node reaches 0.80 of 1 (in single rounds 0.70 to 0.90); at most 0.90 could be, " +
      "which leaves nothing for ours; it takes 4.00",
      "These are missed by what ours does besides: 3.",
      "- L: S on node reaches 0.80 of 1 (in single rounds 0.70 to 0.90); at most 2.00 could be, " +
      "which leaves 3.00 µs for ours; it takes 4.00\n" +
      "- L: S on node reaches 0.9999 of 1 (in single rounds 0.70 to 0.90)\n" +
      "- Memory: an idle connection on bun takes 4.0 of 3 KiB",
    ].join("\n\n"),
  );
  assertEquals(describeMissed([]), "");
});

/** What a bare session makes of these bytes, which come in pieces of this size. */
async function bareEcho(
  input: Uint8Array,
  size: number,
  isIterating: boolean,
): Promise<Uint8Array> {
  const written: Uint8Array[] = [];
  const free: Output[] = [];
  const take = (): Output => free.pop() ?? { bytes: new Uint8Array(input.length), used: 0 };
  const write = (output: Output): void => {
    written.push(output.bytes.slice(0, output.used));
    output.bytes.fill(0xdd);
    output.used = 0;
    free.push(output);
  };
  const session = new BareSession({ take, write, isIterating });
  for (let at = 0; at < input.length; at += size) {
    const piece = Buffer.from(input.subarray(at, at + size));
    session.take(piece);
    piece.fill(0xee);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return concat(written);
}

for (const isIterating of [false, true]) {
  test(`a bare server sends back what came, in any pieces, iterating: ${isIterating}`, async () => {
    const shapes = [0, 5, 125, 126, 2000, 70_000, 1].map((size, i) => [size, i % 2 === 0] as const);
    const texts = shapes.filter(([size, isText]) => !isText || size < 126);
    const input = concat(texts.map(([size, isText]) => requestFrame(size, isText)));
    const output = concat(texts.map(([size, isText]) => echoFrame(size, isText)));
    for (const size of [997, 4096, 65_536, input.length]) {
      assertEquals(await bareEcho(input, size, isIterating), output);
    }
    const start = input.subarray(0, 3000);
    const expected = await bareEcho(start, start.length, isIterating);
    for (const size of [1, 2, 3, 7]) {
      assertEquals(await bareEcho(start, size, isIterating), expected);
    }
  });
}
