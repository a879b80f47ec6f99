// @ts-self-types="@types/ws"
/** npm's `ws` with its types, which Deno does not look for by itself. @module */
export * from "npm-ws";
