/** The look of the chat: light and dark, from phones to wide screens. @module */

import { COLOURS } from "./page_style.ts";

/** The page's style sheet. */
export const STYLE: string = `
:root {${COLOURS}
  --mine: light-dark(#e6edff, #263251);
  --whisper: light-dark(#fdf1dc, #3a3020);
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html, body { height: 100%; margin: 0; }
body { background: var(--paper); color: var(--ink); overflow: hidden; }
h1, h2, p, ul { margin: 0; padding: 0; font-size: inherit; }
ul { list-style: none; }
button, input, textarea { font: inherit; color: inherit; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.plain { border: 0; background: none; padding: .25rem .5rem; border-radius: .4rem; }
code { font: .92em ui-monospace, "SF Mono", Menlo, Consolas, monospace; }

#app { display: grid; height: 100dvh; grid-template: auto 1fr / 16rem 1fr; grid-template-areas: "side head" "side main"; }
header { grid-area: head; display: flex; align-items: center; gap: .6rem; padding: .7rem 1.4rem; border-bottom: 1px solid var(--line); }
header h1 { font-size: 1.1rem; font-weight: 650; letter-spacing: -.01em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
header h1 > span:first-child { color: var(--soft); font-weight: 400; margin-right: .1rem; }
#menu { display: none; font-size: 1.15rem; }
#state { margin-left: auto; display: flex; align-items: center; gap: .45rem; color: var(--soft); font-size: .85rem; white-space: nowrap; }
#dot { width: .55rem; height: .55rem; border-radius: 50%; background: var(--bad); }
.online #dot { background: var(--good); }

aside { grid-area: side; display: flex; flex-direction: column; gap: 1.6rem; padding: 1.1rem .8rem; background: var(--panel); border-right: 1px solid var(--line); overflow-y: auto; }
aside h2 { padding: 0 .6rem .35rem; font-size: .74rem; font-weight: 650; text-transform: uppercase; letter-spacing: .07em; color: var(--soft); }
aside li button { display: flex; align-items: center; gap: .5rem; width: 100%; text-align: left; padding: .3rem .6rem; border: 0; border-radius: .5rem; background: none; overflow: hidden; }
aside li button > .label { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
aside li button:hover { background: var(--raised); }
aside li button[aria-current="true"] { background: var(--raised); font-weight: 600; box-shadow: 0 1px 2px rgb(0 0 0 / .08); }
aside .other { color: var(--soft); }
.unread { margin-left: auto; min-width: 1.3rem; padding: 0 .35rem; border-radius: 1rem; background: var(--accent); color: var(--on-accent); font-size: .75rem; font-weight: 650; text-align: center; }
.face { flex: none; width: 1.35rem; height: 1.35rem; border-radius: 50%; display: grid; place-items: center; font-size: .7rem; font-weight: 700; color: var(--paper); background: var(--who); }
#join { padding: .35rem .6rem 0; }
#join input, #entry input { width: 100%; padding: .4rem .65rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--paper); }
#me { margin-top: auto; padding: 0 .6rem; color: var(--soft); font-size: .85rem; overflow-wrap: anywhere; }

main { grid-area: main; position: relative; display: flex; flex-direction: column; min-width: 0; min-height: 0; }
#log { flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; padding: 1.2rem 1.4rem .6rem; }
#log:focus-visible { outline-offset: -2px; }
.empty { display: grid; place-content: center; height: 100%; text-align: center; color: var(--soft); }
.empty strong { display: block; color: var(--ink); font-size: 1.15rem; font-weight: 600; }
.day, .fresh { display: flex; align-items: center; gap: .8rem; margin: 1.2rem 0 .6rem; color: var(--soft); font-size: .78rem; }
.day::before, .day::after, .fresh::before, .fresh::after { content: ""; flex: 1; border-top: 1px solid var(--line); }
.fresh { color: var(--accent); }
.fresh::before, .fresh::after { border-color: currentColor; opacity: .4; }
.info { margin: .35rem 0; padding-left: 2.6rem; color: var(--soft); font-size: .85rem; overflow-wrap: anywhere; }
.group { display: grid; grid-template-columns: 2rem minmax(0, 1fr); gap: 0 .6rem; margin: .75rem 0; }
.group .face { width: 2rem; height: 2rem; font-size: .85rem; margin-top: .15rem; }
.by { display: flex; align-items: baseline; gap: .5rem; min-width: 0; }
.by b { color: var(--who); font-weight: 650; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.by time { flex: none; color: var(--soft); font-size: .76rem; font-variant-numeric: tabular-nums; }
.bubble { width: fit-content; max-width: min(44rem, 100%); margin-top: .2rem; padding: .35rem .75rem; border-radius: .25rem .85rem .85rem .85rem; background: var(--raised); box-shadow: 0 0 0 1px var(--line); white-space: pre-wrap; overflow-wrap: anywhere; }
.mine .bubble { background: var(--mine); box-shadow: none; }
.whisper .bubble { background: var(--whisper); box-shadow: none; font-style: italic; }
.waiting { opacity: .55; }
.bubble a { color: var(--accent); }

#newer { position: absolute; left: 50%; bottom: 6.4rem; transform: translateX(-50%); padding: .35rem 1rem; border: 0; border-radius: 2rem; background: var(--accent); color: var(--on-accent); font-size: .85rem; font-weight: 600; box-shadow: 0 4px 14px rgb(0 0 0 / .25); }
#notice { display: flex; align-items: center; gap: .6rem; margin: 0 1.4rem .5rem; padding: .45rem .5rem .45rem .9rem; border-radius: .6rem; border: 1px solid var(--bad); color: var(--bad); font-size: .9rem; }
#notice-text { flex: 1; overflow-wrap: anywhere; }
#composer { display: flex; align-items: flex-end; gap: .5rem; margin: 0 1.4rem; padding: .35rem .35rem .35rem .9rem; border: 1px solid var(--line); border-radius: 1.2rem; background: var(--raised); }
#composer:focus-within { border-color: var(--accent); box-shadow: 0 0 0 3px color-mix(in srgb, var(--accent) 22%, transparent); }
#text { flex: 1; min-width: 0; max-height: 9.5rem; padding: .3rem 0; border: 0; outline: 0; background: none; resize: none; line-height: 1.45; }
#room-left { align-self: center; color: var(--soft); font-size: .78rem; font-variant-numeric: tabular-nums; }
#room-left.over { color: var(--bad); font-weight: 650; }
#send { flex: none; width: 2.3rem; height: 2.3rem; border: 0; border-radius: 50%; background: var(--accent); color: var(--on-accent); }
#send:disabled { opacity: .45; cursor: default; }
#hint { padding: .4rem 1.6rem .7rem; color: var(--soft); font-size: .76rem; }

#entry { width: min(23rem, calc(100vw - 2rem)); border: 1px solid var(--line); border-radius: 1.1rem; padding: 1.8rem; background: var(--raised); color: var(--ink); box-shadow: 0 20px 60px rgb(0 0 0 / .25); }
#entry::backdrop { background: color-mix(in srgb, var(--paper) 75%, transparent); backdrop-filter: blur(3px); }
#entry h1 { font-size: 1.45rem; letter-spacing: -.02em; line-height: 1.2; }
#entry p { margin: .3rem 0 1.1rem; color: var(--soft); }
#entry label { display: block; margin-bottom: .3rem; font-size: .85rem; font-weight: 600; }
#entry #entry-error { min-height: 1.4rem; margin: .35rem 0 .6rem; color: var(--bad); font-size: .88rem; }
#entry button { width: 100%; padding: .6rem; border: 0; border-radius: .6rem; background: var(--accent); color: var(--on-accent); font-weight: 650; }
.noscript { padding: 2rem; }

@media (max-width: 44rem) {
  #app { grid-template: auto 1fr / 1fr; grid-template-areas: "head" "main"; }
  header { padding: .55rem .8rem; }
  #menu { display: block; }
  aside { position: fixed; z-index: 2; inset: 3.1rem auto 0 0; width: min(18rem, 85vw); visibility: hidden; transform: translateX(-100%); box-shadow: 6px 0 24px rgb(0 0 0 / .2); transition: transform .18s ease-out, visibility .18s; }
  .menu-open aside { visibility: visible; transform: none; }
  #log { padding: .8rem .8rem .4rem; }
  #composer { margin: 0 .6rem; }
  #notice { margin: 0 .6rem .5rem; }
  #hint { display: none; }
  main { padding-bottom: .6rem; }
  .info { padding-left: 0; text-align: center; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; scroll-behavior: auto !important; } }
`;
