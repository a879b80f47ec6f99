/** What the pages of the examples have in common: colours, light and dark, and the headline. @module */

/** What stands in `:root`: each colour in light and dark. */
export const COLOURS: string = `
  color-scheme: light dark;
  --paper: light-dark(#fbfaf7, #16181c);
  --panel: light-dark(#f1efe9, #1d2025);
  --raised: light-dark(#ffffff, #24282f);
  --ink: light-dark(#23262b, #e6e4de);
  --soft: light-dark(#5f6470, #a2a6b0);
  --line: light-dark(#dedad0, #31363e);
  --accent: light-dark(#2d5be3, #8fb0ff);
  --on-accent: light-dark(#ffffff, #10131a);
  --bad: light-dark(#b3261e, #ff9a90);
  --good: light-dark(#1d7f4e, #66cf9b);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;`;

/** The start of a page's style sheet. */
export const PAGE_STYLE: string = `
:root {${COLOURS}
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0 auto; max-width: 62rem; min-height: 100dvh; padding: 0 1.4rem; display: flex; flex-direction: column; background: var(--paper); color: var(--ink); }
h1, h2, p, dl, dd, ol, figure { margin: 0; padding: 0; font-size: inherit; }
button, input { font: inherit; color: inherit; }
button { cursor: pointer; padding: .45rem 1rem; border: 1px solid var(--line); border-radius: .6rem; background: var(--raised); }
button:hover { border-color: var(--accent); }
.primary { border-color: transparent; background: var(--accent); color: var(--on-accent); font-weight: 650; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
code, .number { font-variant-numeric: tabular-nums; }
header { display: flex; align-items: center; gap: 1rem; padding: .9rem 0; border-bottom: 1px solid var(--line); }
h1 { font-size: 1.15rem; font-weight: 650; letter-spacing: -.01em; }
#state { margin-left: auto; display: flex; align-items: center; gap: .45rem; color: var(--soft); font-size: .85rem; white-space: nowrap; }
#dot { width: .55rem; height: .55rem; border-radius: 50%; background: var(--bad); }
.online #dot { background: var(--good); }
main { flex: 1; padding: 1.2rem 0 1.6rem; }
@media (max-width: 44rem) { body { padding: 0 .9rem; } header { padding: .65rem 0; } main { padding: .9rem 0; } }
@media (prefers-reduced-motion: reduce) { * { transition: none !important; animation: none !important; } }
`;
