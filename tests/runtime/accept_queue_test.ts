import { assertEquals, assertRejects } from "@std/assert";
import { describe, test } from "node:test";
import { AcceptQueue } from "../../src/runtime/accept_queue.ts";
import type { Conn } from "../../src/runtime/conn.ts";

/** A connection of which only the end is of interest. */
class IdleConn implements Conn {
  readonly remoteAddr = undefined;
  isClosed = false;

  read(): Promise<null> {
    return Promise.resolve(null);
  }

  write(): void {}

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.isClosed = true;
  }
}

function pushAll(queue: AcceptQueue, count: number): IdleConn[] {
  const conns = Array.from({ length: count }, () => new IdleConn());
  for (const conn of conns) queue.push(conn);
  return conns;
}

describe("AcceptQueue", () => {
  test("hands out connections in order, whether they or their taker come first", async () => {
    const queue = new AcceptQueue();
    const [first, second] = pushAll(queue, 2);
    assertEquals(await queue.accept() === first, true);
    assertEquals(await queue.accept() === second, true);
    const taken = queue.accept();
    const [third] = pushAll(queue, 1);
    assertEquals(await taken === third, true);
  });

  test("keeps 10 000, closes what comes beyond, and says so when none waits any more", async () => {
    const queue = new AcceptQueue();
    const conns = pushAll(queue, 10_003);
    assertEquals(conns.map((conn) => conn.isClosed).lastIndexOf(false), 9999);
    assertEquals(conns.filter((conn) => conn.isClosed).length, 3);
    for (const conn of conns.slice(0, 10_000)) assertEquals(await queue.accept() === conn, true);
    await assertRejects(
      () => queue.accept(),
      Error,
      "Closed 3 new connections: 10000 waited to be accepted",
    );
    const taken = queue.accept(); // there is room again, and nothing more to tell
    const [last] = pushAll(queue, 1);
    assertEquals([await taken === last, last.isClosed], [true, false]);
  });

  test("closes what waits and what comes once it is closed", async () => {
    const queue = new AcceptQueue();
    const waiting = pushAll(queue, 2);
    assertEquals([queue.close(), queue.close()], [true, false]);
    const [late] = pushAll(queue, 1);
    assertEquals([...waiting, late].map((conn) => conn.isClosed), [true, true, true]);
    assertEquals(await queue.accept(), null);

    const empty = new AcceptQueue();
    const taken = empty.accept();
    empty.close();
    assertEquals(await taken, null);
  });
});
