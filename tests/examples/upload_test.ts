import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, test } from "node:test";
import { crc32 } from "node:zlib";
import { formatCrc32, updateCrc32 } from "../../examples/upload_crc.ts";
import { receiveUploads, SLICE, type UploadLimits } from "../../examples/upload_receiver.ts";
import { upload } from "../../examples/upload_sender.ts";
import { connect, serve, type Server, type TcpAddr, type WebSocketSession } from "../../mod.ts";
import { MemoryListener } from "../../src/testing.ts";
import { runExample, startExample } from "../programs.ts";
import { RUNTIMES } from "../toolchain.ts";

const KIB = 1024;

/** Bytes that differ from place to place. */
function bytesOf(size: number): Uint8Array {
  return new Uint8Array(size).map((_, i) => (i * 31) ^ (i >> 8));
}

function* slicesOf(bytes: Uint8Array, size: number = SLICE): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

interface World {
  readonly server: Server;
  open(): Promise<WebSocketSession>;
}

async function openServer(limits: UploadLimits): Promise<World> {
  const listener = new MemoryListener();
  const options = { listener, limits: { maxMessageSize: SLICE } };
  const server = await serve(options, receiveUploads(limits));
  return { server, open: () => connect("ws://upload/", { conn: listener.connect() }) };
}

/** A session that has said what it wants, and the server's answer. */
async function ask(world: World, ...requests: (string | Uint8Array)[]): Promise<WebSocketSession> {
  const session = await world.open();
  for (const request of requests) await session.send(request);
  return session;
}

const header = (size: number): string => JSON.stringify({ type: "upload", name: "a", size });

test("the checksum is CRC-32, however the bytes are cut", () => {
  assertEquals(formatCrc32(updateCrc32(0, new TextEncoder().encode("123456789"))), "cbf43926");
  assertEquals(formatCrc32(0), "00000000");
  const bytes = bytesOf(1000);
  for (const size of [1, 7, 999, 1000]) {
    let crc = 0;
    for (const slice of slicesOf(bytes, size)) crc = updateCrc32(crc, slice);
    assertEquals(crc, updateCrc32(0, bytes));
  }
});

