/**
 * The tables of the catalogue as cases that run over TCP: what to play, and what the table says
 * must come of it.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Role } from "../../src/core/receiver.ts";
import { COMPRESSED_VECTORS, type CompressedVector } from "../core/compressed_vectors.ts";
import { REQUEST_VECTORS, type RequestVector } from "../core/request_vectors.ts";
import { RESPONSE_VECTORS, type ResponseVector } from "../core/response_vectors.ts";
import { type Vector, VECTORS } from "../core/vectors.ts";
import { closeFrame, wire } from "../core/wire.ts";
import { joinBytes } from "../frames.ts";
import { latin1 } from "../latin1.ts";
import { REQUEST, requestWith } from "../raw_peer.ts";
import type { Case } from "./bench.ts";
import { answerWith, switching } from "./client_bench.ts";
import { NEGOTIATION_CASES } from "./negotiation_cases.ts";
import { quote } from "./words.ts";

/** How a peer ends a case that does not end by itself. */
const END = closeFrame(1000, "end");

function requestCase(vector: RequestVector): Case {
  const { request, status, has = [] } = vector;
  const end = status === 101 ? wire("server", END) : new Uint8Array(0);
  const bytes = joinBytes(latin1(request), end);
  return {
    name: `${vector.name} (server)`,
    play: ({ plain }, cut) => plain.server.play(cut(bytes)),
    check(transcript) {
      const received = linesOf("peer", transcript);
      assertEquals(received[0].slice(0, 13), `HTTP/1.1 ${status} `, received.join("\n"));
      for (const line of has) assert(received.some((other) => sameField(line, other)), line);
      assertEquals(received.at(-1), "FIN");
      if (status === 101) return assertEquals(received.slice(-2), ['close 1000 ""', "FIN"]);
      assertEquals(linesOf("server", transcript), []);
      assert(received.some((line) => sameField("connection", line) && /close/.test(line)));
      assert(/^body ".*"$/.test(received.at(-2)!), received.at(-2));
    },
  };
}

function sameField(line: string, other: string): boolean {
  const [name, value = ""] = line.split(": ");
  const [otherName, otherValue = ""] = other.split(": ");
  return name === otherName.toLowerCase() && otherValue.includes(value);
}

function linesOf(who: string, transcript: readonly string[]): string[] {
  const prefix = `${who}: `;
  return transcript.filter((line) => line.startsWith(prefix)).map((line) =>
    line.slice(prefix.length)
  );
}

function responseCase(vector: ResponseVector): Case {
  const { answer, outcome, status = 0 } = vector;
  const opens = "protocol" in outcome;
  const end = opens ? wire("client", END) : new Uint8Array(0);
  return {
    name: `${vector.name} (client)`,
    play: ({ plain }, cut) =>
      plain.client.play({
        answer: (accept) => joinBytes(latin1(answer(accept)), end),
        cut,
        endsWithFin: status >= 200,
      }),
    check(transcript) {
      const lines = linesOf("client", transcript);
      if (opens) {
        const { protocol } = outcome;
        const open = protocol === "" ? "open" : `open subprotocol ${protocol}`;
        return assertEquals(lines, [open, 'closed 1000 "end" clean']);
      }
      assertStringIncludes(lines[0], `HandshakeError ${status || "without status"}: `);
      assertStringIncludes(lines[0], outcome.error);
    },
  };
}

function frameCase(vector: Vector, role: Role): Case | null {
  const frames = vector.wire(role);
  if (frames === null) return null;
  const isOver = /^(?:close|error) /.test(vector.events.at(-1) ?? "");
  const bytes = isOver ? frames : joinBytes(frames, wire(role, END));
  const events = isOver ? vector.events : [...vector.events, 'close 1000 "end"'];
  return {
    name: `${vector.name} (${role})`,
    play: ({ plain: { server, client } }, cut) =>
      role === "server"
        ? server.play(cut(joinBytes(latin1(REQUEST), bytes)))
        : client.play({ answer: (accept) => answerWith(switching(accept), bytes), cut }),
    check(transcript) {
      assertEquals(linesOf(role, transcript), ["open", ...events.flatMap(seenBySession)]);
      const received = linesOf("peer", transcript);
      const fromHere = role === "server" ? received.slice(4) : received;
      assertEquals(fromHere, [...pongs(events), ...events.flatMap(answers), "FIN"]);
    },
  };
}

