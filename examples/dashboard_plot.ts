/** How the dashboard's page draws, as plain browser JavaScript in a string. @module */

/** Defines `draw()`, for the page's script. */
export const PLOT: string = String.raw`
const SPAN = 60_000; // milliseconds from the left edge to the right one

/** Round numbers that cover what is shown: [0, 1, 2, 3]. */
function ticksFor(max, isWhole) {
  const rough = Math.max(max, isWhole ? 3 : 0.01) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  return Array.from({ length: Math.ceil(max / step - 1e-9) + 1 }, (_, i) => i * step);
}

/** Draws what a plot shows of the samples up to the time end, and says the value at cursor. */
function draw({ key, canvas, output }, { samples, interval, end, cursor }) {
  const scale = devicePixelRatio;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  const style = getComputedStyle(canvas);
  // A canvas knows no light-dark(): these properties of its own hold what that amounts to.
  const { color: plot, caretColor: soft, borderTopColor: rule } = style;
  const shown = samples.filter(({ time }) => time >= end - SPAN - interval && time <= end);
  const ticks = ticksFor(Math.max(1, ...shown.map((sample) => sample[key])), key === "sessions");
  const box = { left: 34, right: width - 8, top: 10, bottom: height - 20 };
  const x = (time) => box.right - (end - time) / SPAN * (box.right - box.left);
  const y = (value) => box.bottom - value / ticks.at(-1) * (box.bottom - box.top);

  context.font = "11px " + style.fontFamily;
  context.fillStyle = soft;
  context.strokeStyle = rule;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const tick of ticks) {
    context.fillText(String(+tick.toPrecision(3)), box.left - 7, y(tick));
    line(context, [[box.left, y(tick)], [box.right, y(tick)]]);
  }
  context.textBaseline = "alphabetic";
  for (let ago = 0; ago <= SPAN; ago += SPAN / 4) {
    context.textAlign = ago === 0 ? "right" : "center";
    context.fillText(ago === 0 ? "now" : "−" + ago / 1000 + " s", x(end - ago), height - 4);
  }

  context.save();
  context.beginPath();
  context.rect(box.left, 0, box.right - box.left + 5, height);
  context.clip();
  context.strokeStyle = context.fillStyle = plot;
  context.lineJoin = "round";
  for (const run of runs(shown)) {
    const points = run.map((sample) => [x(sample.time), y(sample[key])]);
    context.globalAlpha = 0.14;
    context.fill(path([[points[0][0], box.bottom], ...points, [points.at(-1)[0], box.bottom]]));
    context.globalAlpha = 1;
    line(context, points, 1.75);
  }
  const marked = cursor === null ? shown.at(-1) : nearest(shown, cursor);
  if (marked !== undefined) {
    if (cursor !== null) line(context, [[x(marked.time), box.top], [x(marked.time), box.bottom]]);
    context.beginPath();
    context.arc(x(marked.time), y(marked[key]), 3.5, 0, 7);
    context.fill();
    output.textContent = key === "sessions" ? marked[key] : marked[key].toFixed(1);
  }
  context.restore();
}

function line(context, points, width = 1) {
  context.lineWidth = width;
  context.stroke(path(points));
}

function path(points) {
  const path = new Path2D();
  for (const point of points) path.lineTo(...point);
  return path;
}

/** Samples without gaps between them: where some were left out, no line is drawn. */
function runs(shown) {
  const all = [];
  for (const sample of shown) {
    const last = all.at(-1)?.at(-1);
    if (last !== undefined && sample.time - last.time < 3 * interval) all.at(-1).push(sample);
    else all.push([sample]);
  }
  return all;
}

function nearest(shown, time) {
  const distance = (sample) => Math.abs(sample.time - time);
  return shown.reduce((best, sample) => distance(sample) < distance(best) ? sample : best, shown[0]);
}
`;
