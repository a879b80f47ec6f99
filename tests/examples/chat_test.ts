import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, test } from "node:test";
import {
  Chat,
  type ChatEvent,
  type ClientMessage,
  LIMITS,
  LOBBY,
  type ServerMessage,
  type Visitor,
} from "../../examples/chat_room.ts";
import { connect } from "../../mod.ts";
import { runExample, startExample } from "../programs.ts";
import { RUNTIMES } from "../toolchain.ts";

/** A chat whose time stands still until it is told to go on. */
class World {
  time = 1_000_000;
  readonly chat: Chat;
  #tokens = 0;
  #calls: { at: number; callback: () => void }[] = [];

  constructor() {
    this.chat = new Chat({
      now: () => this.time,
      createToken: () => `token ${this.#tokens++}`,
      schedule: (ms, callback) => {
        const call = { at: this.time + ms, callback };
        this.#calls.push(call);
        return () => this.#calls = this.#calls.filter((other) => other !== call);
      },
    });
  }

  pass(ms: number): void {
    this.time += ms;
    const due = this.#calls.filter(({ at }) => at <= this.time);
    this.#calls = this.#calls.filter(({ at }) => at > this.time);
    for (const { callback } of due) callback();
  }

  open(): Tab {
    return new Tab(this.chat);
  }

  enter(name: string): Tab {
    const tab = this.open();
    tab.send({ type: "hello", name });
    return tab;
  }
}

/** A page as the chat sees it. */
class Tab {
  readonly received: ServerMessage[] = [];
  isReplaced = false;
  readonly #visitor: Visitor;

  constructor(chat: Chat) {
    this.#visitor = chat.connect({
      send: (message) => this.received.push(structuredClone(message)),
      replace: () => this.isReplaced = true,
    });
  }

  send(message: ClientMessage): boolean {
    return this.#visitor.receive(JSON.stringify(message));
  }

  sendText(text: string): boolean {
    return this.#visitor.receive(text);
  }

  say(text: string, id: string = text, room: string = LOBBY): void {
    this.send({ type: "say", id, room, text });
  }

  leave(): void {
    this.#visitor.disconnect();
  }

  all<T extends ServerMessage["type"]>(type: T): Extract<ServerMessage, { type: T }>[] {
    return this.received.filter((message): message is Extract<ServerMessage, { type: T }> =>
      message.type === type
    );
  }

  get events(): ChatEvent[] {
    return this.all("event").map(({ event }) => event);
  }

  get texts(): (string | undefined)[] {
    return this.events.filter(({ text }) => text !== undefined).map(({ text }) => text);
  }

  get welcome(): Extract<ServerMessage, { type: "welcome" }> {
    return this.all("welcome").at(-1)!;
  }

  get refusal(): string | undefined {
    return this.all("refused").at(-1)?.text;
  }
}

describe("names", () => {
  test("are unique whatever their case and form", () => {
    const world = new World();
    world.enter("Ada");
    for (const name of ["Ada", "ada", " ADA ", "Ａda"]) {
      const tab = world.enter(name);
      assertEquals(tab.all("welcome"), []);
      assertEquals(tab.all("refused")[0].what, "name");
    }
  });

  test("are shown trimmed, with single spaces, composed", () => {
    assertEquals(new World().enter("  A\u0308da \t Love ").welcome.name, "Äda Love");
  });

  for (
    const name of [
      "",
      "   ",
      "...",
      "x".repeat(LIMITS.nameLength + 1),
      "a\u202eb",
      "a\u200bb",
      "a\0b",
      "\u2066a",
    ]
  ) {
    test(`cannot be ${JSON.stringify(name)}`, () => {
      const tab = new World().enter(name);
      assertEquals(tab.all("refused").length, 1);
      assert(!tab.received.some(({ type }) => type === "welcome"));
    });
  }

  test("can be asked for again on the same connection, but not changed", () => {
    const world = new World();
    world.enter("Ada");
    const tab = world.enter("Ada");
    tab.send({ type: "hello", name: "Bob" });
    assertEquals(tab.welcome.name, "Bob");
    tab.send({ type: "hello", name: "Eve" });
    assertStringIncludes(tab.refusal!, "already");
  });

  test("are free again when their owner has left for good", () => {
    const world = new World();
    world.enter("Ada").leave();
    assertEquals(world.enter("Ada").all("welcome"), []);
    world.pass(LIMITS.grace);
    assertEquals(world.enter("Ada").all("welcome").length, 1);
  });

  test("run out when the chat is full", () => {
    const world = new World();
    for (let i = 0; i < LIMITS.people; i++) world.enter(`p${i}`);
    assertEquals(world.enter("one more").all("refused")[0].what, "full");
  });
});

