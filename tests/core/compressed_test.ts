import { deflateRawSync } from "node:zlib";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import { ProtocolError } from "../../src/core/errors.ts";
import { type Event, Protocol } from "../../src/core/protocol.ts";
import { prepareMessage } from "../../src/core/prepared_message.ts";
import { streamEngine } from "../../src/runtime/zlib_stream.ts";
import { cuts, seededBytes } from "../cuts.ts";
import { decodeFrames, joinBytes } from "../frames.ts";
import { type CodecChoice, createCodec, createCompressed, SlowCodec, turn } from "./codecs.ts";
import { COMPRESSED_VECTORS, deflated } from "./compressed_vectors.ts";
import {
  describeEvent,
  LIMITS,
  outputOf,
  ROLES,
  takeEvents,
  takeOutput,
  type Way,
  WAYS,
} from "./transcript.ts";
import { frame, hex, line, utf8, wire } from "./wire.ts";

/** The events of bytes in pieces; for long messages it waits. */
async function read(
  protocol: Protocol,
  pieces: readonly Uint8Array[],
  way?: Way,
): Promise<string[]> {
  const events: Event[] = [];
  for (const piece of pieces) {
    protocol.receive(piece.slice());
    events.push(...takeEvents(protocol, way));
    while (protocol.inflating !== null) {
      assert(protocol.hasInput);
      await protocol.inflating;
      events.push(...takeEvents(protocol, way));
    }
    assertEquals(protocol.hasInput, false);
  }
  return events.map(describeEvent)
    .map((text) => text.replace(/(error 1007) Message cannot be inflated: .+/, "$1 …"));
}

async function readWith(
  choice: CodecChoice,
  role: "server" | "client",
  pieces: readonly Uint8Array[],
  limits = {},
  way?: Way,
): Promise<string[]> {
  const codec = createCodec(choice);
  const events = await read(createCompressed(role, codec, limits), pieces, way);
  codec.close();
  return events;
}

describe("compressed messages received", () => {
  for (const role of ROLES) {
    for (const { name, frames, events, keepsContext, limits } of COMPRESSED_VECTORS) {
      const bytes = wire(role, ...frames);
      const choices = keepsContext === undefined ? [true, false] : [keepsContext];
      for (const keeps of choices) {
        test(`${name} (${role}, ${keeps ? "with" : "no"} context)`, async () => {
          for (const { name, pieces } of cuts(bytes)) {
            for (const way of WAYS) {
              const seen = await readWith({ keepsContext: keeps }, role, pieces, limits, way);
              assertEquals(seen, events, `${name}, ${way}`);
            }
          }
        });

        test(`${name} (${role}, ${keeps ? "with" : "no"} context, fallback)`, async () => {
          for (const { name, pieces } of cuts(bytes)) {
            if (!/whole|seed 1/.test(name)) continue;
            const choice = { keepsContext: keeps, engine: streamEngine };
            assertEquals(await readWith(choice, role, pieces, limits), events, name);
          }
        });
      }
    }
  }

  test("C-1 without an agreement RSV1 is an error, and nothing is inflated", () => {
    const protocol = new Protocol({ role: "server", limits: LIMITS });
    protocol.receive(wire("server", frame(0xc1, hex("f248cdc9c90700"))));
    assertEquals(takeEvents(protocol).map(describeEvent), [
      "error 1002 A reserved bit is set that no extension has defined",
    ]);
  });

  for (const size of [65_535, 65_536, 65_537, 131_072, 131_073, 1_000_000, 1_048_576]) {
    test(`C-10 a message of ${size} bytes arrives whole, whatever the sizes of buffers`, async () => {
      const data = seededBytes(size, 7).map((byte) => byte & 15);
      const bytes = wire("server", frame(0xc2, deflated(data)), frame(0xc1, hex("00")));
      for (const keepsContext of [true, false]) {
        const protocol = createCompressed("server", createCodec({ keepsContext }));
        protocol.receive(bytes.slice());
        const events = [...takeEvents(protocol)];
        while (protocol.inflating !== null) {
          await protocol.inflating;
          events.push(...takeEvents(protocol));
        }
        const [first, second] = events;
        assert(first.type === "message" && second.type === "message" && events.length === 2);
        assertEquals(first.data, data);
        assertEquals(second.data, "");
      }
    });
  }

  test("M-8 a bomb costs no more than the limit and one piece", async () => {
    const bomb = deflateRawSync(new Uint8Array(64 << 20), { level: 9 });
    for (const maxMessageSize of [1_048_576, 10_000_000]) {
      const codec = createCodec({ keepsContext: false });
      let size = 0;
      const counting = {
        ...codec,
        inflater: {
          inflate: (...[bytes, isLast, sink]: Parameters<typeof codec.inflater.inflate>) =>
            codec.inflater.inflate(bytes, isLast, (piece, isWhole) => {
              size += piece.length;
              sink(piece, isWhole);
            }),
        },
      };
      const protocol = createCompressed("server", counting, { maxMessageSize });
      const events = await read(protocol, [wire("server", frame(0xc2, bomb))]);
      assertEquals(events, [
        `error 1009 Message is longer than ${maxMessageSize} bytes (limits.maxMessageSize)`,
      ]);
      assert(size <= maxMessageSize + 65_536, `${size}`);
      codec.close();
    }
  });

  test("M-8 a bomb in 64 fragments, too", async () => {
    const bomb = deflateRawSync(new Uint8Array(8 << 20), { level: 9 });
    const size = Math.ceil(bomb.length / 64);
    const frames = Array.from(
      { length: 64 },
      (_, i) => frame(i === 0 ? 0x42 : 0, bomb.subarray(i * size, (i + 1) * size)),
    );
    assertEquals(await readWith({}, "server", [wire("server", ...frames)]), [
      "error 1009 Message is longer than 1048576 bytes (limits.maxMessageSize)",
    ]);
  });

  test("a header alone asks nothing of the inflater", () => {
    const codec = createCodec();
    const inflater = {
      inflate: (): void => {
        throw new Error("asked");
      },
    };
    const protocol = createCompressed("server", { ...codec, inflater });
    protocol.receive(wire("server", frame(0xc1, "", "7e0400")));
    assertEquals(takeEvents(protocol), []);
    codec.close();
  });

  test("the buffer of a message holds only that message (A-6)", () => {
    const protocol = createCompressed("server");
    protocol.receive(wire("server", frame(0xc2, deflated(utf8("abc")))));
    const event = protocol.next();
    assert(event?.type === "message" && event.data instanceof Uint8Array);
    assertEquals([event.data.length, event.data.buffer.byteLength], [3, 3]);
  });
});

