/** Which blocks are run, and by whom. @module */

import { existsSync, readFileSync } from "node:fs";
import { ROOT } from "../toolchain.ts";
import type { Block } from "./markdown.ts";

/** Whether a block is neither another test's nor nobody's. */
export function isOurs({ coveredBy, notRun }: Block): boolean {
  return coveredBy === undefined && notRun === undefined;
}

/** Why a block is not covered by a test; `null` if it is. */
export function faultOf({ page, line, language, coveredBy, notRun }: Block): string | null {
  const place = `${page}:${line}`;
  if (coveredBy === undefined) {
    const languages = notRun === undefined ? ["ts", "sh"] : ["dockerfile"];
    return languages.includes(language) ? null : `${place}: nothing runs ${language}`;
  }
  if (!existsSync(ROOT + coveredBy)) return `${place}: there is no ${coveredBy}`;
  const readsPage = readFileSync(ROOT + coveredBy, "utf8").includes(page);
  return readsPage ? null : `${place}: ${coveredBy} does not read ${page}`;
}
