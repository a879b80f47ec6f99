import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, test } from "node:test";
import { serve, type TcpAddr } from "../../mod.ts";
import { type ClientCommand, parseCommand } from "../../src/cli/arguments.ts";
import { runClient } from "../../src/cli/client.ts";
import { sendLines } from "../../src/cli/conversation.ts";
import { ExitStatus } from "../../src/cli/failure.ts";
import { type Output, Terminal } from "../../src/cli/terminal.ts";

/** An output whose reader does not read before `open()`. */
class Gate implements Output {
  size = 0;
  #isOpen = false;
  #waiting: (() => void)[] = [];

  write(text: string, done: () => void): void {
    this.size += text.length;
    if (this.#isOpen) done();
    else this.#waiting.push(done);
  }

  open(): void {
    this.#isOpen = true;
    for (const done of this.#waiting) done();
  }
}

function createTerminal() {
  const [stdout, stderr] = [new Gate(), new Gate()];
  return { stdout, terminal: new Terminal({ stdout, stderr, hasColours: false }) };
}

/** A terminal whose errors and notes are kept. */
function recordingTerminal(): { terminal: Terminal; printed: () => string } {
  let printed = "";
  const stderr = {
    write(text: string, done: () => void) {
      printed += text;
      done();
    },
  };
  const terminal = new Terminal({ stdout: new Gate(), stderr, hasColours: false });
  return { terminal, printed: () => printed };
}

function clientCommand(...args: string[]): ClientCommand {
  const command = parseCommand(args);
  assert(command.action === "connect");
  return command;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("sendLines()", () => {
  test("takes the next line when the last one has been sent", async () => {
    let taken = 0;
    async function* lines() {
      for (taken = 1; taken <= 3; taken++) yield `${taken}`;
    }
    const sent: unknown[] = [];
    let goOn: (() => void) | undefined;
    const done = sendLines(lines(), clientCommand("ws://x/"), createTerminal().terminal, (line) => {
      sent.push(line);
      return new Promise((resolve) => goOn = resolve);
    });
    for (let i = 1; i <= 3; i++) {
      await pause(5);
      assertEquals([taken, sent.length], [i, i]);
      goOn!();
    }
    await done;
    assertEquals(sent, ["1", "2", "3"]);
  });

  test("tells of an input that breaks, and counts as ended then", async () => {
    async function* lines() {
      yield "00";
      yield "x";
      throw new Error("It broke");
    }
    const { terminal, printed } = recordingTerminal();
    const command = clientCommand("ws://x/", "--binary");
    let wrong = 0;
    await sendLines(lines(), command, terminal, () => Promise.resolve(), () => wrong++);
    assertEquals(wrong, 1);
    assertStringIncludes(printed(), "(--binary): x\nCannot read standard input: It broke\n");
  });
});

test("a line that can't be sent counts, though the server is the first to close", async () => {
  const isPrinted = Promise.withResolvers<void>();
  const server = await serve({ port: 0 }, () => isPrinted.promise);
  const { port } = server.addr as TcpAddr;
  async function* lines() {
    yield "no hexadecimal";
    isPrinted.resolve();
    await new Promise<never>(() => {}); // the input goes on
  }
  const command = clientCommand(`ws://ada:secret@127.0.0.1:${port}/x?y`, "--binary");
  const { terminal, printed } = recordingTerminal();
  const status = await runClient(command, terminal, lines(), new AbortController().signal);
  assertEquals(status, ExitStatus.Usage);
  assertStringIncludes(printed(), `Connected to ws://127.0.0.1:${port}/x?y\n`);
  await server.shutdown();
});

test("a server waits when nobody reads what the client prints", async () => {
  const count = 100;
  let sent = 0;
  const server = await serve({ port: 0 }, async (session) => {
    for (; sent < count; sent++) await session.send("x".repeat(1_048_576));
  });
  const { port } = server.addr as TcpAddr;
  const { stdout, terminal } = createTerminal();
  async function* nothing(): AsyncGenerator<string> {}
  const command = clientCommand(`ws://127.0.0.1:${port}/`, "--wait", "inf");
  const running = runClient(command, terminal, nothing(), new AbortController().signal);
  let before = -1;
  while (sent > before || sent < 10) {
    before = sent;
    await pause(300);
  }
  assert(sent < count, "the server has sent everything");
  assertEquals(stdout.size, 1_048_577);
  stdout.open();
  assertEquals(await running, 0);
  assertEquals(stdout.size, count * 1_048_577);
  await server.shutdown();
});