describe("an inflater that takes its time", () => {
  const inverted = (text: string): Uint8Array => utf8(text).map((byte) => ~byte);
  const setUp = (bytes: Uint8Array): { codec: SlowCodec; protocol: Protocol } => {
    const codec = new SlowCodec();
    const protocol = createCompressed("server", codec);
    protocol.receive(bytes);
    return { codec, protocol };
  };
  const seen = (protocol: Protocol): string[] => takeEvents(protocol).map(describeEvent);

  test("holds up what follows, and nothing is lost", async () => {
    const { codec, protocol } = setUp(
      wire(
        "server",
        frame(0x41, inverted("ab")),
        frame(0x89, "p"),
        frame(0x80, inverted("cd")),
        frame(0x81, "raw"),
      ),
    );
    assertEquals(seen(protocol), []);
    assert(protocol.inflating !== null && protocol.hasInput);
    assertEquals(protocol.next(), null);
    assertThrows(() => protocol.receive(hex("8a00")), TypeError, "earlier bytes");
    await codec.go();
    assertEquals(protocol.inflating, null);
    assert(protocol.hasInput);
    assertEquals(seen(protocol), ["ping 70"]);
    await codec.go();
    assertEquals(seen(protocol), ['text "abcd"', 'text "raw"']);
    assertEquals(protocol.hasInput, false);
  });

  for (const isWhole of [true, false]) {
    test(`holds up a short message that is there already (whole: ${isWhole})`, async () => {
      const { codec, protocol } = setUp(
        wire("server", frame(0xc1, inverted("ab")), frame(0x82, "cd"), frame(0x81, "ef")),
      );
      codec.isWhole = isWhole;
      assertEquals(seen(protocol), []);
      assertEquals(protocol.nextShortMessage(), null); // it works
      await codec.go();
      assertEquals(protocol.nextShortMessage(), null); // it is done, and the message not taken
      assertEquals(protocol.next(), { type: "message", data: "ab" });
      assertEquals(protocol.nextShortMessage(), utf8("cd"));
      assertEquals(seen(protocol), ['text "ef"']);
    });
  }

  test("works on a frame piece by piece", async () => {
    const bytes = wire("server", frame(0xc1, inverted("abcd")));
    const { codec, protocol } = setUp(bytes.slice(0, 8));
    assertEquals(seen(protocol), []);
    await codec.go();
    assertEquals(seen(protocol), []);
    assertEquals(protocol.hasInput, false);
    protocol.receive(bytes.slice(8));
    assertEquals(seen(protocol), []);
    await codec.go();
    assertEquals(seen(protocol), ['text "abcd"']);
  });

  test("reports its fault, and the sink's, as any other", async () => {
    for (
      const [fault, expected] of [
        [new Error("broken"), "error 1007 Message cannot be inflated: broken"],
        ["broken", "error 1007 Message cannot be inflated: broken"],
        [new ProtocolError("rule", 1009), "error 1009 rule"],
      ]
    ) {
      const { codec, protocol } = setUp(wire("server", frame(0xc1, "x"), frame(0x81, "late")));
      assertEquals(seen(protocol), []);
      await codec.fail(fault);
      assertEquals(seen(protocol), [expected]);
      assertEquals([protocol.hasInput, protocol.inflating], [false, null]);
    }
  });

  test("is forgotten when the protocol fails meanwhile", async () => {
    const { codec, protocol } = setUp(wire("server", frame(0xc1, "x")));
    assertEquals(seen(protocol), []);
    protocol.fail(new ProtocolError("over"));
    assertEquals([protocol.hasInput, protocol.inflating], [false, null]);
    await codec.go();
    assertEquals(seen(protocol), []);
  });
});

