/**
 * What the runtime's sockets alone allow where there is more to it than echoes: no frame is read or
 * made here. So many bytes that come ask for a broadcast, whose frames are known; the request for an
 * upgrade is not looked at, either, but where handshakes are measured, its key is hashed by
 * `crypto.subtle`, as ours is. Its argument is the load, as in load.ts.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import process from "node:process";
import { Linked, LinkedList } from "../../../src/linked_list.ts";
import { broadcastPayload, echoFrame, repeatFrame, requestFrame } from "../known_frames.ts";
import type { Work } from "../load.ts";
import { ACCEPTED, HASHED } from "./accepted.ts";
import { listen } from "./listen.ts";
import type { Output, Peer } from "./peer.ts";

const work: Work = JSON.parse(process.argv[2]);
const burst = work.kind === "broadcast" ? work.burst : 1;
/** Bytes of a message that asks for a broadcast. */
const { length: size } = requestFrame(0, true, `${burst}`);
const news = outputOf(repeatFrame(echoFrame(broadcastPayload().length, false), burst));
const accepted = outputOf(ACCEPTED);
const all = new LinkedList<SocketsPeer>();

/** As a Buffer, which Node need not make of it each time. */
function outputOf(bytes: Uint8Array): Output {
  return { bytes: Buffer.from(bytes), used: bytes.length };
}

/** One connection. */
class SocketsPeer extends Linked<SocketsPeer> implements Peer {
  readonly #write: (output: Output) => void;
  #isOpen = false;
  #received = 0;

  constructor(write: (output: Output) => void) {
    super();
    this.#write = write;
  }

  take({ length }: Uint8Array): void {
    if (!this.#isOpen) {
      this.#isOpen = true;
      all.push(this);
      if (work.kind === "handshake") void this.#accept();
      else this.#write(accepted);
      return;
    }
    this.#received += length;
    for (; this.#received >= size; this.#received -= size) {
      for (let peer = all.first, next: SocketsPeer | null; peer !== null; peer = next) {
        next = peer.next; // who writes may leave
        peer.#write(news);
      }
    }
  }

  async #accept(): Promise<void> {
    await crypto.subtle.digest("SHA-1", HASHED);
    if (this.list !== null) this.#write(accepted);
  }

  left(): void {
    all.remove(this);
  }
}

const port = await listen({
  readSize: 512,
  create: (write) => new SocketsPeer(write),
  written() {},
});
console.log(port);
process.stdin.resume().on("end", () => process.exit()); // with whoever started it
