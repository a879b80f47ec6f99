/** Fuzzes the heads of requests and responses, and the handshake's checks on them. @module */

import { BodyReader } from "../../src/core/body.ts";
import { HandshakeError } from "../../src/core/errors.ts";
import {
  acceptKey,
  checkRequest,
  checkResponse,
  createResponse,
  isUpgradeRequest,
} from "../../src/core/handshake.ts";
import {
  HeadReader,
  requestBodyFraming,
  type RequestHead,
  type ResponseHead,
} from "../../src/core/http.ts";
import { REQUEST_VECTORS } from "../core/request_vectors.ts";
import { OFFERED, RESPONSE_VECTORS } from "../core/response_vectors.ts";
import { bytesOf, must, type Target, textOf } from "./target.ts";

const LIMITS = { maxHeaderSize: 2000, maxHeaderLine: 500, maxHeaders: 20 };
const MAX_BODY = 1000;
const STATUSES = new Set([400, 405, 413, 414, 417, 426, 431, 505]);

const WORDS: readonly Uint8Array[] = [
  ...[
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    " ",
    "\t",
    ":",
    ",",
    ";",
    "=",
    '"',
    "\\",
    "\0",
    "\x7f",
    "\xe9",
  ],
  ...["Host: a\r\n", "Connection: close\r\n", "Upgrade: websocket\r\n", "Content-Length: 0\r\n"],
  ...["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Expect: 100-continue\r\n"],
  ...["Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Protocol: chat\r\n", "Origin: http://a\r\n"],
  ...[
    "Sec-WebSocket-Extensions: permessage-deflate\r\n",
    "HTTP/1.1",
    "HTTP/1.0",
    "__proto__: 1\r\n",
  ],
].map(bytesOf);

const REQUESTS = REQUEST_VECTORS.map(({ request }) => bytesOf(request))
  .filter(({ length }) => length < 4000);

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = await acceptKey(KEY);
const RESPONSES = RESPONSE_VECTORS.map(({ answer }) => bytesOf(answer(ACCEPT)))
  .filter(({ length }) => length < 4000);

/** A head, from bytes cut anywhere, and what follows it. */
function read<Head>(
  reader: HeadReader<Head>,
  pieces: readonly Uint8Array[],
): { head: Head; rest: string } | null {
  for (const [i, piece] of pieces.entries()) {
    const head = reader.receive(piece);
    if (head === null) continue;
    return { head, rest: [reader.rest, ...pieces.slice(i + 1)].map(textOf).join("") };
  }
  return null;
}

/** The outcome as text, so that two of them can be compared; only documented errors pass. */
async function outcomeOf(action: () => unknown, isClient: boolean): Promise<string> {
  try {
    return JSON.stringify(await action());
  } catch (error) {
    must(error instanceof HandshakeError, `${error}`);
    const { status, message } = error;
    must(isClient || STATUSES.has(status ?? 0), `status ${status}: ${message}`);
    must(/^[\x20-\x7e…]{1,400}$/.test(message), `message ${JSON.stringify(message)}`);
    return `${status}: ${message}`;
  }
}

async function describeRequest(pieces: readonly Uint8Array[]): Promise<unknown> {
  const found = read(HeadReader.forRequests(LIMITS), pieces);
  if (found === null) return "incomplete";
  const { head, rest } = found;
  checkHead(head);
  if (!isUpgradeRequest(head)) {
    const body = new BodyReader(requestBodyFraming(head), MAX_BODY);
    body.receive(bytesOf(rest));
    return [head.method, head.target, ...head.headers, body.isComplete, textOf(body.bytes)];
  }
  const checked = checkRequest(head);
  must(/^[\w+/]{22}==$/.test(checked.key), `key ${checked.key}`);
  must(checked.protocols.every(isToken), `protocols ${checked.protocols}`);
  const [protocol] = checked.protocols;
  const response = textOf(await createResponse(checked, { protocol }));
  must(/^HTTP\/1\.1 101 [^\r\n]*\r\n(?:[\w-]+: [^\r\n]+\r\n)+\r\n$/.test(response), response);
  return [checked, rest];
}

function isToken(text: string): boolean {
  return /^[!#$%&'*+.^`|~\w-]+$/.test(text);
}

/** What RFC 9112 says of every head that was accepted, looked at once more. */
function checkHead(head: RequestHead): void {
  must(isToken(head.method), `method ${head.method}`);
  must(/^\/[\x21\x22\x24-\x7e]*$|^\*$/.test(head.target), `target ${head.target}`);
  checkFields(head);
  must(head.headers.getAll("host").length === 1, "not one Host");
}

function checkFields({ headers }: { headers: RequestHead["headers"] }): void {
  must(headers.size <= LIMITS.maxHeaders, `${headers.size} fields`);
  for (const [name, value] of headers) {
    must(isToken(name) && name === name.toLowerCase(), `name ${name}`);
    must(
      /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/.test(value),
      value,
    );
  }
}

async function describeResponse(pieces: readonly Uint8Array[]): Promise<unknown> {
  const found = read<ResponseHead>(HeadReader.forResponses(LIMITS), pieces);
  if (found === null) return "incomplete";
  const { head, rest } = found;
  checkFields(head);
  must(head.status >= 100 && head.status <= 999, `status ${head.status}`);
  const request = { key: KEY, protocols: OFFERED, extensions: "permessage-deflate" };
  const agreed = await checkResponse(head, { ...request, host: "a", target: "/" });
  must(head.status === 101, `status ${head.status}`);
  must(head.headers.getAll("sec-websocket-accept").join() === ACCEPT, "another accept key");
  must(agreed.protocol === "" || OFFERED.includes(agreed.protocol), agreed.protocol);
  return [agreed, rest];
}

function headTarget(
  name: string,
  corpus: readonly Uint8Array[],
  describe: (pieces: readonly Uint8Array[]) => Promise<unknown>,
): Target {
  return {
    name,
    generate(random) {
      const input = random.pick(corpus);
      return random.oneIn(20) ? input : random.mutate(input, WORDS);
    },
    async check(input, random) {
      const isClient = name === "response";
      const whole = await outcomeOf(() => describe([input.slice()]), isClient);
      const cut = await outcomeOf(() => describe(random.cut(input)), isClient);
      must(whole === cut, `cut otherwise:\n${whole}\n${cut}`);
    },
  };
}

/** Requests to a server. */
export const requests: Target = headTarget("request", REQUESTS, describeRequest);
/** Responses to a client. */
export const responses: Target = headTarget("response", RESPONSES, describeResponse);
