/** What `connect()` does with credentials, TLS options and redirects. @module */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { describe, test } from "node:test";
import {
  connect,
  type ConnectOptions,
  type Handler,
  HandshakeError,
  serve,
  type ServeOptions,
  type Server,
  type TcpAddr,
} from "../mod.ts";
import { checkConnectOptions } from "../src/client.ts";
import { sharedContexts } from "../src/compression.ts";
import { memoryPair } from "../src/runtime/memory.ts";
import { runtimeName } from "../src/runtime/mod.ts";
import { WebSocket } from "../src/web/mod.ts";
import { startProgram } from "./programs.ts";
import { withProxy } from "./proxies.ts";
import { createCertificates } from "./runtime/certificates.ts";
import { runtimeCommand } from "./toolchain.ts";
import { type RawConnection, withRawServer } from "./web/raw_server.ts";

const { ca, cert, key } = await createCertificates();

const echo: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

async function withServer(
  options: ServeOptions,
  run: (server: Server) => Promise<void>,
): Promise<void> {
  const server = await serve({ port: 0, ...options }, echo);
  try {
    await run(server);
  } finally {
    await server.shutdown();
  }
}

const hostOf = (server: Server): string => `127.0.0.1:${(server.addr as TcpAddr).port}`;

async function expectEcho(url: string, options: ConnectOptions): Promise<void> {
  const session = await connect(url, options);
  session.send("hello");
  assertEquals(await session.receive(), "hello");
  assertEquals((await session.close(1000)).wasClean, true);
}

/** The value of a field in a request; `null` if it is not there. */
function field(request: string, name: string): string | null {
  return new RegExp(`^${name}: (.*)\r$`, "im").exec(request)?.[1] ?? null;
}

test("an IPv6 address", async () => {
  const server = await serve({ port: 0, hostname: "::1" }, echo).catch((error) => error);
  if (server instanceof Error) return assertStringIncludes(server.message, "::1"); // a machine without
  const { port } = server.addr as TcpAddr;
  const session = await connect(`ws://[::1]:${port}/`);
  assertEquals(session.request.headers.get("host"), `[::1]:${port}`);
  session.send("hello");
  assertEquals(await session.receive(), "hello");
  await session.close();
  await server.shutdown();
});

test("headers that can be read only once are refused", async () => {
  const headers = new Headers({ "x-a": "b" }).entries();
  await assertRejects(() => connect("ws://127.0.0.1:9/", { headers }), TypeError, "only once");
});

test("a text that is no URL is shown as far as no secret can be in it", async () => {
  const cases: [text: string, shown: string][] = [
    ["app.example/chat?token=secret", '"app.example/chat"'],
    ["ws://ada:se/cret@host/", "the text given (not shown: it may hold a password)"],
    ["ws://ada:secret@exa mple/?x", "the text given (not shown: it may hold a password)"],
  ];
  for (const [text, shown] of cases) {
    const message = `${shown} is not a URL`;
    await assertRejects(() => connect(text), TypeError, `Cannot connect: ${message}`);
    const error = assertThrows(() => new WebSocket(text), DOMException);
    assertEquals([error.name, error.message], ["SyntaxError", message]);
  }
});

test("what compression has reserved is given back, whenever connecting fails", async () => {
  const before = sharedContexts.contexts;
  const compress = { contextTakeover: true };
  const aborted = AbortSignal.abort(new Error("aborted"));
  await assertRejects(
    () => connect("ws://127.0.0.1:9/", { compress, signal: aborted }),
    Error,
    "aborted",
  );
  const noSignal = {} as AbortSignal;
  await assertRejects(() => connect("ws://127.0.0.1:9/", { compress, signal: noSignal }));
  assertEquals(sharedContexts.contexts, before);
});

