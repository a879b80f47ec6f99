/**
 * Takes files from a browser or from `upload_client.ts`, shows how far they are, and never has more of
 * them in memory than a window. Run it with `deno run -N`, `bun` or `node`, and open the address that it
 * prints; `--slow 20` makes it a server that is slower than its network.
 *
 * `upload_receiver.ts` is what it does with the bytes, `upload_page.ts` what the browser gets.
 *
 * @module
 */

import { serve } from "../mod.ts";
import { servePage } from "./page.ts";
import { runServer } from "./program.ts";
import { PAGE } from "./upload_page.ts";
import { receiveUploads, SLICE } from "./upload_receiver.ts";

const flags = {
  "max-size": {
    help: "largest file, in bytes",
    default: 1_073_741_824,
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
  },
  slow: { help: "milliseconds to pause after each slice", default: 0, min: 0, max: 10_000 },
};

await runServer({ file: "upload.ts", title: "Upload", flags }, (values) => {
  const { hostname, port, slow, "max-size": maxSize } = values;
  const pace = slow === 0 ? undefined : () => new Promise((resolve) => setTimeout(resolve, slow));
  return serve({
    hostname,
    port,
    fetch: servePage(PAGE),
    limits: { maxMessageSize: SLICE, maxConnections: 100 },
  }, receiveUploads({ maxSize, ...pace && { pace } }));
});
