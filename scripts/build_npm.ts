/**
 * Makes the npm package in `npm/`, by dnt: `deno task npm`, and then `npm publish ./npm`. dnt comes
 * from JSR, and is loaded here only, so that nothing else needs it; `deno task package` tests the
 * same sources with the same `package.json` without it.
 *
 * @module
 */

import { ROOT } from "../tests/toolchain.ts";
import { dntOptions, withShebang } from "./npm/dnt_options.ts";
import { DOCUMENTS } from "./npm/package_json.ts";

// A name that is computed is loaded when it is asked for, and not looked for before.
const DNT: string = "jsr:@deno/dnt@0.42.3";

const deno = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
const tests = JSON.parse(await Deno.readTextFile(`${ROOT}tests/package.json`));
const options = dntOptions(deno, tests.devDependencies["@types/node"]);

async function finish(): Promise<void> {
  for (const name of DOCUMENTS) await Deno.copyFile(name, `${options.outDir}/${name}`);
  for (const program of Object.values(options.package.bin)) {
    const path = `${options.outDir}/${program}`;
    await Deno.writeTextFile(path, withShebang(await Deno.readTextFile(path)));
    await Deno.chmod(path, 0o755);
  }
}

if (import.meta.main) {
  Deno.chdir(ROOT);
  const dnt = await import(DNT).catch((error: Error) => {
    console.error(`Cannot load ${DNT}: ${error.message.split("\n", 1)[0]}`);
    Deno.exit(1);
  });
  await dnt.emptyDir(options.outDir);
  await dnt.build({ ...options, postBuild: finish });
}
