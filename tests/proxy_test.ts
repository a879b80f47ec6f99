/** Option `proxy` against real proxies, and against some that no one would want. @module */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import net from "node:net";
import process from "node:process";
import { describe, test } from "node:test";
import {
  connect,
  type ConnectOptions,
  type Handler,
  HandshakeError,
  serve,
  type Server,
  type TcpAddr,
  TimeoutError,
} from "../mod.ts";
import { chooseProxy, PROXY_VARIABLES } from "../src/client/proxy_env.ts";
import { runtimeName } from "../src/runtime/mod.ts";
import { parseTarget } from "../src/client/target.ts";
import { runExample } from "./programs.ts";
import {
  type ProxyPeer,
  whyNoProxies,
  withMicrosocks,
  withProxy,
  withTinyproxy,
} from "./proxies.ts";
import { createCertificates } from "./runtime/certificates.ts";
import { WebSocket, WebSocketStream } from "../src/web/mod.ts";
import { closing, next } from "./web/events.ts";

const { ca, cert, key } = await createCertificates();
const tls = { caCerts: [ca] };

const echo: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

const portOf = (server: Server): number => (server.addr as TcpAddr).port;

/** Runs `run` with the URLs of a server without and with TLS. */
async function withServers(
  run: (ws: string, wss: string) => Promise<void>,
  hostname: string = "127.0.0.1",
): Promise<void> {
  const plain = await serve({ port: 0, hostname }, echo);
  const secure = await serve({ port: 0, hostname, tls: { cert, key } }, echo);
  try {
    await run(`ws://localhost:${portOf(plain)}/`, `wss://localhost:${portOf(secure)}/`);
  } finally {
    await plain.shutdown();
    await secure.shutdown();
  }
}

async function expectEcho(url: string, options: ConnectOptions): Promise<void> {
  const session = await connect(url, options);
  const large = new Uint8Array(300_000).map((_, i) => i * 13);
  for (const message of ["hello", large]) {
    session.send(message);
    assertEquals(await session.receive(), message);
  }
  assertEquals(session.request.headers.get("proxy-authorization"), null);
  assertEquals((await session.close(1000)).wasClean, true);
}

async function refused(url: string, options: ConnectOptions): Promise<HandshakeError> {
  const error = await assertRejects(() => connect(url, options), HandshakeError);
  assert(!/se.cret/.test(`${error.message} ${error.cause}`), error.message);
  return error;
}

/** The URL of a server that has gone. */
async function nowhere(): Promise<string> {
  const server = await serve({ port: 0 }, echo);
  await server.shutdown();
  return `ws://127.0.0.1:${portOf(server)}/`;
}

describe("a real proxy", () => {
  const skip = whyNoProxies();

  test(
    "tinyproxy opens tunnels for ws: and wss:, to those it knows",
    { skip },
    () =>
      withTinyproxy((host) =>
        withServers(async (ws, wss) => {
          for (const url of [ws, wss]) {
            await expectEcho(url, { proxy: `http://ada:se%2Dcret@${host}`, tls });
            const headers = { "Proxy-Authorization": `Basic ${btoa("ada:se-cret")}` };
            await expectEcho(url, { proxy: { url: `http://x:y@${host}`, headers }, tls });
            for (const user of ["", "ada:wrong@"]) {
              const error = await refused(url, { proxy: `http://${user}${host}`, tls });
              assert([401, 407].includes(error.status!), `${error.status}`);
              assertStringIncludes(error.message, "the proxy answered with status 40");
              assert(error.body.length > 0);
            }
          }
        })
      ),
  );

  test(
    "tinyproxy opens tunnels for the web's classes, too",
    { skip },
    () =>
      withTinyproxy((host) =>
        withServers(async (_, wss) => {
          const options = { proxy: `http://ada:se%2Dcret@${host}`, tls };
          const socket = new WebSocket(wss, options);
          socket.onopen = () => socket.send("hello");
          const { data } = await next<MessageEvent>(socket, "message");
          assertEquals(data, "hello");
          socket.close(1000);
          assertEquals(await closing(socket), [1000, "", true]);
          const stream = new WebSocketStream(wss, options);
          const { writable } = await stream.opened;
          await writable.close();
          assertEquals((await stream.closed).closeCode, 1005);
        })
      ),
  );

  test("tinyproxy says that nobody is there", { skip }, () =>
    withTinyproxy(async (host) => {
      const error = await refused(await nowhere(), { proxy: `http://ada:se%2Dcret@${host}` });
      assert(error.status! >= 500, `${error.status}`);
    }));

  test(
    "microsocks opens tunnels for ws: and wss:, names resolved here or there",
    { skip },
    () =>
      withMicrosocks((host) =>
        withServers(async (ws, wss) => {
          for (const url of [ws, wss]) {
            for (const scheme of ["socks5", "socks5h"]) {
              await expectEcho(url, { proxy: `${scheme}://ada:se%2Dcret@${host}`, tls });
            }
          }
          assertStringIncludes(
            (await refused(ws, { proxy: `socks5h://ada:wrong@${host}` })).message,
            "the proxy refuses this user name and password",
          );
          assertStringIncludes(
            (await refused(ws, { proxy: `socks5h://${host}` })).message,
            "none of the ways to authenticate",
          );
          // It tries only the first of a name's addresses.
        }, "localhost")
      ),
  );

  test("microsocks says that nobody is there", { skip }, () =>
    withMicrosocks(async (host) => {
      const error = await refused(await nowhere(), { proxy: `socks5://ada:se%2Dcret@${host}` });
      assertStringIncludes(error.message, "the proxy answered with 5, connection refused");
    }));
});

