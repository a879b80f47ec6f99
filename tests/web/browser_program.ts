/**
 * A program as it is written for browsers, which says what it sees: Chromium runs it with its own
 * WebSocket (tests/browser), every runtime with ours, and all must say the same.
 *
 * @module
 */

/** Runs against an echo server at `url`. It refers to nothing outside, so that a page can run its text. */
export async function browserProgram(
  url: string,
  WebSocket: typeof globalThis.WebSocket,
): Promise<string[]> {
  const log: string[] = [];
  const say = (...words: unknown[]): void => void log.push(words.join(" "));
  const thrown = (act: () => unknown): string => {
    try {
      return String(act());
    } catch (error) {
      return `${(error as Error).name} ${error instanceof DOMException}`;
    }
  };
  const show = async (data: unknown): Promise<string> => {
    if (typeof data === "string") return `text ${data.length} ${data.slice(0, 20)}`;
    const kind = data instanceof Blob ? "Blob" : Object.prototype.toString.call(data).slice(8, -1);
    const buffer = data instanceof Blob ? await data.arrayBuffer() : data as ArrayBuffer;
    return `${kind} ${new Uint8Array(buffer).slice(0, 8)} of ${buffer.byteLength}`;
  };
  const once = (socket: EventTarget, type: string): Promise<Event> =>
    new Promise((resolve) => socket.addEventListener(type, resolve, { once: true }));
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  const socket = new WebSocket(url);
  say("states", socket.readyState, WebSocket.OPEN, socket.CLOSED, socket.binaryType);
  say("url", socket.url === url, "send", thrown(() => socket.send("x")));
  const loud: EventListenerOrEventListenerObject[] = [];
  const add = (word: string): void => {
    loud.push(() => say(word));
    socket.addEventListener("message", loud.at(-1)!);
  };
  add("first listener");
  socket.onmessage = () => say("replaced");
  add("last listener");
  socket.onmessage = ({ origin, lastEventId }) =>
    say("onmessage", origin === new URL(url).origin, lastEventId === "");
  const opened = await once(socket, "open");
  say("open", opened.constructor.name, opened.bubbles, socket.readyState, socket.protocol === "");

  const binary = new Uint8Array([0, 1, 254, 255]);
  const messages = [
    "hello",
    "",
    "\ud800 lone",
    "€".repeat(1000),
    binary,
    binary.buffer.slice(1, 3),
    new DataView(binary.buffer, 2),
    new Blob(["blob", binary]),
    "behind the blob",
  ];
  for (const message of messages) {
    socket.send(message);
    const { data } = await once(socket, "message") as MessageEvent;
    socket.onmessage = null;
    for (const listener of loud) socket.removeEventListener("message", listener);
    say(await show(data));
    socket.binaryType = socket.binaryType === "blob" ? "arraybuffer" : "blob";
  }
  const seen: string[] = [];
  const all = new Promise<void>((resolve) =>
    socket.addEventListener("message", ({ data }) => {
      seen.push(data);
      if (seen.length === 20) resolve();
    })
  );
  for (let i = 0; i < 20; i++) socket.send(`${i}`);
  say("buffered", socket.bufferedAmount);
  await all;
  await pause(10);
  say("seen", seen.join(), socket.bufferedAmount);

  for (const code of [0, 999, 1001, 1006, 2999, 5000]) say(code, thrown(() => socket.close(code)));
  say("long", thrown(() => socket.close(1000, "€".repeat(42))));
  socket.close(4321, "enough");
  socket.close();
  socket.send("dropped");
  say("closing", socket.readyState, socket.bufferedAmount);
  const closed = await once(socket, "close") as CloseEvent;
  say("close", closed.code, closed.wasClean, closed.constructor.name, socket.readyState);
  say("after", socket.bufferedAmount, thrown(() => socket.send("x")), socket.bufferedAmount);

  for (
    const [address, protocols] of [
      ["", ""],
      ["ws://[::1/", []],
      ["ftp://example.com/", []],
      [`${url}#`, []],
      [url, "a b"],
      [url, ["a", "a"]],
    ] as [string, string[]][]
  ) {
    say("wrong", thrown(() => new WebSocket(address === "" ? "ws://" : address, protocols)));
  }

  const failing = new WebSocket("ws://127.0.0.1:9/");
  const order: string[] = [];
  failing.onerror = (event) => order.push(`error ${failing.readyState} ${event.type}`);
  failing.onclose = ({ code, reason, wasClean }) =>
    order.push(`close ${failing.readyState} ${code} "${reason}" ${wasClean}`);
  await once(failing, "close");
  await pause(0);
  say(order.join("; "));

  const early = new WebSocket(url);
  early.close();
  say("early", early.readyState);
  const events = await Promise.all([once(early, "error"), once(early, "close")]);
  say(events.map(({ type }) => type).join(), (events[1] as CloseEvent).code, early.readyState);
  return log;
}

/** What it says. */
export const TRANSCRIPT: readonly string[] = [
  "states 0 1 3 blob",
  "url true send InvalidStateError true",
  "open Event false 1 true",
  "first listener",
  "onmessage true true",
  "last listener",
  "text 5 hello",
  "text 0 ",
  "text 6 � lone",
  "text 1000 €€€€€€€€€€€€€€€€€€€€",
  "Blob 0,1,254,255 of 4",
  "ArrayBuffer 1,254 of 2",
  "Blob 254,255 of 2",
  "ArrayBuffer 98,108,111,98,0,1,254,255 of 8",
  "text 15 behind the blob",
  "buffered 30",
  "seen 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19 0",
  "0 InvalidAccessError true",
  "999 InvalidAccessError true",
  "1001 InvalidAccessError true",
  "1006 InvalidAccessError true",
  "2999 InvalidAccessError true",
  "5000 InvalidAccessError true",
  "long SyntaxError true",
  "closing 2 7",
  "close 4321 true CloseEvent 3",
  "after 7 undefined 8",
  "wrong SyntaxError true",
  "wrong SyntaxError true",
  "wrong SyntaxError true",
  "wrong SyntaxError true",
  "wrong SyntaxError true",
  "wrong SyntaxError true",
  'error 3 error; close 3 1006 "" false',
  "early 2",
  "error,close 1006 3",
];