/** What a protocol has to write, inflated again by zlib through an agreed window. */
function sent(protocol: Protocol): string[] {
  return decodeFrames(protocol.role, takeOutput(protocol), true)
    .map(({ rsv, opcode, payload }) =>
      `${opcode}${rsv === 4 ? " compressed" : ""} ${payload.length}`
    );
}

describe("compressed messages sent", () => {
  const TEXT = "abc".repeat(500);

  for (const role of ROLES) {
    test(`are what the other side receives (${role})`, async () => {
      for (const keepsContext of [true, false]) {
        const here = createCompressed(role, createCodec({ keepsContext }));
        const there = createCompressed(
          role === "server" ? "client" : "server",
          createCodec({ keepsContext }),
        );
        const data = seededBytes(1000, 1);
        for (const message of [TEXT, "", TEXT, data, "a", data, TEXT]) here.sendMessage(message);
        const expected = [TEXT, "", TEXT, data, "a", data, TEXT].map((message) =>
          typeof message === "string" ? `text ${JSON.stringify(message)}` : line("binary", message)
        );
        const output = takeOutput(here);
        assertEquals(await read(there, [output]), expected);
        assertEquals(output.length < 2 * data.length + 200, true, `${output.length}`);
      }
    });
  }

  test("RFC 7692 7.2.3.2 refer to the message before, if that was agreed on", () => {
    const frames = (keepsContext: boolean): Uint8Array[] => {
      const protocol = createCompressed("server", createCodec({ keepsContext }));
      protocol.sendMessage("Hello, Hello, what is it that you say?");
      protocol.sendMessage("Hello, Hello, what is it that you say?");
      return decodeFrames("server", takeOutput(protocol), true).map(({ payload }) => payload);
    };
    const [first, second] = frames(true);
    assert(second.length < first.length);
    const [third, fourth] = frames(false);
    assertEquals(third, fourth);
  });

  test("threshold: shorter ones are sent as they are, and each message may say otherwise", () => {
    const protocol = createCompressed("server", createCodec({ threshold: 1000 }));
    protocol.sendMessage("a".repeat(999));
    protocol.sendMessage("a".repeat(1000));
    protocol.sendMessage("a".repeat(999), true);
    protocol.sendMessage("a".repeat(1000), false); // C-19
    protocol.sendMessage("", true);
    protocol.sendMessage("é".repeat(500));
    const seen = sent(protocol).map((text) => text.replace(/\d+$/, ""));
    assertEquals(seen, ["1 ", "1 compressed ", "1 compressed ", "1 ", "1 ", "1 compressed "]);
  });

  test("what would grow is sent as it is, and later ones do not refer to it", async () => {
    const protocol = createCompressed("server");
    const noise = seededBytes(300, 3);
    protocol.sendMessage(noise);
    protocol.sendMessage(noise);
    protocol.sendMessage(TEXT);
    const output = takeOutput(protocol);
    const [first, second] = decodeFrames("server", output, true);
    assertEquals([first.rsv, second.rsv], [0, 0]);
    assertEquals(await read(createCompressed("client"), [output]), [
      line("binary", noise),
      line("binary", noise),
      `text ${JSON.stringify(TEXT)}`,
    ]);
  });

  test("A-4 the bytes count as they are at the call", async () => {
    const protocol = createCompressed("server");
    const long = new Uint8Array(400_000).fill(1);
    protocol.sendMessage(long);
    long.fill(2);
    const queued = Uint8Array.of(3, 3, 3, 3);
    protocol.sendMessage(queued);
    queued.fill(4);
    while (protocol.deflating !== null) await protocol.deflating;
    const events = await read(createCompressed("client"), [takeOutput(protocol)]);
    assertEquals(events, [
      line("binary", new Uint8Array(400_000).fill(1)),
      line("binary", Uint8Array.of(3, 3, 3, 3)),
    ]);
  });
});

