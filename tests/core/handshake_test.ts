import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { HandshakeError } from "../../src/core/errors.ts";
import {
  acceptKey,
  checkProtocols,
  checkRequest,
  checkResponse,
  createKey,
  createRequest,
  createResponse,
  isUpgradeRequest,
  type RequestOptions,
} from "../../src/core/handshake.ts";
import { HeaderList } from "../../src/core/headers.ts";
import { HeadReader } from "../../src/core/head_reader.ts";
import { encodeRequest, type RequestHead, type ResponseHead } from "../../src/core/http.ts";
import { latin1 } from "../latin1.ts";

const LIMITS = { maxHeaderSize: 100_000, maxHeaderLine: 80_000, maxHeaders: 200 };
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** The catalogue's base request with fields changed (`null` takes one away) or added. */
function request(
  changes: Record<string, string | string[] | null> = {},
  method = "GET",
): RequestHead {
  const fields: Record<string, string | string[] | null> = {
    "Host": "127.0.0.1",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
    ...changes,
  };
  const headers = new HeaderList();
  for (const [name, values] of Object.entries(fields)) {
    if (values === null) continue;
    for (const value of [values].flat()) headers.append(name, value);
  }
  return { method, target: "/", headers };
}

describe("keys", () => {
  test("acceptKey() gives the example of RFC 6455 section 1.3", async () => {
    assertEquals(await acceptKey(KEY), ACCEPT);
  });
  test("keys that are hashed at the same time do not meet", async () => {
    const keys = Array.from({ length: 200 }, (_, i) => createKey(new Uint8Array(16).fill(i)));
    const accepts = await Promise.all(keys.map((key) => acceptKey(key)));
    for (const [i, key] of keys.entries()) {
      assertEquals(accepts[i], createHash("sha1").update(key + GUID).digest("base64"));
    }
  });
  test("what is no key has no answer, and asks for none", async () => {
    const checked = checkRequest(request());
    const headers = new HeaderList();
    headers.append("Upgrade", "websocket");
    headers.append("Connection", "Upgrade");
    headers.append("Sec-WebSocket-Accept", ACCEPT);
    const answer = { status: 101, reason: "", headers };
    for (const key of ["", KEY.slice(1), `${KEY}MORE`, "ä".repeat(24), "=".repeat(24)]) {
      const why = "The key is not 16 bytes in base64";
      await assertRejects(() => acceptKey(key), TypeError, why);
      await assertRejects(() => createResponse({ ...checked, key }), TypeError, why);
      const asked = { host: "a", target: "/", key };
      await assertRejects(() => checkResponse(answer, asked), TypeError, why);
    }
  });
  test("createKey() is base64 of 16 bytes", () => {
    assertEquals(createKey(latin1("the sample nonce")), KEY);
    assertThrows(() => createKey(new Uint8Array(15)), TypeError, "16 bytes, not 15");
  });
});

describe("checkRequest()", () => {
  test("returns what the request says", () => {
    const head = request({
      "Origin": "http://a",
      "Sec-WebSocket-Protocol": ["a, b", "c"],
      "Sec-WebSocket-Extensions": "x; y=1",
    });
    assertEquals(checkRequest(head), {
      key: KEY,
      host: "127.0.0.1",
      origin: "http://a",
      protocols: ["a", "b", "c"],
      extensions: [{ name: "x", params: [["y", "1"]] }],
    });
    assertEquals(checkRequest(request()).origin, null);
  });

  test("H-60 names of Object.prototype have no effect", () => {
    for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
      const head = request({
        "Sec-WebSocket-Protocol": name,
        "Sec-WebSocket-Extensions": `${name}; ${name}=${name}`,
      });
      assertEquals(checkRequest(head).protocols, [name]);
    }
  });

  test("a refusal says the rule, the value, and what would do", () => {
    const error = assertThrows(
      () => checkRequest(request({ "Sec-WebSocket-Version": "8" })),
      HandshakeError,
      'Cannot accept the handshake: Sec-WebSocket-Version is "8", not "13"',
    );
    assertEquals(new Map(error.headers).get("sec-websocket-version"), "13");
    const post = assertThrows(() => checkRequest(request({}, "POST")), HandshakeError);
    assertEquals(post.headers, [["allow", "GET"]]);
    assertThrows(
      () => checkRequest(request({ "Sec-WebSocket-Extensions": "a;" })),
      HandshakeError,
      "Cannot accept the handshake: Sec-WebSocket-Extensions breaks the syntax at character 3",
    );
    const key = (keys: string | string[]) => () =>
      checkRequest(request({ "Sec-WebSocket-Key": keys }));
    assertThrows(key("AAAA"), HandshakeError, "Sec-WebSocket-Key is not 16 bytes in base64");
    assertThrows(key([KEY, KEY]), HandshakeError, "it has 2 Sec-WebSocket-Key fields, not one");
    const plain = assertThrows(() => checkRequest(request({ Upgrade: null })), HandshakeError);
    assertEquals(plain.headers, [["upgrade", "websocket"], ["sec-websocket-version", "13"]]);
  });

  test("S-4 a refusal does not show tokens that are offered as subprotocols", () => {
    const head = request({ "Sec-WebSocket-Protocol": "bearer secret" });
    const error = assertThrows(() => checkRequest(head), HandshakeError);
    assertEquals(error.message.includes("secret"), false);
  });
});

