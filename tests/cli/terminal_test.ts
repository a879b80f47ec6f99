import { assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { type Output, Terminal } from "../../src/cli/terminal.ts";

/** Standard output that remembers, and takes its time if it is told to. */
class FakeOutput implements Output {
  text = "";
  waiting: (() => void)[] = [];
  readonly isTTY: boolean;
  isSlow = false;

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  write(text: string, done: () => void): void {
    this.text += text;
    if (this.isSlow) this.waiting.push(done);
    else done();
  }
}

function create(isTTY: boolean, hasColours: boolean) {
  const [stdout, stderr] = [new FakeOutput(isTTY), new FakeOutput(isTTY)];
  const terminal = new Terminal({ stdout, stderr, hasColours });
  void terminal.message("a\x1b[2J\nb", "#1 ");
  terminal.note("note");
  terminal.error("error");
  return { terminal, stdout, stderr };
}

describe("Terminal", () => {
  test("marks messages on a terminal, disarms and colours them", () => {
    const { stdout, stderr } = create(true, true);
    assertEquals(stdout.text, "\x1b[36m#1 <\x1b[39m a\\x1b[2J\nb\n");
    assertEquals(stderr.text, "\x1b[2mnote\x1b[22m\n\x1b[31merror\x1b[39m\n");
  });

  test("does without colours where they are not wanted", () => {
    const { stdout, stderr } = create(true, false);
    assertEquals(stdout.text, "#1 < a\\x1b[2J\nb\n");
    assertEquals(stderr.text, "note\nerror\n");
  });

  test("prints messages as they came where no people look", () => {
    const { stdout, stderr } = create(false, true);
    assertEquals(stdout.text, "a\x1b[2J\nb\n");
    assertEquals(stderr.text, "note\nerror\n");
  });

  test("prints no notes when it is quiet", () => {
    const { terminal, stderr } = create(false, true);
    terminal.isQuiet = true;
    terminal.note("another note");
    terminal.error("another error");
    assertEquals(stderr.text, "note\nerror\nanother error\n");
  });

  test("message() and drain() wait until the text has left", async () => {
    const { terminal, stdout } = create(false, true);
    stdout.isSlow = true;
    const events: string[] = [];
    const message = terminal.message("slow").then(() => events.push("message"));
    const drained = terminal.drain().then(() => events.push("drained"));
    await new Promise((resolve) => setTimeout(resolve, 10));
    assertEquals(events, []);
    for (const done of stdout.waiting) done();
    await Promise.all([message, drained]);
    assertEquals(events, ["message", "drained"]);
  });
});
