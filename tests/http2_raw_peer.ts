/** A client that writes HTTP/2 frames as bytes (RFC 9113): for what no well-behaved client would send. @module */

import net from "node:net";
import { latin1 } from "./latin1.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const [DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE] = [0, 1, 3, 4, 6, 7, 8];

/** A frame as its header says: 24 bits of length, of which 16 are used. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: readonly number[],
): number[] {
  const { length } = payload;
  return [0, length >> 8, length & 255, type, flags, 0, 0, stream >> 8, stream & 255, ...payload];
}

/** A literal without indexing, its strings shorter than 127 bytes (RFC 7541 section 6.2.2). */
function field(name: string, value: string): number[] {
  return [0, name.length, ...latin1(name), value.length, ...latin1(value)];
}

/** A stream's first frame; it stays open. */
export function headers(stream: number, fields: Readonly<Record<string, string>>): number[] {
  const block = Object.entries(fields).flatMap(([name, value]) => field(name, value));
  return frame(HEADERS, 4, stream, block);
}

/** No more data will come: END_STREAM. */
export function end(stream: number): number[] {
  return frame(DATA, 1, stream, []);
}

/** Ends a stream, by default since nobody needs it any more (CANCEL). */
export function reset(stream: number, code = 8): number[] {
  return frame(RST_STREAM, 0, stream, [0, 0, 0, code]);
}

/** What an end of the connection wants of the other, numbers below 256. */
export function settings(values: readonly [id: number, value: number][]): number[] {
  return frame(SETTINGS, 0, 0, values.flatMap(([id, value]) => [0, id, 0, 0, 0, value]));
}

export function settingsAck(): number[] {
  return frame(SETTINGS, 1, 0, []);
}

export function pingFrame(): number[] {
  return frame(PING, 0, 0, Array(8).fill(0));
}

/** A response's head. */
export function answer(stream: number, status: string): number[] {
  return headers(stream, { ":status": status });
}

/** Whether a request is among what a client has sent, from its first byte on. */
export function asksForStream(received: readonly number[]): boolean {
  for (let at = PREFACE.length; at + 9 <= received.length;) {
    if (received[at + 3] === HEADERS) return true;
    at += 9 + received[at] * 65_536 + received[at + 1] * 256 + received[at + 2];
  }
  return false;
}

/** Lets the server send 64 KiB more, on a stream or (0) on all of them together. */
export function grant(stream: number): number[] {
  return frame(WINDOW_UPDATE, 0, stream, [0, 1, 0, 0]);
}

/** Ends the connection, by default with an error. */
export function goAway(code = 1): number[] {
  return frame(GOAWAY, 0, 0, [0, 0, 0, 0, 0, 0, 0, code]);
}

/** An ordinary request. */
export const GET: Readonly<Record<string, string>> = {
  ":method": "GET",
  ":scheme": "http",
  ":authority": "127.0.0.1",
  ":path": "/",
};

/** The request of RFC 8441. */
export const CONNECT: Readonly<Record<string, string>> = {
  ":method": "CONNECT",
  ":protocol": "websocket",
  ":scheme": "http",
  ":authority": "127.0.0.1",
  ":path": "/chat",
  "sec-websocket-version": "13",
};

/** What a server may send before it is granted more (RFC 9113 section 6.9.2). */
export const FIRST_WINDOW = 65_535;

/** Sends frames, each list in one piece, once the server has answered the one before; waits for the end. */
export async function sendFrames(port: number, ...pieces: readonly number[][]): Promise<void> {
  const socket = greet(port);
  for (const piece of pieces) {
    await new Promise((resolve) => socket.once("data", resolve));
    await new Promise((resolve) => setTimeout(resolve, 20)); // the rest of the answer
    socket.write(new Uint8Array(piece));
  }
  await new Promise((resolve) => setTimeout(resolve, 100)); // nothing tells that nothing follows
  socket.destroy();
}

/** Sends frames whatever the server says, some milliseconds apart, as long as it takes any. */
export async function sendBlindly(
  port: number,
  pieces: Iterable<number[]>,
  milliseconds: number,
): Promise<void> {
  const socket = greet(port);
  for (const piece of pieces) {
    if (socket.destroyed) return;
    socket.write(new Uint8Array(piece));
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
  socket.destroy();
}

function greet(port: number): net.Socket {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => {}).resume();
  socket.write(new Uint8Array([...latin1(PREFACE), ...frame(SETTINGS, 0, 0, [])]));
  return socket;
}