test("isUpgradeRequest() tells WebSocket from plain HTTP", () => {
  assertEquals(isUpgradeRequest(request()), true);
  assertEquals(isUpgradeRequest(request({ Upgrade: null })), false);
  assertEquals(isUpgradeRequest(request({ Upgrade: "h2c" })), false);
});

describe("createResponse()", () => {
  const checked = checkRequest(request({
    "Sec-WebSocket-Protocol": "a, b",
    "Sec-WebSocket-Extensions": "x; y",
  }));
  const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

  test("answers with what has been agreed", async () => {
    const response = await createResponse(checked, {
      protocol: "b",
      extensions: "x",
      headers: { "Set-Cookie": "c=d" },
    });
    assertEquals(
      text(response),
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${ACCEPT}\r\nSec-WebSocket-Protocol: b\r\n` +
        "Sec-WebSocket-Extensions: x\r\nSet-Cookie: c=d\r\n\r\n",
    );
  });

  test("H-15 hashes the key as it was written", async () => {
    const key = "AAAAAAAAAAAAAAAAAAAAAB==";
    const odd = checkRequest(request({ "Sec-WebSocket-Key": key }));
    assertEquals(text(await createResponse(odd)).includes(await acceptKey(key)), true);
  });

  test("A-3 rejects what was not offered and what can't be written", async () => {
    await assertRejects(() => createResponse(checked, { protocol: "c" }), TypeError, "not offered");
    await assertRejects(() => createResponse(checked, { extensions: "z" }), TypeError, '"z"');
    await assertRejects(() => createResponse(checked, { extensions: "x;" }), TypeError, "syntax");
    await assertRejects(() => createResponse(checked, { headers: { a: "b\r\nc" } }), TypeError);
    await assertRejects(() => createResponse(checked, { headers: { upgrade: "x" } }), TypeError);
  });
});

describe("createRequest()", () => {
  const options: RequestOptions = { host: "a.example", target: "/x?y", key: KEY };

  test("makes a request that the other side accepts", () => {
    const head = createRequest({
      ...options,
      protocols: ["a", "b"],
      extensions: "x",
      origin: "https://a.example",
      headers: { Cookie: "c=d" },
    });
    const read = HeadReader.forRequests(LIMITS).receive(encodeRequest(head))!;
    assertEquals([read.target, read.headers.get("cookie")], ["/x?y", "c=d"]);
    assertEquals(checkRequest(read), {
      key: KEY,
      host: "a.example",
      origin: "https://a.example",
      protocols: ["a", "b"],
      extensions: [{ name: "x", params: [] }],
    });
    assertEquals(createRequest(options).headers.has("origin"), false);
  });

  for (
    const [what, wrong] of [
      ["a path with a space", { target: "/a b" }],
      ["a relative path", { target: "a" }],
      ["a path above ASCII", { target: "/é" }],
      ["a host with a line end", { host: "a\r\nb" }],
      ["an origin with a line end", { origin: "a\nb" }],
      ["a header with a line end", { headers: { a: "b\r\nc" } }],
      ["a header of the handshake", { headers: { "Sec-WebSocket-Key": "x" } }],
      ["an empty subprotocol", { protocols: [""] }],
      ["a subprotocol with a space", { protocols: ["a b"] }],
      ["a subprotocol that is no string", { protocols: [1] }],
      ["the same subprotocol twice", { protocols: ["a", "a"] }],
      ["subprotocols that are no list", { protocols: "a" }],
    ] as [string, Partial<RequestOptions>][]
  ) {
    test(`A-3 rejects ${what}`, () => {
      assertThrows(() => createRequest({ ...options, ...wrong }), TypeError);
    });
  }

  for (
    const [what, wrong, message] of [
      ["an empty host", { host: "" }, "is not a host"],
      ["a host with a space", { host: "a b" }, "is not a host"],
      ["a host with a user", { host: "u@a" }, "is not a host"],
      ["a target with a fragment", { target: "/a#b" }, "target is not"],
      ["an empty target", { target: "" }, "target is not"],
      ["a target with a path inside", { target: "http://b/a" }, "target is not"],
      ["subprotocols as text", { protocols: "a" as unknown as string[] }, "is not a list"],
      ["a key that is not 16 bytes", { key: "AAAA" }, "key is not"],
      ["broken extensions", { extensions: "a;" }, "breaks the syntax"],
      [
        "two origins",
        { origin: "http://a", headers: { ORIGIN: "http://b" } },
        "more than once",
      ],
    ] as [string, Partial<RequestOptions>, string][]
  ) {
    test(`A-3 rejects ${what}`, () => {
      assertThrows(() => createRequest({ ...options, ...wrong }), TypeError, message);
    });
  }

  test("Origin may come from the headers instead", () => {
    const head = createRequest({ ...options, headers: { Origin: "http://b" } });
    assertEquals(head.headers.getAll("origin"), ["http://b"]);
    assertEquals(head.headers.has("sec-websocket-protocol"), false);
    assertEquals(head.headers.has("sec-websocket-extensions"), false);
  });

  test("S-4 S-8 no message shows a subprotocol or a query", () => {
    for (const wrong of [{ protocols: ["app.v1", "s3cret/="] }, { target: "/?s3cret#" }]) {
      const error = assertThrows(() => createRequest({ ...options, ...wrong }), TypeError);
      assertEquals(error.message.includes("s3cret"), false, error.message);
    }
    assertThrows(() => checkProtocols(["a", ""]), TypeError, "Subprotocol 2 of the list");
  });

  test("checkProtocols() takes none, and tokens", () => {
    checkProtocols([]);
    checkProtocols(["a", "A", "chat.v1"]);
  });
});

describe("checkResponse()", () => {
  const asked: RequestOptions = { host: "a", target: "/", key: KEY, protocols: ["chat", "b"] };

  function response(
    changes: Record<string, string | string[] | null> = {},
    status = 101,
  ): ResponseHead {
    const { headers } = request({
      "Host": null,
      "Sec-WebSocket-Key": null,
      "Sec-WebSocket-Version": null,
      "Sec-WebSocket-Accept": ACCEPT,
      ...changes,
    });
    return { status, reason: "", headers };
  }

  test("returns what has been agreed", async () => {
    assertEquals(await checkResponse(response(), asked), { protocol: "", extensions: [] });
    assertEquals(
      await checkResponse(
        response({ "Sec-WebSocket-Protocol": "b", "Sec-WebSocket-Extensions": "x; y" }),
        { ...asked, extensions: "x, z" },
      ),
      { protocol: "b", extensions: [{ name: "x", params: [["y", null]] }] },
    );
    const { key, host, target } = asked;
    assertEquals((await checkResponse(response(), { key, host, target })).protocol, "");
  });

  test("R-21 rejects an extension used twice", async () => {
    const head = response({ "Sec-WebSocket-Extensions": "x, x" });
    const error = await assertRejects(
      () => checkResponse(head, { ...asked, extensions: "x" }),
      HandshakeError,
      "twice",
    );
    assertEquals(error.headers.length, 4);
  });
});
