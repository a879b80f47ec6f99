import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import { HandshakeError } from "../../src/core/errors.ts";
import {
  checkConnect,
  checkConnectResponse,
  type ConnectRequestOptions,
  createConnect,
  createConnectResponse,
  type Http2Fields,
  isExtendedConnect,
  readConnectResponse,
} from "../../src/core/extended_connect.ts";

type Fields = [name: string, value: string][];

/** A request as in RFC 8441 section 5.1, with fields changed (`null` takes one away) or added. */
function request(changes: Record<string, string | null> = {}, more: Fields = []): Fields {
  const fields: Record<string, string | null> = {
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": "https",
    ":path": "/chat?room=1",
    ":authority": "server.example.com",
    "sec-websocket-version": "13",
    ...changes,
  };
  const all = Object.entries(fields).filter(([, value]) => value !== null) as Fields;
  return [...all, ...more];
}

function refusalOf(fields: Http2Fields): [status: number | undefined, message: string] {
  const error = assertThrows(() => checkConnect(fields), HandshakeError);
  return [error.status, error.message.replace("Cannot accept the handshake: ", "")];
}

describe("isExtendedConnect()", () => {
  test("takes CONNECT with :protocol for one, whatever the protocol", () => {
    assert(isExtendedConnect(request()));
    assert(isExtendedConnect(request({ ":protocol": "connect-udp" })));
    assert(!isExtendedConnect(request({ ":protocol": null })));
    assert(!isExtendedConnect(request({ ":method": "GET" })));
    assert(!isExtendedConnect([]));
  });
});

