// @ts-self-types="./hex.d.ts"
/** Deno's `@std/encoding/hex`, from npm: the tests get it without JSR, with types. @module */
export * from "deno-std/encoding/hex.js";
