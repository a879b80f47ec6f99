/** How the arena's page draws, as plain browser JavaScript in a string. @module */

import { COIN_RADIUS, PLAYER_RADIUS } from "./arena_map.ts";

/** Defines `draw()` and what players look like, for the page's script. */
export const DRAW: string = String.raw`
const NAMES = ["Apricot", "Blackberry", "Cherry", "Date", "Elder", "Fig", "Grape", "Hazel", "Ivy", "Juniper", "Kiwi",
  "Lemon", "Mango", "Nectarine", "Olive", "Pear", "Quince", "Raspberry", "Sloe", "Tamarind", "Ugli", "Vanilla", "Walnut",
  "Ximenia", "Yuzu", "Zucchini", "Almond", "Banana", "Cashew", "Damson", "Endive", "Fennel"];

const isDark = matchMedia("(prefers-color-scheme: dark)");
const nameOf = (id) => NAMES[(id - 1) % NAMES.length];

/** Neighbouring numbers get hues that are far apart. */
const colourOf = (id) => "hsl(" + (215 + (id - 1) * 137.5) % 360 + (isDark.matches ? " 75% 68%)" : " 62% 42%)");

/** Draws a world, scaled to the canvas. */
function draw(canvas, { size, walls, id: me }, { players, coins }) {
  const pixels = Math.round(canvas.clientWidth * devicePixelRatio);
  if (canvas.width !== pixels) canvas.width = canvas.height = pixels;
  const context = canvas.getContext("2d");
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(name);
  context.setTransform(pixels / size, 0, 0, pixels / size, 0, 0);
  context.clearRect(0, 0, size, size);
  context.fillStyle = colour("--wall");
  for (const [left, top, right, bottom] of walls) {
    context.beginPath();
    context.roundRect(left, top, right - left, bottom - top, 4);
    context.fill();
  }
  context.lineWidth = 2;
  for (const { x, y } of coins) {
    context.fillStyle = colour("--coin");
    context.strokeStyle = colour("--coin-edge");
    circle(context, x, y, ${COIN_RADIUS} - 1);
    context.stroke();
  }
  context.lineJoin = "round";
  context.textAlign = "center";
  context.textBaseline = "middle";
  // The own one last, so that nobody covers it.
  const sorted = players.toSorted((a, b) => (a.id === me) - (b.id === me));
  for (const player of sorted) drawName(context, player, { size, isMe: player.id === me, colour, style });
  for (const { id, x, y } of sorted) {
    context.fillStyle = colourOf(id);
    circle(context, x, y, ${PLAYER_RADIUS});
    if (id === me) {
      context.strokeStyle = colour("--ink");
      context.lineWidth = 2.5;
      context.stroke();
    }
    context.fillStyle = colour("--on-player");
    context.font = "700 14px " + style.fontFamily;
    context.fillText(nameOf(id)[0], x, y + 1);
  }
}

/** A name above its player, or below at the upper border. */
function drawName(context, { id, x, y }, { size, isMe, colour, style }) {
  // Letters stay readable where the arena is small.
  const letter = Math.max(13, 11 * size / context.canvas.clientWidth);
  context.font = (isMe ? "650 " : "") + letter + "px " + style.fontFamily;
  const half = context.measureText(nameOf(id)).width / 2 + 3;
  const away = ${PLAYER_RADIUS} + letter * 0.8;
  const place = [Math.min(size - half, Math.max(half, x)), y > away + letter ? y - away : y + away];
  context.strokeStyle = colour("--raised"); // so that it can be read in front of a wall, too
  context.lineWidth = 3;
  context.strokeText(nameOf(id), ...place);
  context.fillStyle = colour(isMe ? "--ink" : "--soft");
  context.fillText(nameOf(id), ...place);
}

function circle(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fill();
}
`;
