import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import * as core from "../../src/core/mod.ts";
import { seededBytes } from "../cuts.ts";
import { decodeFrames } from "../frames.ts";
import { LIMITS, takeEvents, takeOutput } from "./transcript.ts";
import { utf8 } from "./wire.ts";

const HEAD_LIMITS = { maxHeaderSize: 16_384, maxHeaderLine: 8192, maxHeaders: 100 };

/** The head and what lies behind it, however the bytes are cut: here, byte by byte. */
function readHead<Head>(reader: core.HeadReader<Head>, bytes: Uint8Array): Head {
  for (const byte of bytes) {
    const head = reader.receive(Uint8Array.of(byte));
    if (head !== null) return head;
  }
  throw new Error("The head is incomplete");
}

test("core/mod.ts exports what an integrator needs, by name", () => {
  assertEquals(Object.keys(core).sort(), [
    "CloseCode",
    "HandshakeError",
    "HeadReader",
    "HeaderList",
    "Opcode",
    "Protocol",
    "ProtocolError",
    "acceptDeflate",
    "checkConnect",
    "checkConnectResponse",
    "checkDeflate",
    "checkRequest",
    "checkResponse",
    "createConnect",
    "createConnectResponse",
    "createKey",
    "createRequest",
    "createResponse",
    "decodeClose",
    "decodeHeader",
    "encodeClose",
    "encodeHeader",
    "encodeRequest",
    "encodeResponse",
    "formatExtensions",
    "isExtendedConnect",
    "isUpgradeRequest",
    "isValidCloseCode",
    "offerDeflate",
    "prepareMessage",
    "readConnectResponse",
  ]);
});

test("core/mod.ts suffices for a client and a server, from handshake to close", async () => {
  const options: core.RequestOptions = {
    host: "localhost",
    target: "/chat",
    key: core.createKey(seededBytes(16, 1)),
    protocols: ["chat"],
  };
  const sent = core.encodeRequest(core.createRequest(options));
  const request = readHead(core.HeadReader.forRequests(HEAD_LIMITS), sent);
  assert(core.isUpgradeRequest(request));
  const answer = await core.createResponse(core.checkRequest(request), { protocol: "chat" });
  const response = readHead(core.HeadReader.forResponses(HEAD_LIMITS), answer);
  assertEquals((await core.checkResponse(response, options)).protocol, "chat");

  const client = new core.Protocol({ role: "client", limits: LIMITS, maskKey: () => 0xa1b2c3d4 });
  const server = new core.Protocol({ role: "server", limits: LIMITS });
  client.sendMessage("hello");
  client.sendClose(core.CloseCode.Normal, "bye");
  server.receive(takeOutput(client));
  const events = takeEvents(server);
  assertEquals<core.Event[]>(events, [
    { type: "message", data: "hello" },
    { type: "close", code: 1000, reason: "bye" },
  ]);
  server.sendPrepared(core.prepareMessage("hello"));
  server.answerClose();
  const output = takeOutput(server);
  assertEquals(decodeFrames("server", output).map(({ payload }) => payload), [
    utf8("hello"),
    core.encodeClose(1000),
  ]);
  client.receive(output);
  assertEquals(takeEvents(client).length, 2);
  assertEquals([client.state, server.state], ["closed", "closed"]);
});
