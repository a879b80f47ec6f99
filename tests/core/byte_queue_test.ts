import { describe, test } from "node:test";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { BufferPool, POOLED_SIZE, sharedBuffers, SHORT_SIZE } from "../../src/core/buffer_pool.ts";
import { ByteQueue, MAX_WRITE_SIZE } from "../../src/core/byte_queue.ts";
import { countAllocations } from "../allocations.ts";
import { seededBytes, seededRandom } from "../cuts.ts";
import { joinBytes } from "../frames.ts";

/** From this length on shared bytes are not copied. */
const SHARED = 16_384;

function append(queue: ByteQueue, bytes: Uint8Array, payload: number = bytes.length): void {
  const at = queue.reserve(bytes.length, payload);
  queue.tail.set(bytes, at);
}

/** What the queue hands out, write by write. */
function takeAll(queue: ByteQueue): Uint8Array[] {
  const writes: Uint8Array[] = [];
  for (let bytes = queue.take(); bytes !== null; bytes = queue.take()) {
    writes.push(bytes.slice());
    queue.taken();
  }
  return writes;
}

/** Queues, each with an open piece, until none of them could get a buffer of the pool. */
function exhaustPool(): ByteQueue[] {
  const queues: ByteQueue[] = [];
  for (let used = -1; sharedBuffers.used > used;) {
    used = sharedBuffers.used;
    const queue = new ByteQueue();
    append(queue, Uint8Array.of(queues.length));
    queues.push(queue);
  }
  return queues;
}

describe("BufferPool", () => {
  test("hands out 16 long buffers and 64 short ones, no two the same, and then none", () => {
    const pool = new BufferPool();
    const buffers = Array.from({ length: 80 }, () => pool.take(SHORT_SIZE)!);
    assertEquals(new Set(buffers.map(({ buffer }) => buffer)).size, 80);
    const lengths = [...Array(64).fill(SHORT_SIZE), ...Array(16).fill(POOLED_SIZE)];
    assertEquals(buffers.map(({ length }) => length), lengths);
    assertEquals([pool.take(1), pool.take(SHORT_SIZE + 1)], [null, null]);
    assertEquals([pool.used, pool.usedLong], [80, 16]);
  });

  test("hands out a buffer that is long enough", () => {
    const pool = new BufferPool();
    const lengths = [1, SHORT_SIZE, SHORT_SIZE + 1, POOLED_SIZE].map((size) =>
      pool.take(size)!.length
    );
    assertEquals(lengths, [SHORT_SIZE, SHORT_SIZE, POOLED_SIZE, POOLED_SIZE]);
    assertStrictEquals(pool.take(POOLED_SIZE + 1), null);
  });

  test("hands out again what was put back", () => {
    const pool = new BufferPool();
    for (const size of [1, POOLED_SIZE]) {
      const first = pool.take(size)!;
      pool.put(first);
      assertEquals(pool.used, 0);
      assertStrictEquals(pool.take(size), first);
      pool.put(first);
    }
  });

  test("makes another in place of one that will not come back", () => {
    const pool = new BufferPool();
    const buffers = Array.from({ length: 80 }, () => pool.take(1)!);
    for (const lost of [buffers[0], buffers[79]]) {
      pool.forget(lost);
      const another = pool.take(1);
      assert(another?.length === lost.length && !buffers.includes(another));
      assertStrictEquals(pool.take(1), null);
    }
  });
});

