/**
 * What a head, and the body behind it, amount to: read from all bytes at once by the letter of RFC
 * 9112 and RFC 6455 section 4, slow and apart from src. Where an answer would need a grammar of its
 * own (hosts, URLs, extensions), any outcome passes.
 *
 * @module
 */

/** What a reader has to make of the bytes; `values` is how the outcome has to begin. */
export type Verdict =
  | { readonly kind: "refused" | "incomplete" | "any" }
  | { readonly kind: "accepted"; readonly values: readonly unknown[] };

/** What bounds a head and a body. */
export interface Bounds {
  readonly maxHeaderSize: number;
  readonly maxHeaderLine: number;
  readonly maxHeaders: number;
  readonly maxBody: number;
}

interface Head {
  readonly first: string;
  readonly fields: [name: string, value: string][];
  readonly rest: string;
}

const REFUSED = { kind: "refused" } as const;
const ANY = { kind: "any" } as const;

const TOKEN_MARKS = "!#$%&'*+-.^_`|~";

function isToken(text: string): boolean {
  return text !== "" &&
    [...text].every((char) => TOKEN_MARKS.includes(char) || /[0-9a-z]/i.test(char));
}

function hasControl(text: string): boolean {
  return [...text].some((char) => (char < " " && char !== "\t") || char === "\x7f");
}

function trim(text: string): string {
  return text.replace(/^[ \t]+/, "").replace(/[ \t]+$/, "");
}

/** The lines up to the empty one; one empty line before them is allowed. */
function readHead(text: string, bounds: Bounds): Head | "refused" | "incomplete" {
  const lines: string[] = [];
  let at = text.startsWith("\r\n") ? 2 : 0;
  while (lines.at(-1) !== "") {
    const end = text.indexOf("\r\n", at);
    const line = text.slice(at, end < 0 ? text.length : end);
    const isHalfEnd = end < 0 && line.endsWith("\r");
    if (hasControl(isHalfEnd ? line.slice(0, -1) : line)) return "refused";
    if (line.length - Number(isHalfEnd) > bounds.maxHeaderLine) return "refused";
    if ((end < 0 ? text.length : end + 2) > bounds.maxHeaderSize) return "refused";
    if (end < 0) return "incomplete";
    lines.push(line);
    at = end + 2;
  }
  const [first, ...rows] = lines.slice(0, -1);
  if (first === undefined || rows.length > bounds.maxHeaders) return "refused";
  const fields: [string, string][] = [];
  for (const row of rows) {
    const [name] = row.split(":", 1);
    if (name.length === row.length || !isToken(name)) return "refused";
    fields.push([name.toLowerCase(), trim(row.slice(name.length + 1))]);
  }
  return { first, fields, rest: text.slice(at) };
}

function valuesOf({ fields }: Head, wanted: string): string[] {
  return fields.filter(([name]) => name === wanted).map(([, value]) => value);
}

function itemsOf(head: Head, name: string): string[] {
  return valuesOf(head, name).join(",").split(",").map(trim).filter((item) => item !== "");
}

function lists(head: Head, name: string, wanted: string): boolean {
  return itemsOf(head, name).some((item) => item.toLowerCase() === wanted);
}

/** What a server has to make of a request. */
export function judgeRequest(text: string, bounds: Bounds): Verdict {
  const head = readHead(text, bounds);
  if (typeof head === "string") return { kind: head };
  const [method, target = "", version, ...more] = head.first.split(" ");
  if (!isToken(method) || version !== "HTTP/1.1" || more.length > 0) return REFUSED;
  if (!/^[!-~]+$/.test(target) || target.includes("#")) return REFUSED;
  const hosts = valuesOf(head, "host");
  if (hosts.length !== 1 || !/^[!-~]+$/.test(hosts[0])) return REFUSED;
  const verdict = lists(head, "upgrade", "websocket")
    ? judgeUpgrade(head, method, hosts[0])
    : judgePlain(head, [method, target, ...head.fields], bounds);
  if (verdict.kind !== "accepted") return verdict;
  if (!target.startsWith("/")) return /^(?:http|ws)s?:/i.test(target) ? ANY : REFUSED;
  return /^[a-z]+(?:\.[a-z]+)*(?::[1-9]\d{0,3})?$/i.test(hosts[0]) ? verdict : ANY;
}

/** The length that a request announces: a number, `"chunked"`, or `null` if that is not clear. */
function announced(head: Head): number | "chunked" | null {
  const [lengths, codings] = [
    valuesOf(head, "content-length"),
    valuesOf(head, "transfer-encoding"),
  ];
  if (codings.length > 0) {
    const isClear = lengths.length === 0 && codings.length === 1;
    return isClear && codings[0].toLowerCase() === "chunked" ? "chunked" : null;
  }
  if (lengths.length === 0) return 0;
  return lengths.length === 1 && /^[0-9]{1,15}$/.test(lengths[0]) ? Number(lengths[0]) : null;
}