describe("an upload", () => {
  for (const size of [0, 1, SLICE, 40 * SLICE + 1]) {
    test(`of ${size} bytes arrives whole, and says how far it is`, async () => {
      const world = await openServer({ maxSize: 40 * SLICE + 1, window: 4 * SLICE });
      const session = await world.open();
      const bytes = bytesOf(size);
      const progress: number[] = [];
      const receipt = await upload(session, {
        name: "a",
        size,
        slices: slicesOf(bytes),
        onProgress: (arrived) => progress.push(arrived),
      });
      assertEquals([receipt.size, receipt.crc32], [size, formatCrc32(updateCrc32(0, bytes))]);
      assert(size < 2 * SLICE || progress.length >= 40, `${progress}`);
      assert(progress.every((arrived, i) => arrived > (progress[i - 1] ?? 0) && arrived <= size));
      await session.close();
      await world.server.shutdown();
    });
  }

  // First the window is what holds the sender back, then the connection.
  for (const [step, slices] of [[4 * KIB, 4], [SLICE, 64]]) {
    test(`has at most a window of ${slices} times ${step} bytes on the way, and a moment's in memory`, async () => {
      let received = 0;
      const window = slices * step;
      const pace = async (): Promise<void> => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        received += step;
      };
      const world = await openServer({ maxSize: Infinity, window, pace });
      const session = await world.open();
      let sent = 0;
      let mostOnTheWay = 0;
      let mostBuffered = 0;
      function* watch(): Generator<Uint8Array> {
        for (; sent < 64 * step; sent += step) {
          mostBuffered = Math.max(mostBuffered, session.bufferedAmount);
          yield new Uint8Array(step);
          mostOnTheWay = Math.max(mostOnTheWay, sent + step - received);
        }
      }
      await upload(session, { name: "a", size: 64 * step, slices: watch() });
      assertEquals(sent, 64 * step);
      // The last slice that the receiver works at counts as received only when it is done with it.
      assert(mostOnTheWay > step && mostOnTheWay <= window + step, `${mostOnTheWay}`);
      assert(mostBuffered <= 64 * KIB, `${mostBuffered}`);
      await session.close();
      await world.server.shutdown();
    });
  }

  for (const kind of ["memory", "sockets"] as const) {
    test(`over ${kind} without a window waits for a reader that does not read`, async () => {
      let go = (): void => {};
      const stopped = new Promise<void>((resolve) => go = resolve);
      const handler = receiveUploads({ maxSize: Infinity, window: Infinity, pace: () => stopped });
      const limits = { maxMessageSize: SLICE };
      const listener = new MemoryListener();
      const source = kind === "memory" ? { listener } : { port: 0 };
      const server = await serve({ ...source, limits }, handler);
      const session = kind === "memory"
        ? await connect("ws://upload/", { conn: listener.connect() })
        : await connect(`ws://127.0.0.1:${(server.addr as TcpAddr).port}/`);
      await session.receive();
      await session.send(header(2 ** 40));
      let sent = 0;
      let most = 0;
      const slice = new Uint8Array(SLICE);
      const sending = (async () => {
        while (sent < 256 * 1024 * KIB) {
          await session.send(slice);
          sent += SLICE;
          most = Math.max(most, session.bufferedAmount);
        }
      })();
      let before = -1;
      while (before < sent) {
        before = sent;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      // What the systems' socket buffers and the receiver's queue take; then it stood still.
      assert(sent < 64 * 1024 * KIB, `${sent}`);
      assert(Math.max(most, session.bufferedAmount) <= 64 * KIB + SLICE, `${most}`);
      session.abort();
      await assertRejects(() => sending);
      go();
      await server.shutdown();
    });
  }

  test("that was cancelled leaves room for the next one", async () => {
    const world = await openServer({ maxSize: 100 });
    const cancel = '{"type":"cancel"}';
    const session = await ask(world, header(9), Uint8Array.of(1), cancel, cancel, header(1));
    await session.send(Uint8Array.of(7));
    const types: string[] = [];
    while (types.at(-1) !== "done") {
      types.push(JSON.parse(String(await session.receive())).type);
    }
    assertEquals(types, ["ready", "accepted", "cancelled", "cancelled", "accepted", "done"]);
    await session.close();
    await world.server.shutdown();
  });

  test("that is too large is refused with a reason, and a smaller one may follow", async () => {
    const world = await openServer({ maxSize: 100 });
    const session = await world.open();
    const error = await assertRejects(
      () => upload(session, { name: "a", size: 101, slices: [] }),
      Error,
    );
    assertEquals(error.message, "The file has 101 bytes, and this server takes 100 at most");
    await session.send(header(100));
    assertEquals(await session.receive(), '{"type":"accepted"}');
    await session.close();
    await world.server.shutdown();
  });

  for (
    const [what, requests, reason] of [
      ["bytes that nobody asked for", [Uint8Array.of(1)], "bytes before an upload was accepted"],
      ["what is not JSON", ["{"], "not JSON"],
      ["null", ["null"], "neither an upload with name and size nor a cancel"],
      [
        "a header without a name",
        ['{"type":"upload","size":1}'],
        "neither an upload with name and size nor a cancel",
      ],
      ["a negative size", [header(-1)], "neither an upload with name and size nor a cancel"],
      [
        "a size that is no integer",
        [header(1.5)],
        "neither an upload with name and size nor a cancel",
      ],
      ["a second upload beside the first", [header(9), header(9)], "one upload at a time"],
      ["an empty slice", [header(9), new Uint8Array()], "an empty slice"],
      ["more than announced", [header(1), new Uint8Array(2)], "more than the 1 bytes announced"],
    ] as [string, (string | Uint8Array)[], string][]
  ) {
    test(`is closed with 1008 for ${what}`, async () => {
      const world = await openServer({ maxSize: 100 });
      const session = await ask(world, ...requests);
      while (await session.receive() !== null);
      const status = await session.closed;
      assertEquals([status.code, status.reason], [1008, reason]);
      await world.server.shutdown();
    });
  }

  test("that falls silent is given up", async () => {
    const world = await openServer({ maxSize: 100, patience: 50 });
    const session = await ask(world, header(2), Uint8Array.of(1));
    while (await session.receive() !== null);
    const status = await session.closed;
    assertEquals([status.code, status.reason], [1008, "no bytes for 50 milliseconds"]);
    await world.server.shutdown();
  });

  test("of fewer bytes than announced is the sender's error", async () => {
    const world = await openServer({ maxSize: 100 });
    const session = await world.open();
    const error = await assertRejects(
      () => upload(session, { name: "a", size: 3, slices: [Uint8Array.of(1)] }),
      Error,
    );
    assertEquals(error.message, "There were 1 bytes, and 3 announced");
    session.abort();
    await world.server.shutdown();
  });
});

for (const runtime of RUNTIMES) {
  test(`examples/upload.ts on ${runtime} takes what examples/upload_client.ts sends`, async () => {
    const server = await startExample(runtime, "examples/upload.ts", [
      "--port",
      "0",
      "--max-size",
      "3000000",
    ]);
    try {
      const url = server.url.replace("http", "ws");
      const { status, stdout, stderr } = await runExample(runtime, "examples/upload_client.ts", [
        url,
        "2999999",
      ]);
      assertEquals([status, stderr], [0, ""]);
      const expected = new Uint8Array(2_999_999).map((_, i) => i >> 16);
      assertStringIncludes(stdout, `2999999 bytes, CRC-32 ${formatCrc32(crc32(expected))}, `);

      const refused = await runExample(runtime, "examples/upload_client.ts", [url, "3000001"]);
      assertEquals([refused.status, refused.stdout], [1, ""]);
      assertEquals(
        refused.stderr.trim(),
        "The file has 3000001 bytes, and this server takes 3000000 at most",
      );
    } finally {
      assertEquals(await server.stop(), 0);
    }
  });
}