/** A proxy for the CONNECT method that answers with `answer` and then passes bytes on. */
function tunnel(answer: string, heads: string[] = []): (peer: ProxyPeer) => Promise<void> {
  return async (peer) => {
    const head = await peer.readHead();
    heads.push(head);
    await peer.send(answer);
    await peer.join(Number(/^CONNECT \S+:(\d+) /.exec(head)![1]));
  };
}

const CONNECTED = "HTTP/1.1 200 Connection established\r\n\r\n";

describe("an HTTP proxy", () => {
  test("is asked for host and port, and told its own fields alone", async () => {
    await withServers(async (ws, wss) => {
      for (const url of [ws, wss]) {
        const heads: string[] = [];
        await withProxy(tunnel(CONNECTED, heads), (host) =>
          expectEcho(url, {
            proxy: { url: `http://us%C3%A9r:p%40ss@${host}/`, headers: { "X-Proxy": "yes" } },
            headers: { "X-Server": "yes", Authorization: "Bearer mine" },
            tls,
          }));
        const { host } = new URL(url);
        const credentials = btoa(String.fromCharCode(...new TextEncoder().encode("usér:p@ss")));
        assertEquals(heads, [
          `CONNECT ${host} HTTP/1.1\r\nhost: ${host}\r\nx-proxy: yes\r\n` +
          `proxy-authorization: Basic ${credentials}\r\n\r\n`,
        ]);
      }
    });
  });

  test("may speak HTTP/1.0, send interim responses, and announce a body that is none", async () => {
    await withServers(async (ws, wss) => {
      for (
        const answer of [
          "HTTP/1.0 200 Connection established\r\nProxy-agent: x\r\n\r\n",
          `HTTP/1.1 100 \r\n\r\nHTTP/1.1 103 \r\n\r\n${CONNECTED}`,
          "HTTP/1.1 204 \r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        ]
      ) {
        for (const url of [ws, wss]) {
          await withProxy(
            tunnel(answer),
            (host) => expectEcho(url, { proxy: `http://${host}`, tls }),
          );
        }
      }
    });
  });

  test("has header fields that can be read more than once", async () => {
    const headers = new Map([["x-proxy", "yes"]]).entries();
    const proxy = { url: "http://127.0.0.1:1", headers };
    const options: ConnectOptions = { proxy };
    await assertRejects(
      () => connect("ws://a.example/", options),
      TypeError,
      "Option proxy.headers can be read only once",
    );
  });

  test("is left where TLS can't begin behind it, and whoever ends before is said to have", async () => {
    const left = Promise.withResolvers<void>();
    const serve = async (peer: ProxyPeer): Promise<void> => {
      await peer.readHead();
      await peer.send(CONNECTED);
      await peer.gone();
      left.resolve();
    };
    await withProxy(serve, async (host) => {
      const tls = { cert: "no certificate", key: "no key" };
      await assertRejects(() => connect("wss://a.example/", { proxy: `http://${host}`, tls }));
      await left.promise;
    });
    const endEarly = async (peer: ProxyPeer): Promise<void> => {
      await peer.readHead();
      await peer.send(CONNECTED);
      peer.close();
    };
    await withProxy(endEarly, async (host) => {
      const connecting = connect("wss://a.example/", { proxy: `http://${host}` });
      const error = await assertRejects(() => connecting, Error);
      assertEquals(/: (?:false|undefined|null)\b/.test(error.message), false, error.message);
    });
  });

  test("may cut its answer anywhere", async () => {
    await withServers(async (ws) => {
      const serveSlowly = async (peer: ProxyPeer): Promise<void> => {
        const port = /:(\d+) /.exec(await peer.readHead())![1];
        await peer.sendSlowly(CONNECTED);
        await peer.join(Number(port));
      };
      await withProxy(serveSlowly, (host) => expectEcho(ws, { proxy: `http://${host}` }));
    });
  });

  test("may put the tunnel's first bytes behind its answer", async () => {
    const serveEarly = async (peer: ProxyPeer): Promise<void> => {
      await peer.readHead();
      await peer.send(`${CONNECTED}HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno`);
      await peer.gone();
    };
    await withProxy(serveEarly, async (host) => {
      const error = await refused("ws://a.example/", { proxy: `http://${host}` });
      assertEquals(error.message, "Cannot connect: the server answered with status 403");
      assertEquals(new TextDecoder().decode(error.body), "no");
      assertStringIncludes(
        (await refused("wss://a.example/", { proxy: `http://${host}` })).message,
        "through the proxy came bytes before TLS had begun",
      );
    });
  });

  test("that refuses is named, with its status, its fields and the beginning of its body", async () => {
    const long = "x".repeat(70_000);
    const serveRefusal = async (peer: ProxyPeer): Promise<void> => {
      const isLong = (await peer.readHead()).startsWith("CONNECT long");
      await peer.send(
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=a\r\n" +
          (isLong ? `Content-Length: 99999999\r\n\r\n${long}` : "Content-Length: 4\r\n\r\nnope"),
      );
      await peer.gone();
    };
    await withProxy(serveRefusal, async (host) => {
      for (const url of ["ws://a.example/", "wss://long.example/"]) {
        const error = await refused(url, { proxy: `http://ada:se%3Acret@${host}`, redirects: 5 });
        assertEquals(error.message, "Cannot connect: the proxy answered with status 407");
        assertEquals(error.status, 407);
        assertEquals(new Map(error.headers).get("proxy-authenticate"), "Basic realm=a");
        const body = url.includes("long") ? long.slice(0, 65_536) : "nope";
        assertEquals(new TextDecoder().decode(error.body), body);
      }
    });
  });

  test("does not redirect", async () => {
    const answer = "HTTP/1.1 302 \r\nLocation: ws://b.example/\r\nContent-Length: 0\r\n\r\n";
    await withProxy(async (peer) => {
      await peer.readHead();
      await peer.send(answer);
    }, async (host) => {
      const error = await refused("ws://a.example/", { proxy: `http://${host}`, redirects: 5 });
      assertEquals(error.message, "Cannot connect: the proxy answered with status 302");
    });
  });

  for (
    const [what, answer, message] of [
      ["no HTTP", "SSH-2.0-x\r\n\r\n", "Cannot read the proxy's response: its first line is"],
      ["a bare LF", "HTTP/1.1 200 x\n\n", "Cannot read the proxy's response: a line ends with LF"],
      ["too much", `HTTP/1.1 200 x\r\nA: ${"x".repeat(9000)}`, "(limits.maxHeaderLine)"],
      ["an early end", "HTTP/1.1 200", "The proxy closed the connection unanswered"],
      ["interim responses only", "HTTP/1.1 100 \r\n\r\n".repeat(9), "The proxy sent more than 8"],
    ]
  ) {
    test(`that answers with ${what} fails`, async () => {
      await withProxy(async (peer) => {
        await peer.readHead();
        await peer.send(answer);
        if (what === "an early end") peer.close();
      }, async (host) => {
        const error = await refused("ws://a.example/", { proxy: `http://${host}` });
        assertStringIncludes(error.message, message);
      });
    });
  }

  test("that leaves behind its answer fails", async () => {
    await withProxy(async (peer) => {
      await peer.readHead();
      await peer.send(CONNECTED);
      peer.close();
    }, async (host) => {
      for (const url of ["ws://a.example/", "wss://a.example/"]) {
        const error = await assertRejects(() => connect(url, { proxy: `http://${host}` }), Error);
        assert(!(error instanceof TypeError || error instanceof TimeoutError), error.message);
      }
    });
  });

  test("that resets the connection is named", async () => {
    const server = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.resetAndDestroy());
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const proxy = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
    const error = await assertRejects(() => connect("ws://a.example/", { proxy }), Error);
    assertStringIncludes(error.message, "proxy");
    await new Promise((resolve) => server.close(resolve));
  });

  test("over TLS is verified by its own options; wss: through it takes TLS within TLS", async () => {
    await withServers(async (ws, wss) => {
      await withProxy(tunnel(CONNECTED), async (host) => {
        await expectEcho(ws, { proxy: { url: `https://${host}`, tls } });
        await assertRejects(
          () => connect(ws, { proxy: `https://${host}`, tls }),
          Error,
          `Cannot use the proxy: Cannot connect to ${host}: `,
        );
        const options = { proxy: { url: `https://${host}`, tls }, tls };
        if (runtimeName === "node") await expectEcho(wss, options);
        else await assertRejects(() => connect(wss, options), TypeError, "has no TLS within TLS");
      }, { cert, key });
    });
  });

  test("that isn't there is the system's error, and says so", async () => {
    const { host } = new URL(await nowhere());
    const error = await assertRejects(
      () => connect("ws://a.example/", { proxy: `http://ada:se%3Acret@${host}` }),
      Error,
    );
    assertEquals(
      error.message,
      `Cannot use the proxy: Cannot connect to ${host}: connection refused`,
    );
    assertEquals((error as Error & { code: string }).code, "ECONNREFUSED");
  });

  test("leads to a server whose certificate is verified", async () => {
    await withServers(async (_, wss) => {
      await withProxy(tunnel(CONNECTED), async (host) => {
        const proxy = `http://${host}`;
        for (const wrong of [undefined, { ...tls, serverName: "other.example" }]) {
          await assertRejects(
            () => connect(wss, { proxy, tls: wrong }),
            Error,
            `Cannot connect to ${new URL(wss).host}: `,
          );
        }
      });
    });
  });
});

