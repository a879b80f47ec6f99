import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, test } from "node:test";
import { prepend } from "../../src/runtime/conn.ts";
import { type MemoryConn, MemoryListener, memoryPair } from "../../src/runtime/memory.ts";
import { testConn } from "./conn_suite.ts";

testConn("memory", {
  open() {
    const listener = new MemoryListener();
    return Promise.resolve({ listener, dial: () => Promise.resolve(listener.connect()) });
  },
  reset: (conn) => (conn as MemoryConn).reset(),
});

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe("memoryPair()", () => {
  test("cuts what is read as it is told", async () => {
    const [client, server] = memoryPair({ cut: () => 2 });
    await client.write(bytes(1, 2, 3, 4, 5));
    const pieces = [];
    for (let i = 0; i < 3; i++) pieces.push(Array.from((await server.read())!));
    assertEquals(pieces, [[1, 2], [3, 4], [5]]);
  });

  test("spoils what has been read at the next read", async () => {
    const [client, server] = memoryPair();
    await client.write(bytes(1));
    const first = (await server.read())!;
    await client.write(bytes(2));
    await server.read();
    assertEquals(Array.from(first), [0xdd]);
  });

  test("takes a copy of what is written", async () => {
    const [client, server] = memoryPair();
    const sent = bytes(1);
    const written = client.write(sent);
    await written;
    sent[0] = 9;
    assertEquals(Array.from((await server.read())!), [1]);
  });

  test("waits as its script says", async () => {
    let go!: () => void;
    const gate = new Promise<void>((resolve) => go = resolve);
    const [client, server] = memoryPair({ delay: () => gate });
    const log: string[] = [];
    const writing = client.write(bytes(1)).then(() => log.push("written"));
    const reading = server.read().then(() => log.push("read"));
    await Promise.resolve();
    assertEquals(log, []);
    go();
    await Promise.all([writing, reading]);
    assertEquals(log.length, 2);
  });

  test("shows the server the address that it is given", () => {
    const remoteAddr = { transport: "tcp", hostname: "192.0.2.1", port: 5 } as const;
    const [client, server] = memoryPair({ remoteAddr });
    assertEquals([client.remoteAddr, server.remoteAddr], [undefined, remoteAddr]);
  });

  test("reset() loses what is on its way", async () => {
    const [client, server] = memoryPair();
    await client.write(bytes(1));
    client.reset();
    const error = await assertRejects(() => server.read(), Error, "reset");
    assertEquals((error as Error & { code: string }).code, "ECONNRESET");
    await assertRejects(() => client.read(), Error, "reset");
    await assertRejects(() => server.write(bytes(1)), Error, "reset");
  });
});

describe("prepend()", () => {
  test("puts bytes back in front of the others", async () => {
    const [client, server] = memoryPair();
    const conn = prepend(server, bytes(1, 2));
    await client.write(bytes(3));
    assertEquals([Array.from((await conn.read())!), Array.from((await conn.read())!)], [[1, 2], [
      3,
    ]]);
    await conn.write(bytes(4));
    assertEquals(Array.from((await client.read())!), [4]);
    await conn.closeWrite();
    assertEquals(await client.read(), null);
    conn.close();
    assertEquals(await conn.read(), null);
  });

  test("gives nothing back once closed", async () => {
    const conn = prepend(memoryPair()[1], bytes(1));
    conn.close();
    assertEquals(await conn.read(), null);
  });

  test("of no bytes is the connection itself", () => {
    const [, server] = memoryPair();
    assert(prepend(server, bytes()) === server);
  });
});
