/**
 * Loaded before each test file on Deno, whose `node:test` keeps quiet about errors that no test
 * catches; Bun and Node fail then. `scripts/test.ts` looks for the mark in the output.
 *
 * @module
 */

import { UNCAUGHT } from "./reports.ts";

addEventListener("unhandledrejection", ({ reason }) => console.error(UNCAUGHT, reason));
addEventListener("error", ({ error }) => console.error(UNCAUGHT, error));