/** What a SOCKS proxy says first, and how it answers the request. */
interface SocksScript {
  readonly method?: string;
  readonly login?: string;
  readonly reply?: string;
}

const REPLY = "\x05\0\0\x01\0\0\0\0\0\0";

/** A SOCKS proxy that follows its script and then passes bytes on; `requests` gets what it was told. */
function socks(
  { method = "\x05\0", login = "\x01\0", reply = REPLY }: SocksScript,
  requests: string[] = [],
  isSlow: boolean = false,
): (peer: ProxyPeer) => Promise<void> {
  return async (peer) => {
    const send = (text: string): Promise<void> => isSlow ? peer.sendSlowly(text) : peer.send(text);
    const hello = await peer.read(2);
    requests.push(hello + await peer.read(hello.charCodeAt(1)));
    await send(method);
    if (method === "\x05\x02") {
      let text = await peer.read(2);
      text += await peer.read(text.charCodeAt(1) + 1);
      requests.push(text + await peer.read(text.charCodeAt(text.length - 1)));
      await send(login);
    }
    let request = await peer.read(5);
    const size = { 1: 3, 4: 15 }[request.charCodeAt(3)] ?? request.charCodeAt(4);
    request += await peer.read(size + 2);
    requests.push(request);
    await send(reply);
    await peer.join(
      request.charCodeAt(request.length - 2) * 256 + request.charCodeAt(request.length - 1),
    );
  };
}

