/** Fuzzes compressed messages: streams of all kinds, right and wrong, with both contexts. @module */

import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import type { Event, Protocol } from "../../src/core/protocol.ts";
import type { Role } from "../../src/core/receiver.ts";
import { createCodec, createCompressed } from "../core/codecs.ts";
import { COMPRESSED_VECTORS } from "../core/compressed_vectors.ts";
import { describeEvent, takeEvents, type Way, WAYS } from "../core/transcript.ts";
import { wire } from "../core/wire.ts";
import { encodeFrame, joinBytes, MASK } from "../frames.ts";
import type { Random } from "./random.ts";
import { must, type Target } from "./target.ts";

const MAX_SIZE = 100_000;
const TAIL = Uint8Array.of(0, 0, 0xff, 0xff);

function plain(random: Random): Uint8Array {
  const size = random.oneIn(20)
    ? MAX_SIZE - 1 + random.below(3)
    : random.size(random.oneIn(10) ? MAX_SIZE + 10 : 3000);
  const alphabet = 1 + random.below(256);
  const unit = random.bytes(1 + random.size(300)).map((byte) => byte % alphabet);
  return Uint8Array.from(
    { length: size },
    (_, i) => unit[i % unit.length] ^ Number(random.oneIn(50)),
  );
}

function compressed(random: Random): Uint8Array {
  const { Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE, Z_DEFAULT_STRATEGY, Z_FILTERED } = constants;
  const parts = Array.from({ length: 1 + random.size(2) }, () =>
    deflateRawSync(plain(random), {
      level: random.below(10),
      memLevel: 1 + random.below(9),
      windowBits: 9 + random.below(7),
      strategy: random.pick([Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE, Z_DEFAULT_STRATEGY, Z_FILTERED]),
      finishFlush: random.oneIn(8) ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
    }));
  const all = joinBytes(...parts);
  return all.subarray(0, random.oneIn(8) ? all.length : Math.max(0, all.length - TAIL.length));
}

/**
 * What zlib makes of one message, stream by stream: a block with BFINAL ends one, and what follows
 * is a new one (RFC 7692 section 7.2.3.4). `null` where it is not sure.
 */
function reference(bytes: Uint8Array): Uint8Array | "too long" | null {
  const pieces: Uint8Array[] = [];
  let room = MAX_SIZE;
  try {
    for (let rest: Uint8Array = joinBytes(bytes, TAIL); rest.length > 0;) {
      // The flush behind an ended stream belongs to that stream.
      if (pieces.length > 0 && rest.length === TAIL.length) break;
      const { buffer, used } = inflateStream(rest, Math.max(1, room));
      if (used === 0 || (used < rest.length && rest.length - used < TAIL.length)) return null;
      pieces.push(buffer);
      room -= buffer.length;
      rest = rest.subarray(used);
    }
  } catch (error) {
    return (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE" ? "too long" : null;
  }
  return room < 0 ? "too long" : joinBytes(...pieces);
}

function inflateStream(
  bytes: Uint8Array,
  maxOutputLength: number,
): { buffer: Uint8Array; used: number } {
  const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength, info: true };
  const { buffer, engine } = inflateRawSync(bytes, options) as unknown as {
    buffer: Uint8Array;
    engine: { bytesWritten: number };
  };
  return { buffer, used: engine.bytesWritten };
}

async function play(
  protocol: Protocol,
  pieces: readonly Uint8Array[],
  way: Way,
): Promise<Event[]> {
  const events: Event[] = [];
  for (const piece of pieces) {
    protocol.receive(piece.slice());
    events.push(...takeEvents(protocol, way));
    while (protocol.inflating !== null) {
      await protocol.inflating;
      events.push(...takeEvents(protocol, way));
    }
    must(!protocol.hasInput, "bytes are left");
  }
  return events;
}

async function playWith(
  keepsContext: boolean,
  pieces: readonly Uint8Array[],
  way: Way,
): Promise<Event[]> {
  const codec = createCodec({ keepsContext });
  try {
    const protocol = createCompressed("server", codec, { maxMessageSize: MAX_SIZE });
    return await play(protocol, pieces, way);
  } finally {
    codec.close();
  }
}

function describe(events: readonly Event[]): string {
  return events.map((event) => {
    const line = describeEvent(event);
    // zlib keeps to itself what came out before a fault in the same piece, so a fault may come
    // before another one (no UTF-8, too long) that stands before it.
    return event.type === "error" ? line.replace(/error 100[79] .*/, "error of its content") : line;
  }).join("\n");
}

/** The payload of one message: a DEFLATE stream, or what looks like one. */
export const streams: Target = {
  name: "deflate",
  generate(random) {
    const bytes = compressed(random);
    return random.oneIn(2)
      ? bytes
      : random.mutate(bytes, [TAIL, Uint8Array.of(0), Uint8Array.of(1, 0, 0, 0xff, 0xff)]);
  },
  async check(input, random) {
    const message = encodeFrame({ opcode: 2, rsv: 4, mask: MASK, payload: input });
    const plainOne = encodeFrame({ opcode: 1, mask: MASK, payload: Uint8Array.of(0x61) });
    const bytes = joinBytes(message, plainOne);
    for (const keepsContext of [true, false]) {
      const whole = await playWith(keepsContext, [bytes], random.pick(WAYS));
      const cut = await playWith(keepsContext, random.cut(bytes), random.pick(WAYS));
      must(
        describe(whole) === describe(cut),
        `cut otherwise:\n${describe(whole)}\n${describe(cut)}`,
      );
      const [first] = whole;
      if (first.type === "error") {
        must([1007, 1009].includes(first.error.closeCode) && whole.length === 1, describe(whole));
      }
      const expected = reference(input);
      if (expected === null) continue;
      must(expected !== "too long" || first.type === "error", "accepted what is too long");
      if (expected === "too long") continue;
      const data = first.type === "message" ? first.data : null;
      // Truncated streams zlib lets pass.
      if (data === null) {
        must(
          /ends inside|stored block/.test(describeEvent(first)) || isCut(first),
          describe(whole),
        );
      } else must(`${data}` === `${new Uint8Array(expected)}`, "other bytes than zlib's");
    }
  },
};

/** The probe behind a message has found that it ends where no block does. */
function isCut(event: Event): boolean {
  return event.type === "error" && event.error.closeCode === 1007;
}

/** Compressed frames: the table's, mixed and changed. */
function frameTarget(role: Role): Target {
  const corpus = COMPRESSED_VECTORS.map(({ frames }) => wire(role, ...frames))
    .filter(({ length }) => length < 2000);
  return {
    name: `deflate-frames-${role}`,
    generate: (random) =>
      random.mutate(joinBytes(random.pick(corpus), random.pick(corpus)), [random.pick(corpus)]),
    async check(input, random) {
      for (const keepsContext of [true, false]) {
        const [first, second] = [createCodec({ keepsContext }), createCodec({ keepsContext })];
        const whole = describe(
          await play(createCompressed(role, first), [input], random.pick(WAYS)),
        );
        const cut = describe(
          await play(createCompressed(role, second), random.cut(input), random.pick(WAYS)),
        );
        first.close();
        second.close();
        must(whole === cut, `cut otherwise:\n${whole}\n${cut}`);
      }
    },
  };
}

/** Compressed frames from clients. */
export const serverDeflate: Target = frameTarget("server");
/** Compressed frames from servers. */
export const clientDeflate: Target = frameTarget("client");
