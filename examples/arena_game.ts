/**
 * The arena on a server: who steers which player, what they may send, and who gets which snapshot.
 *
 * @module
 */

import { CloseCode, type Handlers, type Message } from "../mod.ts";
import type { Server, WebSocketSession } from "../mod.ts";
import { decodeInput, encodeHello, encodeSnapshot } from "./arena_codec.ts";
import { SIZE, WALLS } from "./arena_map.ts";
import { TICK_RATE, type World } from "./arena_world.ts";

/** Inputs that a page may send per tick, on average: it sends one at most. */
export const INPUTS_PER_TICK = 2;

/** Inputs that may come at once: what a network that stood still for two seconds held back. */
export const INPUT_BURST: number = 2 * TICK_RATE * INPUTS_PER_TICK;

/** What the game knows of a session. */
export interface Seat {
  /** The player that it steers; `null` while it watches. */
  player: number | null;
  /** Inputs that it may still send. */
  budget: number;
}

/** Gives each session its seat, before it opens: option `accept` of `serve()`. */
export function accept(): { data: Seat } {
  return { data: { player: null, budget: INPUT_BURST } };
}

/** The handlers of a server that is an arena; `step()` is called at its rate from outside. */
export class Arena implements Handlers<Seat> {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  open(session: WebSocketSession<Seat>): void {
    if (session.data.player === null) this.#seat(session);
    session.send(encodeSnapshot(this.#world));
  }

  message(session: WebSocketSession<Seat>, message: Message): void {
    if (typeof message === "string") {
      session.close(CloseCode.UnsupportedData, "The arena takes binary messages");
      return;
    }
    const seat = session.data;
    if (seat.budget-- <= 0) {
      session.close(CloseCode.PolicyViolation, `More than ${INPUTS_PER_TICK} inputs per tick`);
      return;
    }
    try {
      const { dx, dy } = decodeInput(message);
      // Only a wish: where players are is for the world to say.
      if (seat.player !== null) this.#world.steer(seat.player, dx, dy);
    } catch (error) {
      session.close(CloseCode.InvalidPayload, (error as RangeError).message);
    }
  }

  close(session: WebSocketSession<Seat>, _status: unknown, server: Server<Seat>): void {
    const { player } = session.data;
    if (player === null) return;
    this.#world.leave(player);
    for (const other of server.sessions.values()) {
      if (other.data.player !== null || other.state !== "open") continue;
      return this.#seat(other); // who has watched longest
    }
  }

  /** Makes steps, and sends what came of them to everybody who keeps up; returns to how many. */
  step(steps: number, server: Server<Seat>): number {
    for (let i = 0; i < steps; i++) this.#world.step();
    for (const { data } of server.sessions.values()) {
      data.budget = Math.min(INPUT_BURST, data.budget + steps * INPUTS_PER_TICK);
    }
    return server.broadcast(encodeSnapshot(this.#world), whoKeepsUp(server));
  }

  /** Gives a session a player if there may be one more, and tells it. */
  #seat(session: WebSocketSession<Seat>): void {
    session.data.player = this.#world.join()?.id ?? null;
    const id = session.data.player ?? 0;
    session.send(encodeHello({ id, tickRate: TICK_RATE, size: SIZE, walls: WALLS }));
  }
}

/**
 * The sessions whose last message has left. A snapshot says everything, so who is behind has no use for
 * the ones in between: they are left out, and the next one after the backlog is gone is the newest. What
 * the system's own buffers hold does not show here.
 */
function* whoKeepsUp(server: Server<Seat>): Generator<WebSocketSession<Seat>> {
  for (const session of server.sessions.values()) {
    if (session.bufferedAmount === 0) yield session;
  }
}