const bigEndian = (port: number): string => String.fromCharCode(port >> 8, port & 0xff);

describe("a SOCKS 5 proxy", () => {
  test("is told a name or an address, and who we are only if it asks", async () => {
    await withServers(async (ws) => {
      const port = bigEndian(Number(new URL(ws).port));
      for (
        const [scheme, hostname, script, expected] of [
          ["socks5h", "localhost", {}, ["\x05\x01\0", `\x05\x01\0\x03\x09localhost${port}`]],
          ["socks5h", "127.0.0.1", {}, ["\x05\x01\0", `\x05\x01\0\x01\x7f\0\0\x01${port}`]],
          ["socks5", "127.0.0.1", {}, ["\x05\x01\0", `\x05\x01\0\x01\x7f\0\0\x01${port}`]],
          [
            "socks5h",
            "[::1]",
            {},
            ["\x05\x01\0", `\x05\x01\0\x04${"\0".repeat(15)}\x01${port}`],
          ],
          [
            "socks5h://ada:se%3Acret@",
            "localhost",
            { method: "\x05\x02" },
            ["\x05\x02\0\x02", "\x01\x03ada\x07se:cret", `\x05\x01\0\x03\x09localhost${port}`],
          ],
          [
            "socks5h://ada:se%3Acret@",
            "localhost",
            {},
            ["\x05\x02\0\x02", `\x05\x01\0\x03\x09localhost${port}`],
          ],
        ] as [string, string, SocksScript, string[]][]
      ) {
        const requests: string[] = [];
        await withProxy(socks(script, requests), async (host) => {
          const proxy = scheme.includes("@") ? scheme + host : `${scheme}://${host}`;
          await expectEcho(ws.replace("localhost", hostname), { proxy });
        });
        assertEquals(requests, expected);
      }
    });
  });

  test("socks5: tells it an address for a name", async () => {
    const requests: string[] = [];
    await withProxy(socks({ reply: "\x05\x04" + "\0".repeat(8) }, requests), async (host) => {
      await refused("ws://localhost:1/", { proxy: `socks5://${host}` });
    });
    assert(["\x01", "\x04"].includes(requests[1][3]), JSON.stringify(requests));
  });

  test("may cut its answers anywhere, and name any kind of address", async () => {
    await withServers(async (ws, wss) => {
      for (const address of ["\x01abcd", "\x03\x03abc", "\x03\0", `\x04${"x".repeat(16)}`]) {
        const script = { method: "\x05\x02", reply: `\x05\0\0${address}\0\0` };
        for (const url of [ws, wss]) {
          await withProxy(
            socks(script, [], true),
            (host) => expectEcho(url, { proxy: `socks5h://a:b@${host}`, tls }),
          );
        }
      }
    });
  });

  test("may put the tunnel's first bytes behind its answer", async () => {
    const reply = `${REPLY}HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno`;
    await withProxy(async (peer) => {
      await peer.read(3);
      await peer.send("\x05\0");
      await peer.read(5);
      await peer.send(reply);
      await peer.gone();
    }, async (host) => {
      const error = await refused("ws://a.example/", { proxy: `socks5h://${host}` });
      assertEquals(error.message, "Cannot connect: the server answered with status 403");
      assertStringIncludes(
        (await refused("wss://a.example/", { proxy: `socks5h://${host}` })).message,
        "before TLS had begun",
      );
    });
  });

  for (
    const [code, meaning] of [
      "general failure of the proxy",
      "not allowed by its rules",
      "network unreachable",
      "host unreachable",
      "connection refused",
      "TTL expired",
      "command not supported",
      "address type not supported",
      "unknown",
    ].map((meaning, i) => [i + 1, meaning] as const)
  ) {
    test(`that answers with ${code} has refused: ${meaning}`, async () => {
      const reply = `\x05${String.fromCharCode(code)}\0\x01\0\0\0\0\0\0`;
      await withProxy(socks({ reply }), async (host) => {
        const error = await refused("ws://a.example/", { proxy: `socks5h://${host}` });
        assertEquals(error.message, `Cannot connect: the proxy answered with ${code}, ${meaning}`);
      });
    });
  }

  for (
    const [what, script, message] of [
      [
        "HTTP",
        { method: "HTTP/1.1 400 \r\n\r\n" },
        "does not speak SOCKS 5: its answer begins with byte 72",
      ],
      ["SOCKS 4", { method: "\0\x5a" }, "does not speak SOCKS 5"],
      ["no method", { method: "\x05\xff" }, "takes none of the ways to authenticate"],
      ["a method unasked", { method: "\x05\x01" }, "chose authentication method 1"],
      [
        "a login of another version",
        { method: "\x05\x02", login: "\x05\0" },
        "does not speak SOCKS 5",
      ],
      ["a login refused", { method: "\x05\x02", login: "\x01\x01" }, "refuses this user name"],
      ["another version later", { reply: `\x04${REPLY.slice(1)}` }, "does not speak SOCKS 5"],
      ["an address of no type", { reply: "\x05\0\0\x02abcdef" }, "address type 2"],
    ] as [string, SocksScript, string][]
  ) {
    test(`that answers with ${what} fails`, async () => {
      await withProxy(socks(script), async (host) => {
        const error = await refused("ws://a.example/", {
          proxy: `socks5h://ada:se%3Acret@${host}`,
        });
        assertStringIncludes(error.message, message);
      });
    });
  }

  test("that leaves early fails", async () => {
    for (const part of ["", "\x05"]) {
      await withProxy(async (peer) => {
        await peer.read(3);
        await peer.send(part);
        peer.close();
      }, async (host) => {
        await assertRejects(
          () => connect("ws://a.example/", { proxy: `socks5h://${host}` }),
          Error,
        );
      });
    }
  });
});

