/** The command line, each in a process of its own, against servers and clients of ours. @module */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { describe, test } from "node:test";
import {
  type CloseStatus,
  connect,
  type Handler,
  HandshakeError,
  serve,
  type ServeOptions,
  type TcpAddr,
  type WebSocketSession,
} from "../mod.ts";
import { VERSION } from "../src/cli/arguments.ts";
import { CliProcess, runCli } from "./cli/child.ts";
import { createCertificates } from "./runtime/certificates.ts";

const echo: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

/** Serves while `use` runs, and hands it the address. */
async function withServer(
  handler: Handler,
  use: (url: string) => Promise<void>,
  options: ServeOptions = {},
): Promise<void> {
  const server = await serve({ port: 0, closeTimeout: 1000, ...options }, handler);
  const scheme = options.tls === undefined ? "ws" : "wss";
  try {
    await use(`${scheme}://127.0.0.1:${(server.addr as TcpAddr).port}/path?query`);
  } finally {
    await server.shutdown();
  }
}

/** A server that takes connections and says nothing; `connected` resolves with the first. */
async function withSilence(
  use: (url: string, connected: Promise<unknown>) => Promise<void>,
): Promise<void> {
  const sockets: net.Socket[] = [];
  let onConnection: (() => void) | undefined;
  const connected = new Promise<void>((resolve) => onConnection = resolve);
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    sockets.push(socket);
    onConnection!();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await use(`ws://127.0.0.1:${(server.address() as net.AddressInfo).port}/`, connected);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

function assertOneLine(stderr: string, part: string): void {
  assertStringIncludes(stderr, part);
  assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("cli.ts as a client", () => {
  test("sends lines and prints what comes back; closes cleanly behind the end of input", async () => {
    const received: unknown[] = [];
    let status: CloseStatus | undefined;
    await withServer(async (session) => {
      for await (const message of session) {
        received.push(message);
        await session.send(message);
      }
      status = await session.closed;
    }, async (url) => {
      const cli = new CliProcess([url, "--wait", "0.1"]);
      cli.type("hello", "", "wörld €\r");
      cli.stdin.end("no end of line");
      const outcome = await cli.ended;
      assertEquals(outcome.stdout, "hello\n\nwörld €\nno end of line\n");
      assertEquals(
        outcome.stderr,
        `Connected to ${url}\nClosed by us with 1000 (normal closure)\n`,
      );
      assertEquals(outcome.status, 0);
    });
    assertEquals(received, ["hello", "", "wörld €", "no end of line"]);
    assertEquals([status?.code, status?.wasClean], [1000, true]);
  });

  test("prints the answers to all lines, however many they are", async () => {
    await withServer(echo, async (url) => {
      const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i}`);
      const { stdout, status } = await runCli([url, "--wait", "0.2"], lines);
      assertEquals(stdout.split("\n").length, 20_001);
      assertEquals(stdout, lines.join("\n") + "\n");
      assertEquals(status, 0);
    });
  });

  test("loses nothing to a slow reader of its output, and waits for it", async () => {
    const lines = Array.from({ length: 3000 }, (_, i) => `${i}`.padEnd(1000, "."));
    await withServer(async (session) => {
      for (const line of lines) await session.send(line);
    }, async (url) => {
      const cli = new CliProcess([url]);
      cli.stdout.pause();
      await pause(800);
      cli.stdout.resume();
      const { stdout, status } = await cli.ended;
      assertEquals(stdout.length, 3000 * 1001);
      assertEquals(stdout, lines.join("\n") + "\n");
      assertEquals(status, 0);
    }, { closeTimeout: 5000 });
  });

  test("does not take a slow reader of its output for silence", async () => {
    const lines = Array.from({ length: 30_000 }, (_, i) => `${i}`.padEnd(100, "."));
    await withServer(echo, async (url) => {
      const cli = new CliProcess([url, "--wait", "0.1"]);
      cli.stdout.pause();
      cli.type(...lines);
      cli.stdin.end();
      await pause(1000);
      cli.stdout.resume();
      const { stdout, status } = await cli.ended;
      assertEquals(stdout.length, 30_000 * 101);
      assertEquals(stdout, lines.join("\n") + "\n");
      assertEquals(status, 0);
    }, { closeTimeout: 5000 });
  });

  test("--wait says how long nothing may come after the end of input", async () => {
    const ticker: Handler = async (session) => {
      for (let i = 0; i < 8 && session.state === "open"; i++) {
        await session.send(`${i}`);
        await pause(100);
      }
      await session.closed;
    };
    await withServer(ticker, async (url) => {
      const { stdout, stderr, status } = await runCli([url, "--wait", "0.5"]);
      assertEquals([stdout, status], ["0\n1\n2\n3\n4\n5\n6\n7\n", 0]);
      assertStringIncludes(stderr, "Closed by us");
    });
  });

  test("--wait may be nothing, long, or for ever", async () => {
    const late: Handler = async (session) => {
      const timer = setTimeout(
        () => void session.send("late").then(() => session.close(1000)),
        700,
      );
      await session.closed;
      clearTimeout(timer);
    };
    await withServer(late, async (url) => {
      const [left, stayed, forever] = await Promise.all([
        runCli([url, "--wait", "0"]),
        runCli([url, "--wait", "4"]),
        runCli([url, "--wait", "inf"]),
      ]);
      assertEquals([left.stdout, stayed.stdout, forever.stdout], ["", "late\n", "late\n"]);
      assertEquals([left.status, stayed.status, forever.status], [0, 0, 0]);
      assertStringIncludes(left.stderr, "Closed by us");
      assertStringIncludes(stayed.stderr, "Closed by the server");
    });
  });

  test("--json indents what is JSON", async () => {
    await withServer(echo, async (url) => {
      const lines = ['{"a":[1,{}]}', "{no json}"];
      const { stdout } = await runCli([url, "--json", "--wait", "0"], lines);
      assertEquals(stdout, '{\n  "a": [\n    1,\n    {}\n  ]\n}\n{no json}\n');
    });
  });

  test("without --json, JSON is shown as it came", async () => {
    await withServer(echo, async (url) => {
      const { stdout } = await runCli([url, "--wait", "0"], ['{"a":[1,{}]}']);
      assertEquals(stdout, '{"a":[1,{}]}\n');
    });
  });

  test("--binary sends hexadecimal lines as bytes, and shows bytes with their number", async () => {
    const received: unknown[] = [];
    await withServer(async (session) => {
      for await (const message of session) {
        received.push(message);
        await session.send(message);
      }
    }, async (url) => {
      const good = await runCli([url, "--binary", "--wait", "0"], ["48 65 6c6C6f", ""]);
      assertEquals([good.stdout, good.status], ["[5 bytes] 48656c6c6f\n[0 bytes]\n", 0]);
      assertEquals(received, [new TextEncoder().encode("Hello"), new Uint8Array(0)]);
    });
  });

  test("a line that is not hexadecimal is not sent with --binary, and told by status 2", async () => {
    await withServer(echo, async (url) => {
      const wrong = await runCli([url, "--binary", "--wait", "0"], ["0g", "00"]);
      assertEquals([wrong.stdout, wrong.status], ["[1 byte] 00\n", 2]);
      assertStringIncludes(wrong.stderr, "not hexadecimal (--binary): 0g\n");
    });
  });

  test("--header, --protocol and --origin reach the server", async () => {
    const seen: unknown[] = [];
    await withServer(
      echo,
      async (url) => {
        const { stderr, status } = await runCli([
          ...[url, "--wait", "0", "--header", "X-One: 1:1", "--header", "Cookie: a=b"],
          ...["--protocol", "first", "--protocol", "second", "--origin", "https://else.example"],
        ]);
        assertEquals(status, 0);
        assertStringIncludes(stderr, `Connected to ${url} (second)\n`);
      },
      {
        protocols: ["second"],
        origin: "any",
        accept(request, { protocols }) {
          const { headers, target } = request;
          const fields = ["x-one", "cookie", "origin"].map((name) => headers.get(name));
          seen.push(...fields, protocols, target);
        },
      },
    );
    assertEquals(seen, [
      "1:1",
      "a=b",
      "https://else.example",
      ["first", "second"],
      "/path?query",
    ]);
  });

  test("--compress compresses; without it nothing is agreed on", async () => {
    const agreed: string[] = [];
    const line = "again ".repeat(1000);
    await withServer(async (session) => {
      agreed.push(session.extensions);
      await echo(session, undefined as never);
    }, async (url) => {
      const compressed = await runCli([url, "--compress", "--wait", "0"], [line]);
      assertEquals(compressed.stdout, `${line}\n`);
      assertMatch(compressed.stderr, /^Connected to \S+ \(permessage-deflate/);
      const plain = await runCli([url, "--wait", "0"], [line]);
      assertEquals(plain.stdout, `${line}\n`);
      assert(!plain.stderr.includes("deflate"));
    }, { compress: true });
    assertMatch(agreed[0], /^permessage-deflate/);
    assertEquals(agreed[1], "");
  });

  test("--ping shows round trips while the session is open", async () => {
    await withServer(echo, async (url) => {
      const cli = new CliProcess([url, "--ping", "0.02"]);
      await cli.shows("stderr", /(Pong after \d+\.\d ms\n){2}/);
      cli.stdin.end();
      const { stdout, status } = await cli.ended;
      assertEquals([stdout, status], ["", 0]);
    });
  });

  test("without --ping it sends none", async () => {
    await withServer(echo, async (url) => {
      const { stderr } = await runCli([url, "--wait", "0.2"]);
      assert(!stderr.includes("Pong"));
    });
  });

  test("--quiet prints only messages and errors", async () => {
    await withServer(echo, async (url) => {
      const good = await runCli([url, "--quiet", "--ping", "0.02", "--wait", "0.2"], ["hello"]);
      assertEquals(good, { status: 0, stdout: "hello\n", stderr: "" });
    });
    await withServer((session) => session.close(4000), async (url) => {
      const bad = await runCli([url, "--quiet"]);
      assertEquals([bad.status, bad.stdout], [3, ""]);
      assertOneLine(bad.stderr, "Closed by the server with 4000");
    });
  });

  for (
    const [code, reason, status, text] of [
      [1000, "", 0, "Closed by the server with 1000 (normal closure)"],
      [1001, "bye", 0, 'Closed by the server with 1001 (going away): "bye"'],
      [undefined, undefined, 0, "Closed by the server with 1005 (no code given)"],
      [1008, "no\x1b[2J", 3, `with 1008 (policy violation): "no\\x1b[2J"`],
      [1011, "", 3, "with 1011 (internal error)"],
      [3000, "", 3, "with 3000 (unauthorized)"],
      [4001, "", 3, "with 4001 (the application's own)"],
    ] as [number | undefined, string | undefined, number, string][]
  ) {
    test(`ends with status ${status} when the server closes with ${code}`, async () => {
      await withServer((session) => session.close(code, reason), async (url) => {
        // Its input stays open, and must not keep it.
        const outcome = await new CliProcess([url]).ended;
        assertStringIncludes(outcome.stderr, `${text}\n`);
        assertEquals([outcome.status, outcome.stdout], [status, ""]);
      });
    });
  }

  test("ends with status 3 when the connection is lost", async () => {
    await withServer((session) => session.abort(), async (url) => {
      const { stderr, status } = await new CliProcess([url]).ended;
      assertStringIncludes(stderr, "Connection lost, 1006 (no Close frame arrived)");
      assertEquals(status, 3);
    });
  });

  test("Ctrl-C closes with 1000", async () => {
    let ended: Promise<CloseStatus> | undefined;
    await withServer(async (session) => {
      ended = session.closed;
      await echo(session, undefined as never);
    }, async (url) => {
      const cli = new CliProcess([url]);
      cli.type("hello");
      await cli.shows("stdout", /hello/);
      cli.interrupt();
      const { stderr, status } = await cli.ended;
      assertStringIncludes(stderr, "Closed by us with 1000 (normal closure)");
      assertEquals(status, 0);
      const { code, wasClean } = await ended!;
      assertEquals([code, wasClean], [1000, true]);
    });
  });

  test("a second Ctrl-C ends at once, with status 130", async () => {
    // It never looks at the message, so our Close waits for its closeTimeout.
    await withServer(() => new Promise(() => {}), async (url) => {
      const cli = new CliProcess([url]);
      await cli.shows("stderr", /Connected/);
      cli.type("hello");
      await pause(100);
      cli.interrupt();
      await cli.shows("stderr", /Closing; another Ctrl-C ends at once/);
      cli.interrupt();
      assertEquals((await cli.ended).status, 130);
    }, { closeTimeout: 4000 });
  });

  test("Ctrl-C while connecting ends with status 130", async () => {
    await withSilence(async (url, connected) => {
      const cli = new CliProcess([url, "--timeout", "60"]);
      await connected;
      cli.interrupt();
      assertEquals(await cli.ended, { status: 130, stdout: "", stderr: "Interrupted\n" });
    });
  });

  test("--timeout bounds connecting", async () => {
    await withSilence(async (url) => {
      const start = performance.now();
      const { stderr, status } = await runCli([url, "--timeout", "0.2"]);
      assert(performance.now() - start < 9000, "the default of 10 s was waited for");
      assertOneLine(stderr, "Cannot connect: not done within 0.2 s (--timeout)");
      assertEquals(status, 1);
    });
  });

  test("--timeout bounds closing", async () => {
    await withServer(() => new Promise(() => {}), async (url) => {
      const args = [url, "--wait", "0", "--timeout", "0.5"];
      const { stderr, status } = await runCli(args, ["hello"]);
      assertStringIncludes(stderr, "The closing handshake took more than 500 ms");
      assertEquals(status, 3);
    }, { closeTimeout: 3000 });
  });

  for (
    const [response, text] of [
      [
        new Response("Who are you?\n\nAsk \x1b[1madmin", { status: 401 }),
        "Cannot connect: the server answered with status 401: Who are you? Ask \\x1b[1madmin",
      ],
      [
        new Response(null, { status: 302, headers: { location: "ws://else.example/" } }),
        "Cannot connect: the server answered with status 302, a redirect (option redirects is 0), " +
        "Location: ws://else.example/",
      ],
    ] as const
  ) {
    test(`tells of a refusal (${response.status}) in one line, with status 1`, async () => {
      await withServer(echo, async (url) => {
        const { stderr, stdout, status } = await runCli([url]);
        assertEquals([status, stdout, stderr], [1, "", `${text}\n`]);
      }, { accept: () => response });
    });
  }

  test("tells in one line that nobody listens, with status 1", async () => {
    let unused = "";
    await withServer(echo, (url) => Promise.resolve(void (unused = url)));
    const { stderr, stdout, status } = await runCli([unused]);
    assertEquals([status, stdout], [1, ""]);
    assertOneLine(stderr, `Cannot connect to ${new URL(unused).host}: connection refused`);
  });

  test("--ca adds an authority for wss:", async () => {
    const { ca, cert, key } = await createCertificates();
    const folder = mkdtempSync(`${tmpdir()}/twoway-`);
    const file = `${folder}/ca.pem`;
    writeFileSync(file, ca);
    try {
      await withServer(echo, async (url) => {
        const trusting = await runCli([url, "--ca", file, "--wait", "0"], ["hello"]);
        assertEquals([trusting.status, trusting.stdout], [0, "hello\n"]);
        const distrusting = await runCli([url, "--wait", "0"], ["hello"]);
        assertEquals([distrusting.status, distrusting.stdout], [1, ""]);
        assertOneLine(distrusting.stderr, "Cannot connect to 127.0.0.1");
      }, { tls: { cert, key } });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  for (
    const [what, args, message] of [
      ["no URL", [], "A URL is missing"],
      ["an unknown option", ["ws://localhost/", "--colour"], "--colour"],
      ["a URL that is none", ["localhost"], '"localhost" is not a URL'],
      ["a scheme that is none of ours", ["ftp://localhost/"], '"ftp:", not ws: or wss:'],
      ["a header without a name", ["ws://localhost/", "--header", "x"], "--header is not"],
      ["a header of the handshake", ["ws://localhost/", "--header", "Host: x"], '"Host"'],
      ["a protocol with spaces", ["ws://localhost/", "--protocol", "a b"], "not a token"],
      ["a file that is not there", ["ws://localhost/", "--ca", "/no/such/file"], "--ca"],
      ["a port that is none", ["--listen", "x"], '--listen is "x"'],
    ] as [string, string[], string][]
  ) {
    test(`refuses ${what} in one clear line, with status 2`, async () => {
      const { stderr, stdout, status } = await runCli(args);
      assertEquals([status, stdout], [2, ""]);
      assertOneLine(stderr, message);
    });
  }

  test("--help and --version go to standard output", async () => {
    const [help, version] = await Promise.all([runCli(["--help"]), runCli(["--version"])]);
    assertStringIncludes(help.stdout, "Usage: twoway [options] URL");
    assertStringIncludes(help.stdout, "--binary");
    assertEquals([help.status, help.stderr], [0, ""]);
    assertEquals(version, { status: 0, stdout: `${VERSION}\n`, stderr: "" });
  });

  test("into a pipe, messages go as they came, and nothing is coloured", async () => {
    await withServer(echo, async (url) => {
      const cli = new CliProcess([url, "--wait", "0"]);
      cli.stdin.end("\x1b[31mred\n");
      const { stdout, stderr } = await cli.ended;
      assertEquals(stdout, "\x1b[31mred\n");
      assert(!stderr.includes("\x1b"), stderr);
    });
  });

  test("closes when nobody reads its output any more", async () => {
    let ended: Promise<CloseStatus> | undefined;
    await withServer(async (session) => {
      ended = session.closed;
      while (session.state === "open") {
        await session.send("on and on").catch(() => {});
        await pause(5);
      }
    }, async (url) => {
      const cli = new CliProcess([url]);
      await cli.shows("stdout", /on and on/);
      cli.stdout.destroy();
      assertEquals((await cli.ended).status, 0);
      assertEquals((await ended!).code, 1000);
    });
  });
});

describe("cli.ts as a server", () => {
  /** Starts it, hands its address to `use`, ends it by Ctrl-C, and returns what it said. */
  async function withCli(
    args: readonly string[],
    use: (url: string, cli: CliProcess) => Promise<void>,
  ): Promise<string> {
    const cli = new CliProcess(["--listen", "0", ...args]);
    const [, url] = await cli.shows("stderr", /Listening on (ws:\S+)\n/);
    await use(url, cli);
    cli.interrupt();
    const { status, stderr } = await cli.ended;
    assertEquals(status, 0);
    return stderr;
  }

  async function receive(session: WebSocketSession, count: number): Promise<unknown[]> {
    const messages: unknown[] = [];
    for (let i = 0; i < count; i++) messages.push(await session.receive());
    return messages;
  }

  test("prints who connects, and messages; sends what is typed to all", async () => {
    let ended: Promise<CloseStatus> | undefined;
    const stderr = await withCli([], async (url, cli) => {
      const ada = await connect(`${url}ada`);
      ended = ada.closed;
      await cli.shows("stderr", /#1 Connected from 127\.0\.0\.1:\d+ to \/ada\n/);
      const bob = await connect(`${url}bob`);
      await cli.shows("stderr", /#2 Connected from 127\.0\.0\.1:\d+ to \/bob\n/);
      await ada.send("from Ada");
      await cli.shows("stdout", /^from Ada\n$/);
      await bob.send(Uint8Array.of(1, 2));
      await cli.shows("stdout", /^from Ada\n\[2 bytes\] 0102\n$/);
      cli.type("to all", "again");
      // What Ada sent did not come back, nor to Bob.
      assertEquals(await receive(ada, 2), ["to all", "again"]);
      assertEquals(await receive(bob, 2), ["to all", "again"]);
      await bob.close(4000, "enough");
      await cli.shows("stderr", /#2 Closed by the client with 4000 .*: "enough"\n/);
      void ada.receive(); // whoever does not ask for more answers a Close late
    });
    assertEquals((await ended!).code, 1001);
    assertStringIncludes(stderr, "#1 Closed by us with 1001 (going away)\n");
  });

  test("stays when its input ends", async () => {
    await withCli([], async (url, cli) => {
      cli.stdin.end("for nobody\n");
      await cli.shows("stderr", /Not sent: nobody is connected\n/);
      const session = await connect(url);
      await session.send("hello");
      await cli.shows("stdout", /hello/);
      assertEquals((await session.close(1000)).wasClean, true);
    });
  });

  test("--echo sends messages back to where they came from", async () => {
    await withCli(["--echo"], async (url, cli) => {
      const [ada, bob] = [await connect(url), await connect(url)];
      await ada.send("Ada");
      await bob.send(Uint8Array.of(1));
      assertEquals(await receive(ada, 1), ["Ada"]);
      assertEquals(await receive(bob, 1), [Uint8Array.of(1)]);
      cli.type("end");
      assertEquals(await receive(ada, 1), ["end"]);
      assertEquals(await receive(bob, 1), ["end"]);
      await Promise.all([ada.close(1000), bob.close(1000)]);
    });
  });

  test("knows --protocol, --origin, --compress, --binary, --json and --ping, too", async () => {
    const args = ["--protocol", "b", "--origin", "https://a.example", "--compress", "--binary"];
    await withCli([...args, "--json", "--ping", "0.02"], async (url, cli) => {
      const origin = "https://a.example";
      const session = await connect(url, { protocols: ["a", "b"], origin, compress: true });
      assertEquals(session.protocol, "b");
      assertMatch(session.extensions, /^permessage-deflate/);
      await session.send("[1]");
      await cli.shows("stdout", /^\[\n {2}1\n\]\n$/);
      cli.type("0aff");
      assertEquals(await session.receive(), Uint8Array.of(0x0a, 0xff));
      await cli.shows("stderr", /#1 Pong after \d+\.\d ms\n/);
      const other = await connect(url, { origin: "https://b.example" }).catch((error) => error);
      assert(other instanceof HandshakeError);
      assertEquals(other.status, 403);
      await session.close(1000);
    });
  });

  test("says in one line that its port is in use, with status 1", async () => {
    await withServer(echo, async (url) => {
      const { port } = new URL(url);
      const { stderr, stdout, status } = await runCli(["--listen", port]);
      assertEquals([status, stdout], [1, ""]);
      assertOneLine(stderr, `Cannot listen on 127.0.0.1:${port}: address already in use`);
    });
  });
});
