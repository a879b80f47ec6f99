/**
 * What any server in TypeScript takes for echoes over the runtime's sockets that does as little as can be:
 * see bare_session.ts. It does not look at the request. Its first argument is the load, as in load.ts, the
 * second `iteration` or `handlers`.
 *
 * @module
 */

import process from "node:process";
import { createBuffer } from "../../../src/core/buffer_pool.ts";
import { tuneCore } from "../../../src/tuning.ts";
import type { EchoLoad } from "../load.ts";
import { ACCEPTED } from "./accepted.ts";
import { BareSession } from "./bare_session.ts";
import { listen } from "./listen.ts";
import type { Output, Peer } from "./peer.ts";

const { size, inFlight }: EchoLoad = JSON.parse(process.argv[2]);
const isIterating = process.argv[3] === "iteration";

/** Room for the answers to all that is in flight. */
const CAPACITY = (size + 10) * inFlight;

/** Room that nobody uses now. */
const outputs: Output[] = [];

const take = (): Output => outputs.pop() ?? { bytes: createBuffer(CAPACITY), used: 0 };

tuneCore();

/** Whatever comes first is the request. */
function create(write: (output: Output) => void): Peer {
  let session: BareSession | null = null;
  return {
    take(bytes) {
      if (session !== null) return session.take(bytes);
      session = new BareSession({ take, write, isIterating });
      write({ bytes: ACCEPTED, used: ACCEPTED.length });
    },
    left() {},
  };
}

const port = await listen({
  readSize: 262_144,
  create,
  written(output) {
    if (output.bytes === ACCEPTED) return;
    output.used = 0;
    outputs.push(output);
  },
});
console.log(port);
process.stdin.resume().on("end", () => process.exit()); // with whoever started it
