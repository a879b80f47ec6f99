/** This checkout as a package that the programs of tests import by its name, as users do. @module */

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createCertificates } from "./runtime/certificates.ts";
import { ROOT } from "./toolchain.ts";

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
}

/** What deno.json says of the package. */
export const PACKAGE: Manifest = JSON.parse(readFileSync(`${ROOT}deno.json`, "utf8"));

/** Puts the package into a folder `node_modules`, without touching a line of the code. */
export function installPackage(modules: string): void {
  const { name, exports } = PACKAGE;
  const folder = join(modules, name);
  mkdirSync(folder, { recursive: true });
  // A junction: a link to a folder for which Windows wants no privilege. Node strips no types below
  // node_modules, but it goes by where a link leads.
  symlinkSync(ROOT, join(folder, "checkout"), "junction");
  const linked = Object.entries(exports).map((
    [path, file],
  ) => [path, `./checkout/${file.slice(2)}`]);
  const manifest = { name, type: "module", exports: Object.fromEntries(linked) };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
}

/** Writes `ca.pem`, `cert.pem` and `key.pem`: programs that speak TLS read them from their folder. */
export async function writeCertificates(folder: string): Promise<void> {
  const { ca, cert, key } = await createCertificates();
  for (const [name, text] of Object.entries({ ca, cert, key })) {
    writeFileSync(join(folder, `${name}.pem`), text);
  }
}