describe("user information in a URL", () => {
  /** The `Authorization` that a server sees. */
  async function authorization(user: string, options: ConnectOptions = {}): Promise<string | null> {
    let seen: string | null = null;
    await withRawServer(async (connection) => {
      seen = field(connection.request, "authorization");
      assert(!connection.request.includes("@"));
      await connection.upgrade();
    }, async (url) => (await connect(url.replace("//", `//${user}@`), options)).abort());
    return seen;
  }

  const basic = (text: string): string =>
    `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(text)))}`;

  test("is sent as Authorization: Basic, decoded, in UTF-8", async () => {
    for (
      const [user, text] of [
        ["ada:secret", "ada:secret"],
        ["ada", "ada:"],
        [":secret", ":secret"],
        ["%c3%a9:%E2%82%AC%3a%40%25", "é:€:@%"],
        ["é:€", "é:€"],
      ]
    ) {
      assertEquals(await authorization(user), basic(text));
    }
    assertEquals(await authorization("%ff:x"), `Basic ${btoa("\xff:x")}`);
  });

  test("counts less than option headers", async () => {
    const headers = { AUTHORIZATION: "Bearer x" };
    assertEquals(await authorization("ada:secret", { headers }), "Bearer x");
  });

  test("with a colon in the user name is a TypeError", async () => {
    await assertRejects(() => connect("ws://a%3Ab:secret@127.0.0.1:1/"), TypeError, "has a colon");
  });

  test("is in no message", async () => {
    const urls = [
      "ws://ada:se cret@no where/",
      "ftp://ada:secret@a/",
      "ws://ada:secret@127.0.0.1:1/",
    ];
    for (const url of urls) {
      const error = await assertRejects(() => connect(url), Error);
      assert(!/cret|ada/.test(error.message), error.message);
    }
  });
});

describe("option tls", () => {
  test("dangerouslyAcceptAnyCertificate means any, for this connection alone", async () => {
    await withServer({ tls: { cert, key } }, async (server) => {
      const url = `wss://${hostOf(server)}/`;
      const tls = { dangerouslyAcceptAnyCertificate: true };
      if (runtimeName === "deno") {
        await assertRejects(
          () => connect(url, { tls }),
          TypeError,
          "--unsafely-ignore-certificate-errors",
        );
      } else {
        await expectEcho(url, { tls });
        await expectEcho(url, { tls: { ...tls, serverName: "other.example" } });
      }
      for (const wrong of [undefined, { dangerouslyAcceptAnyCertificate: false }]) {
        await assertRejects(() => connect(url, { tls: wrong }), Error, "Cannot connect to");
      }
    });
  });

  test("cert and key say who we are", async () => {
    const args = [JSON.stringify({ ca, cert, key })];
    const { command, args: all } = runtimeCommand(
      "node",
      "tests/fixtures/mutual_tls_server.ts",
      args,
    );
    const program = await startProgram(command, all);
    const url = program.url.replace("ws:", "wss:");
    const session = await connect(url, { tls: { caCerts: [ca], cert, key } });
    assertEquals(await session.receive(), "localhost");
    session.abort();
    // With TLS 1.3 a client learns late that it should have shown one.
    await assertRejects(() => connect(url, { tls: { caCerts: [ca] } }), Error);
    await withProxy(async (peer) => {
      await peer.readHead();
      await peer.send("HTTP/1.1 200 \r\n\r\n");
      await peer.join(Number(new URL(url).port));
    }, async (host) => {
      const options = { proxy: `http://${host}`, tls: { caCerts: [ca], cert, key } };
      if (runtimeName === "deno") {
        return void await assertRejects(() => connect(url, options), TypeError, "tls.cert");
      }
      const session = await connect(url, options);
      assertEquals(await session.receive(), "localhost");
      session.abort();
    });
    await program.stop();
  });

  for (
    const [what, tls] of [
      ["another name", { ca: "x" }],
      ["a list", []],
      ["authorities that are no list", { caCerts: "x" }],
      ["a key alone", { key: "x" }],
      ["a certificate alone", { cert: "x" }],
      ["a certificate that is no text", { cert: 1, key: "x" }],
      ["a name that is none", { serverName: 1 }],
      ["a danger that is neither", { dangerouslyAcceptAnyCertificate: "yes" }],
    ] as [string, ConnectOptions["tls"]][]
  ) {
    test(`with ${what} is a TypeError`, async () => {
      await assertRejects(() => connect("wss://127.0.0.1:1/", { tls }), TypeError);
    });
  }
});

