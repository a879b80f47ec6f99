/** What the browser gets of the dashboard. @module */

import { SCRIPT } from "./dashboard_script.ts";
import type { Page } from "./page.ts";

const PLOTS = [
  ["delay", "Event loop delay", "ms"],
  ["cpu", "Processor", "% of a core"],
  ["heap", "Heap", "MiB"],
  ["sessions", "Open pages", ""],
];

const BODY = `<div id="plots">${
  PLOTS.map(([key, title, unit]) => `
  <figure data-key="${key}" data-unit="${unit}">
    <figcaption><h2>${title}</h2><p><output class="number">–</output> ${unit}</p></figcaption>
    <canvas role="img" tabindex="0" aria-label="${title}"></canvas>
  </figure>`).join("")
}
</div>
<div id="bar">
  <button id="pause">Pause</button>
  <p>Point at a plot, or use <kbd>←</kbd> <kbd>→</kbd> on it, to read what was; <kbd>Esc</kbd> goes back to now.</p>
</div>`;

const STYLE = `
#plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 1rem; }
figure { padding: .9rem 1rem .7rem; border: 1px solid var(--line); border-radius: .9rem; background: var(--raised); }
figure[data-key="delay"] { --plot: light-dark(#2d5be3, #8fb0ff); }
figure[data-key="cpu"] { --plot: light-dark(#b4530a, #f2a65e); }
figure[data-key="heap"] { --plot: light-dark(#1d7f4e, #66cf9b); }
figure[data-key="sessions"] { --plot: light-dark(#8a3ea8, #d39ae8); }
figcaption { display: flex; align-items: baseline; justify-content: space-between; gap: 1rem; }
h2 { font-size: .9rem; font-weight: 650; color: var(--soft); }
figcaption p { color: var(--soft); font-size: .85rem; white-space: nowrap; }
output { color: var(--plot); font-size: 1.45rem; font-weight: 650; letter-spacing: -.02em; }
canvas { display: block; width: 100%; height: 11rem; margin-top: .3rem; color: var(--plot); caret-color: var(--soft); border: 0 solid var(--line); touch-action: pan-y; }
#bar { display: flex; align-items: center; gap: 1rem; margin-top: 1rem; color: var(--soft); font-size: .82rem; }
#pause { min-width: 6.5rem; color: var(--ink); }
kbd { padding: 0 .3rem; border: 1px solid var(--line); border-radius: .25rem; font: inherit; }
@media (max-width: 44rem) { canvas { height: 8.5rem; } #plots { gap: .7rem; } #bar p { display: none; } }
`;

/** The page. */
export const PAGE: Page = { title: "Dashboard", style: STYLE, body: BODY, script: SCRIPT };
