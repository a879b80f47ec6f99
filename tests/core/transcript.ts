/**
 * What a {@linkcode Protocol} makes of bytes, as lines of text that a table can hold, and what it
 * writes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { assert, assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { type Event, Protocol, type ProtocolLimits } from "../../src/core/protocol.ts";
import type { Role } from "../../src/core/receiver.ts";
import { cuts } from "../cuts.ts";
import { decodeFrames, joinBytes } from "../frames.ts";
import { word } from "./senders.ts";

/** The documented defaults. */
export const LIMITS: ProtocolLimits = {
  maxMessageSize: 1_048_576,
  maxFragments: 65_536,
  maxPendingPongs: 128,
};

/** Both ends. */
export const ROLES: readonly Role[] = ["server", "client"];

/** The other end. */
export function peerOf(role: Role): Role {
  return role === "server" ? "client" : "server";
}

/** A protocol in its first state; a client masks with 01 02 03 04. */
export function createProtocol(role: Role, limits: Partial<ProtocolLimits> = {}): Protocol {
  const all = { ...LIMITS, ...limits };
  return role === "server"
    ? new Protocol({ role, limits: all })
    : new Protocol({ role, limits: all, maskKey: () => 0x01020304 });
}

/** An event as one line: `text "Hello"`, `ping 61`, `error 1002 Control frame is fragmented`. */
export function describeEvent(event: Event): string {
  switch (event.type) {
    case "message":
      return typeof event.data === "string"
        ? `text ${JSON.stringify(event.data)}`
        : `binary ${describeBytes(event.data)}`;
    case "ping":
    case "pong":
      return `${event.type} ${describeBytes(event.data)}`;
    case "close":
      return `close ${event.code} ${JSON.stringify(event.reason)}`;
    case "error":
      return `error ${event.error.closeCode} ${event.error.message}`;
  }
}

/** Received bytes belong to the receiver alone: nothing else lies in their buffer. */
function describeBytes(data: Uint8Array): string {
  assertEquals(data.constructor, Uint8Array);
  assertEquals(data.buffer.byteLength, data.length, "the buffer holds more than the payload");
  return encodeHex(data);
}

/** Whether short messages are asked for first, as sessions do: the events must be the same. */
export type Way = "short first" | "events only";

/** Both of them. */
export const WAYS: readonly Way[] = ["short first", "events only"];

/** All events in the bytes received so far. */
export function takeEvents(protocol: Protocol, way: Way = "short first"): Event[] {
  const events: Event[] = [];
  while (true) {
    const data = way === "short first" ? protocol.nextShortMessage() : null;
    const event: Event | null = data === null ? protocol.next() : { type: "message", data };
    if (event === null) return events;
    events.push(event);
  }
}

/**
 * The events in pieces that arrive one after another, all in the same memory: it is overwritten
 * before the next piece comes, as a transport does that reads into one buffer.
 */
export function transcript(
  protocol: Protocol,
  pieces: readonly Uint8Array[],
  way?: Way,
): string[] {
  const memory = Buffer.alloc(Math.max(1, ...pieces.map(({ length }) => length)));
  const events: Event[] = [];
  for (const piece of pieces) {
    memory.set(piece);
    protocol.receive(memory.subarray(0, piece.length));
    events.push(...takeEvents(protocol, way));
    assertEquals(protocol.hasInput, false);
    memory.fill(0xa5);
  }
  return events.map(describeEvent);
}

/** The events in `bytes`; fails if they depend on how the bytes are cut (O6) or asked for. */
export function transcriptOfAllCuts(
  role: Role,
  bytes: Uint8Array,
  limits: Partial<ProtocolLimits> = {},
): string[] {
  let first: string[] | null = null;
  for (const { name, pieces } of cuts(bytes)) {
    for (const way of WAYS) {
      const events = transcript(createProtocol(role, limits), pieces, way);
      first ??= events;
      assertEquals(events, first, `${name}, ${way}: other events than whole`);
    }
  }
  assert(first !== null);
  return first;
}

/** Everything that waits to be written. */
export function takeOutput(protocol: Protocol): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let part = protocol.takeOutput(); part !== null; part = protocol.takeOutput()) {
    parts.push(part.slice());
    protocol.outputWritten();
  }
  return joinBytes(...parts);
}

/** A masked and an unmasked end in the same hands. */
export function pair(): { server: Protocol; client: Protocol } {
  return { server: createProtocol("server"), client: createProtocol("client") };
}

/** Moves all output of one end into the other. */
export function transfer(from: Protocol, to: Protocol): string[] {
  return transcript(to, [takeOutput(from)]);
}

/** The frames that wait, as words, checked by the independent decoder. */
export function outputOf(protocol: Protocol): string[] {
  return decodeFrames(protocol.role, takeOutput(protocol)).map(word);
}

/** The payload of the only frame that waits. */
export function payloadOf(protocol: Protocol): Uint8Array {
  const frames = decodeFrames(protocol.role, takeOutput(protocol));
  assertEquals(frames.length, 1);
  return frames[0].payload;
}
