/** Fuzzes UTF-8, header values, and what is written from values of users. @module */

import { decodeClose, encodeClose } from "../../src/core/close.ts";
import { HandshakeError, ProtocolError } from "../../src/core/errors.ts";
import { formatExtensions, parseExtensions } from "../../src/core/extensions.ts";
import { checkUserHeaders, HeaderList, listElements } from "../../src/core/headers.ts";
import { HeadReader } from "../../src/core/head_reader.ts";
import { encodeRequest, encodeResponse } from "../../src/core/http.ts";
import { acceptDeflate, offerDeflate } from "../../src/core/permessage_deflate.ts";
import { decodeUtf8, useLenientDecoder, Utf8Validator } from "../../src/core/utf8.ts";
import { CUT_TEXT, NOT_TEXT } from "../core/vectors.ts";
import { hex } from "../core/wire.ts";
import { bytesOf, must, type Target, textOf } from "./target.ts";

const SAMPLES: readonly Uint8Array[] = [
  ...NOT_TEXT.map(([bytes]) => hex(bytes)),
  ...CUT_TEXT.map((bytes) => hex(bytes)),
  ...["", "abc", "é€😀", "\ufffd", "\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}\ufeff"]
    .map((text) => new TextEncoder().encode(text)),
];

/** How many bytes can belong to a text: the decoder of the platform says it byte by byte. */
function countPossible(bytes: Uint8Array): number {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for (let at = 0; at < bytes.length; at++) {
    try {
      decoder.decode(bytes.subarray(at, at + 1), { stream: true });
    } catch {
      return at;
    }
  }
  return bytes.length;
}

function isFault(action: () => unknown): boolean {
  try {
    action();
    return false;
  } catch (error) {
    must(error instanceof ProtocolError && error.closeCode === 1007, `${error}`);
    return true;
  }
}

/** Bytes that are, or might be, text. */
export const utf8: Target = {
  name: "utf8",
  generate(random) {
    const parts = Array.from({ length: 1 + random.size(6) }, () => random.pick(SAMPLES));
    const all = Uint8Array.from(parts.flatMap((part) => [...part]));
    return random.oneIn(2) ? all : random.mutate(all, SAMPLES);
  },
  check(input, random) {
    const possible = countPossible(input);
    const reference = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    let expected: string | null = null;
    try {
      expected = reference.decode(input);
    } catch {
      // it is not text
    }
    for (const isLenient of [true, false]) {
      useLenientDecoder(isLenient);
      must(
        isFault(() => must(decodeUtf8(input) === expected, "other text")) === (expected === null),
        `whole, ${isLenient ? "lenient" : "strict"} decoder first`,
      );
    }
    const validator = new Utf8Validator();
    let passed = 0;
    const failed = isFault(() => {
      for (const byte of input) {
        validator.push(Uint8Array.of(byte));
        passed++;
      }
    });
    must(passed === possible, `fails at ${passed}, not ${possible}`);
    if (!failed) must(isFault(() => validator.finish()) === (expected === null), "at the end");
    const pieces = new Utf8Validator();
    const fails = isFault(() => {
      for (const piece of random.cut(input)) pieces.push(piece);
      pieces.finish();
    });
    must(fails === (expected === null), "in pieces");
  },
};

const VALUES = [
  "permessage-deflate",
  "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
  'x-a; b="c"; d="\\e", permessage-deflate; server_no_context_takeover',
  "a, b,, c",
  'a; b="',
  "constructor; __proto__=1",
];
const MARKS = [",", ";", "=", '"', "\\", " ", "\t", "15", "permessage-deflate"].map(bytesOf);