function judgePlain(head: Head, values: readonly unknown[], { maxBody }: Bounds): Verdict {
  const length = announced(head);
  if (length === null) return REFUSED;
  if (length === "chunked") {
    const chunks = readChunks(head.rest, maxBody);
    return chunks === "refused"
      ? REFUSED
      : { kind: "accepted", values: [...values, chunks.isComplete, chunks.body] };
  }
  if (length > maxBody) return REFUSED;
  const body = head.rest.slice(0, length);
  return { kind: "accepted", values: [...values, body.length === length, body] };
}

function readChunks(
  text: string,
  maxBody: number,
): { isComplete: boolean; body: string } | "refused" {
  let [at, body] = [0, ""];
  let next: "size" | "end" | "trailers" = "size";
  for (;;) {
    const lf = text.indexOf("\n", at);
    if ((lf < 0 ? text.length : lf) - at > 1024) return "refused";
    if (lf < 0) return { isComplete: false, body };
    if (lf === at || text[lf - 1] !== "\r") return "refused";
    const line = text.slice(at, lf - 1);
    at = lf + 1;
    if (next === "end") {
      if (line !== "") return "refused";
      next = "size";
    } else if (next === "trailers") {
      if (line === "") return { isComplete: true, body };
    } else {
      const [digits] = line.split(";", 1);
      if (!/^[0-9a-f]{1,8}[ \t]*$/i.test(digits) || hasControl(line)) return "refused";
      const size = Number(`0x${trim(digits)}`);
      body += text.slice(at, at + size);
      if (body.length > maxBody) return "refused";
      if (at + size > text.length) return { isComplete: false, body };
      at += size;
      next = size === 0 ? "trailers" : "end";
    }
  }
}

function judgeUpgrade(head: Head, method: string, host: string): Verdict {
  const isRight = method === "GET" && lists(head, "connection", "upgrade") &&
    announced(head) === 0 && valuesOf(head, "sec-websocket-version").join("&") === "13";
  const keys = valuesOf(head, "sec-websocket-key");
  const isKey = keys.length === 1 && /^[0-9A-Za-z+/]{22}==$/.test(keys[0]);
  const origins = valuesOf(head, "origin");
  if (!isRight || !isKey || origins.length > 1) return REFUSED;
  const offers = itemsOf(head, "sec-websocket-protocol");
  const isOffer = offers.length > 0 || valuesOf(head, "sec-websocket-protocol").length === 0;
  if (!isOffer || !offers.every(isToken) || offers.length > 100) return REFUSED;
  if (new Set(offers).size < offers.length) return REFUSED;
  if (!hasPlainExtensions(head)) return ANY;
  const values = [keys[0], host, origins[0] ?? null, offers, head.rest];
  return { kind: "accepted", values };
}

/** Whether its extensions are names with parameters, nothing quoted, nothing left out. */
function hasPlainExtensions(head: Head): boolean {
  return valuesOf(head, "sec-websocket-extensions").every((value) =>
    /^[\w-]+(?:; ?[\w-]+(?:=\w+)?)*$/.test(value)
  );
}

/** What a client has to make of a response to its request. */
export function judgeResponse(
  text: string,
  bounds: Bounds,
  { accept, offered }: { readonly accept: string; readonly offered: readonly string[] },
): Verdict {
  const head = readHead(text, bounds);
  if (typeof head === "string") return { kind: head };
  if (!/^HTTP\/1\.1 101(?: |$)/.test(head.first)) return REFUSED;
  const isSwitch = valuesOf(head, "upgrade").join("&").toLowerCase() === "websocket" &&
    lists(head, "connection", "upgrade") &&
    !head.fields.some(([name]) => name === "content-length" || name === "transfer-encoding");
  if (!isSwitch || valuesOf(head, "sec-websocket-accept").join("&") !== accept) return REFUSED;
  const [protocol = "", ...more] = valuesOf(head, "sec-websocket-protocol");
  const isChosen = valuesOf(head, "sec-websocket-protocol").length === 0 ||
    offered.includes(protocol);
  if (!isChosen || more.length > 0) return REFUSED;
  const own = head.fields.filter(([name]) => name.startsWith("sec-websocket-"));
  if (own.some(([, value]) => [...value].some((char) => char > "~"))) return REFUSED;
  if (valuesOf(head, "sec-websocket-extensions").length > 0) return ANY;
  return { kind: "accepted", values: [protocol, head.rest] };
}