describe("a deflater that takes its time", () => {
  const names = (protocol: Protocol): string[] =>
    decodeFrames(protocol.role, takeOutput(protocol), true).map(({ rsv, opcode, payload }) => {
      const bytes = rsv === 4 ? payload.map((byte) => ~byte) : payload;
      return `${opcode} ${new TextDecoder().decode(opcode === 8 ? bytes.subarray(2) : bytes)}`;
    });

  test("C-17 keeps the order of calls; the Close frame is last; pings pass", async () => {
    const codec = new SlowCodec();
    const protocol = createCompressed("server", codec);
    protocol.sendMessage("one");
    assertEquals([protocol.bufferedAmount, protocol.hasOutput], [3, false]);
    protocol.sendMessage("two", false);
    protocol.sendPrepared(prepareMessage("three"));
    protocol.sendMessage("four");
    protocol.sendPrepared(prepareMessage("five", false));
    protocol.receive(wire("server", frame(0x89, "p")));
    takeEvents(protocol);
    assertEquals(names(protocol), ["10 p"]);
    protocol.sendClose(1000, "bye");
    assert(protocol.closeSent);
    assertThrows(() => protocol.sendMessage("late"), TypeError);
    assertEquals([protocol.bufferedAmount, codec.waiting], [3 + 3 + 5 + 4 + 4, 1]);
    await codec.go();
    assertEquals(names(protocol), ["1 one", "1 two"]);
    assertEquals([protocol.bufferedAmount, codec.waiting], [13, 1]);
    await codec.go();
    assertEquals(names(protocol), ["1 three"]);
    await codec.go();
    assertEquals(names(protocol), ["1 four", "1 five", "8 bye"]);
    assertEquals([protocol.bufferedAmount, protocol.deflating, codec.waiting], [0, null, 0]);
  });

  test("C-17 a thousand messages at once", async () => {
    const protocol = createCompressed("server", createCodec({ keepsContext: false }));
    const expected = Array.from({ length: 1000 }, (_, i) => `${i} `.repeat(1 + (i % 90)));
    expected[10] = "x".repeat(300_000);
    expected[500] = "y".repeat(300_000);
    for (const [i, message] of expected.entries()) protocol.sendMessage(message, i % 3 > 0);
    protocol.sendMessage(new Uint8Array(300_000));
    protocol.sendClose(1000);
    while (protocol.deflating !== null) await protocol.deflating;
    const events = await read(createCompressed("client"), [takeOutput(protocol)]);
    assertEquals(events.slice(0, 1000), expected.map((text) => `text ${JSON.stringify(text)}`));
    assertEquals(events[1001], 'close 1000 ""');
  });

  test("writes nothing of what was being compressed when the connection was given up", async () => {
    const codec = new SlowCodec();
    const protocol = createCompressed("server", codec);
    protocol.sendMessage("one");
    protocol.sendMessage("two");
    protocol.abandon();
    await codec.go();
    assertEquals([names(protocol), codec.waiting], [[], 0]);
    assertThrows(() => protocol.sendMessage("late"), TypeError, "the connection is gone");
  });

  test("its fault reaches whoever waits", async () => {
    const codec = new SlowCodec();
    const protocol = createCompressed("server", codec);
    protocol.sendMessage("one");
    const work = protocol.deflating!;
    await codec.fail(new Error("broken"));
    assertEquals(await work.catch((error) => error.message), "broken");
  });
});

