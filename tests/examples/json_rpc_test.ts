import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, test } from "node:test";
import { type ClientOptions, type JsonRpcClient, openJsonRpc } from "../../examples/json_rpc.ts";
import { JsonRpcError, SUBPROTOCOL } from "../../examples/json_rpc_error.ts";
import { handleJsonRpc, type HandlerOptions } from "../../examples/json_rpc_handler.ts";
import { type ExampleMethods, METHODS } from "../../examples/json_rpc_methods.ts";
import { ClosedError, connect, serve, type Server, TimeoutError } from "../../mod.ts";
import type { Handler, WebSocketSession } from "../../mod.ts";
import { MemoryListener } from "../../src/testing.ts";
import { runExample, startExample } from "../programs.ts";
import { RUNTIMES } from "../toolchain.ts";

interface World {
  readonly server: Server;
  open(options?: ClientOptions): Promise<JsonRpcClient<ExampleMethods>>;
  raw(): Promise<WebSocketSession>;
}

async function openServer(handler: Handler): Promise<World> {
  const listener = new MemoryListener();
  const server = await serve({ listener, protocols: [SUBPROTOCOL] }, handler);
  return {
    server,
    open: (options) => openJsonRpc("ws://rpc/", { conn: listener.connect(), ...options }),
    raw: () => connect("ws://rpc/", { conn: listener.connect(), protocols: [SUBPROTOCOL] }),
  };
}

describe("the JSON-RPC client", () => {
  test("gives each call its answer, in whatever order they come", async () => {
    const { server, open } = await openServer(handleJsonRpc(METHODS));
    const client = await open();
    const order: string[] = [];
    const slow = client.call("sleep", { ms: 30 }).then((text) => order.push(text));
    const sum = await client.call("add", { a: 2, b: 3 });
    order.push(`${sum + 0}`);
    await slow;
    assertEquals(order, ["5", "rested"]);
    await client.close();
    await server.shutdown();
  });

  test("hears notifications, in order, and sends them", async () => {
    const heard: unknown[] = [];
    let said: unknown;
    const log = (params: unknown): void => void (said = params);
    const { server, open } = await openServer(handleJsonRpc({ ...METHODS, log }));
    const client = await open({ onNotification: (method, params) => heard.push(method, params) });
    await client.notify("log", ["hello"]);
    assertEquals(await client.call("count", { to: 2 }), "done");
    assertEquals(heard, ["count", { i: 1 }, "count", { i: 2 }]);
    assertEquals(said, ["hello"]);
    await client.close();
    await server.shutdown();
  });

  test("rejects with the error's code and data", async () => {
    const { server, open } = await openServer(handleJsonRpc(METHODS));
    const client = await open();
    const error = await assertRejects(() => client.call("divide", { a: 1, b: 0 }), JsonRpcError);
    assertEquals([error.code, error.message, error.data], [1, "Division by zero", { a: 1 }]);
    await client.close();
    await server.shutdown();
  });

  test("gives up at the time limit or the signal, and ignores the late answer", async () => {
    const { server, open } = await openServer(handleJsonRpc(METHODS));
    const client = await open({ maxPending: 1 });
    const late = client.call("sleep", { ms: 40 }, { timeout: 10 });
    await assertRejects(() => late, TimeoutError, "10 milliseconds");
    const controller = new AbortController();
    const cancelled = client.call("sleep", { ms: 40 }, { signal: controller.signal });
    controller.abort(new Error("never mind"));
    await assertRejects(() => cancelled, Error, "never mind");
    const { signal } = controller;
    await assertRejects(() => client.call("add", { a: 1, b: 1 }, { signal }), Error, "never mind");
    assertEquals(await client.call("sleep", { ms: 60 }), "rested");
    await client.close();
    await server.shutdown();
  });

  test("has no more calls pending than it may", async () => {
    const { server, open } = await openServer(handleJsonRpc(METHODS));
    const client = await open({ maxPending: 2 });
    const calls = [client.call("sleep", { ms: 20 }), client.call("sleep", { ms: 20 })];
    await assertRejects(
      () => client.call("add", { a: 1, b: 1 }),
      RangeError,
      "2 calls are pending",
    );
    assertEquals(await Promise.all(calls), ["rested", "rested"]);
    assertEquals(await client.call("add", { a: 1, b: 1 }), 2);
    await client.close();
    await server.shutdown();
  });

  test("rejects pending and later calls with ClosedError when the session ends", async () => {
    const { server, open } = await openServer(async (session) => {
      await session.receive();
      await session.close(4000, "lunch");
    });
    const client = await open();
    const error = await assertRejects(() => client.call("add", { a: 1, b: 1 }), ClosedError);
    assertEquals(error.status?.code, 4000);
    await assertRejects(() => client.call("add", { a: 1, b: 1 }), ClosedError);
    await server.shutdown();
  });

  for (const nonsense of ["{", "7", '{"id":1,"result":2}']) {
    test(`closes the session for ${nonsense}, and its calls reject`, async () => {
      const { server, open } = await openServer(async (session) => {
        await session.receive();
        await session.send(nonsense);
        await session.receive();
      });
      const client = await open();
      await assertRejects(() => client.call("add", { a: 1, b: 1 }), ClosedError);
      await server.shutdown();
    });
  }

  test("answers calls of the server with -32601", async () => {
    let answer: unknown;
    const { server, open } = await openServer(async (session) => {
      await session.send('{"jsonrpc":"2.0","id":"x","method":"m"}');
      answer = JSON.parse(String(await session.receive()));
    });
    const client = await open();
    await client.session.closed;
    assertEquals(answer, {
      jsonrpc: "2.0",
      id: "x",
      error: { code: -32601, message: "This side has no methods" },
    });
    await server.shutdown();
  });

  test("refuses a server that does not speak JSON-RPC", async () => {
    const listener = new MemoryListener();
    const server = await serve({ listener }, {});
    const conn = listener.connect();
    await assertRejects(() => openJsonRpc("ws://rpc/", { conn }), TypeError, "does not speak");
    await server.shutdown();
  });
});

