/**
 * Every first two bytes that a peer can send, judged by rules written here from RFC 6455 section 5
 * alone; and the limit of a message from both of its sides.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { ProtocolError } from "../../src/core/errors.ts";
import type { Role } from "../../src/core/receiver.ts";
import { readAll, sessionAndPeer } from "../session_pair.ts";
import {
  createProtocol,
  describeEvent,
  ROLES,
  takeEvents,
  transcriptOfAllCuts,
} from "./transcript.ts";
import { frame, wire } from "./wire.ts";

/** What two bytes amount to: the code of the error, an event, or nothing yet. */
function expected(role: Role, first: number, second: number): number | string | null {
  const [isFinal, reserved, opcode] = [first >= 0x80, (first >> 4) & 7, first & 15];
  const [isMasked, length] = [second >= 0x80, second & 0x7f];
  if ((opcode > 2 && opcode < 8) || opcode > 10) return 1002;
  if (opcode >= 8 && (!isFinal || reserved !== 0 || length > 125)) return 1002;
  if (isMasked || length > 125) return null; // the header goes on
  if (role === "server" || reserved !== 0 || opcode === 0) return 1002; // nothing to continue
  if (length > 0 || !isFinal) return null; // there is more to come
  return { 1: 'text ""', 2: "binary ", 8: 'close 1005 ""', 9: "ping ", 10: "pong " }[opcode]!;
}

function outcome(role: Role, first: number, second: number): number | string | null {
  const protocol = createProtocol(role);
  protocol.receive(Uint8Array.of(first, second));
  const events = takeEvents(protocol);
  assertEquals(events.length <= 1, true, "more than one event");
  const [event] = events;
  if (event === undefined) return null;
  return event.type === "error" ? event.error.closeCode : describeEvent(event);
}

describe("F-60 every first byte with every second byte", () => {
  for (const role of ROLES) {
    test(`is what the RFC makes of it (${role})`, () => {
      const wrong: string[] = [];
      for (let bytes = 0; bytes < 0x1_0000; bytes++) {
        const [first, second] = [bytes >> 8, bytes & 0xff];
        const right = expected(role, first, second);
        const got = outcome(role, first, second);
        if (got !== right) {
          wrong.push(`${bytes.toString(16).padStart(4, "0")}: ${got}, not ${right}`);
        }
      }
      assertEquals(wrong, []);
    });

    test(`ends the session once when the stream ends behind it (${role})`, async () => {
      const seconds = [0, 1, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0xfd, 0xfe, 0xff];
      for (let first = 0; first < 0x100; first++) {
        await Promise.all(seconds.map((second) => checkSession(role, first, second)));
      }
    });
  }
});

async function checkSession(role: Role, first: number, second: number): Promise<void> {
  const { session, peer, clock } = sessionAndPeer(role, {
    async run(session) {
      for await (const message of session) assertEquals(message.length, 0);
    },
  });
  await peer.write(Uint8Array.of(first, second));
  await peer.closeWrite();
  await readAll(peer);
  peer.close();
  const { code, wasClean, error } = await session.closed;
  const right = expected(role, first, second);
  const isClose = right === 'close 1005 ""';
  assertEquals([code, wasClean], isClose ? [1005, true] : [1006, false]);
  assertEquals(
    error instanceof ProtocolError ? error.closeCode : null,
    typeof right === "number" ? right : null,
  );
  assertEquals(clock.pending, 0);
}

describe("F-38 the limit of a message", () => {
  const LIMIT = 300;
  const limits = { maxMessageSize: LIMIT };
  const splits = [[LIMIT], [LIMIT - 1, 1], [1, LIMIT - 1], [150, 0, 150], Array(LIMIT).fill(1)];

  for (const role of ROLES) {
    for (const sizes of splits) {
      const frames = sizes.map((size, i) => {
        const first = (i === 0 ? 2 : 0) | (i === sizes.length - 1 ? 0x80 : 0);
        return frame(first, new Uint8Array(size));
      });
      const name = `${sizes.length} frames of ${sizes.slice(0, 3)} (${role})`;

      test(`takes what reaches it: ${name}`, () => {
        assertEquals(transcriptOfAllCuts(role, wire(role, ...frames), limits), [
          `binary ${"00".repeat(LIMIT)}`,
        ]);
      });

      test(`fails one byte past it, at the header: ${name}`, () => {
        const tight = { maxMessageSize: LIMIT - 1 };
        assertEquals(transcriptOfAllCuts(role, wire(role, ...frames), tight), [
          `error 1009 Message is longer than ${LIMIT - 1} bytes (limits.maxMessageSize)`,
        ]);
        const last = frames.at(-1)!;
        const isEmpty = last.payload.length === 0;
        const early = [...frames.slice(0, -1), { ...last, payload: new Uint8Array(0) }];
        if (!isEmpty) {
          assertEquals(transcriptOfAllCuts(role, wire(role, ...early), tight).length, 1);
        }
      });
    }
  }
});