describe("a message for many connections", () => {
  test("M-13 is compressed once for each key, and refers to nothing earlier", async () => {
    let count = 0;
    const create = (windowBits: number): Protocol => {
      const codec = createCodec({ windowBits });
      const deflater = {
        deflate(bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
          count++;
          return codec.deflater.deflate(bytes);
        },
        reset: () => codec.deflater.reset(),
      };
      return createCompressed("server", { ...codec, deflater });
    };
    const protocols = [15, 15, 15, 10, 10].map(create);
    for (const protocol of protocols) protocol.sendMessage("abcabcabc".repeat(9));
    count = 0;
    const message = prepareMessage("abcabcabc".repeat(9));
    for (const protocol of protocols) protocol.sendPrepared(message);
    assertEquals(count, 2);
    for (const protocol of protocols) protocol.sendMessage("abcabcabc".repeat(9));
    for (const protocol of protocols) {
      const text = `text ${JSON.stringify("abcabcabc".repeat(9))}`;
      const events = await read(createCompressed("client"), [takeOutput(protocol)]);
      assertEquals(events, [text, text, text]);
    }
  });

  test("goes as it is where nothing was agreed on, below the threshold, and if it would grow", () => {
    const plain = new Protocol({ role: "server", limits: LIMITS });
    const protocol = createCompressed("server", createCodec({ threshold: 5 }));
    for (const message of ["abcd", "abcdefghijklm"]) {
      plain.sendPrepared(prepareMessage(message, true));
      protocol.sendPrepared(prepareMessage(message));
    }
    assertEquals(outputOf(plain), ["text:abcd", "text:abcdefghijklm"]);
    assertEquals(outputOf(protocol), ["text:abcd", "text:abcdefghijklm"]);
  });

  test("is shared while it is being compressed; one connection's end is not the others' loss", async () => {
    const codecs = [new SlowCodec(), new SlowCodec()];
    const protocols = codecs.map((codec) => createCompressed("server", codec));
    const message = prepareMessage("message");
    for (const protocol of protocols) protocol.sendPrepared(message);
    assertEquals(codecs.map(({ waiting }) => waiting), [1, 0]);
    assertEquals(protocols.map(({ bufferedAmount }) => bufferedAmount), [7, 7]);
    await codecs[0].fail(new Error("closed"));
    assertEquals(protocols.map(outputOf), [["text:message"], ["text:message"]]);
    assertEquals(codecs.map(({ resets }) => resets), [2, 1]);
  });

  test("M-10 what waits for a compressor is a backlog, also what has no bytes", async () => {
    const codec = new SlowCodec();
    const protocol = createCompressed("server", codec);
    protocol.sendMessage("first");
    assertEquals(protocol.backlog, 5);
    for (let i = 0; i < 10; i++) protocol.sendMessage("");
    assertEquals([protocol.bufferedAmount, protocol.backlog], [5, 5 + 10 * 64]);
    await codec.go();
    assertEquals([protocol.bufferedAmount, protocol.backlog], [5, 2 + 5 + 10 * 2]);
    takeOutput(protocol);
    assertEquals([protocol.bufferedAmount, protocol.backlog], [0, 0]);
  });

  test("that is long reaches all of them", async () => {
    const protocols = [1, 2].map(() => createCompressed("server"));
    const text = "abc".repeat(200_000);
    const message = prepareMessage(joinBytes(utf8(text)));
    for (const protocol of protocols) protocol.sendPrepared(message);
    for (const protocol of protocols) await protocol.deflating;
    const [first, second] = protocols.map((protocol) => takeOutput(protocol));
    assertEquals(first, second);
    const limits = { maxMessageSize: text.length };
    const events = await read(createCompressed("client", createCodec(), limits), [first]);
    assertEquals(events, [line("binary", utf8(text))]);
    await turn();
    // Once it is there, nobody waits.
    const late = createCompressed("server");
    late.sendPrepared(message);
    assertEquals([late.deflating, late.hasOutput], [null, true]);
  });
});
