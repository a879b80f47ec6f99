/**
 * The chat itself: people, rooms and what is said, without sockets, so that all of it can be tested
 * with plain calls. Everything is bounded.
 *
 * Nothing is lost or doubled when a connection breaks: the server numbers every event, and a page
 * that comes back says which one it saw last; the page gives every message an id, and the server
 * knows the last ones of each person.
 *
 * @module
 */

/** What bounds the chat. */
export const LIMITS = {
  people: 500,
  rooms: 50,
  roomsPerPerson: 10,
  nameLength: 24,
  roomNameLength: 24,
  textLength: 2000,
  /** Events kept per room, and private messages per person. */
  history: 200,
  /** Message ids remembered per person. */
  ids: 100,
  /** Messages that may come at once, and how many more each second. */
  burst: 8,
  perSecond: 2,
  /** Milliseconds that somebody may be gone for before the others are told. */
  grace: 15_000,
} as const;

/** The room that everybody starts in. */
export const LOBBY = "lobby";

/** Something that happened, as the page shows it. */
export interface ChatEvent {
  readonly type: "message" | "private" | "joined" | "left";
  /** Counts up over all events of the server. */
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly from: string;
  readonly room?: string;
  /** Who gets a private message. */
  readonly to?: string;
  readonly text?: string;
  /** The id that its author's page gave it, by which that page knows that it has arrived. */
  readonly id?: string;
}

/** A room as its members see it. */
export interface RoomView {
  readonly name: string;
  readonly people: readonly string[];
  readonly events: readonly ChatEvent[];
}

/** What the server tells a page. */
export type ServerMessage =
  | {
    readonly type: "welcome";
    readonly name: string;
    readonly token: string;
    readonly isResumed: boolean;
    readonly rooms: readonly RoomView[];
    readonly privates: readonly ChatEvent[];
    readonly directory: readonly string[];
    readonly limits: typeof LIMITS;
  }
  | { readonly type: "event"; readonly event: ChatEvent }
  | { readonly type: "room"; readonly room: RoomView }
  | { readonly type: "roomLeft"; readonly room: string }
  | { readonly type: "directory"; readonly rooms: readonly string[] }
  | { readonly type: "ack"; readonly id: string }
  | {
    readonly type: "refused";
    /** Why; `"name"` asks for another name. */
    readonly what: "name" | "message" | "room" | "full";
    readonly text: string;
    /** The message that was refused: it is the page's to keep. */
    readonly id?: string;
  };

/** What a page tells the server. */
export type ClientMessage =
  | {
    readonly type: "hello";
    readonly name: string;
    readonly token?: string;
    readonly since?: number;
  }
  | { readonly type: "say"; readonly id: string; readonly room: string; readonly text: string }
  | { readonly type: "whisper"; readonly id: string; readonly to: string; readonly text: string }
  | { readonly type: "join"; readonly room: string }
  | { readonly type: "leave"; readonly room: string };

/** A connected page. */
export interface Page {
  send(message: ServerMessage): void;
  /** Ends the connection, because another one has taken its place. */
  replace(): void;
}

/** Where the chat gets time and chance from. */
export interface Environment {
  /** Milliseconds since 1970. */
  now(): number;
  /** A secret that nobody can guess. */
  createToken(): string;
  /** Calls back later; returns how to prevent that. */
  schedule(ms: number, callback: () => void): () => void;
}

interface Room {
  readonly name: string;
  readonly people: Set<Person>;
  readonly events: ChatEvent[];
}

interface Person {
  readonly name: string;
  readonly token: string;
  readonly rooms: Set<Room>;
  readonly privates: ChatEvent[];
  readonly ids: Set<string>;
  page: Page | null;
  /** Stops the clock that runs while the person is gone. */
  stay: (() => void) | null;
  allowance: number;
  allowanceTime: number;
}

/** A refusal on its way to the page. */
class Refusal extends Error {
  readonly what: "name" | "message" | "room" | "full";

  constructor(what: "name" | "message" | "room" | "full", text: string) {
    super(text);
    this.what = what;
  }
}

