import { assertEquals, assertThrows } from "@std/assert";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { type Command, parseCommand, USAGE, VERSION } from "../../src/cli/arguments.ts";
import { Failure } from "../../src/cli/failure.ts";
import { ROOT } from "../toolchain.ts";

const TARGET = "ws://localhost/";

const COMMON = {
  protocols: [],
  origin: undefined,
  compress: false,
  binary: false,
  json: false,
  quiet: false,
  ping: undefined,
  timeout: 10_000,
};

function client(changes: object): Command {
  const own = { action: "connect", url: TARGET, headers: [], wait: 1000, ca: undefined } as const;
  return { ...COMMON, ...own, ...changes };
}

function server(changes: object): Command {
  const own = { action: "listen", hostname: "127.0.0.1", port: 8000, echo: false } as const;
  return { ...COMMON, ...own, ...changes };
}

describe("parseCommand()", () => {
  for (
    const [args, command] of [
      [[TARGET], client({})],
      [
        [TARGET, "--header", "A: b:c", "--header", "D:", "--protocol", "x", "--protocol", "y"],
        client({ headers: [["A", "b:c"], ["D", ""]], protocols: ["x", "y"] }),
      ],
      [
        ["--compress", "--binary", "--json", "--quiet", TARGET],
        client({ compress: true, binary: true, json: true, quiet: true }),
      ],
      [
        [TARGET, "--ping", "0.5", "--wait", "2", "--timeout", ".25", "--ca", "f", "--origin", "o"],
        client({ ping: 500, wait: 2000, timeout: 250, ca: "f", origin: "o" }),
      ],
      [[TARGET, "--wait", "0"], client({ wait: 0 })],
      [[TARGET, "--wait", "inf"], client({ wait: Infinity })],
      [["--listen", "8000"], server({})],
      [
        ["--listen", "localhost:0", "--echo"],
        server({ hostname: "localhost", port: 0, echo: true }),
      ],
      [["--listen", "[::1]:65535"], server({ hostname: "::1", port: 65_535 })],
      [["--help", "--listen", "x"], { action: "help" }],
      [["-h"], { action: "help" }],
      [["--version"], { action: "version" }],
    ] as [string[], Command][]
  ) {
    test(`reads ${args.join(" ")}`, () => assertEquals(parseCommand(args), command));
  }

  for (
    const [args, message] of [
      [[], "A URL is missing, or --listen"],
      [[TARGET, "more"], 'Unexpected argument "more"'],
      [["--listen", "1", TARGET], `Unexpected argument "${TARGET}"`],
      [[TARGET, "--colour"], "--colour"],
      [[TARGET, "--header"], "--header"],
      [[TARGET, "--header", "--json"], "--header"],
      [[TARGET, "--header", "secret"], '--header is not of the form "Name: value"'],
      [[TARGET, "--header", ": a"], '--header is not of the form "Name: value"'],
      [[TARGET, "--ping", "0"], '--ping is "0", not a number of seconds'],
      [[TARGET, "--ping", "1e3"], '--ping is "1e3"'],
      [[TARGET, "--timeout", "9999999"], '--timeout is "9999999"'],
      [[TARGET, "--timeout", "inf"], '--timeout is "inf"'],
      [[TARGET, "--wait", ""], '--wait is ""'],
      [[TARGET, "--wait", "x"], '--wait is "x"'],
      [["--listen", "65536"], '--listen is "65536", not a port or host:port'],
      [["--listen", "::1:80"], '--listen is "::1:80"'],
      [["--listen", ":80"], '--listen is ":80"'],
      [[TARGET, "--echo"], "--echo does not go without --listen"],
      [["--listen", "1", "--header", "A: b"], "--header does not go with --listen"],
      [["--listen", "1", "--wait", "1"], "--wait does not go with --listen"],
      [["--listen", "1", "--ca", "f"], "--ca does not go with --listen"],
    ] as [string[], string][]
  ) {
    test(`refuses ${args.join(" ") || "no arguments"}: ${message}`, () => {
      const error = assertThrows(() => parseCommand(args), Failure, message);
      assertEquals(error.status, 2);
      assertEquals(error.message.includes("\n"), false);
    });
  }
});

test("VERSION is that of the package", () => {
  const { version } = JSON.parse(readFileSync(`${ROOT}deno.json`, "utf8"));
  assertEquals(VERSION, version);
});

test("USAGE fits into 100 columns and names every option", () => {
  for (const line of USAGE.split("\n")) assertEquals(line.length <= 100, true, line);
  const names =
    "header protocol origin compress binary json ping wait timeout ca listen echo quiet";
  for (const name of `${names} version help`.split(" ")) {
    assertEquals(USAGE.includes(`--${name}`), true, name);
  }
});
