/** Both kinds of codecs, which have to do the same. @module */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, test } from "node:test";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type {
  CodecEngine,
  MessageDeflater,
  MessageInflater,
  Sink,
} from "../../src/runtime/deflate.ts";
import {
  codecEngine,
  deflaterSize,
  freeIdleHandles,
  inflaterSize,
  openHandles,
  passesSelfTest,
} from "../../src/runtime/zlib.ts";
import { HandlePool, syncEngine } from "../../src/runtime/zlib_sync.ts";
import { ZlibHandle } from "../../src/runtime/zlib_handle.ts";
import { streamEngine } from "../../src/runtime/zlib_stream.ts";
import { seededBytes } from "../cuts.ts";

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
const TAIL = Uint8Array.of(0, 0, 0xff, 0xff);

function createDeflater(
  engine: CodecEngine,
  keepsContext = true,
  windowBits = 15,
): MessageDeflater {
  return engine.createDeflater({ level: 6, memLevel: 8, windowBits, keepsContext, turn });
}

async function inflate(inflater: MessageInflater, bytes: Uint8Array): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  await inflater.inflate(bytes, true, (piece) => pieces.push(piece.slice()));
  return join(pieces);
}

function join(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Data in which a matcher finds something, near and far. */
function compressible(size: number): Uint8Array {
  return seededBytes(size, size).map((byte, i) => (i % 3 === 0 ? byte & 7 : i >> 5));
}

const SIZES = [1, 2, 1000, 16_384, 65_535, 65_536, 65_537, 262_144, 262_145, 1_000_000];

for (const [name, engine] of [["handles", syncEngine], ["streams", streamEngine]] as const) {
  describe(`codecs on ${name}`, () => {
    for (const keepsContext of [true, false]) {
      test(`give back what went in, ${keepsContext ? "with" : "without"} context`, async () => {
        const deflater = createDeflater(engine, keepsContext);
        const inflater = engine.createInflater({ windowBits: 15, keepsContext, turn });
        for (const size of [...SIZES, 1]) {
          const data = compressible(size);
          const bytes = (await deflater.deflate(data)).slice();
          assertEquals(await inflate(inflater, bytes), data, `${size}`);
          if (keepsContext) continue;
          assertEquals(
            new Uint8Array(inflateRawSync(join([bytes, TAIL]), { finishFlush: 2 })),
            data,
          );
        }
        deflater.close();
        inflater.close();
      });
    }

    for (let bits = 8; bits <= 15; bits++) {
      test(`C-18 keep to a window of 2^${bits} bytes`, async () => {
        const deflater = createDeflater(engine, true, bits);
        const distance = (1 << bits) + 8;
        const block = seededBytes(64, 5);
        const far = join([block, seededBytes(distance, 6), block]);
        const near = join([block, seededBytes(100, 7), block]);
        const [first, second] = [
          (await deflater.deflate(far)).slice(),
          (await deflater.deflate(near)).slice(),
        ];
        deflater.close();
        const all = join([first, TAIL, second, TAIL]);
        // zlib's own window of that size must be enough; 2^8 is checked by the distances below.
        const windowBits = Math.max(9, bits);
        const inflated = inflateRawSync(all, { windowBits, finishFlush: 2 });
        assertEquals(new Uint8Array(inflated), join([far, near]));
        assert(second.length < near.length, "what is near was not found");
        assert(first.length >= far.length - 8, "what is out of reach was found");
      });
    }

    test("forget at reset()", async () => {
      const deflater = createDeflater(engine);
      const data = compressible(300);
      const first = (await deflater.deflate(data)).slice();
      const second = (await deflater.deflate(data)).slice();
      assert(second.length < first.length);
      deflater.reset();
      const alone = (await deflater.deflate(data)).slice();
      deflater.close();
      const bytes = join([alone, TAIL]);
      assertEquals(new Uint8Array(inflateRawSync(bytes, { finishFlush: 2 })), data);
    });

    test("stop where the sink throws", async () => {
      const bomb = deflateRawSync(new Uint8Array(20_000_000), { level: 9 });
      const inflater = engine.createInflater({ windowBits: 15, keepsContext: false, turn });
      let size = 0;
      const sink: Sink = (piece) => {
        size += piece.length;
        if (size > 1_000_000) throw new RangeError("enough");
      };
      await assertRejects(async () => await inflater.inflate(bomb, true, sink), RangeError);
      assert(size < 1_000_000 + 65_537, `${size}`);
      inflater.close();
    });

    test("a closed one does nothing any more", async () => {
      const deflater = createDeflater(engine);
      const inflater = engine.createInflater({ windowBits: 15, keepsContext: true, turn });
      deflater.close();
      inflater.close();
      deflater.close();
      await assertRejects(async () => await deflater.deflate(TAIL), Error, "closed");
      await assertRejects(() => inflate(inflater, Uint8Array.of(0)), Error, "closed");
    });

    test("one that is closed while it works says so, and its work ends", async () => {
      const deflater = createDeflater(engine);
      const work = deflater.deflate(compressible(3_000_000)) as Promise<Uint8Array>;
      deflater.close();
      await assertRejects(() => work, Error, "closed");
      const inflater = engine.createInflater({ windowBits: 15, keepsContext: true, turn });
      const bomb = deflateRawSync(new Uint8Array(5_000_000)).subarray(0, -1);
      let size = 0;
      const inflating = inflater.inflate(bomb, false, (piece) => size += piece.length);
      inflater.close();
      await assertRejects(async () => await inflating, Error, "closed");
      assert(size < 5_000_000);
    });
  });
}

describe("codecs on handles", () => {
  test("work at once on small messages, and say when one comes out in one piece", () => {
    const level = { level: 1, memLevel: 8, windowBits: 15, keepsContext: false, turn };
    const deflater = syncEngine.createDeflater(level);
    const inflater = syncEngine.createInflater({ windowBits: 15, keepsContext: false, turn });
    for (
      const [size, expected] of [[1000, [true]], [65_535, [true]], [70_000, [
        false,
        false,
      ]]] as const
    ) {
      const bytes = deflater.deflate(compressible(size));
      assert(bytes instanceof Uint8Array);
      const seen: boolean[] = [];
      const work = inflater.inflate(bytes.slice(), true, (_, isWhole) => seen.push(isWhole));
      assertEquals([work, seen], [undefined, [...expected]]);
    }
  });

  test("long messages let the event loop turn", async () => {
    let turns = 0;
    const counted = (): Promise<void> => {
      turns++;
      return turn();
    };
    const options = { memLevel: 8, windowBits: 15, keepsContext: false, turn: counted };
    const data = compressible(4_000_000);
    let bytes = new Uint8Array(0);
    for (const [level, slice] of [[1, 65_536], [6, 32_768], [9, 8192]]) {
      turns = 0;
      const deflater = syncEngine.createDeflater({ ...options, level });
      bytes = new Uint8Array(await deflater.deflate(data));
      assert(turns >= 4_000_000 / slice, `${turns} at level ${level}`);
    }
    turns = 0;
    const inflater = syncEngine.createInflater(options);
    assertEquals((await inflate(inflater, bytes)).length, data.length);
    assert(turns >= 4_000_000 / 131_072 - 2, `${turns}`);
  });

  test("M-12 hold no handle between messages, and few wait", async () => {
    freeIdleHandles();
    const before = openHandles();
    const codecs = Array.from({ length: 100 }, () => ({
      deflater: createDeflater(syncEngine, false),
      inflater: syncEngine.createInflater({ windowBits: 15, keepsContext: false, turn }),
    }));
    assertEquals(openHandles(), before);
    for (const { deflater, inflater } of codecs) {
      const bytes = await deflater.deflate(TAIL);
      assertEquals(await inflate(inflater, bytes.slice()), TAIL);
    }
    assertEquals(openHandles(), before + 2);
    // Messages that are not complete hold one each, and give it back.
    for (const { inflater } of codecs) inflater.inflate(Uint8Array.of(0xf2, 0x48), false, () => {});
    assertEquals(openHandles(), before + 101);
    for (const { deflater, inflater } of codecs) {
      inflater.close();
      deflater.close();
    }
    assertEquals(openHandles(), before + 1);
    freeIdleHandles();
    assertEquals(openHandles(), before);
  });

  test("hold theirs for good with context, and free it", async () => {
    freeIdleHandles();
    const before = openHandles();
    const deflater = createDeflater(syncEngine);
    await deflater.deflate(TAIL);
    assertEquals(openHandles(), before + 1);
    deflater.close();
    assertEquals(openHandles(), before);
  });

  test("a pool keeps a bounded number of handles that wait", () => {
    const pool = new HandlePool();
    const handles = Array.from(
      { length: 40 },
      (_, i) => pool.borrow(`${i % 4}`, () => ZlibHandle.inflate(9)),
    );
    assertEquals(pool.open, 40);
    for (const [i, handle] of handles.entries()) pool.giveBack(`${i % 4}`, handle);
    assertEquals(pool.open, 16);
    pool.drain();
    assertEquals(pool.open, 0);
  });
});

describe("the choice", () => {
  test("is the codecs on handles, which pass on this runtime", () => {
    assert(passesSelfTest(syncEngine));
    assertEquals(codecEngine(), syncEngine);
  });

  test("falls on no engine that is slow, wrong or lenient", () => {
    assertEquals(passesSelfTest(streamEngine), false);
    const broken = (change: Partial<CodecEngine>): CodecEngine => ({ ...syncEngine, ...change });
    const inflaterOf = (wrap: (inner: MessageInflater) => MessageInflater): CodecEngine =>
      broken({ createInflater: (options) => wrap(syncEngine.createInflater(options)) });
    const engines = [
      broken({
        createDeflater() {
          throw new Error("no handle");
        },
      }),
      broken({
        createDeflater: (options) => syncEngine.createDeflater({ ...options, keepsContext: false }),
      }),
      broken({
        createInflater: (options) => syncEngine.createInflater({ ...options, keepsContext: false }),
      }),
      inflaterOf((inner) => ({
        inflate: (bytes, isLast, sink) => {
          try {
            return inner.inflate(bytes, isLast, sink);
          } catch {
            // lenient
          }
        },
        close: () => inner.close(),
      })),
    ];
    for (const engine of engines) assertEquals(passesSelfTest(engine), false);
  });

  test("sizes are those that were measured", () => {
    assertEquals(deflaterSize({ level: 6, windowBits: 15, memLevel: 8 }), 131_072 + 131_072 + 6144);
    assertEquals(deflaterSize({ level: 1, windowBits: 8, memLevel: 1 }), 2048 + 131_072 + 6144);
    assertEquals([inflaterSize(15), inflaterSize(8)], [32_768 + 10_240, 512 + 10_240]);
  });
});