describe("rooms", () => {
  test("tell their members, and nobody else, what is said", () => {
    const world = new World();
    const [ada, bob, eve] = ["Ada", "Bob", "Eve"].map((name) => world.enter(name));
    ada.send({ type: "join", room: "#Games" });
    bob.send({ type: "join", room: "games" });
    ada.say("chess?", "1", "games");
    assertEquals([ada.texts, bob.texts, eve.texts], [["chess?"], ["chess?"], []]);
    assertEquals(eve.all("directory").at(-1)!.rooms, [LOBBY, "games"]);
    eve.say("me too", "2", "games");
    assertStringIncludes(eve.refusal!, "not in the room");
    assertEquals(ada.all("room").at(-1)!.room.people, ["Ada"]);
    assertEquals(bob.all("room").at(-1)!.room.people, ["Ada", "Bob"]);
  });

  test("show a newcomer what was said before", () => {
    const world = new World();
    world.enter("Ada").say("before");
    const { room } = world.enter("Bob").all("room")[0];
    assertEquals(room.events.filter(({ type }) => type === "message").map(({ text }) => text), [
      "before",
    ]);
  });

  test("keep a bounded history", () => {
    const world = new World();
    const ada = world.enter("Ada");
    for (let i = 0; i < LIMITS.history + 50; i++) {
      world.pass(1000);
      ada.say(`${i}`);
    }
    const { events } = world.enter("Bob").all("room")[0].room;
    assertEquals(events.length, LIMITS.history);
    assertEquals(events.at(-1)?.text ?? events.at(-2)?.text, `${LIMITS.history + 49}`);
  });

  test("close when the last one leaves; nobody leaves the lobby", () => {
    const world = new World();
    const ada = world.enter("Ada");
    ada.send({ type: "join", room: "games" });
    ada.send({ type: "leave", room: "games" });
    assertEquals(ada.all("roomLeft").length, 1);
    assertEquals(ada.all("directory").at(-1)!.rooms, [LOBBY]);
    ada.send({ type: "leave", room: LOBBY });
    assertStringIncludes(ada.refusal!, "lobby");
    ada.send({ type: "leave", room: "nowhere" });
  });

  test("are bounded in number and name", () => {
    const world = new World();
    const ada = world.enter("Ada");
    for (let i = 0; i < LIMITS.roomsPerPerson; i++) {
      world.pass(1000);
      ada.send({ type: "join", room: `r${i}` });
    }
    assertStringIncludes(ada.refusal!, "too many rooms");
    for (const name of ["", "a b", "<b>", "x".repeat(LIMITS.roomNameLength + 1)]) {
      world.pass(1000);
      ada.send({ type: "join", room: name });
      assertStringIncludes(ada.refusal!, "letters, digits");
    }
  });
});

describe("private messages", () => {
  test("reach the two, and nobody else", () => {
    const world = new World();
    const [ada, bob, eve] = ["Ada", "Bob", "Eve"].map((name) => world.enter(name));
    ada.send({ type: "whisper", id: "1", to: "bob", text: "psst" });
    assertEquals([ada.texts, bob.texts, eve.texts], [["psst"], ["psst"], []]);
    ada.send({ type: "whisper", id: "2", to: "Carl", text: "psst" });
    assertStringIncludes(ada.refusal!, "Nobody here is called Carl");
    ada.send({ type: "whisper", id: "3", to: "Ada", text: "note" });
    assertEquals(ada.texts, ["psst", "note"]);
  });
});

describe("coming back", () => {
  test("loses nothing, doubles nothing, and nobody is told", () => {
    const world = new World();
    const [ada, bob] = [world.enter("Ada"), world.enter("Bob")];
    ada.say("one");
    const since = bob.events.at(-1)!.seq;
    bob.leave();
    ada.say("two");
    ada.send({ type: "whisper", id: "w", to: "Bob", text: "three" });
    world.pass(LIMITS.grace - 1);
    const again = world.open();
    again.send({ type: "hello", name: "ignored", token: bob.welcome.token, since });
    const { name, isResumed, rooms, privates } = again.welcome;
    assertEquals([name, isResumed], ["Bob", true]);
    assertEquals(rooms[0].events.map(({ text }) => text), ["two"]);
    assertEquals(privates.map(({ text }) => text), ["three"]);
    world.pass(LIMITS.grace * 2);
    assertEquals(
      ada.events.filter(({ from, type }) => from === "Bob" && type !== "message").length,
      1,
    );
  });

  test("a message sent again with the same id is said once, and acknowledged each time", () => {
    const world = new World();
    const [ada, bob] = [world.enter("Ada"), world.enter("Bob")];
    for (let i = 0; i < 20; i++) ada.say("once", "id");
    assertEquals(bob.texts, ["once"]);
    assertEquals(ada.all("ack").length, 20);
  });

  test("too late is leaving", () => {
    const world = new World();
    const [ada, bob] = [world.enter("Ada"), world.enter("Bob")];
    bob.leave();
    world.pass(LIMITS.grace);
    assertEquals(ada.events.at(-1)!.type, "left");
    const again = world.open();
    again.send({ type: "hello", name: "Bob", token: bob.welcome.token, since: 5 });
    assertEquals(again.welcome.isResumed, false);
  });

  test("in a second window takes the place of the first", () => {
    const world = new World();
    const ada = world.enter("Ada");
    const other = world.open();
    other.send({ type: "hello", name: "Ada", token: ada.welcome.token });
    assertEquals([ada.isReplaced, other.isReplaced], [true, false]);
    assertEquals(ada.send({ type: "join", room: "x" }), false);
    ada.leave(); // the old connection's end is not the person's
    world.pass(LIMITS.grace * 2);
    other.say("still here");
    assertEquals(other.texts, ["still here"]);
  });
});

