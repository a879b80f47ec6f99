/** What compression saves, and what it costs. @module */

import type { Benchmark } from "./benchmark.ts";
import { measureEcho } from "./echo.ts";

/** The benchmark of permessage-deflate. */
export const compression: Benchmark = {
  name: "compression",
  async run(options) {
    return await measureEcho(options);
  },
};
