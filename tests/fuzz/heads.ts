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
import { requestBodyFraming } from "../../src/core/body.ts";
import { HeadReader } from "../../src/core/head_reader.ts";
import type { RequestHead, ResponseHead } from "../../src/core/http.ts";
import { REQUEST_VECTORS } from "../core/request_vectors.ts";
import { OFFERED, RESPONSE_VECTORS } from "../core/response_vectors.ts";
import { judgeRequest, judgeResponse, type Verdict } from "./head_reference.ts";
import type { Random } from "./random.ts";
import { bytesOf, must, type Target, textOf } from "./target.ts";

const LIMITS = { maxHeaderSize: 2000, maxHeaderLine: 500, maxHeaders: 20 };
const MAX_BODY = 1000;
const BOUNDS = { ...LIMITS, maxBody: MAX_BODY };
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

/** What came of it: values, "incomplete", or an error in words. */
interface Outcome {
  readonly kind: "accepted" | "incomplete" | "refused";
  readonly values: readonly unknown[];
}

/** The outcome, so that two of them can be compared; only documented errors pass. */
async function outcomeOf(
  action: () => Promise<unknown[] | null>,
  isClient: boolean,
): Promise<Outcome> {
  try {
    const values = await action();
    return { kind: values === null ? "incomplete" : "accepted", values: values ?? [] };
  } catch (error) {
    must(error instanceof HandshakeError, `${error}`);
    const { status, message } = error;
    must(isClient || STATUSES.has(status ?? 0), `status ${status}: ${message}`);
    must(/^[\x20-\x7e…]{1,400}$/.test(message), `message ${JSON.stringify(message)}`);
    return { kind: "refused", values: [status, message] };
  }
}

/** The independent reader has to agree; an error may come before the bytes are complete. */
function compare({ kind, values }: Outcome, verdict: Verdict): void {
  if (verdict.kind === "any" || (verdict.kind === "incomplete" && kind === "refused")) return;
  must(kind === verdict.kind, `${kind} ${values}, but the reference says ${verdict.kind}`);
  if (verdict.kind !== "accepted") return;
  const [seen, expected] = [values.slice(0, verdict.values.length), verdict.values]
    .map((list) => JSON.stringify(list));
  must(seen === expected, `${seen}, but the reference says ${expected}`);
}

