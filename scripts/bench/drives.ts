/**
 * What keeps a server busy in the speed benchmark, and can pause: so that several servers can be
 * measured in turns of a moment, each under a load that stays connected.
 *
 * @module
 */

import {
  broadcastPayload,
  compressedFrame,
  compressibleText,
  echoFrame,
  readFrame,
  repeatFrame,
  requestFrame,
} from "./known_frames.ts";
import type { EchoLoad } from "./load.ts";
import { RawPeer } from "./raw_peer.ts";

/** A load on a server that can be paused. */
export interface Drive {
  /** Messages, deliveries or handshakes so far. */
  readonly done: number;
  /** Milliseconds that single batches took there and back; whoever reads them may empty it. */
  readonly times: number[];
  /** Whether nothing is under way. */
  readonly isIdle: boolean;
  /** Begins, or goes on. */
  resume(): void;
  /** Begins nothing more; what is under way comes to its end. */
  pause(): void;
}

const OFFER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/** Opens so many connections; `offer` is what each handshake offers, `null`: there is none. */
export async function openAll(
  port: number,
  connections: number,
  offer: string | null = "",
): Promise<RawPeer[]> {
  const open = (): Promise<RawPeer> =>
    offer === null ? RawPeer.openTcp(port) : RawPeer.open(port, offer);
  const peers: RawPeer[] = [];
  while (peers.length < connections) {
    const length = Math.min(50, connections - peers.length);
    peers.push(...await Promise.all(Array.from({ length }, open)));
  }
  return peers;
}

/** Makes what keeps the messages in flight of each connection at their number. */
export async function createEchoes(
  port: number,
  connections: number,
  { size, inFlight, isText, compress }: EchoLoad,
): Promise<Drive> {
  const peers = await openAll(port, connections, compress ? OFFER : "");
  const request = compress ? compressedFrame(size) : requestFrame(size, isText);
  const reply = compress ? await learnReply(peers[0], size) : echoFrame(size, isText);
  return new Echoes(peers, request, reply, inFlight);
}

/** What the server answers to a compressed message; the same each time, without takeover. */
async function learnReply(peer: RawPeer, size: number): Promise<Uint8Array> {
  let received = new Uint8Array(0);
  const reply = await new Promise<ReturnType<typeof readFrame>>((resolve) => {
    peer.onbytes = (_, bytes) => {
      received = Uint8Array.from([...received, ...bytes]);
      const reply = readFrame(received);
      if (reply !== null) resolve(reply);
    };
    peer.write(compressedFrame(size));
  });
  if (reply!.text !== compressibleText(size)) throw new Error("The server's reply is wrong");
  return reply!.frame;
}

/** A connection of {@linkcode Echoes}. */
interface Lane {
  readonly peer: RawPeer;
  /** Bytes of a reply that is not whole. */
  partial: number;
  /** When the last messages went out. */
  sentAt: number;
  /** Messages that may go out. */
  free: number;
}

class Echoes implements Drive {
  readonly times: number[] = [];
  done = 0;
  readonly #lanes: readonly Lane[];
  readonly #batch: Uint8Array;
  readonly #requestSize: number;
  readonly #replySize: number;
  readonly #inFlight: number;
  #isPaused = true;

  constructor(
    peers: readonly RawPeer[],
    request: Uint8Array,
    reply: Uint8Array,
    inFlight: number,
  ) {
    this.#batch = repeatFrame(request, inFlight);
    this.#requestSize = request.length;
    this.#replySize = reply.length;
    this.#inFlight = inFlight;
    this.#lanes = peers.map((peer) => {
      const lane: Lane = { peer, partial: 0, sentAt: 0, free: inFlight };
      peer.expect(reply);
      peer.onbytes = (count) => this.#receive(lane, count);
      return lane;
    });
  }

  get isIdle(): boolean {
    return this.#lanes.every(({ free }) => free === this.#inFlight);
  }

  resume(): void {
    this.#isPaused = false;
    const now = performance.now();
    for (const lane of this.#lanes) this.#send(lane, now);
  }

  pause(): void {
    this.#isPaused = true;
  }

  #receive(lane: Lane, count: number): void {
    lane.partial += count;
    const whole = Math.floor(lane.partial / this.#replySize);
    if (whole === 0) return;
    lane.partial -= whole * this.#replySize;
    lane.free += whole;
    this.done += whole;
    const now = performance.now();
    if (this.#inFlight === 1) this.times.push(now - lane.sentAt);
    if (!this.#isPaused) this.#send(lane, now);
  }

  #send(lane: Lane, now: number): void {
    const { free } = lane;
    lane.free = 0;
    lane.sentAt = now;
    const isAll = free >= this.#inFlight;
    lane.peer.write(isAll ? this.#batch : this.#batch.subarray(0, free * this.#requestSize));
  }
}

/** Makes what asks for one message to all, or several at once, and asks again when all have them. */
export async function createBroadcasts(
  port: number,
  connections: number,
  burst: number,
): Promise<Drive> {
  const peers = await openAll(port, connections);
  return new Broadcasts(peers, await RawPeer.open(port), burst);
}

class Broadcasts implements Drive {
  readonly times: number[] = [];
  readonly #asker: RawPeer;
  readonly #ask: Uint8Array;
  /** Bytes that come of one request in all. */
  readonly #all: number;
  readonly #perByte: number;
  #received = 0;
  #missing = 0;
  #askedAt = 0;
  #isPaused = true;

  constructor(peers: readonly RawPeer[], asker: RawPeer, burst: number) {
    const news = echoFrame(broadcastPayload().length, false);
    this.#asker = asker;
    this.#ask = requestFrame(0, true, `${burst}`);
    this.#all = news.length * burst * (peers.length + 1);
    this.#perByte = 1 / news.length;
    for (const peer of [...peers, asker]) {
      peer.expect(news);
      peer.onbytes = (count) => this.#receive(count);
    }
  }

  get done(): number {
    return this.#received * this.#perByte;
  }

  get isIdle(): boolean {
    return this.#missing === 0;
  }

  resume(): void {
    this.#isPaused = false;
    if (this.isIdle) this.#next();
  }

  pause(): void {
    this.#isPaused = true;
  }

  #next(): void {
    this.#missing = this.#all;
    this.#askedAt = performance.now();
    this.#asker.write(this.#ask);
  }

  #receive(count: number): void {
    this.#received += count;
    this.#missing -= count;
    if (this.#missing < 0) throw new Error("More has come than was asked for");
    if (this.#missing > 0) return;
    this.times.push(performance.now() - this.#askedAt);
    if (!this.#isPaused) this.#next();
  }
}

/** Connects, and leaves once it is let in: so many at a time. */
export class Handshakes implements Drive {
  readonly times: number[] = [];
  done = 0;
  readonly #port: number;
  readonly #connections: number;
  readonly #fail: (error: unknown) => void;
  #active = 0;
  #isPaused = true;

  constructor(port: number, connections: number, fail: (error: unknown) => void) {
    this.#port = port;
    this.#connections = connections;
    this.#fail = fail;
  }

  get isIdle(): boolean {
    return this.#active === 0;
  }

  resume(): void {
    this.#isPaused = false;
    while (this.#active < this.#connections) {
      this.#active++;
      this.#run().catch(this.#fail);
    }
  }

  pause(): void {
    this.#isPaused = true;
  }

  async #run(): Promise<void> {
    while (!this.#isPaused) {
      const started = performance.now();
      const peer = await RawPeer.open(this.#port);
      this.times.push(performance.now() - started);
      this.done++;
      peer.reset();
    }
    this.#active--;
  }
}