/** A server that redirects with `status` to what `next` makes of its URL, and opens other paths. */
async function withRedirects(
  status: number,
  next: (request: string) => string | null,
  run: (url: string, requests: string[]) => Promise<void>,
): Promise<void> {
  const requests: string[] = [];
  await withRawServer(async (connection: RawConnection) => {
    requests.push(connection.request);
    const location = next(connection.request);
    if (location === null) return await connection.upgrade();
    // No end of the body, and none of the connection: nobody may wait for it.
    const answer = `HTTP/1.1 ${status} \r\nLocation: ${location}\r\n\r\nGone`;
    await connection.send(answer).catch(() => {});
  }, (url) => run(url, requests));
}

const lineOf = (request: string): string => request.slice(0, request.indexOf("\r\n"));

describe("option redirects", () => {
  for (const status of [301, 302, 303, 307, 308]) {
    test(`follows ${status}, to a relative Location as well`, async () => {
      const next = (request: string): string | null =>
        request.startsWith("GET / ")
          ? "/a/b?x#y"
          : request.startsWith("GET /a/b?x ")
          ? "../c"
          : null;
      await withRedirects(status, next, async (url, requests) => {
        const session = await connect(url, { redirects: 2, headers: { Cookie: "a=b" } });
        assertEquals(session.request.target, "/c");
        session.abort();
        assertEquals(requests.map(lineOf), [
          "GET / HTTP/1.1",
          "GET /a/b?x HTTP/1.1",
          "GET /c HTTP/1.1",
        ]);
        assertEquals(requests.map((request) => field(request, "cookie")), ["a=b", "a=b", "a=b"]);
        assertEquals(new Set(requests.map((one) => field(one, "sec-websocket-key"))).size, 3);
      });
    });
  }

  test("is the most that are followed; the next is an error with status and Location", async () => {
    await withRawServer(async (connection) => {
      await connection.send("HTTP/1.1 302 \r\nLocation: /again\r\nContent-Length: 4\r\n\r\nGone");
    }, async (url) => {
      for (const redirects of [undefined, 0, 1, 5]) {
        const error = await assertRejects(() => connect(url, { redirects }), HandshakeError);
        assertEquals(
          error.message,
          "Cannot connect: the server answered with status 302, a redirect " +
            `(option redirects is ${redirects ?? 0})`,
        );
        assertEquals(error.status, 302);
        assertEquals(new Map(error.headers).get("location"), "/again");
        assertEquals(new TextDecoder().decode(error.body), "Gone");
      }
    });
  });

  test("keeps credentials from another origin, for good", async () => {
    let first = "";
    await withRedirects(
      307,
      (request) => request.includes("/back") ? null : `${first}back`,
      async (other, there) => {
        const next = (request: string): string | null =>
          request.startsWith("GET / ")
            ? other.replace("ws:", "http:").replace("//", "//eve:x@")
            : null;
        await withRedirects(307, next, async (url, here) => {
          first = url;
          const headers = { Cookie: "a=b", "Proxy-Authorization": "x", "X-A": "b" };
          const session = await connect(url.replace("//", "//ada:secret@"), {
            redirects: 2,
            headers,
            origin: "https://a.example",
          });
          assertEquals(session.request.target, "/back");
          session.abort();
          const secrets = ["cookie", "authorization", "proxy-authorization"];
          const seen = [here[0], there[0], here[1]].map((request) =>
            secrets.map((name) => field(request, name))
          );
          const none = [null, null, null];
          assertEquals(seen, [["a=b", `Basic ${btoa("ada:secret")}`, "x"], none, none]);
          assertEquals([here[0], there[0], here[1]].map((request) => field(request, "x-a")), [
            "b",
            "b",
            "b",
          ]);
          assertEquals(field(there[0], "host"), new URL(other).host);
        });
      },
    );
  });

  test("leads from ws: to wss:, never back", async () => {
    await withServer({ tls: { cert, key } }, async (server) => {
      const next = (): string => `https://${hostOf(server)}/`;
      await withRedirects(301, next, async (url) => {
        await expectEcho(url, {
          redirects: 1,
          tls: { caCerts: [ca], serverName: "other.example" },
        });
      });
    });
    const down: ServeOptions = {
      tls: { cert, key },
      accept: () => new Response(null, { status: 301, headers: { Location: "ws://127.0.0.1:1/" } }),
    };
    await withServer(down, async (server) => {
      const options = { redirects: 3, tls: { caCerts: [ca] } };
      const error = await assertRejects(
        () => connect(`wss://${hostOf(server)}/`, options),
        HandshakeError,
      );
      assertEquals(
        error.message,
        "Cannot connect: the server answered with status 301, a redirect from wss: to ws:",
      );
      assertEquals(error.status, 301);
    });
  });

  for (
    const [fields, why] of [
      ["", "with 0 Locations"],
      ["Location: /a\r\nLocation: /b\r\n", "with 2 Locations"],
      ["Location: javascript:alert(1)\r\n", "to what is no ws: or wss: URL"],
      ["Location: ftp://a.example/\r\n", "to what is no ws: or wss: URL"],
      ["Location: http://a b/\r\n", "to what is no ws: or wss: URL"],
    ]
  ) {
    test(`does not follow ${JSON.stringify(fields)}`, async () => {
      await withRawServer(async (connection) => {
        await connection.send(`HTTP/1.1 302 \r\n${fields}Content-Length: 0\r\n\r\n`);
      }, async (url) => {
        const error = await assertRejects(() => connect(url, { redirects: 3 }), HandshakeError);
        assertStringIncludes(error.message, `status 302, a redirect ${why}`);
      });
    });
  }

  test("does not concern 300 and 304", async () => {
    for (const status of [300, 304]) {
      await withRawServer(async (connection) => {
        await connection.send(`HTTP/1.1 ${status} \r\nLocation: /a\r\nContent-Length: 0\r\n\r\n`);
      }, async (url) => {
        const error = await assertRejects(() => connect(url, { redirects: 3 }), HandshakeError);
        assertEquals(error.message, `Cannot connect: the server answered with status ${status}`);
      });
    }
  });

  test("leaves handshakeTimeout as it is", async () => {
    await withRedirects(302, () => "/again", async (url) => {
      const error = await assertRejects(
        () => connect(url, { redirects: 1_000_000, handshakeTimeout: 200 }),
        Error,
      );
      assertStringIncludes(error.message, "(handshakeTimeout)");
    });
  });
});