describe("the JSON-RPC handler", () => {
  const call = (id: unknown, method: unknown, params?: unknown): object => {
    return { jsonrpc: "2.0", id, method, params };
  };
  const add = call(1, "add", { a: 1, b: 2 });
  const three = { jsonrpc: "2.0", id: 1, result: 3 };
  for (
    const [what, message, id, code] of [
      ["what is not JSON", "{", null, -32700],
      ["a binary message", Uint8Array.of(123, 125), null, -32700],
      ["an empty batch", [], null, -32600],
      ["a batch that is too long", [add, add, add, add], null, -32600],
      ["a number", 1, null, -32600],
      ["null", null, null, -32600],
      ["another version", { id: 7, method: "add" }, 7, -32600],
      ["an id that is an object", call({}, "add"), null, -32600],
      ["a method that is no string", call(7, 1), 7, -32600],
      ["params that are no structure", call(7, "add", 1), 7, -32600],
      ["an unknown method", call("x", "sub"), "x", -32601],
      ["a method of Object.prototype", call(7, "toString"), 7, -32601],
      ["wrong params", call(7, "add", { a: 1 }), 7, -32602],
      ["no params", call(7, "add"), 7, -32602],
      ["a method that fails", call(7, "fail"), 7, -32603],
      ["a result that JSON cannot hold", call(7, "count64"), 7, -32603],
    ] as [string, unknown, unknown, number][]
  ) {
    test(`answers ${what} with ${code}, and goes on`, async () => {
      const errors: unknown[] = [];
      const fail = (): void => {
        throw new Error("secret");
      };
      const onError = (error: unknown): number => errors.push(error);
      const options: HandlerOptions = { maxBatch: 3, onError };
      const world = await openServer(
        handleJsonRpc({ ...METHODS, fail, count64: () => 1n }, options),
      );
      const session = await world.raw();
      const isRaw = typeof message === "string" || message instanceof Uint8Array;
      await session.send(isRaw ? message : JSON.stringify(message));
      const text = String(await session.receive());
      const reply = JSON.parse(text);
      assertEquals([reply.jsonrpc, reply.id, reply.error.code], ["2.0", id, code]);
      assert(!text.includes("secret"));
      assertEquals(errors.length, code === -32603 ? 1 : 0);
      await session.send(JSON.stringify(add));
      assertEquals(JSON.parse(String(await session.receive())), three);
      await session.close();
      await world.server.shutdown();
    });
  }

  test("answers a batch in one message, without its notifications", async () => {
    const world = await openServer(handleJsonRpc(METHODS));
    const session = await world.raw();
    const silent = { jsonrpc: "2.0", method: "add", params: { a: 1, b: 2 } };
    await session.send(JSON.stringify([silent, { ...silent, method: "none" }])); // no answer at all
    await session.send(JSON.stringify([silent, add, 1]));
    const replies = JSON.parse(String(await session.receive()));
    assertEquals(replies.length, 2);
    assertEquals(replies[0], three);
    assertEquals(replies[1].error.code, -32600);
    await session.close();
    await world.server.shutdown();
  });

  test("has no more messages of a session in work than it may", async () => {
    let running = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running--;
    };
    const world = await openServer(handleJsonRpc({ work }, { maxRunning: 3 }));
    const session = await world.raw();
    for (let id = 0; id < 30; id++) await session.send(JSON.stringify(call(id, "work")));
    for (let id = 0; id < 30; id++) await session.receive();
    assertEquals(most, 3);
    await session.close();
    await world.server.shutdown();
  });
});

for (const runtime of RUNTIMES) {
  test(`examples/json_rpc_demo.ts calls examples/json_rpc_server.ts on ${runtime}`, async () => {
    const server = await startExample(runtime, "examples/json_rpc_server.ts", ["--port", "0"]);
    try {
      const url = server.url.replace("http", "ws");
      const outcome = await runExample(runtime, "examples/json_rpc_demo.ts", [url]);
      assertEquals([outcome.status, outcome.stderr], [0, ""]);
      assertEquals(outcome.stdout.trim().split("\n"), [
        "2 + 3 = 5",
        "sleep: rested",
        'count {"i":1}',
        'count {"i":2}',
        'count {"i":3}',
        "count: done",
        "divide: error 1, Division by zero",
        "TimeoutError sleep() was not answered within 50 milliseconds",
      ]);
    } finally {
      assertEquals(await server.stop(), 0);
    }
  });
}