describe("what is refused", () => {
  test("too much at once, until time has passed; the id says which", () => {
    const world = new World();
    const ada = world.enter("Ada");
    for (let i = 0; i < LIMITS.burst + 2; i++) ada.say(`${i}`);
    assertEquals(ada.texts.length, LIMITS.burst);
    assertEquals(ada.all("refused").map(({ id }) => id), [
      `${LIMITS.burst}`,
      `${LIMITS.burst + 1}`,
    ]);
    world.pass(1000);
    ada.say("later");
    assertEquals(ada.texts.at(-1), "later");
  });

  test("what is too long, or nothing", () => {
    const ada = new World().enter("Ada");
    ada.say("😀".repeat(LIMITS.textLength), "1");
    assertEquals(ada.texts.length, 1);
    ada.say("x".repeat(LIMITS.textLength + 1), "2");
    assertStringIncludes(ada.refusal!, "2001 characters");
    ada.say(" \n ");
    assertStringIncludes(ada.refusal!, "nothing to send");
  });

  for (
    const text of [
      "",
      "{",
      "null",
      "[]",
      "1",
      "{}",
      '{"type":"say"}',
      '{"type":"say","id":1,"room":"lobby","text":"x"}',
      '{"type":"hello","name":1}',
      '{"type":"hello","name":"a","since":"1"}',
      '{"type":"constructor"}',
      '{"type":"__proto__"}',
      `{"type":"say","id":"${"x".repeat(65)}","room":"lobby","text":"x"}`,
    ]
  ) {
    test(`is no message: ${text.slice(0, 60)}`, () => {
      const ada = new World().enter("Ada");
      assertEquals(ada.sendText(text), false);
    });
  }

  test("anything before a name", () => {
    assertEquals(new World().open().send({ type: "join", room: "x" }), false);
  });
});

for (const runtime of RUNTIMES) {
  describe(`examples/chat.ts on ${runtime}`, () => {
    test("serves the page and the chat on one port, with only the network permitted", async () => {
      const chat = await startExample(runtime, "examples/chat.ts", ["--port", "0"]);
      try {
        const response = await fetch(chat.url);
        const policy = response.headers.get("content-security-policy")!;
        const nonce = /script-src 'nonce-([^']+)'/.exec(policy)![1];
        const page = await response.text();
        assertStringIncludes(page, `<script nonce="${nonce}"`);
        assertStringIncludes(policy, "default-src 'none'");
        assertEquals(page.match(/\son[a-z]+=/), null);
        assertEquals((await fetch(`${chat.url}nothing`)).status, 404);
        assertEquals((await fetch(chat.url, { method: "POST", body: "x" })).status, 405);
        const head = await fetch(chat.url, { method: "HEAD" });
        assertEquals([head.status, await head.text()], [200, ""]);

        const session = await connect(chat.url, { protocols: ["chat.v1"] });
        assertEquals(session.protocol, "chat.v1");
        session.send(JSON.stringify({ type: "hello", name: "Ada" }));
        assertEquals(JSON.parse(await session.receive() as string).type, "welcome");
        session.send("nonsense");
        for await (const _ of session); // a Close waits for what is unread
        assertEquals((await session.closed).code, 1008);
        const large = await connect(chat.url);
        large.send("x".repeat(16_385));
        assertEquals((await large.closed).code, 1009);
      } finally {
        assertEquals(await chat.stop(), 0);
      }
    });

    test("refuses a bad flag and a taken port in one line each", async () => {
      const bad = await runExample(runtime, "examples/chat.ts", ["--port", "x"]);
      assertEquals([bad.status, bad.stderr.trim()], [
        2,
        '--port is "x", not a whole number from 0 to 65535',
      ]);
      const chat = await startExample(runtime, "examples/chat.ts", ["--port", "0"]);
      const { port } = new URL(chat.url);
      const taken = await runExample(runtime, "examples/chat.ts", ["--port", port]);
      assertEquals([taken.status, taken.stderr.trim()], [
        1,
        `Cannot listen on 127.0.0.1:${port}: address already in use`,
      ]);
      assertEquals(await chat.stop(), 0);
    });
  });
}
