/** Fuzzes compressed messages: streams of all kinds, right and wrong, with both contexts. @module */

import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import type { Event, Protocol } from "../../src/core/protocol.ts";
import type { Role } from "../../src/core/receiver.ts";
import { createCodec, createCompressed } from "../core/codecs.ts";
import { COMPRESSED_VECTORS } from "../core/compressed_vectors.ts";
import { describeEvent, takeEvents } from "../core/transcript.ts";
import { wire } from "../core/wire.ts";
import { encodeFrame, joinBytes, MASK } from "../frames.ts";
import type { Random } from "./random.ts";
import { must, type Target } from "./target.ts";

const MAX_SIZE = 100_000;
const TAIL = Uint8Array.of(0, 0, 0xff, 0xff);

function plain(random: Random): Uint8Array {
  const size = random.size(random.oneIn(10) ? MAX_SIZE + 10 : 3000);
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

/** What zlib makes of one message; `null` where it is not sure. */
function reference(bytes: Uint8Array): Uint8Array | null {
  try {
    const all = joinBytes(bytes, TAIL);
    const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MAX_SIZE, info: true };
    const { buffer, engine } = inflateRawSync(all, options) as unknown as {
      buffer: Uint8Array;
      engine: { bytesWritten: number };
    };
    return engine.bytesWritten === all.length ? buffer : null;
  } catch {
    return null;
  }
}

async function play(protocol: Protocol, pieces: readonly Uint8Array[]): Promise<Event[]> {
  const events: Event[] = [];
  for (const piece of pieces) {
    protocol.receive(piece.slice());
    events.push(...takeEvents(protocol));
    while (protocol.inflating !== null) {
      await protocol.inflating;
      events.push(...takeEvents(protocol));
    }
    must(!protocol.hasInput, "bytes are left");
  }
  return events;
}

async function playWith(keepsContext: boolean, pieces: readonly Uint8Array[]): Promise<Event[]> {
  const codec = createCodec({ keepsContext });
  try {
    return await play(createCompressed("server", codec, { maxMessageSize: MAX_SIZE }), pieces);
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
      const whole = await playWith(keepsContext, [bytes]);
      const cut = await playWith(keepsContext, random.cut(bytes));
      must(
        describe(whole) === describe(cut),
        `cut otherwise:\n${describe(whole)}\n${describe(cut)}`,
      );
      const [first] = whole;
      if (first.type === "error") {
        must([1007, 1009].includes(first.error.closeCode) && whole.length === 1, describe(whole));
      }
      const expected = reference(input);
      if (expected === null || expected.length > MAX_SIZE) continue;
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
        const whole = describe(await play(createCompressed(role, first), [input]));
        const cut = describe(await play(createCompressed(role, second), random.cut(input)));
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