describe("checkConnect()", () => {
  test("returns what the request says, the host among its fields", () => {
    const { head, ...said } = checkConnect(request({ ":scheme": "HTTPS" }, [
      ["origin", "https://a"],
      ["sec-websocket-protocol", "a, b"],
      ["sec-websocket-protocol", "c"],
      ["sec-websocket-extensions", "x; y=1"],
      ["te", "trailers"],
      ["host", "Server.Example.com"],
    ]));
    assertEquals(said, {
      scheme: "https",
      host: "server.example.com",
      origin: "https://a",
      protocols: ["a", "b", "c"],
      extensions: [{ name: "x", params: [["y", "1"]] }],
    });
    assertEquals([head.method, head.target], ["CONNECT", "/chat?room=1"]);
    assertEquals(head.headers.getAll("host"), ["server.example.com"]);
    assertEquals(head.headers.get("te"), "trailers");
    assertEquals(head.headers.has(":path"), false);
  });

  test("joins the parts of a Cookie, and only those, into one field", () => {
    const { head: { headers } } = checkConnect(request({}, [
      ["cookie", "a=1"],
      ["x-a", "1"],
      ["cookie", "b=2"],
      ["x-a", "2"],
    ]));
    assertEquals(headers.getAll("cookie"), ["a=1; b=2"]);
    assertEquals(headers.getAll("x-a"), ["1", "2"]);
  });

  test("wants neither Origin nor subprotocols, and does without a key", () => {
    const { origin, protocols, extensions, scheme } = checkConnect(request({ ":scheme": "http" }));
    assertEquals([origin, protocols, extensions, scheme], [null, [], [], "http"]);
    const withKey = request({}, [["sec-websocket-key", "of HTTP/1.1, and of no use"]]);
    assertEquals(checkConnect(withKey).host, "server.example.com");
  });

  const refused: [what: string, fields: Fields, status: number, why: string][] = [
    ["another method", request({ ":method": "GET" }), 405, 'the method is "GET", not CONNECT'],
    ["no method", request({ ":method": null }), 405, 'the method is "", not CONNECT'],
    ["no protocol", request({ ":protocol": null }), 400, "it has no :protocol"],
    [
      "an unknown protocol",
      request({ ":protocol": "connect-udp" }),
      501,
      ':protocol is "connect-udp", not websocket',
    ],
    [
      "another scheme",
      request({ ":scheme": "wss" }),
      400,
      ':scheme is "wss", neither https nor http',
    ],
    ["no scheme", request({ ":scheme": null }), 400, ':scheme is "", neither https nor http'],
    ["no authority", request({ ":authority": null }), 400, ':authority is ""'],
    ["a wrong authority", request({ ":authority": "a b" }), 400, ':authority is "a b"'],
    [
      "an authority with a user",
      request({ ":authority": "u@server.example.com" }),
      400,
      ':authority is "u@server.example.com"',
    ],
    ["another Host", request({ host: "evil.example" }), 400, "Host differs from :authority"],
    [
      "no path",
      request({ ":path": null }),
      400,
      ":path is not a path of printable ASCII characters without fragment",
    ],
    [
      "a path with a fragment",
      request({ ":path": "/a#secret" }),
      400,
      ":path is not a path of printable ASCII characters without fragment",
    ],
    [
      "a URL as path",
      request({ ":path": "https://a/" }),
      400,
      ":path is not a path of printable ASCII characters without fragment",
    ],
    ["a length", request({ "content-length": "0" }), 400, "it has a Content-Length"],
    [
      "no version",
      request({ "sec-websocket-version": null }),
      400,
      'Sec-WebSocket-Version is missing, not "13"',
    ],
    [
      "another version",
      request({ "sec-websocket-version": "8" }),
      400,
      'Sec-WebSocket-Version is "8", not "13"',
    ],
    [
      "two origins",
      request({}, [["origin", "https://a"], ["origin", "https://a"]]),
      400,
      "it has more than one Origin field",
    ],
    [
      "subprotocols that are no tokens",
      request({ "sec-websocket-protocol": "a b" }),
      400,
      "Sec-WebSocket-Protocol is not a list of tokens",
    ],
    [
      "broken extensions",
      request({ "sec-websocket-extensions": "x;" }),
      400,
      "Sec-WebSocket-Extensions breaks the syntax at character 3",
    ],
    [
      "an unknown pseudo-header field",
      request({ ":status": "200" }).sort(),
      400,
      'it has a field ":status", which is unknown here',
    ],
    [
      "a pseudo-header field twice",
      [[":path", "/a"], ...request()],
      400,
      "it has more than one :path",
    ],
    [
      "pseudo-header fields behind others",
      [["te", "trailers"], ...request()],
      400,
      ":method stands behind other header fields",
    ],
    ["an empty name", request({}, [["", "x"]]), 400, 'header name "" is not a token'],
    ["a name that is none", request({}, [["a b", "x"]]), 400, 'header name "a b" is not a token'],
    [
      "a name in upper case",
      request({}, [["X-A", "x"]]),
      400,
      'header name "X-A" is not in lower case',
    ],
    ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"].map(
      (name): [string, Fields, number, string] => [
        name,
        request({}, [[name, "gzip"]]),
        400,
        `header "${name}" has no place in HTTP/2`,
      ],
    ),
    ...["a\0", "a\rb", "a\nb", "\u0100"].map((value): [string, Fields, number, string] => [
      `the value ${JSON.stringify(value)}`,
      request({}, [["x", value]]),
      400,
      'header "x" has a control character, or one beyond Latin-1',
    ]),
    ...[" a", "a\t"].map((value): [string, Fields, number, string] => [
      `the value ${JSON.stringify(value)}`,
      request({}, [["x", value]]),
      400,
      'header "x" has space around its value',
    ]),
  ];
  for (const [what, fields, status, why] of refused) {
    test(`refuses ${what} with ${status}`, () => assertEquals(refusalOf(fields), [status, why]));
  }

  test("tells which version it speaks", () => {
    const fields = request({ "sec-websocket-version": "8" });
    const { headers } = assertThrows(() => checkConnect(fields), HandshakeError);
    assertEquals(headers, [["sec-websocket-version", "13"]]);
  });

  test("H-60 names of Object.prototype have no effect", () => {
    for (const name of ["constructor", "tostring", "__proto__"]) {
      const { head } = checkConnect(request({}, [[name, name]]));
      assertEquals(head.headers.get(name), name);
      assertEquals(refusalOf([[`:${name}`, "x"]])[0], 400);
    }
  });
});

describe("createConnectResponse()", () => {
  const checked = checkConnect(request({
    "sec-websocket-protocol": "a, b",
    "sec-websocket-extensions": "x",
  }));

  test("is status 200, and what was chosen, in lower case", () => {
    assertEquals(createConnectResponse(checked), [[":status", "200"]]);
    const options = { protocol: "b", extensions: "x; y", headers: { "Set-Cookie": "c=1" } };
    assertEquals(createConnectResponse(checked, options), [
      [":status", "200"],
      ["sec-websocket-protocol", "b"],
      ["sec-websocket-extensions", "x; y"],
      ["set-cookie", "c=1"],
    ]);
  });

  test("refuses what was not offered, and fields of its own", () => {
    assertThrows(() => createConnectResponse(checked, { protocol: "c" }), TypeError, "not offered");
    assertThrows(() => createConnectResponse(checked, { extensions: "z" }), TypeError, '"z"');
    const wrong: Record<string, string>[] = [
      { Connection: "x" },
      { ":status": "404" },
      { "Keep-Alive": "timeout=5" },
      { TE: "gzip" },
    ];
    for (const headers of wrong) {
      assertThrows(() => createConnectResponse(checked, { headers }), TypeError);
    }
  });
});