describe("ByteQueue", () => {
  test("is empty at first, and again when all has left", () => {
    const queue = new ByteQueue();
    for (let round = 0; round < 2; round++) {
      assertEquals([queue.isEmpty, queue.isAtBoundary, queue.payloadSize], [true, true, 0]);
      assertStrictEquals(queue.take(), null);
      append(queue, Uint8Array.of(1));
      assertEquals([queue.isEmpty, queue.isAtBoundary, queue.payloadSize], [false, true, 1]);
      takeAll(queue);
    }
  });

  test("hands out in one write what was appended before it", () => {
    const queue = new ByteQueue();
    const parts = [1, 100, 500, 0, 1000, 5000, 3].map((length) => seededBytes(length, length));
    for (const part of parts) append(queue, part);
    assertEquals(takeAll(queue), [joinBytes(...parts)]);
  });

  test("hands out at most 256 KiB at once", () => {
    const queue = new ByteQueue();
    const small = seededBytes(100_000, 1);
    const large = seededBytes(2 * MAX_WRITE_SIZE + 5, 2);
    for (let i = 0; i < 3; i++) append(queue, small);
    append(queue, large);
    const writes = takeAll(queue);
    assertEquals(writes.map(({ length }) => length), [
      200_000,
      100_000,
      MAX_WRITE_SIZE,
      MAX_WRITE_SIZE,
      5,
    ]);
    assertEquals(joinBytes(...writes), joinBytes(small, small, small, large));
  });

  test("fills a write up to exactly 256 KiB", () => {
    const queue = new ByteQueue();
    append(queue, new Uint8Array(MAX_WRITE_SIZE - 10));
    append(queue, new Uint8Array(10));
    append(queue, new Uint8Array(1));
    assertEquals(takeAll(queue).map(({ length }) => length), [MAX_WRITE_SIZE, 1]);
  });

  test("A-4 leaves bytes unchanged that are under way, whatever is appended", () => {
    const queue = new ByteQueue();
    append(queue, Uint8Array.of(1, 2));
    const underWay = queue.take();
    append(queue, Uint8Array.of(3, 4));
    assertEquals(underWay, Uint8Array.of(1, 2));
    assertEquals(queue.take(), Uint8Array.of(1, 2));
    queue.taken();
    assertEquals(takeAll(queue), [Uint8Array.of(3, 4)]);
  });

  test("counts a message until all of it has left", () => {
    const queue = new ByteQueue();
    append(queue, new Uint8Array(MAX_WRITE_SIZE + 2), 1000);
    append(queue, new Uint8Array(5), 3);
    append(queue, new Uint8Array(7), 4);
    const seen = [queue.payloadSize];
    while (queue.take() !== null) {
      seen.push(queue.payloadSize);
      queue.taken();
      seen.push(queue.payloadSize);
    }
    assertEquals(seen, [1007, 1007, 1007, 1007, 7, 7, 0]);
  });

  test("is at a boundary unless a piece is under way or has left in part", () => {
    const queue = new ByteQueue();
    append(queue, new Uint8Array(MAX_WRITE_SIZE + 1));
    const seen = [queue.isAtBoundary];
    for (let i = 0; i < 2; i++) {
      queue.take();
      seen.push(queue.isAtBoundary);
      queue.taken();
      seen.push(queue.isAtBoundary);
    }
    assertEquals(seen, [true, false, false, false, true]);
  });

  test("taken() changes nothing where nothing is under way", () => {
    const queue = new ByteQueue();
    queue.taken();
    append(queue, Uint8Array.of(1));
    queue.taken();
    assertEquals(takeAll(queue), [Uint8Array.of(1)]);
    queue.taken();
    assertEquals([queue.isEmpty, queue.payloadSize], [true, 0]);
  });

  test("M-13 neither copies long shared bytes nor appends to them", () => {
    const shared = seededBytes(SHARED, 1);
    const queues = [new ByteQueue(), new ByteQueue()];
    for (const queue of queues) {
      const { copied } = countAllocations(() => queue.appendShared(shared, 10));
      assertEquals(copied, 0);
      append(queue, Uint8Array.of(9));
      const first = queue.take();
      assertStrictEquals(first?.buffer, shared.buffer);
      queue.taken();
      assertEquals(queue.payloadSize, 1);
      assertEquals(takeAll(queue), [Uint8Array.of(9)]);
    }
    assertEquals(shared, seededBytes(SHARED, 1));
  });

  test("copies short shared bytes to where others are", () => {
    const queue = new ByteQueue();
    append(queue, Uint8Array.of(1));
    queue.appendShared(seededBytes(SHARED - 1, 1), 5);
    append(queue, Uint8Array.of(2));
    assertEquals(queue.payloadSize, 7);
    assertEquals(takeAll(queue), [joinBytes([1], seededBytes(SHARED - 1, 1), [2])]);
  });

  test("M-13 copies no short shared bytes that stand alone, and joins several once for all", () => {
    const parts = [seededBytes(104, 1), seededBytes(104, 2), seededBytes(30, 3)];
    for (const count of [1, 2, 3]) {
      const queues = [new ByteQueue(), new ByteQueue(), new ByteQueue()];
      for (const part of parts.slice(0, count)) {
        for (const [i, queue] of queues.entries()) {
          const { allocated } = countAllocations(() => queue.appendShared(part, 10));
          if (i > 0) assertEquals(allocated, 0);
        }
      }
      for (const queue of queues) assertEquals(queue.payloadSize, 10 * count);
      const taken = queues.map((queue) => queue.take()!);
      assertEquals(taken[0], joinBytes(...parts.slice(0, count)));
      if (count === 1) assertStrictEquals(taken[0], parts[0]);
      for (const bytes of taken) assertStrictEquals(bytes, taken[0]);
    }
    assertEquals(parts, [seededBytes(104, 1), seededBytes(104, 2), seededBytes(30, 3)]);
  });

  test("does not join shared bytes to those under way, nor to many", () => {
    const queue = new ByteQueue();
    queue.appendShared(seededBytes(10, 1), 10);
    const underWay = queue.take()!;
    queue.appendShared(seededBytes(10, 2), 10);
    assertEquals(underWay, seededBytes(10, 1));
    queue.taken();
    queue.appendShared(seededBytes(3000, 3), 3000);
    append(queue, Uint8Array.of(1));
    assertEquals(queue.payloadSize, 3011);
    const rest = takeAll(queue);
    assertEquals(rest, [joinBytes(seededBytes(10, 2), seededBytes(3000, 3), [1])]);
  });

  test("prepends to an empty queue", () => {
    const queue = new ByteQueue();
    queue.prepend(Uint8Array.of(1));
    append(queue, Uint8Array.of(2));
    assertEquals(takeAll(queue), [Uint8Array.of(1), Uint8Array.of(2)]);
  });

  test("prepends to a short piece so that both leave in one write", () => {
    const queue = new ByteQueue();
    append(queue, Uint8Array.of(2));
    queue.prepend(Uint8Array.of(1));
    append(queue, Uint8Array.of(3));
    assertEquals(queue.payloadSize, 2);
    assertEquals(takeAll(queue), [Uint8Array.of(1, 2, 3)]);
  });

  test("prepends to a long piece without a copy of it", () => {
    const queue = new ByteQueue();
    const long = seededBytes(SHARED, 1);
    append(queue, long);
    append(queue, Uint8Array.of(3));
    const { copied } = countAllocations(() => queue.prepend(Uint8Array.of(1)));
    assertEquals(copied, 0);
    assertEquals(takeAll(queue), [Uint8Array.of(1), joinBytes(long, [3])]);
  });

  test("does not change shared bytes by prepending to them", () => {
    for (const length of [SHARED - 1, SHARED]) {
      const shared = seededBytes(length, 1);
      const queue = new ByteQueue();
      queue.appendShared(shared, 0);
      queue.prepend(Uint8Array.of(1));
      append(queue, Uint8Array.of(2));
      assertEquals(joinBytes(...takeAll(queue)), joinBytes([1], seededBytes(length, 1), [2]));
      assertEquals(shared, seededBytes(length, 1));
    }
  });

  test("keeps every byte in order, whatever is called when", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const random = seededRandom(seed);
      const queue = new ByteQueue();
      const expected: Uint8Array[] = [];
      const written: Uint8Array[] = [];
      for (let i = 0; i < 40; i++) {
        const bytes = seededBytes(Math.floor(2 ** (random() * 17)), i);
        const add = (): void => {
          if (random() < 0.5) append(queue, bytes);
          else queue.appendShared(bytes, bytes.length);
          expected.push(bytes);
        };
        add();
        if (random() < 0.7) continue;
        const part = queue.take();
        assert(part !== null && part.length <= MAX_WRITE_SIZE);
        written.push(part.slice());
        add();
        assertEquals(part, written.at(-1), "bytes under way have changed");
        queue.taken();
      }
      const rest = takeAll(queue);
      assertEquals(joinBytes(...written, ...rest), joinBytes(...expected), `seed ${seed}`);
      assertEquals([queue.isEmpty, queue.payloadSize], [true, 0]);
    }
  });

  test("copies each small message a bounded number of times", () => {
    const queue = new ByteQueue();
    const bytes = seededBytes(10, 1);
    const count = countAllocations(() => {
      for (let i = 0; i < 100_000; i++) append(queue, bytes);
    });
    assert(count.copied <= 2.1 * 1_000_000, `${count.copied} bytes were copied`);
    assert(count.allocated <= 2.1 * 1_000_000, `${count.allocated} bytes were allocated`);
  });

  test("takes each of 100 000 pieces as fast as one of few", () => {
    const queue = new ByteQueue();
    const shared = new Uint8Array(SHARED);
    for (let i = 0; i < 100_000; i++) queue.appendShared(shared, 1);
    const start = performance.now();
    let count = 0;
    for (; queue.take() !== null; count++) queue.taken();
    assertEquals(count, 100_000);
    // About 10 ms; where taking one moves all others, some seconds.
    assert(performance.now() - start < 1000);
  });

  test("gives its buffer back when everything has left, and only then", () => {
    const before = sharedBuffers.used;
    const queue = new ByteQueue();
    append(queue, Uint8Array.of(1));
    const underWay = queue.take()!;
    assertEquals(sharedBuffers.used, before + 1);
    const other = new ByteQueue();
    append(other, Uint8Array.of(2));
    assert(other.take()!.buffer !== underWay.buffer);
    queue.taken();
    other.taken();
    assertEquals(sharedBuffers.used, before);
  });

  test("leaves some long buffers of the pool to others than one long frame", () => {
    const before = sharedBuffers.used;
    const queue = new ByteQueue();
    const pieces = Array.from({ length: 20 }, (_, i) => seededBytes(MAX_WRITE_SIZE, i));
    for (const [i, piece] of pieces.entries()) {
      const at = queue.reserve(piece.length, 0, i > 0);
      queue.tail.set(piece, at);
    }
    assertEquals(sharedBuffers.usedLong, 12);
    assertEquals(takeAll(queue), pieces);
    assertEquals(sharedBuffers.used, before);
  });

  test("works as well without a buffer of the pool", () => {
    const queues = exhaustPool();
    const queue = queues.at(-1)!;
    const parts = [400, 300, 5, 30_000, 250_000].map((length) => seededBytes(length, length));
    for (const part of parts) append(queue, part);
    queue.prepend(seededBytes(200, 200));
    const expected = joinBytes(
      seededBytes(200, 200),
      [queues.length - 1],
      ...parts,
    );
    assertEquals(joinBytes(...takeAll(queue)), expected);
    for (const [i, other] of queues.slice(0, -1).entries()) {
      assertEquals(takeAll(other), [Uint8Array.of(i)]);
    }
  });

  test("makes room in a short piece of its own for what is prepended", () => {
    const queues = exhaustPool();
    const queue = queues.at(-1)!;
    append(queue, seededBytes(500, 1));
    queue.prepend(seededBytes(600, 2));
    const last = Uint8Array.of(queues.length - 1);
    const expected = joinBytes(seededBytes(600, 2), last, seededBytes(500, 1));
    assertEquals(takeAll(queue), [expected]);
    for (const other of queues) takeAll(other);
  });

  test("prepends more than goes into one write, and knows how many bytes there are", () => {
    const queue = new ByteQueue();
    append(queue, seededBytes(100, 1), 0);
    const long = seededBytes(MAX_WRITE_SIZE - 50, 2);
    queue.prepend(long);
    queue.appendShared(seededBytes(SHARED, 3), SHARED);
    const whole = joinBytes(long, seededBytes(100, 1), seededBytes(SHARED, 3));
    assertEquals([queue.size, queue.payloadSize], [whole.length, SHARED]);
    const first = queue.take()!.slice();
    queue.taken();
    assertEquals(queue.size, whole.length - first.length);
    assertEquals(joinBytes(first, ...takeAll(queue)), whole);
    assertEquals([queue.size, queue.isEmpty], [0, true]);
  });

  test("abandon() forgets everything, and nobody gets the buffer that is under way", () => {
    const before = sharedBuffers.used;
    const queue = new ByteQueue();
    append(queue, Uint8Array.of(1, 2, 3));
    queue.appendShared(seededBytes(SHARED, 1), 5);
    const underWay = queue.take()!;
    queue.abandon();
    assertEquals([queue.isEmpty, queue.isAtBoundary, queue.payloadSize], [true, true, 0]);
    assertEquals([queue.take(), sharedBuffers.used], [null, before]);
    queue.taken(); // the write has ended after all
    for (const other of exhaustPool()) {
      assert(other.take()!.buffer !== underWay.buffer);
      other.taken();
    }
    assertEquals(underWay, Uint8Array.of(1, 2, 3));
  });
});
