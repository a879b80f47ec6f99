/**
 * What the command line prints: messages to standard output, everything else to standard error.
 *
 * @module
 */

import { escapeControls } from "./text.ts";

/** Standard output or standard error. */
export interface Output {
  /** Whether people are looking. */
  readonly isTTY?: boolean;
  /** Writes, and calls `done` when the text has left. */
  write(text: string, done: (error?: Error | null) => void): unknown;
}

/** Where to print, and how. */
export interface TerminalInit {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Whether terminals get colours. */
  readonly hasColours: boolean;
}

const Style = { Dim: [2, 22], Red: [31, 39], Cyan: [36, 39] } as const;
type Style = (typeof Style)[keyof typeof Style];

/** Prints. On a terminal messages are marked, and can't steer it; elsewhere they are as they came. */
export class Terminal {
  /** Whether {@linkcode Terminal.note} prints nothing. */
  isQuiet = false;
  readonly #init: TerminalInit;
  #lastWrite: Promise<unknown> = Promise.resolve();

  constructor(init: TerminalInit) {
    this.#init = init;
  }

  /** Prints a message; resolves when it has left, which is how a slow reader slows us down. */
  message(text: string, from = ""): Promise<void> {
    const { stdout } = this.#init;
    if (!stdout.isTTY) return this.#write(stdout, `${text}\n`);
    const mark = this.#paint(stdout, Style.Cyan, `${from}<`);
    return this.#write(stdout, `${mark} ${escapeControls(text)}\n`);
  }

  /** Prints what was asked for: the help. */
  answer(text: string): void {
    void this.#write(this.#init.stdout, `${text}\n`);
  }

  /** Says what is going on. */
  note(text: string): void {
    if (this.isQuiet) return;
    const { stderr } = this.#init;
    void this.#write(stderr, `${this.#paint(stderr, Style.Dim, text)}\n`);
  }

  /** Says what went wrong. */
  error(text: string): void {
    const { stderr } = this.#init;
    void this.#write(stderr, `${this.#paint(stderr, Style.Red, text)}\n`);
  }

  /** Waits until everything printed so far has left. */
  async drain(): Promise<void> {
    await this.#lastWrite;
  }

  #paint(output: Output, [on, off]: Style, text: string): string {
    const isPlain = !output.isTTY || !this.#init.hasColours;
    return isPlain ? text : `\x1b[${on}m${text}\x1b[${off}m`;
  }

  /** Never rejects: whoever reads may have left, and there is nobody to tell. */
  #write(output: Output, text: string): Promise<void> {
    const write = new Promise<void>((resolve) => void output.write(text, () => resolve()));
    this.#lastWrite = Promise.all([this.#lastWrite, write]);
    return write;
  }
}