const NO_TAKEOVER = "; server_no_context_takeover; client_no_context_takeover";

/** Limits are the same for all connections of a bench: cases with others run in memory only. */
function compressedCases(vector: CompressedVector): Case[] {
  if (vector.limits !== undefined) return [];
  const contexts = vector.keepsContext === undefined ? [true, false] : [vector.keepsContext];
  return (["server", "client"] as const).flatMap((role) =>
    contexts.map((keepsContext) => compressedCase(vector, role, keepsContext))
  );
}

function compressedCase(vector: CompressedVector, role: Role, keepsContext: boolean): Case {
  const name = `${vector.name}, ${keepsContext ? "with" : "no"} context`;
  // What zlib says of corrupt bytes is not in the table.
  const events = vector.events.map((event) => event.replace("…", "REASON"));
  const row = frameCase({ name, events, wire: () => wire(role, ...vector.frames) }, role)!;
  const extensions = `permessage-deflate${keepsContext ? "" : NO_TAKEOVER}`;
  const request = requestWith("Sec-WebSocket-Extensions: permessage-deflate");
  const isOver = /^(?:close|error) /.test(vector.events.at(-1) ?? "");
  const bytes = wire(role, ...vector.frames, ...(isOver ? [] : [END]));
  return {
    name: row.name,
    play: (bench, cut) => {
      const { server, client } = keepsContext ? bench.takeover : bench.compressed;
      if (role === "server") return server.play(cut(joinBytes(latin1(request), bytes)));
      const answer = (accept: string): Uint8Array =>
        answerWith(switching(accept, extensions), bytes);
      return client.play({ answer, cut });
    },
    check(transcript) {
      const isAnswer = (line: string): boolean => /^peer: sec-websocket-extensions: /i.test(line);
      assertEquals(transcript.filter(isAnswer).length, role === "server" ? 1 : 0);
      const opened = `${role}: open with ${extensions}`;
      assertEquals(transcript.filter((line) => line === opened).length, 1);
      const lines = transcript.filter((line) => !isAnswer(line)).map((line) =>
        line === opened ? `${role}: open` : line
      );
      row.check(lines.map((line) => line.replace(/Message cannot be inflated: [^"]*/, "REASON")));
    },
  };
}

/** What a user of the session sees of an event. */
function seenBySession(event: string): string[] {
  const [type, code] = event.split(" ");
  const rest = event.slice(type.length + code.length + 2);
  switch (type) {
    case "close":
      return [`closed ${code} ${quoteAgain(rest)} clean`];
    case "error":
      return [`closed 1006 "" not clean, ProtocolError ${code}: ${rest}`];
    case "text":
      return [`text ${quoteAgain(event.slice(5))}`];
    case "binary":
      return [event];
    default:
      return [];
  }
}

function pongs(events: readonly string[]): string[] {
  return events.filter((event) => event.startsWith("ping ")).map((event) =>
    event.replace("ping", "pong").trimEnd()
  );
}

/** What an echo answers to an event, pongs aside. */
function answers(event: string): string[] {
  const [type, code] = event.split(" ");
  switch (type) {
    case "close":
      return [code === "1005" ? "close without code" : `close ${code} ""`];
    case "error":
      return [`close ${code} ${quote(event.slice(7 + code.length))}`];
    default:
      return seenBySession(event);
  }
}

/** The table's texts are JSON; those of transcripts are ASCII, too, and not as long. */
function quoteAgain(json: string): string {
  return quote(JSON.parse(json));
}

/** Every row of every table, for both roles. */
export const CASES: readonly Case[] = [
  ...REQUEST_VECTORS.map(requestCase),
  ...RESPONSE_VECTORS.map(responseCase),
  ...VECTORS.flatMap((vector) => [frameCase(vector, "server"), frameCase(vector, "client")])
    .filter((row) => row !== null),
  ...COMPRESSED_VECTORS.flatMap(compressedCases),
  ...NEGOTIATION_CASES,
];
