/** A client of the speed benchmark: TCP on Bun, a handshake, then bytes. @module */

/** The little of Bun that is used here; there are no types of it in this project. */
interface Socket {
  data: RawPeer;
  write(bytes: Uint8Array, offset?: number, length?: number): number;
  terminate(): void;
}
interface BunNet {
  connect(options: object): Promise<Socket>;
}
const { Bun: bun } = globalThis as unknown as { Bun: BunNet };

const HEAD_END = "\r\n\r\n";

const EVENTS = {
  open: (socket: Socket): void => socket.data.opened(socket),
  data: (socket: Socket, bytes: Uint8Array): void => socket.data.received(bytes),
  drain: (socket: Socket): void => socket.data.drain(),
  close: (socket: Socket): void => socket.data.closed(),
  error: (socket: Socket): void => socket.data.closed(),
  connectError: (socket: Socket, error: Error): void => socket.data.closed(error),
};

interface Settle {
  resolve(peer: RawPeer): void;
  reject(error: Error): void;
}

/** One connection. */
export class RawPeer {
  readonly #port: number;
  #socket!: Socket;
  #rest: Uint8Array[] = [];
  /** The response, as long as it has not ended. */
  #head: string | null = "";
  readonly #settle: Settle;
  /** The bytes that must come first. */
  #expected: Uint8Array | null = null;
  #checked = 0;
  #isLeaving = false;
  /** Called with what has come in, and how much that is. */
  onbytes: (count: number, bytes: Uint8Array) => void = () => {};

  /** `null`: there is no handshake. */
  readonly #offer: string | null;

  private constructor(port: number, offer: string | null, settle: Settle) {
    this.#port = port;
    this.#offer = offer;
    this.#settle = settle;
  }

  /**
   * Resolves when the server has answered 101; rejects for anything else. `offer` is the request's
   * `Sec-WebSocket-Extensions`.
   */
  static open(port: number, offer: string = ""): Promise<RawPeer> {
    return RawPeer.#dial(port, offer);
  }

  /** Resolves when a server has accepted the connection, on which there is no WebSocket. */
  static openTcp(port: number): Promise<RawPeer> {
    return RawPeer.#dial(port, null);
  }

  static #dial(port: number, offer: string | null): Promise<RawPeer> {
    return new Promise((resolve, reject) => {
      const data = new RawPeer(port, offer, { resolve, reject });
      bun.connect({ hostname: "127.0.0.1", port, data, socket: EVENTS }).catch(reject);
    });
  }

  /** The first frame that comes in must be this one. */
  expect(frame: Uint8Array): void {
    this.#expected = frame;
  }

  opened(socket: Socket): void {
    this.#socket = socket;
    if (this.#offer === null) {
      this.#head = null;
      return this.#settle.resolve(this);
    }
    this.write(new TextEncoder().encode(
      `GET / HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\nUpgrade: websocket\r\n` +
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
        (this.#offer === "" ? "\r\n" : `Sec-WebSocket-Extensions: ${this.#offer}\r\n\r\n`),
    ));
  }

  received(bytes: Uint8Array): void {
    if (this.#head !== null) return this.#readHead(bytes);
    if (this.#expected !== null) this.#check(bytes, this.#expected);
    this.onbytes(bytes.length, bytes);
  }

  /** Writes all of it, now and as the system takes it. */
  write(bytes: Uint8Array): void {
    this.#rest.push(bytes);
    if (this.#rest.length === 1) this.drain();
  }

  drain(): void {
    while (this.#rest.length > 0) {
      const [bytes] = this.#rest;
      const count = this.#socket.write(bytes);
      if (count < bytes.length) {
        this.#rest[0] = bytes.subarray(Math.max(0, count));
        return;
      }
      this.#rest.shift();
    }
  }

  closed(error: Error = new Error("The server has closed the connection")): void {
    if (this.#isLeaving) return;
    this.#settle.reject(error);
    throw error;
  }

  /** Leaves without a word. */
  reset(): void {
    this.#isLeaving = true;
    this.#socket.terminate();
  }

  #readHead(bytes: Uint8Array): void {
    this.#head += new TextDecoder().decode(bytes);
    if (!this.#head!.endsWith(HEAD_END)) return;
    const agreed = /^sec-websocket-extensions: permessage-deflate/im.test(this.#head!);
    if (this.#head!.startsWith("HTTP/1.1 101") && agreed === (this.#offer !== "")) {
      this.#settle.resolve(this);
    } else this.#settle.reject(new Error(`The server answers ${this.#head}`));
    this.#head = null;
  }

  #check(bytes: Uint8Array, expected: Uint8Array): void {
    const end = Math.min(bytes.length, expected.length - this.#checked);
    for (let i = 0; i < end; i++) {
      if (bytes[i] === expected[this.#checked + i]) continue;
      throw new Error(`The server's reply is wrong at byte ${this.#checked + i}`);
    }
    this.#checked += end;
    if (this.#checked === expected.length) this.#expected = null;
  }
}
