/**
 * Sessions share buffers: no byte of one may ever reach another peer, whatever they do at the same
 * time. Every payload is its connection's own; replies are late; some peers read slowly, so that
 * writes are taken in parts, some reset their connection in the middle, and new handshakes go on.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { serve, type Server } from "../mod.ts";
import { sharedBuffers } from "../src/core/buffer_pool.ts";
import { dial } from "../src/runtime/mod.ts";
import { allGone, portOf, rawSocket, until } from "./catalogue/servers.ts";
import { seededBytes, seededRandom } from "./cuts.ts";
import { decodeFrames, encodeFrame, joinBytes, MASK } from "./frames.ts";
import { latin1 } from "./latin1.ts";
import { REQUEST } from "./raw_peer.ts";

const PEERS = 40;
const MESSAGES = 15;

/** Every so many peers one reads nothing before all that is for it has been sent. */
const SLEEPER = 20;

/** Of up to 256 KiB each, which fit into shared buffers: 10 MB in all, more than TCP takes. */
const SLEEPER_MESSAGES = 60;

type Random = () => number;

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** One message of a connection's own. */
interface Own {
  readonly opcode: 1 | 2;
  readonly payload: Uint8Array;
}

/** The messages that belong to one connection; nothing else in the test looks like them. */
function messagesOf(peer: number, random: Random): Own[] {
  return Array.from({ length: countOf(peer) }, (_, i) => {
    if (!isSleeper(peer) && random() < 0.5) {
      const text = `${peer}, ${i}: ${
        `${peer * 100 + i} `.repeat(random() < 0.1 ? 300 : random() * 20)
      }`;
      return { opcode: 1, payload: latin1(text) };
    }
    const shortOrLong = random() < 0.1 ? random() * 400_000 : 4 ** (random() * 7);
    const size = isSleeper(peer) ? 80_000 + random() * 170_000 : shortOrLong;
    const payload = joinBytes([peer, i], seededBytes(Math.floor(size), peer * 100 + i));
    return { opcode: 2, payload };
  });
}

function isSleeper(peer: number): boolean {
  return peer % SLEEPER === 0;
}

function countOf(peer: number): number {
  return isSleeper(peer) ? SLEEPER_MESSAGES : MESSAGES;
}

function framesOf(messages: readonly Own[]): Uint8Array[] {
  return messages.map((message) => encodeFrame({ ...message, mask: MASK }));
}

/** Everything that the server sends, read in the peer's own time. */
async function readSlowly(
  conn: Awaited<ReturnType<typeof dial>>,
  random: Random,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let bytes = await conn.read(); bytes !== null; bytes = await conn.read()) {
    parts.push(bytes.slice());
    if (random() < 0.05) await sleep(random() * 20);
  }
  return joinBytes(...parts);
}

async function sendInPieces(
  conn: Awaited<ReturnType<typeof dial>>,
  bytes: Uint8Array,
  random: Random,
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + Math.floor(8 ** (random() * 7));
    await conn.write(bytes.slice(at, end));
    at = end;
    if (random() < 0.1) await sleep(random() * 5);
  }
}

/** A peer that gets back exactly what is its own. */
async function exchange(server: Server, peer: number): Promise<void> {
  const random = seededRandom(peer + 1);
  await sleep(random() * 100);
  const messages = messagesOf(peer, random);
  const close = encodeFrame({ opcode: 8, payload: Uint8Array.of(3, 232), mask: MASK });
  const conn = await dial({ hostname: "127.0.0.1", port: portOf(server) });
  // The first frames may come together with the request.
  const all = joinBytes(latin1(REQUEST), ...framesOf(messages));
  const sending = sendInPieces(conn, all, random);
  const isEchoed = (): boolean => echoed.get(peer) === countOf(peer);
  if (isSleeper(peer)) await until(isEchoed, 20_000);
  const reading = readSlowly(conn, random);
  await sending;
  await until(isEchoed, 20_000);
  await conn.write(close);
  const received = await reading;
  conn.close();
  const head = new TextDecoder("latin1").decode(received.subarray(0, 300)).indexOf("\r\n\r\n") + 4;
  const frames = decodeFrames("server", received.subarray(head));
  const own = frames.filter((frame) => frame.opcode !== 8 && !isForAll(frame));
  assertEquals(own.length, messages.length);
  for (const [i, { opcode, payload }] of own.entries()) {
    const isOwn = opcode === messages[i].opcode && isSame(payload, messages[i].payload);
    assert(isOwn, `${peer}, ${i}: ${new TextDecoder().decode(payload.subarray(0, 100))}`);
  }
}

/** Whether this is a broadcast. */
function isForAll({ opcode, payload }: { opcode: number; payload: Uint8Array }): boolean {
  return opcode === 1 && /^tick \d+$|^(x{20000})$/.test(new TextDecoder().decode(payload));
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return left.length === right.length;
}

/** A peer that takes nothing of what it asked for, and is gone before it has come. */
async function leave(server: Server, peer: number): Promise<void> {
  const random = seededRandom(peer + 1);
  await sleep(random() * 100);
  const socket = await rawSocket(server);
  socket.pause();
  socket.write(joinBytes(latin1(REQUEST), ...framesOf(messagesOf(peer, random))));
  await sleep(20 + random() * 100);
  socket.resetAndDestroy();
}

/** Replies sent, by connection. */
const echoed = new Map<number, number>();

describe("Sessions share buffers, and no byte", () => {
  test("of one reaches the peer of another", async () => {
    const random = seededRandom(0);
    const server = await serve({ port: 0, onError: () => {} }, {
      async message(session, message) {
        const peer = typeof message === "string" ? parseInt(message) : message[0];
        if (random() < 0.3) await sleep(random() * 10);
        const sent = session.send(message);
        if (!isSleeper(peer) && random() < 0.5) await sent.catch(() => {});
        else sent.catch(() => {});
        echoed.set(peer, (echoed.get(peer) ?? 0) + 1);
      },
    });
    let tick = 0;
    const ticking = setInterval(() => {
      server.broadcast(tick % 5 === 0 ? "x".repeat(20_000) : `tick ${tick}`);
      tick++;
    }, 7);
    try {
      const peers = Array.from(
        { length: PEERS },
        (_, peer) => peer % 4 === 3 ? leave(server, peer) : exchange(server, peer),
      );
      await Promise.all(peers);
      await allGone(server);
    } finally {
      clearInterval(ticking);
      await server.shutdown();
    }
    assert(tick > 5);
    assertEquals(sharedBuffers.used, 0, "every buffer has been given back");
  });
});