/** All rooms and everybody in them. */
export class Chat {
  readonly #environment: Environment;
  readonly #people = new Map<string, Person>();
  readonly #byToken = new Map<string, Person>();
  readonly #rooms = new Map<string, Room>();
  #seq = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
    this.#rooms.set(LOBBY, { name: LOBBY, people: new Set(), events: [] });
  }

  /** A page has connected; what it sends goes to the visitor returned. */
  connect(page: Page): Visitor {
    let person: Person | null = null;
    return {
      receive: (text) => {
        const message = parseClientMessage(text);
        if (message === null) return false;
        try {
          if (message.type === "hello") person = this.#enter(page, message, person);
          else if (person === null || person.page !== page) return false;
          else this.#handle(person, message);
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          const id = "id" in message ? message.id : undefined;
          page.send({ type: "refused", what: error.what, text: error.message, id });
        }
        return true;
      },
      disconnect: () => {
        if (person?.page === page) this.#miss(person);
      },
    };
  }

  #enter(page: Page, { name, token, since }: HelloMessage, current: Person | null): Person {
    if (current !== null) throw new Refusal("name", "You have a name already.");
    const known = token === undefined ? undefined : this.#byToken.get(token);
    const person = known ?? this.#register(checkName(name));
    person.stay?.();
    person.stay = null;
    const previous = person.page;
    person.page = page;
    previous?.replace();
    const after = known === undefined ? 0 : since ?? 0;
    page.send({
      type: "welcome",
      name: person.name,
      token: person.token,
      isResumed: known !== undefined,
      rooms: [...person.rooms].map((room) => view(room, after)),
      privates: person.privates.filter(({ seq }) => seq > after),
      directory: [...this.#rooms.keys()],
      limits: LIMITS,
    });
    if (known === undefined) this.#join(person, LOBBY);
    return person;
  }

  #register(name: string): Person {
    if (this.#people.size >= LIMITS.people) {
      throw new Refusal("full", "The chat is full. Try again later.");
    }
    const key = nameKey(name);
    if (this.#people.has(key)) throw new Refusal("name", `Somebody is called ${name} already.`);
    const person: Person = {
      name,
      token: this.#environment.createToken(),
      rooms: new Set(),
      privates: [],
      ids: new Set(),
      page: null,
      stay: null,
      allowance: LIMITS.burst,
      allowanceTime: this.#environment.now(),
    };
    this.#people.set(key, person);
    this.#byToken.set(person.token, person);
    return person;
  }

  #handle(person: Person, message: Exclude<ClientMessage, HelloMessage>): void {
    switch (message.type) {
      case "say":
        return this.#once(person, message, () => this.#say(person, message));
      case "whisper":
        return this.#once(person, message, () => this.#whisper(person, message));
      case "join":
        this.#spend(person);
        return this.#join(person, checkRoomName(message.room));
      case "leave":
        return this.#leave(person, message.room);
    }
  }

  /** Does what a message asks for, unless that has been done already, and acknowledges it. */
  #once(person: Person, { id, text }: { id: string; text: string }, action: () => void): void {
    if (!person.ids.has(id)) {
      checkText(text);
      this.#spend(person);
      action();
      person.ids.add(id);
      if (person.ids.size > LIMITS.ids) person.ids.delete(person.ids.values().next().value!);
    }
    person.page?.send({ type: "ack", id });
  }

  /** Every message costs one of an allowance that fills up again as time goes by. */
  #spend(person: Person): void {
    const now = this.#environment.now();
    const earned = Math.max(0, now - person.allowanceTime) / 1000 * LIMITS.perSecond;
    person.allowance = Math.min(LIMITS.burst, person.allowance + earned);
    person.allowanceTime = now;
    if (person.allowance < 1) {
      throw new Refusal("message", "That was too fast. Wait a moment, then send it again.");
    }
    person.allowance--;
  }

  #say(person: Person, { id, room: name, text }: SayMessage): void {
    const room = this.#rooms.get(name);
    if (room === undefined || !room.people.has(person)) {
      throw new Refusal("message", `You are not in the room ${name}.`);
    }
    this.#tell(room, { type: "message", from: person.name, text, id });
  }

  #whisper(person: Person, { id, to: name, text }: WhisperMessage): void {
    const to = this.#people.get(nameKey(name));
    if (to === undefined) throw new Refusal("message", `Nobody here is called ${name}.`);
    const event: ChatEvent = {
      ...this.#stamp(),
      type: "private",
      from: person.name,
      to: to.name,
      text,
      id,
    };
    for (const one of new Set([person, to])) {
      keep(one.privates, event);
      one.page?.send({ type: "event", event });
    }
  }

  #join(person: Person, name: string): void {
    const room = this.#rooms.get(name) ?? this.#open(person, name);
    if (room.people.has(person)) return;
    if (person.rooms.size >= LIMITS.roomsPerPerson) {
      throw new Refusal("room", `You can't be in more than ${LIMITS.roomsPerPerson} rooms.`);
    }
    this.#tell(room, { type: "joined", from: person.name });
    room.people.add(person);
    person.rooms.add(room);
    person.page?.send({ type: "room", room: view(room, 0) });
  }

  #open(person: Person, name: string): Room {
    if (this.#rooms.size >= LIMITS.rooms || person.rooms.size >= LIMITS.roomsPerPerson) {
      throw new Refusal("room", "There are too many rooms already.");
    }
    const room: Room = { name, people: new Set(), events: [] };
    this.#rooms.set(name, room);
    this.#tellDirectory();
    return room;
  }

  #leave(person: Person, name: string): void {
    const room = this.#rooms.get(name);
    if (room === undefined || !room.people.has(person)) return;
    if (name === LOBBY) throw new Refusal("room", "Everybody stays in the lobby.");
    person.page?.send({ type: "roomLeft", room: name });
    this.#remove(person, room);
  }

  #remove(person: Person, room: Room): void {
    room.people.delete(person);
    person.rooms.delete(room);
    this.#tell(room, { type: "left", from: person.name });
    if (room.people.size > 0 || room.name === LOBBY) return;
    this.#rooms.delete(room.name);
    this.#tellDirectory();
  }

  /** The page is gone. Others are told only if it does not come back: a reload is no farewell. */
  #miss(person: Person): void {
    person.page = null;
    person.stay = this.#environment.schedule(LIMITS.grace, () => {
      this.#people.delete(nameKey(person.name));
      this.#byToken.delete(person.token);
      for (const room of [...person.rooms]) this.#remove(person, room);
    });
  }

  #tell(room: Room, what: Pick<ChatEvent, "type" | "from" | "text" | "id">): void {
    const event: ChatEvent = { ...this.#stamp(), ...what, room: room.name };
    keep(room.events, event);
    for (const { page } of room.people) page?.send({ type: "event", event });
  }

  #tellDirectory(): void {
    const rooms = [...this.#rooms.keys()];
    for (const { page } of this.#people.values()) page?.send({ type: "directory", rooms });
  }

  #stamp(): { seq: number; time: number } {
    return { seq: ++this.#seq, time: this.#environment.now() };
  }
}