async function describeRequest(pieces: readonly Uint8Array[]): Promise<unknown[] | null> {
  const found = read(HeadReader.forRequests(LIMITS), pieces);
  if (found === null) return null;
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
  const { key, host, origin, protocols: offers, extensions } = checked;
  return [key, host, origin, offers, rest, extensions];
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

async function describeResponse(pieces: readonly Uint8Array[]): Promise<unknown[] | null> {
  const found = read<ResponseHead>(HeadReader.forResponses(LIMITS), pieces);
  if (found === null) return null;
  const { head, rest } = found;
  checkFields(head);
  must(head.status >= 100 && head.status <= 999, `status ${head.status}`);
  const request = { key: KEY, protocols: OFFERED, extensions: "permessage-deflate" };
  const agreed = await checkResponse(head, { ...request, host: "a", target: "/" });
  must(head.status === 101, `status ${head.status}`);
  must(head.headers.getAll("sec-websocket-accept").join() === ACCEPT, "another accept key");
  must(agreed.protocol === "" || OFFERED.includes(agreed.protocol), agreed.protocol);
  return [agreed.protocol, rest, agreed.extensions];
}

/** Requests with bodies, which the table has few of. */
const BODIES: readonly Uint8Array[] = [
  ...["Content-Length: 5\r\n\r\nhello", "Content-Length: 1000\r\n\r\n" + "x".repeat(1001)],
  ...["Content-Length: 1001\r\n\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"],
  ...[
    "5\r\nhello\r\n0\r\n\r\n",
    "0\r\nA: b\r\n\r\nrest",
    `12\r\n${"y".repeat(18)}\r\n00;a=b\r\n\r\n`,
  ]
    .map((chunks) => `Transfer-Encoding: chunked\r\n\r\n${chunks}`),
  ...[0x3e8, 0x3e9].map((size) =>
    `Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n${"z".repeat(size)}\r\n0\r\n\r\n`
  ),
  "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
].map((text) => bytesOf(`POST /a HTTP/1.1\r\nHost: a\r\n${text}`));

/** A head with so many more fields, or bytes, that it is at a limit, or one off. */
function atLimit(input: Uint8Array, random: Random): Uint8Array {
  const text = textOf(input);
  const start = text.indexOf("\r\n", 2) + 2;
  const end = text.indexOf("\r\n\r\n", start - 2) + 2;
  if (start < 2 || end < start) return input;
  const off = random.below(3) - 1;
  const add = (fields: string): Uint8Array =>
    bytesOf(text.slice(0, end) + fields + text.slice(end));
  const line = (size: number): string => `a:${"b".repeat(Math.max(0, size - 2))}\r\n`;
  switch (random.below(3)) {
    case 0:
      return add(line(LIMITS.maxHeaderLine + off));
    case 1: {
      const fields = text.slice(start, end).split("\r\n").length - 1;
      return add(line(3).repeat(Math.max(0, LIMITS.maxHeaders + off - fields)));
    }
    default: {
      let fields = "";
      let missing = LIMITS.maxHeaderSize + off - end - 2;
      for (; missing > 400; missing -= 300) fields += line(298);
      return add(missing < 5 ? fields : fields + line(missing - 2));
    }
  }
}

/** Another version of HTTP, or what looks like one. */
function otherVersion(input: Uint8Array, random: Random): Uint8Array {
  const version = random.pick([
    "HTTP/1.0",
    "HTTP/1.2",
    "HTTP/2.0",
    "http/1.1",
    "HTTP/1.1 ",
    "HTTP/11",
  ]);
  return bytesOf(textOf(input).replace("HTTP/1.1", version));
}

/** One line ends with LF alone. */
function withoutCr(input: Uint8Array, random: Random): Uint8Array {
  const ends = [...input.keys()].filter((at) => input[at] === 0x0d);
  if (ends.length === 0) return input;
  const at = random.pick(ends);
  return input.filter((_, i) => i !== at);
}

/** One kind of head: how to read one, and what an independent reader makes of it. */
interface HeadTarget {
  readonly name: "request" | "response";
  readonly corpus: readonly Uint8Array[];
  /** Those with bodies: they have their turn more often. */
  readonly bodies: readonly Uint8Array[];
  readonly describe: (pieces: readonly Uint8Array[]) => Promise<unknown[] | null>;
  readonly judge: (text: string) => Verdict;
}

function headTarget({ name, corpus, bodies, describe, judge }: HeadTarget): Target {
  return {
    name,
    generate(random) {
      const input = random.pick(bodies.length > 0 && random.oneIn(5) ? bodies : corpus);
      if (random.oneIn(8)) return atLimit(input, random);
      if (random.oneIn(8)) return withoutCr(input, random);
      if (random.oneIn(20)) return otherVersion(input, random);
      return random.oneIn(8) ? input : random.mutate(input, WORDS);
    },
    async check(input, random) {
      const isClient = name === "response";
      const whole = await outcomeOf(() => describe([input.slice()]), isClient);
      const cut = await outcomeOf(() => describe(random.cut(input)), isClient);
      const [one, other] = [whole, cut].map((outcome) => JSON.stringify(outcome));
      must(one === other, `cut otherwise:\n${one}\n${other}`);
      compare(whole, judge(textOf(input)));
    },
  };
}

/** Requests to a server. */
export const requests: Target = headTarget({
  name: "request",
  corpus: REQUESTS,
  bodies: BODIES,
  describe: describeRequest,
  judge: (text) => judgeRequest(text, BOUNDS),
});

/** Responses to a client. */
export const responses: Target = headTarget({
  name: "response",
  corpus: RESPONSES,
  bodies: [],
  describe: describeResponse,
  judge: (text) => judgeResponse(text, BOUNDS, { accept: ACCEPT, offered: OFFERED }),
});
