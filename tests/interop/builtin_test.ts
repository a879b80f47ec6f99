/** Each runtime's own WebSocket, as client of our server on each of the three. @module */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { RUNTIMES } from "../toolchain.ts";
import { startExample } from "../programs.ts";

for (const runtime of RUNTIMES) {
  test(`the built-in WebSocket talks to examples/echo.ts on ${runtime}`, async () => {
    const program = await startExample(runtime, "examples/echo.ts", [
      "--port",
      "0",
    ]);
    try {
      const socket = new WebSocket(program.url);
      socket.binaryType = "arraybuffer";
      const received: unknown[] = [];
      const closed = new Promise<CloseEvent>((resolve) => {
        socket.onclose = resolve;
      });
      const messages = [
        "hello",
        "ÿ€😀",
        "x".repeat(70_000),
        Uint8Array.of(1, 2, 3),
      ] as const;
      socket.onmessage = ({ data }) => {
        received.push(
          data instanceof ArrayBuffer ? new Uint8Array(data) : data,
        );
        if (received.length === messages.length) socket.close(4000, "enough");
      };
      socket.onopen = () => {
        for (const message of messages) socket.send(message);
      };
      const { code, wasClean } = await closed;
      assertEquals(received, [...messages]);
      assertEquals([code, wasClean], [4000, true]);
    } finally {
      assertEquals(await program.stop(), 0);
    }
  });
}
