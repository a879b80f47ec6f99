import { assert, assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import {
  Board,
  type BoardMessage,
  createMeter,
  HISTORY,
  INTERVAL,
  MAX_BACKLOG,
  type Sample,
} from "../../examples/dashboard_board.ts";
import { connect, type Message, serve } from "../../mod.ts";
import { MemoryListener } from "../../src/testing.ts";
import { runExample, startExample } from "../programs.ts";
import { RUNTIMES } from "../toolchain.ts";

const PROGRAM = "examples/dashboard.ts";

function decode(message: Message | null): BoardMessage {
  assert(typeof message === "string", "no message");
  return JSON.parse(message);
}

function samplesOf(message: Message | null): readonly Sample[] {
  const decoded = decode(message);
  return decoded.type === "history" ? decoded.samples : [decoded.sample];
}

for (const runtime of RUNTIMES) {
  describe(`examples/dashboard.ts on ${runtime}`, { timeout: 60_000 }, () => {
    test("gives the past to those who come, then a sample at each interval", async () => {
      const program = await startExample(runtime, PROGRAM, ["--port", "0"]);
      const url = program.url.replace("http:", "ws:");
      try {
        const page = await fetch(program.url);
        assertEquals(page.status, 200);
        assert((await page.text()).includes("<h1>Dashboard</h1>"));
        assertEquals((await fetch(`${program.url}x`)).status, 404);
        const first = await connect(url);
        assertEquals(decode(await first.receive()).type, "history");
        const samples: Sample[] = [];
        while (samples.length < 6) samples.push(...samplesOf(await first.receive()));
        const times = samples.map(({ time }) => time);
        assertEquals(times, times.toSorted((a, b) => a - b));
        assert(times[5] - times[0] >= 4 * INTERVAL, `${times}`);
        const late = await connect(url);
        const past = samplesOf(await late.receive());
        assert(past.length >= 6 && past.some(({ time }) => time === times[3]), "no past");
        while (samplesOf(await late.receive())[0].sessions < 2);
        first.abort();
        late.abort();
      } finally {
        assertEquals(await program.stop(), 0);
      }
    });

    test("closes clients that send, and says what is wrong with a flag", async () => {
      const program = await startExample(runtime, PROGRAM, ["--port", "0"]);
      try {
        for (const [message, code] of [["x", 1008], ["long", 1009]] as const) {
          const session = await connect(program.url.replace("http:", "ws:"));
          await session.send(message);
          for await (const _ of session);
          assertEquals((await session.closed).code, code);
        }
      } finally {
        assertEquals(await program.stop(), 0);
      }
      const { status, stderr } = await runExample(runtime, PROGRAM, ["--port", "x"]);
      assertEquals([status, stderr], [
        2,
        '--port is "x", not a whole number from 0 to 65535\n',
      ]);
    });
  });
}

describe("a board", () => {
  const sample: Sample = { time: 1, delay: 2, cpu: 3, heap: 4, sessions: 5 };

  test("keeps a minute, and leaves samples out for those who read slowly", async () => {
    const board = new Board();
    const listener = new MemoryListener();
    const server = await serve({ listener }, board);
    const deaf = await connect("ws://board/", { conn: listener.connect({ highWaterMark: 1 }) });
    const keen = await connect("ws://board/", { conn: listener.connect() });
    await keen.receive();
    let reached = 0;
    for (let time = 0; time < 3 * HISTORY; time++) {
      reached += board.publish({ ...sample, time }, server);
      assertEquals(samplesOf(await keen.receive())[0].time, time);
    }
    const amounts = [...server.sessions.values()].map(({ bufferedAmount }) => bufferedAmount);
    assert(Math.max(...amounts) < MAX_BACKLOG + 200, `${amounts}`);
    assert(reached < 2 * 3 * HISTORY, "nothing was left out");

    const late = await connect("ws://board/", { conn: listener.connect() });
    const past = samplesOf(await late.receive());
    assertEquals([past.length, past.at(-1)!.time], [HISTORY, 3 * HISTORY - 1]);
    for (const session of [deaf, keen, late]) session.abort();
    await server.shutdown();
  });

  test("is told what this process costs", async () => {
    const measure = createMeter();
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    const { delay, cpu, heap, sessions } = measure(7);
    assert(delay >= 0 && cpu >= 0 && heap > 0, `${delay} ${cpu} ${heap}`);
    assertEquals(sessions, 7);
  });
});