/** One connected page's way into the chat. */
export interface Visitor {
  /** Takes what the page has sent; returns whether that made sense. */
  receive(text: string): boolean;
  /** The connection is gone. */
  disconnect(): void;
}

type HelloMessage = Extract<ClientMessage, { type: "hello" }>;
type SayMessage = Extract<ClientMessage, { type: "say" }>;
type WhisperMessage = Extract<ClientMessage, { type: "whisper" }>;

function view({ name, people, events }: Room, after: number): RoomView {
  return {
    name,
    people: [...people].map((person) => person.name),
    events: events.filter(({ seq }) => seq > after),
  };
}

function keep(events: ChatEvent[], event: ChatEvent): void {
  events.push(event);
  if (events.length > LIMITS.history) events.shift();
}

/** The name as it will be shown. Throws if it could deceive: invisible or direction-changing characters. */
function checkName(text: string): string {
  const name = text.normalize("NFC").trim().replace(/\s+/g, " ");
  const { length } = [...name];
  if (length === 0) throw new Refusal("name", "Please enter a name.");
  if (length > LIMITS.nameLength) {
    throw new Refusal("name", `A name can have ${LIMITS.nameLength} characters at most.`);
  }
  if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u.test(name) || !/[\p{L}\p{N}]/u.test(name)) {
    throw new Refusal("name", "A name needs a letter or a digit, and no invisible characters.");
  }
  return name;
}

/** Names that look alike to a hurried reader count as the same. */
function nameKey(name: string): string {
  return name.normalize("NFKC").toLowerCase();
}

function checkRoomName(text: string): string {
  const name = text.normalize("NFC").trim().replace(/^#/, "").toLowerCase();
  if (
    /^[\p{L}\p{N}][\p{L}\p{M}\p{N}_-]*$/u.test(name) && [...name].length <= LIMITS.roomNameLength
  ) return name;
  throw new Refusal(
    "room",
    `A room's name is made of letters, digits, - and _, ${LIMITS.roomNameLength} at most.`,
  );
}

function checkText(text: string): void {
  if (text.trim() === "") throw new Refusal("message", "There is nothing to send.");
  const { length } = [...text];
  if (length > LIMITS.textLength) {
    throw new Refusal(
      "message",
      `That is ${length} characters long; ${LIMITS.textLength} is the most.`,
    );
  }
}

/** The message in `text`; `null` if it is none that this chat knows. */
function parseClientMessage(text: string): ClientMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { type, ...fields } = value as Record<string, unknown>;
  const shape = SHAPES.get(type);
  const fits = shape !== undefined &&
    Object.entries(shape).every(([name, kind]) =>
      typeof fields[name] === kind.replace("?", "") ||
      (kind.endsWith("?") && fields[name] === undefined)
    );
  const hasShortId = typeof fields.id !== "string" || fields.id.length <= 64;
  return fits && hasShortId ? value as ClientMessage : null;
}

/** The fields of each message and their types; a question mark for those that may be missing. */
const SHAPES = new Map<unknown, Readonly<Record<string, string>>>([
  ["hello", { name: "string", token: "string?", since: "number?" }],
  ["say", { id: "string", room: "string", text: "string" }],
  ["whisper", { id: "string", to: "string", text: "string" }],
  ["join", { room: "string" }],
  ["leave", { room: "string" }],
]);
