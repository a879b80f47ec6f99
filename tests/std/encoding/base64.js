// @ts-self-types="./base64.d.ts"
/** Deno's `@std/encoding/base64`, from npm: the tests get it without JSR, with types. @module */
export * from "deno-std/encoding/base64.js";
