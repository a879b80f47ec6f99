// @ts-self-types="./mod.d.ts"
/** Deno's `@std/assert`, from npm: the tests get it without JSR, with types. @module */
export * from "deno-std/assert/mod.js";
