import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { constants, createInflateRaw } from "node:zlib";
import { count, median, table } from "../scripts/bench/benchmark.ts";
import { offerOf, prepare } from "../scripts/bench/raw_client.ts";
import type { LoadResult } from "../scripts/bench/load.ts";
import { jsonMessages } from "../scripts/bench/records.ts";
import { describeMissed, missedTargets, obstacleOf } from "../scripts/bench/missed.ts";
import { bestOf, compare, summarize } from "../scripts/bench/rounds.ts";
import { describeSpread, ratioAtMost, roomOf, type SpeedRow } from "../scripts/bench/throughput.ts";

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

test("ratioAtMost() goes by processor time where the load is what is waited for", () => {
  const [peer] = results(1);
  const under = { ...peer, cpu: 0.5 };
  assertEquals(ratioAtMost(1.5, { ...under, load: 0.89 }, peer), 1.5);
  assertEquals(ratioAtMost(1.5, { ...under, load: 0.9 }, peer), 2);
  assertEquals(ratioAtMost(2.5, under, peer), 2.5);
  assertEquals(ratioAtMost(1.5, { ...under, cpu: null }, peer), 1.5);
});

test("roomOf() is what the target leaves for ours over what stands under it", () => {
  assertEquals(roomOf(15, 10, 2, 1), { room: 10, own: 5 });
  assertEquals(roomOf(15, 10, 2, 4), { room: -5, own: 5 });
  const unknown = { room: null, own: null };
  assertEquals(roomOf(15, 10, 2, null), unknown);
  assertEquals(roomOf(15, null, 2, 1), unknown);
  assertEquals(roomOf(null, 10, 2, 1), unknown);
  assertEquals(roomOf(15, 10, null, 1), unknown);
});

/** A row of ours with a target of 1. */
function row(figures: Partial<SpeedRow>): SpeedRow {
  const [result] = results(1);
  const names = { group: "G", load: "L", runtime: "node", server: "S", unit: "/s" } as const;
  const compared = { ratio: 0.8, spread: [0.7, 0.9], target: 1 } as const;
  return { ...names, ...compared, result, most: 2, alone: 1, room: 3, own: 4, ...figures };
}

test("obstacleOf() tells what stands between ours and a target", () => {
  assertEquals(obstacleOf(row({ ratio: 1 })), null);
  assertEquals(obstacleOf(row({ target: null })), null);
  assertEquals(obstacleOf(row({ most: 0.99 })), "under");
  assertEquals(obstacleOf(row({})), "ours");
  assertEquals(obstacleOf(row({ most: null })), "ours");
});

test("describeMissed() lists the targets by what stands in their way", () => {
  const held = { live: 5, resident: 5 };
  const idle = { runtime: "bun", tcp: { live: 1, resident: 1 }, iteration: held } as const;
  const rows = [
    row({}),
    row({ ratio: 1 }),
    row({ most: 0.9, room: -1 }),
    row({ ratio: 0.9999, room: null }),
  ];
  const missed = missedTargets(rows, [
    { ...idle, handlers: held, target: 3 },
    { ...idle, handlers: held, target: 4 },
  ]);
  assertEquals(
    describeMissed(missed),
    [
      "What stands under ours, and keeps none of its rules, misses these (`at most`): 1.",
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
