/** Fuzzes frames in both roles, and what is written in answer to them. @module */

import { encodeHex } from "@std/encoding/hex";
import { useWideWords } from "../../src/core/mask_words.ts";
import type { Event, ProtocolLimits } from "../../src/core/protocol.ts";
import type { Role } from "../../src/core/receiver.ts";
import {
  createProtocol,
  describeEvent,
  peerOf,
  takeEvents,
  takeOutput,
  type Way,
  WAYS,
} from "../core/transcript.ts";
import { VECTORS } from "../core/vectors.ts";
import { decodeFrames, encodeFrame, type Frame, joinBytes } from "../frames.ts";
import type { Random } from "./random.ts";
import { readReference } from "./reference.ts";
import { must, type Target } from "./target.ts";

const LIMITS: ProtocolLimits = { maxMessageSize: 300, maxFragments: 5, maxPendingPongs: 3 };
const CLOSE_CODES = new Set([1002, 1007, 1008, 1009]);
const TEXTS = [
  "",
  "a",
  "hé",
  "€€",
  "😀",
  "\ufeff\0",
  "x".repeat(125),
  "x".repeat(126),
  "é".repeat(150),
];

/** A sequence of frames that are right for the most part. */
function generateFrames(role: Role, random: Random): Uint8Array {
  const frames: Uint8Array[] = [];
  let isFragmented = false;
  const often = random.oneIn(6) ? 1 : 3;
  for (let count = 1 + random.size(8); count > 0; count--) {
    const isControl = random.oneIn(often);
    const isLast = isControl || random.oneIn(2);
    const opcode = isControl
      ? random.pick([8, 9, 9, 9, 9, 10])
      : isFragmented
      ? 0
      : random.pick([1, 2]);
    if (!isControl) isFragmented = !isLast;
    frames.push(encodeFrame({
      fin: random.oneIn(40) ? !isLast : isLast,
      rsv: random.oneIn(60) ? random.below(8) : 0,
      opcode: random.oneIn(60) ? random.below(16) : opcode,
      mask: (role === "server") !== random.oneIn(80) ? random.bytes(4) : null,
      payload: payload(opcode, random),
    }));
  }
  return joinBytes(...frames);
}

function payload(opcode: number, random: Random): Uint8Array {
  if (random.oneIn(20)) return random.bytes(random.size(400));
  if (opcode === 8) {
    const code = random.pick([1000, 1001, 1005, 1011, 3000, 4999, 5000, random.below(65_536)]);
    return joinBytes(
      [code >> 8, code & 255],
      new TextEncoder().encode(random.pick(TEXTS.slice(0, 5))),
    );
  }
  if (opcode < 8 && random.oneIn(20)) {
    return new Uint8Array(LIMITS.maxMessageSize - 1 + random.below(3)).fill(0x61);
  }
  const text = new TextEncoder().encode(random.pick(TEXTS));
  return random.oneIn(15) ? text.subarray(0, text.length - 1) : text;
}

/** The events in these pieces; each message is echoed, and what is written is checked. */
function play(
  role: Role,
  pieces: readonly Uint8Array[],
  way: Way,
): string[] {
  const protocol = createProtocol(role, LIMITS);
  const lines: string[] = [];
  const expected: string[] = [];
  const written: Uint8Array[] = [];
  for (const piece of pieces) {
    protocol.receive(piece.slice());
    const events = takeEvents(protocol, way);
    for (const event of events) {
      lines.push(describeEvent(event));
      if (event.type === "message") {
        protocol.sendMessage(event.data);
        expected.push(describeEvent(event));
      }
      if (event.type === "error") must(CLOSE_CODES.has(event.error.closeCode), lines.join("\n"));
      if (event.type === "error" || event.type === "close") protocol.answerClose();
    }
    must(!protocol.hasInput, "bytes are left");
    const output = takeOutput(protocol);
    checkAnswers(decodeFrames(role, output), events);
    written.push(output);
  }
  const frames = decodeFrames(role, joinBytes(...written));
  const echoed = readReference(
    peerOf(role),
    joinBytes(...frames.filter(({ opcode }) => opcode < 8).map(encodeFrame)),
    LIMITS,
  );
  must(`${echoed}` === `${expected}`, `wrote ${echoed}, not ${expected}`);
  const ends = lines.filter((line) => /^(?:close|error) /.test(line)).length;
  must(ends === (frames.some(({ opcode }) => opcode === 8) ? 1 : 0), "not one Close for one end");
  return lines;
}

/**
 * What answers the pings and the end among `events`: pongs in their order, ahead of messages, the
 * last of them for the newest ping where there are too many; then the peer's code, or the rule.
 */
function checkAnswers(frames: readonly Frame[], events: readonly Event[]): void {
  const pings = events.filter(({ type }) => type === "ping").map(describeEvent);
  const most = LIMITS.maxPendingPongs;
  const kept = pings.length > most ? [...pings.slice(0, most - 1), pings[pings.length - 1]] : pings;
  const pongs = frames.slice(0, kept.length)
    .map(({ opcode, payload }) => `${opcode === 10 ? "ping" : opcode} ${encodeHex(payload)}`);
  must(`${pongs}` === `${kept}`, `pongs for ${pongs}, not for ${kept}`);
  must(!frames.slice(kept.length).some(({ opcode }) => opcode === 10), "a pong too many");
  const end = events.find(({ type }) => type === "close" || type === "error");
  if (end === undefined) return;
  const { opcode, payload } = frames[frames.length - 1];
  const code = payload.length === 0 ? 1005 : payload[0] * 256 + payload[1];
  const reason = new TextDecoder().decode(payload.subarray(2));
  must(opcode === 8, "no Close at the end");
  if (end.type === "close") must(code === end.code && reason === "", `${code} ${reason}`);
  if (end.type !== "error") return;
  const { closeCode, message } = end.error;
  must(code === closeCode, `Close ${code}, not ${closeCode}`);
  must(reason === message || (message.startsWith(reason) && payload.length > 120), reason);
}

/** Frames for an end of each role. */
function frameTarget(role: Role): Target {
  const corpus = VECTORS.map(({ wire }) => wire(role)).filter((bytes) => bytes !== null)
    .filter(({ length }) => length < 2000);
  return {
    name: `frames-${role}`,
    generate(random) {
      const input = random.oneIn(3) ? random.pick(corpus) : generateFrames(role, random);
      return random.oneIn(2) ? input : random.mutate(input, [random.pick(corpus)]);
    },
    check(input, random) {
      useWideWords(random.oneIn(2));
      const whole = play(role, [input], random.pick(WAYS));
      useWideWords(random.oneIn(2));
      const cut = play(role, random.cut(input), random.pick(WAYS));
      must(`${whole}` === `${cut}`, `cut otherwise:\n${whole}\n${cut}`);
      const reference = readReference(role, input, LIMITS);
      const seen = whole.map((line) => line.replace(/^(error \d+) .*/, "$1"));
      must(`${seen}` === `${reference}`, `the reference says ${reference}, not ${seen}`);
    },
  };
}

/** Frames from clients. */
export const serverFrames: Target = frameTarget("server");
/** Frames from servers. */
export const clientFrames: Target = frameTarget("client");