describe("createConnect()", () => {
  const options = { host: "a:1", target: "/b?c", isSecure: true };

  test("is what checkConnect() takes", () => {
    const fields = createConnect({
      ...options,
      protocols: ["x", "y"],
      extensions: "e; f=1",
      origin: "https://a",
      headers: { Authorization: "Basic x" },
    });
    assertEquals(fields, [
      [":method", "CONNECT"],
      [":protocol", "websocket"],
      [":scheme", "https"],
      [":authority", "a:1"],
      [":path", "/b?c"],
      ["sec-websocket-version", "13"],
      ["sec-websocket-protocol", "x, y"],
      ["sec-websocket-extensions", "e; f=1"],
      ["origin", "https://a"],
      ["authorization", "Basic x"],
    ]);
    assertEquals(checkConnect(fields).protocols, ["x", "y"]);
    assertEquals(checkConnect(createConnect({ ...options, isSecure: false })).scheme, "http");
  });

  test("throws a TypeError for what can't stand in a request", () => {
    const wrong: Partial<ConnectRequestOptions>[] = [
      { host: "a b" },
      { target: "x" },
      { protocols: ["a", "a"] },
      { protocols: ["a b"] },
      { extensions: ";" },
      { origin: "a\n" },
      { origin: "a", headers: { Origin: "b" } },
      { headers: { "Keep-Alive": "1" } },
      { headers: { TE: "gzip" } },
      { headers: { ":path": "/x" } },
      { headers: { Host: "x" } },
    ];
    for (const one of wrong) assertThrows(() => createConnect({ ...options, ...one }), TypeError);
  });
});

describe("readConnectResponse() and checkConnectResponse()", () => {
  const offered = { protocols: ["a", "b"], extensions: "x" };
  const check = (fields: Fields, request = offered) =>
    checkConnectResponse(readConnectResponse(fields), request);

  test("return what the server has chosen", () => {
    assertEquals(check([[":status", "200"]]), { protocol: "", extensions: [] });
    assertEquals(
      check([
        [":status", "200"],
        ["sec-websocket-protocol", "b"],
        ["sec-websocket-extensions", "x; y"],
      ]),
      { protocol: "b", extensions: [{ name: "x", params: [["y", null]] }] },
    );
    assertEquals(check([[":status", "299"]], {} as typeof offered).protocol, "");
  });

  test("reject every status but 2xx, with its fields", () => {
    for (const status of ["101", "199", "300", "404"]) {
      const fields: Fields = [[":status", status], ["x", "1"]];
      const error = assertThrows(() => check(fields), HandshakeError, `status ${status}`);
      assertEquals([error.status, error.headers], [Number(status), [["x", "1"]]]);
    }
  });

  const wrong: [what: string, fields: Fields, why: string][] = [
    ["a missing status", [["x", "1"]], ':status is ""'],
    ["a status that is none", [[":status", "99"]], ':status is "99"'],
    ["two", [[":status", "200"], [":status", "200"]], "more than one :status"],
    ["a field of requests", [[":status", "200"], [":path", "/"]], 'field ":path"'],
    ["a field of HTTP/1.1", [[":status", "200"], ["upgrade", "websocket"]], "no place in HTTP/2"],
    [
      "a subprotocol that was not offered",
      [[":status", "200"], ["sec-websocket-protocol", "c"]],
      "not offered",
    ],
    [
      "an extension unasked",
      [[":status", "200"], ["sec-websocket-extensions", "z"]],
      'extension "z" unasked',
    ],
    [
      "a subprotocol beyond ASCII",
      [[":status", "200"], ["sec-websocket-protocol", "\xe9"]],
      "other than ASCII",
    ],
  ];
  for (const [what, fields, why] of wrong) {
    test(`reject ${what}`, () => void assertThrows(() => check(fields), HandshakeError, why));
  }
});
