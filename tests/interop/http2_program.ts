/** Starts the echo server for HTTP/2 on any runtime. @module */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { type Program, startProgram } from "../programs.ts";
import { type Certificates, createCertificates } from "../runtime/certificates.ts";
import { runtimeCommand, type RuntimeName } from "../toolchain.ts";

export const certificates: Certificates = await createCertificates();

/** The server; its URL begins with `wss:`. */
export async function startEcho(runtime: RuntimeName): Promise<Program> {
  const folder = mkdtempSync(`${tmpdir()}/twoway-http2-`);
  const files = [`${folder}/cert.pem`, `${folder}/key.pem`];
  writeFileSync(files[0], certificates.cert);
  writeFileSync(files[1], certificates.key);
  try {
    const { command, args } = runtimeCommand(runtime, "tests/interop/http2_echo.ts", files);
    const program = await startProgram(command, args);
    return { ...program, url: program.url.replace("ws:", "wss:") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Ends the server, which has to go in good order; but Deno 2.9.6's `node:http2` can end its process by an
 * assertion of nghttp2 when a client has left, rarely (docs/http2.md).
 */
export async function stopEcho(program: Program, runtime: RuntimeName): Promise<void> {
  const status = await program.stop();
  if (status !== 0 && !(runtime === "deno" && status === null)) {
    throw new Error(`The server on ${runtime} ended with status ${status}`);
  }
}