// Deno keeps the socket below a TLS handshake until the peer leaves; nothing here can change that.
const leavesTls = runtimeName !== "deno";

describe("a proxy that hangs", () => {
  for (const scheme of ["http", "https", "socks5h"]) {
    for (const url of ["ws://a.example/", "wss://a.example/"]) {
      test(`(${scheme}:, ${url}) fails at handshakeTimeout, or when the signal says so`, async () => {
        let isLeft = (): void => {};
        const left = new Promise<void>((resolve) => isLeft = resolve);
        await withProxy(async (peer) => {
          await peer.gone();
          isLeft();
        }, async (host) => {
          const proxy = { url: `${scheme}://${host}` };
          await assertRejects(
            () => connect(url, { proxy, handshakeTimeout: 100 }),
            TimeoutError,
            "(handshakeTimeout)",
          );
          if (leavesTls || scheme !== "https") await left;
          const signal = AbortSignal.timeout(50);
          const error = await assertRejects(() => connect(url, { proxy, signal }));
          assertEquals((error as DOMException).name, "TimeoutError");
        });
      });
    }
  }

  test("(in the TLS handshake behind it) fails at handshakeTimeout, and the tunnel is closed", async () => {
    let isLeft = (): void => {};
    const left = new Promise<void>((resolve) => isLeft = resolve);
    await withProxy(async (peer) => {
      await peer.readHead();
      await peer.send(CONNECTED);
      await peer.gone();
      isLeft();
    }, async (host) => {
      await assertRejects(
        () => connect("wss://a.example/", { proxy: `http://${host}`, handshakeTimeout: 200 }),
        TimeoutError,
      );
      if (leavesTls) await left;
    });
  });
});

