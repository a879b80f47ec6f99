/** What the dashboard's page does, as plain browser JavaScript in a string. @module */

import { PLOT } from "./dashboard_plot.ts";

/** The page's script, a module. */
export const SCRIPT: string = String.raw`${PLOT}
const plots = [...document.querySelectorAll("figure")].map((figure) => ({
  ...figure.dataset,
  title: figure.querySelector("h2").textContent,
  output: figure.querySelector("output"),
  canvas: figure.querySelector("canvas"),
}));
let samples = [];
let interval = 100;
let arrival = 0;
let paused = null; // the time that is shown while paused
let cursor = null; // the time that is pointed at

keepSocket({
  received(data) {
    const message = JSON.parse(data);
    if (message.type === "history") ({ samples, interval } = message);
    else samples.push(message.sample);
    const oldest = (samples.at(-1)?.time ?? 0) - 2 * SPAN;
    while (samples.length > 0 && samples[0].time < oldest) samples.shift();
    arrival = performance.now();
  },
});

/** The server's time, which stands still soon after the last sample. */
function now() {
  return paused ?? (samples.at(-1)?.time ?? 0) + Math.min(performance.now() - arrival, 2 * interval);
}

requestAnimationFrame(function frame() {
  const end = now();
  for (const plot of plots) draw(plot, { samples, interval, end, cursor });
  requestAnimationFrame(frame);
});

/** Says in words what the plots show, for those who do not see them. */
setInterval(() => {
  for (const { key, title, unit, canvas } of plots) {
    const values = samples.filter(({ time }) => time > now() - SPAN).map((sample) => sample[key]);
    if (values.length === 0) continue;
    const label = title + ": " + values.at(-1) + " " + unit + " now, at most " + Math.max(...values) + " in the last minute";
    canvas.setAttribute("aria-label", label);
  }
}, 5000);

// --- What people do ------------------------------------------------------------------------------

for (const { canvas } of plots) {
  canvas.onpointermove = ({ offsetX }) => {
    cursor = now() - (canvas.clientWidth - 8 - offsetX) / (canvas.clientWidth - 42) * SPAN;
  };
  canvas.onpointerleave = canvas.onblur = () => { cursor = null; };
  canvas.onkeydown = (event) => {
    const step = { ArrowLeft: -1000, ArrowRight: 1000 }[event.key];
    if (event.key === "Escape") cursor = null;
    if (step === undefined) return;
    event.preventDefault();
    const next = (cursor ?? now()) + step;
    cursor = next >= now() ? null : Math.max(next, now() - SPAN);
  };
}

$("pause").onclick = () => {
  paused = paused === null ? now() : null;

  $("pause").textContent = paused === null ? "Pause" : "Go on";
};
`;
