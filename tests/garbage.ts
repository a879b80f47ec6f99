/** Collecting garbage at a test's word. @module */

import v8 from "node:v8";
import vm from "node:vm";

/** What V8's flag `--expose-gc` gives, on Deno and Node. */
export function collectGarbage(): void {
  v8.setFlagsFromString("--expose-gc");
  const gc: () => void = vm.runInNewContext("gc");
  gc();
}
