/** What the browser gets of the arena. @module */

import { SCRIPT } from "./arena_script.ts";
import type { Page } from "./page.ts";

const BODY = `<div id="game">
  <canvas id="arena" tabindex="0" role="img" aria-label="The arena" aria-describedby="help"></canvas>
  <aside>
    <p id="say" role="status"></p>
    <h2>Coins</h2>
    <ol id="scores"></ol>
    <p id="help">Steer with <kbd>←</kbd> <kbd>↑</kbd> <kbd>↓</kbd> <kbd>→</kbd> or <kbd>W</kbd> <kbd>A</kbd> <kbd>S</kbd> <kbd>D</kbd>, or press anywhere in the arena and the dot follows.</p>
  </aside>
</div>`;

/** A canvas takes no light-dark(); of a property that is registered it gets the colour that applies. */
const COLOURS = ["raised", "ink", "soft", "wall", "coin", "coin-edge", "on-player"]
  .map((name) => `@property --${name} { syntax: "<color>"; inherits: true; initial-value: gray; }`);

const STYLE = `
${COLOURS.join("\n")}
:root {
  --wall: light-dark(#c9c3b4, #454c57);
  --coin: light-dark(#f2c230, #f0c649);
  --coin-edge: light-dark(#8a6a00, #a8871f);
  --on-player: light-dark(#ffffff, #10131a);
}
#game { display: grid; grid-template-columns: minmax(0, min(100%, calc(100dvh - 7rem))) minmax(13.5rem, 1fr); gap: 1.4rem; align-items: start; }
canvas { display: block; width: 100%; aspect-ratio: 1; border: 1px solid var(--line); border-radius: .3rem; background: var(--raised); touch-action: none; cursor: crosshair; transition: opacity .2s; }
body:not(.online) canvas { opacity: .45; }
aside { display: flex; flex-direction: column; gap: .5rem; }
h2 { font-size: .9rem; font-weight: 650; color: var(--soft); }
#say { font-size: .9rem; }
#say:empty { display: none; }
#scores { display: grid; gap: .15rem; list-style: none; }
#scores li { display: flex; align-items: center; gap: .55rem; padding: .2rem .6rem; border-radius: .5rem; }
#scores li.me { background: var(--panel); font-weight: 650; }
#scores i { flex: none; width: .75rem; height: .75rem; border-radius: 50%; }
#scores span { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
#scores b { margin-left: auto; font-variant-numeric: tabular-nums; font-weight: inherit; }
#help { color: var(--soft); font-size: .82rem; }
kbd { padding: 0 .3rem; border: 1px solid var(--line); border-radius: .25rem; font: inherit; }
@media (max-width: 44rem) {
  #game { grid-template-columns: minmax(0, 1fr); gap: .8rem; }
  canvas { width: min(100%, 70dvh); margin: 0 auto; }
  #scores { grid-template-columns: 1fr 1fr; }
  kbd, #help { font-size: .78rem; }
}
`;

/** The page. */
export const PAGE: Page = { title: "Arena", style: STYLE, body: BODY, script: SCRIPT };
