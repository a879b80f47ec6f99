/** The tarball itself: what is in it, and what the linters of packages say. @module */

import { type Check, demand } from "./checks.ts";
import { DOCUMENTS } from "./package_json.ts";
import { tool, type Workshop } from "./workshop.ts";

const EXPECTED = /^(?:package\.json|(?:mod|cli|src\/.+)\.(?:js|d\.ts))$/;

/** What is checked of the tarball. */
export function tarballChecks({ tarball, folder, node }: Workshop): Check[] {
  const options = { cwd: folder, env: { ...node.env } };
  return [
    {
      name: "the tarball holds modules, types and documents, and nothing else",
      check: async () => checkContents(await demand("tar", ["-tzf", tarball], options)),
    },
    {
      name: "publint --strict",
      check: async () => {
        const args = [tool("publint/src/cli.js"), "--strict", tarball];
        const output = await demand(node.command, args, options);
        // Mere suggestions leave the status at 0.
        if (!output.includes("All good!")) throw new Error(`it is not all good\n${output}`);
      },
    },
    {
      name: "attw --profile esm-only",
      check: async () => {
        const program = tool("@arethetypeswrong/cli/dist/index.js");
        const args = [program, "--no-emoji", "--profile", "esm-only", tarball];
        await demand(node.command, args, options);
      },
    },
  ];
}

function checkContents(list: string): void {
  const paths = list.split(/\r?\n/).filter((path) => path !== "")
    .map((path) => path.replace(/^package\//, ""));
  const documents = new Set<string>(DOCUMENTS);
  const strange = paths.filter((path) => !documents.delete(path) && !EXPECTED.test(path));
  if (strange.length > 0) throw new Error(`unexpected: ${strange.join(", ")}`);
  if (documents.size > 0) throw new Error(`missing: ${[...documents].join(", ")}`);
}
