/** What the arena's page does, as plain browser JavaScript in a string. @module */

import { decodeHello, decodeSnapshot, encodeInput } from "./arena_codec.ts";
import { DRAW } from "./arena_draw.ts";
import { STEER } from "./arena_steer.ts";

/** The page's script, a module. The messages are read and written by the very functions of the server. */
export const SCRIPT: string = String.raw`
${encodeInput}
${decodeHello}
${decodeSnapshot}
${DRAW}
${STEER}
const canvas = $("arena");
let hello = null;
let before = null; // what was drawn when the newest snapshot came
let newest = null;
let arrival = 0;
let span = 0; // milliseconds from one to the other
let sent = "";
let scores = "";

const socket = keepSocket({
  opened() { sent = ""; },
  received(data) {
    const view = new DataView(data);
    if (view.getUint8(0) === 2) return greet(decodeHello(view));
    const snapshot = decodeSnapshot(view);
    const now = performance.now();
    before = newest === null ? snapshot : worldAt(now);
    span = Math.min(10, Math.max(1, snapshot.time - (newest?.time ?? 0))) * 1000 / hello.tickRate;
    newest = snapshot;
    arrival = now;
    showScores();
  },
  closed() { newest = null; },
});

function greet(message) {
  hello = message;
  newest = null;
  say(hello.id === 0 ? "The arena is full: you watch until somebody leaves" : "You are " + nameOf(hello.id));
}

/**
 * The world between the last two snapshots: it is shown one snapshot late, so that every frame lies
 * between two places that are known.
 */
function worldAt(now) {
  const share = Math.min(1, (now - arrival) / span);
  const players = newest.players.map((player) => {
    const from = before.players.find(({ id }) => id === player.id) ?? player;
    // Nobody walks so far in one snapshot: somebody else has got this number.
    if (Math.abs(from.x - player.x) + Math.abs(from.y - player.y) > hello.size / 4) return player;
    return { ...player, x: from.x + (player.x - from.x) * share, y: from.y + (player.y - from.y) * share };
  });
  return { ...newest, players };
}

requestAnimationFrame(function frame() {
  requestAnimationFrame(frame);
  if (newest === null) return;
  const world = worldAt(performance.now());
  draw(canvas, hello, world);
  canvas.dataset.players = JSON.stringify(world.players);
});

// --- What people do ------------------------------------------------------------------------------

const direction = watchSteering(canvas, () => {
  const me = newest && worldAt(performance.now()).players.find(({ id }) => id === hello.id);
  return me && { x: me.x / hello.size, y: me.y / hello.size };
});

/** Tells the server a new direction, once per tick at most. */
setInterval(() => {
  const { dx, dy } = direction();
  const input = encodeInput({ dx: 127 * dx, dy: 127 * dy });
  if (String(input) !== sent && socket.send(input)) sent = String(input);
}, 1000 / 30);

// --- What they are told ---------------------------------------------------------------------------

function say(text) {
  $("say").textContent = text;
}

function showScores() {
  const rows = newest.players.toSorted((a, b) => b.score - a.score || a.id - b.id);
  const text = JSON.stringify([hello.id, isDark.matches, rows.map(({ id, score }) => [id, score])]);
  if (text === scores) return;
  scores = text;
  $("scores").replaceChildren(...rows.map(({ id, score }) => {
    const [row, dot, name, count] = ["li", "i", "span", "b"].map((tag) => document.createElement(tag));
    row.classList.toggle("me", id === hello.id);
    dot.style.background = colourOf(id);
    name.textContent = nameOf(id) + (id === hello.id ? " (you)" : "");
    count.textContent = score;
    row.append(dot, name, count);
    return row;
  }));
}
isDark.onchange = () => { if (newest !== null) showScores(); };

/** Says where the next coin is, for those who do not see it. */
setInterval(() => {
  const me = newest?.players.find(({ id }) => id === hello.id);
  if (me === undefined) return;
  const away = ({ x, y }) => Math.hypot(x - me.x, y - me.y);
  const coin = newest.coins.reduce((a, b) => away(b) < away(a) ? b : a);
  const side = (value, less, more) => Math.abs(value) < 8 ? "" : Math.round(Math.abs(value)) + (value < 0 ? less : more);
  const where = [side(coin.x - me.x, " left", " right"), side(coin.y - me.y, " up", " down")].filter(Boolean);
  canvas.ariaLabel = "The arena. You have " + me.score + (me.score === 1 ? " coin" : " coins") + "; the next one is " + where.join(", ");
}, 1000);
`;