describe("checkConnectOptions()", () => {
  const [conn] = memoryPair();

  for (
    const [options, kind, message] of [
      [{ conn, proxy: "http://127.0.0.1" }, TypeError, "Option conn is a connection already"],
      [{ conn, proxy: "env" }, TypeError, "Option conn is a connection already"],
      [{ conn, unix: "/x" }, TypeError, "Option conn is a connection already"],
      [{ conn, redirects: 1 }, TypeError, "Option redirects"],
      [{ unix: "/x", proxy: "env" }, TypeError, "Options unix and proxy exclude each other"],
      [{ redirects: "1" }, TypeError, "Option redirects is of type string, not a number"],
      [{ redirects: -1 }, RangeError, "Option redirects is -1, not a whole number from 0 up"],
      [{ redirects: 1.5 }, RangeError, "Option redirects is 1.5"],
      [{ redirects: NaN }, RangeError, "Option redirects is NaN"],
      [{ proxy: "nowhere" }, TypeError, "Option proxy is not an http:"],
      [{ tls: { ca: "x" } }, TypeError, 'Unknown option "tls.ca"'],
      [{ redirect: 1 }, TypeError, 'Unknown option "redirect"'],
    ] as [ConnectOptions, typeof TypeError, string][]
  ) {
    test(`throws at once: ${message}`, () => {
      assertThrows(() => checkConnectOptions(options), kind, message);
    });
  }

  test("takes conn with redirects: 0", () => {
    checkConnectOptions({ conn, redirects: 0 });
  });
});
