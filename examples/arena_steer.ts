/** How the arena's page is steered, as plain browser JavaScript in a string. @module */

/** Defines `watchSteering()`, for the page's script. */
export const STEER: string = String.raw`
const KEYS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  KeyA: [-1, 0], KeyD: [1, 0], KeyW: [0, -1], KeyS: [0, 1],
};

/**
 * Watches keys and the pointer. Returns what tells the direction, at most 1 right and down; place() says
 * where the own dot is, as shares of the canvas, and null without one.
 */
function watchSteering(canvas, place) {
  const pressed = new Set();
  let target = null;

  addEventListener("keydown", (event) => {
    // WASD by where the keys are, whatever is printed on them.
    if (!(event.code in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); // arrows would scroll
    pressed.add(event.code);
  });
  addEventListener("keyup", ({ code }) => pressed.delete(code));
  // A key that is let go elsewhere is never reported.
  addEventListener("blur", () => { pressed.clear(); target = null; });

  const follow = ({ offsetX, offsetY }) => {
    target = { x: offsetX / canvas.clientWidth, y: offsetY / canvas.clientHeight };
  };
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    follow(event);
  };
  canvas.onpointermove = (event) => { if (target !== null) follow(event); };
  canvas.onpointerup = canvas.onpointercancel = () => { target = null; };

  return () => {
    const keys = [...pressed].map((code) => KEYS[code]);
    const clamp = (value) => Math.max(-1, Math.min(1, value));
    if (keys.length > 0) {
      return { dx: clamp(keys.reduce((sum, [x]) => sum + x, 0)), dy: clamp(keys.reduce((sum, [, y]) => sum + y, 0)) };
    }
    const from = target && place();
    if (!from) return { dx: 0, dy: 0 };
    const [x, y] = [target.x - from.x, target.y - from.y];
    // Slower where the target is near, so that the dot comes to rest on it.
    const scale = Math.min(1, Math.hypot(x, y) * 20) / Math.max(1e-9, Math.hypot(x, y));
    return { dx: x * scale, dy: y * scale };
  };
}
`;