describe('proxy: "env"', () => {
  const chosen = (url: string, env: Record<string, string>): string | null => {
    const proxy = chooseProxy(parseTarget(url), env);
    return proxy && `${proxy.kind} ${proxy.hostname}:${proxy.port}`;
  };

  test("takes the proxy of the scheme, then that of all, small letters first", () => {
    for (
      const [url, env, expected] of [
        ["ws://a/", {}, null],
        ["ws://a/", { http_proxy: "http://p:1" }, "http p:1"],
        ["ws://a/", { HTTP_PROXY: "http://p:1" }, "http p:1"],
        ["ws://a/", { HTTP_PROXY: "http://p:1", REQUEST_METHOD: "GET" }, null],
        ["ws://a/", { http_proxy: "http://p:1", REQUEST_METHOD: "GET" }, "http p:1"],
        ["ws://a/", { http_proxy: "", HTTP_PROXY: "http://p:1" }, "http p:1"],
        ["ws://a/", { http_proxy: "http://p:1", HTTP_PROXY: "http://q:1" }, "http p:1"],
        ["ws://a/", { https_proxy: "http://p:1" }, null],
        ["wss://a/", { http_proxy: "http://p:1" }, null],
        ["wss://a/", { https_proxy: "http://p:1" }, "http p:1"],
        ["wss://a/", { HTTPS_PROXY: "http://p:1", REQUEST_METHOD: "GET" }, "http p:1"],
        ["wss://a/", { all_proxy: "socks5h://p" }, "socks p:1080"],
        ["ws://a/", { ALL_PROXY: "https://p" }, "http p:443"],
        ["ws://a/", { ALL_PROXY: "http://p", http_proxy: "http://q" }, "http q:80"],
        ["ws://a/", { http_proxy: "user:word@p:3128" }, "http p:3128"],
      ] as [string, Record<string, string>, string | null][]
    ) {
      assertEquals(chosen(url, env), expected, JSON.stringify([url, env]));
    }
  });

  test("leaves out what no_proxy lists", () => {
    const proxy = { http_proxy: "http://p:1" };
    for (
      const [url, list, isDirect] of [
        ["ws://a.example/", "a.example", true],
        ["ws://A.example./", ".A.Example", true],
        ["ws://b.a.example/", "x, a.example", true],
        ["ws://ba.example/", "a.example", false],
        ["ws://a.example/", "x *", true],
        ["ws://a.example/", ", .", false],
        ["ws://127.0.0.1/", "127.0.0.1", true],
        ["ws://127.0.0.1/", "127.0.0.0/8", true],
        ["ws://127.0.0.1/", "0.0.1,1,128.0.0.0/8,a", false],
        ["ws://[::1]/", "::1", true],
        ["ws://[::1]/", "[::1]", true],
        ["ws://[fe80::1]/", "fe80::/10", true],
      ] as [string, string, boolean][]
    ) {
      for (const name of ["no_proxy", "NO_PROXY"]) {
        assertEquals(chosen(url, { ...proxy, [name]: list }) === null, isDirect, `${url} ${list}`);
      }
    }
  });

  test("says which permission Deno needs", async () => {
    const { stdout } = await runExample("deno", "tests/fixtures/environment_proxy.ts", []);
    assertStringIncludes(stdout, "Cannot read the environment: Deno needs --allow-env=http_proxy,");
  });

  test("reads the environment of this process", async () => {
    const saved = PROXY_VARIABLES.map((name) => [name, process.env[name]] as const);
    for (const name of PROXY_VARIABLES) delete process.env[name];
    try {
      await withServers(async (ws) => {
        await expectEcho(ws, { proxy: "env" });
        const heads: string[] = [];
        await withProxy(tunnel(CONNECTED, heads), async (host) => {
          process.env.http_proxy = `ada:se%3Acret@${host}`;
          await expectEcho(ws, { proxy: "env" });
          assertEquals(heads.length, 1);
          assertStringIncludes(heads[0], `proxy-authorization: Basic ${btoa("ada:se:cret")}\r\n`);
          process.env.NO_PROXY = "localhost";
          await expectEcho(ws, { proxy: "env" });
          assertEquals(heads.length, 1);
          process.env.NO_PROXY = "";
          process.env.http_proxy = "ftp://ada:se%3Acret@127.0.0.1/";
          const error = await assertRejects(() => connect(ws, { proxy: "env" }), TypeError);
          assertEquals(
            error.message,
            "Environment variable http_proxy is not an http:, https:, socks5: or socks5h: URL",
          );
        });
      });
    } finally {
      for (const [name, value] of saved) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });
});

describe("option proxy", () => {
  for (
    const [what, proxy] of [
      ["no URL", "nowhere"],
      ["no URL, but a user name", "ada:se:cret@127.0.0.1"],
      ["another scheme", "ftp://ada:se%3Acret@127.0.0.1"],
      ["SOCKS 4", "socks4://127.0.0.1"],
      ["no host", "socks5://"],
      ["a path", "http://ada:se%3Acret@127.0.0.1/path"],
      ["a query", "http://127.0.0.1/?x"],
      ["a fragment", "http://127.0.0.1/#x"],
      ["a colon in the user name", "http://a%3Ab:c@127.0.0.1/"],
      ["a password alone for SOCKS", "socks5://:x@127.0.0.1/"],
      ["a long user name for SOCKS", `socks5://${"x".repeat(256)}@127.0.0.1/`],
      ["a long password for SOCKS", `socks5://x:${"x".repeat(256)}@127.0.0.1/`],
      ["a number", 8080],
      ["null", null],
      ["an object without url", {}],
      ["an object with other names", { url: "http://127.0.0.1", port: 1 }],
      ["headers for SOCKS", { url: "socks5://127.0.0.1", headers: { a: "b" } }],
      ["wrong headers", { url: "http://127.0.0.1", headers: { a: "b\r\nc" } }],
      ["TLS where there is none", { url: "http://127.0.0.1", tls: {} }],
      ["wrong TLS options", { url: "https://127.0.0.1", tls: { ca: "x" } }],
    ] as [string, ConnectOptions["proxy"]][]
  ) {
    test(`that is ${what} is a TypeError, without secrets`, async () => {
      const error = await assertRejects(() => connect("ws://127.0.0.1:1/", { proxy }), TypeError);
      assert(!/cret|ada/.test(error.message), error.message);
    });
  }

  test("excludes conn and unix", async () => {
    await assertRejects(
      () => connect("ws://a/", { unix: "/x", proxy: "http://127.0.0.1" }),
      TypeError,
      "Options unix and proxy exclude each other",
    );
  });
});