/** Values of list headers. */
export const headers: Target = {
  name: "headers",
  generate: (random) => {
    const value = bytesOf(random.pick(VALUES));
    return random.oneIn(10) ? value : random.mutate(value, MARKS);
  },
  check(input) {
    const value = textOf(input);
    const elements = listElements(value);
    must(elements.every((element) => element !== "" && !element.includes(",")), "an element");
    must(`${listElements(elements.join(", "))}` === `${elements}`, "elements once more");
    let offers;
    try {
      offers = parseExtensions(value);
    } catch (error) {
      must(error instanceof HandshakeError && error.status === 400, `${error}`);
      return;
    }
    const again = parseExtensions(formatExtensions(offers));
    must(JSON.stringify(again) === JSON.stringify(offers), "extensions once more");
    const accepted = acceptDeflate(offers, { contextTakeover: true, windowBits: 15 });
    if (accepted === null) return;
    const { params, answer } = accepted;
    must(params.serverMaxWindowBits >= 8 && params.clientMaxWindowBits >= 8, "a window");
    parseExtensions(
      formatExtensions([answer, offerDeflate({ contextTakeover: false, windowBits: 9 })]),
    );
  },
};

/** Either a documented error, or the bytes. */
function attempt(action: () => Uint8Array): Uint8Array | null {
  try {
    return action();
  } catch (error) {
    must(error instanceof TypeError || error instanceof RangeError, `${error}`);
    return null;
  }
}

const HEAD = /^[^\r\n\0]+\r\n(?:[!#$%&'*+.^`|~\w-]+: (?:[\x21-\x7e\x80-\xff\t ]*)\r\n)*\r\n$/;

/** What users give, as bytes that are cut into names, values, reasons, numbers. */
export const values: Target = {
  name: "values",
  generate(random) {
    const text = random.pick([
      "GET / x-a: b",
      "/chat?a=b name value",
      "reason 1000 bye",
      "a: b\r\nc: d",
    ]);
    return random.oneIn(8)
      ? bytesOf(text)
      : random.mutate(bytesOf(text), [bytesOf("\r\n"), bytesOf(" ")]);
  },
  check(input, random) {
    const text = textOf(input);
    const at = random.below(text.length + 1);
    const [left, right] = [text.slice(0, at), text.slice(at)];
    const fields = new HeaderList();
    fields.append("host", "a");
    const target = random.oneIn(2) ? "/" : left;
    const request = attempt(() => {
      fields.append(left, right);
      return encodeRequest({ method: random.oneIn(2) ? "GET" : right, target, headers: fields });
    });
    if (request !== null) checkWritten(request, /^[!#$%&'*+.^`|~\w-]+ [\x21-\x7e]+ HTTP\/1\.1\r\n/);
    const status = random.pick([101, 200, 426, random.below(1200)]);
    const response = attempt(() => {
      const headers = checkUserHeaders([[left, right]]);
      return encodeResponse({ status, reason: random.oneIn(2) ? right : undefined, headers });
    });
    if (response !== null) {
      checkWritten(response, /^HTTP\/1\.1 \d{3} [\t\x20-\x7e\x80-\xff]*\r\n/);
      const reader = HeadReader.forResponses({
        maxHeaderSize: 1e4,
        maxHeaderLine: 1e4,
        maxHeaders: 9,
      });
      const head = reader.receive(response);
      must(head?.status === status && reader.rest.length === 0, "another head");
      must(head.headers.get(left) === right, `${head.headers.get(left)}, not ${right}`);
    }
    const code = random.pick([undefined, 1000, 1005, 3000, random.below(70_000), NaN]);
    const close = attempt(() =>
      encodeClose(code, random.oneIn(3) ? undefined : right.repeat(random.below(9)))
    );
    if (close === null || close.length === 0) return;
    const decoded = decodeClose(close);
    must(decoded.code === code && close.length <= 125, `${decoded.code}, not ${code}`);
  },
};

function checkWritten(bytes: Uint8Array, first: RegExp): void {
  const text = textOf(bytes);
  must(first.test(text) && HEAD.test(text), `wrote ${JSON.stringify(text)}`);
}
