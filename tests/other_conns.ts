/** The two ways in which a Conn may hand out its bytes, made of each other. @module */

import type { Addr, Conn, ConnFlow, ConnSink, Listener } from "../src/runtime/conn.ts";
import { Inflow } from "../src/runtime/inflow.ts";

/** What bytes are filled with that are no longer valid. */
const SCRIBBLE = 0xdd;

/** A Conn that cannot push, whatever the one below can. */
export class PulledConn implements Conn {
  readonly remoteAddr: Addr | undefined;
  readonly #conn: Conn;

  constructor(conn: Conn) {
    this.#conn = conn;
    this.remoteAddr = conn.remoteAddr;
  }

  read(): Promise<Uint8Array | null> {
    return this.#conn.read();
  }

  write(bytes: Uint8Array): Promise<void> | void {
    return this.#conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }
}

/**
 * A Conn that pushes what the one below reads, and spoils the bytes as soon as it may; it tells when
 * the bytes of a write are changed before they have left.
 */
export class PushedConn extends PulledConn implements Conn {
  readonly #inflow: Inflow;
  readonly #source: Conn;
  readonly #onChanged: () => void;
  #isPaused = true;
  #isReading = false;

  constructor(conn: Conn, onChanged: () => void) {
    super(conn);
    this.#source = conn;
    this.#onChanged = onChanged;
    this.#inflow = new Inflow({
      pause: () => this.#isPaused = true,
      resume: () => {
        this.#isPaused = false;
        void this.#pump();
      },
    });
  }

  push(sink: ConnSink): ConnFlow {
    const data = (bytes: Uint8Array): boolean => {
      const isDone = sink.data(bytes);
      if (isDone) bytes.fill(SCRIBBLE);
      return isDone;
    };
    const flow = this.#inflow.push({
      data,
      end: () => sink.end(),
      fail: (error) => sink.fail(error),
    });
    this.#isPaused = false;
    void this.#pump();
    return flow;
  }

  override async write(bytes: Uint8Array): Promise<void> {
    const before = bytes.slice();
    try {
      await super.write(bytes);
    } finally {
      if (bytes.some((byte, i) => byte !== before[i])) this.#onChanged();
    }
  }

  override close(): void {
    super.close();
    this.#inflow.close();
  }

  async #pump(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    while (!this.#isPaused) {
      try {
        const bytes = await this.#source.read();
        if (bytes === null) return this.#inflow.end();
        this.#inflow.receive(bytes.slice());
      } catch (error) {
        return this.#inflow.end(error);
      }
    }
    this.#isReading = false;
  }
}

/** A listener whose connections push, or not, as the test says at the time. */
export class ChoosingListener implements Listener {
  readonly addr: Addr;
  readonly secure: boolean;
  readonly #listener: Listener;
  /** Whether the next connections cannot push. */
  isPulled = false;

  constructor(listener: Listener) {
    this.#listener = listener;
    this.addr = listener.addr;
    this.secure = listener.secure;
  }

  async accept(): Promise<Conn | null> {
    const conn = await this.#listener.accept();
    return conn === null || !this.isPulled ? conn : new PulledConn(conn);
  }

  close(): void {
    this.#listener.close();
  }
}
