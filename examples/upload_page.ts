/** What the browser gets of the upload. @module */

import type { Page } from "./page.ts";
import { SCRIPT } from "./upload_script.ts";

const BODY = `<label id="drop">
  <input id="file" type="file" disabled>
  <strong>Choose a file, or drop one here</strong>
  <span id="limit"></span>
</label>
<p id="problem" role="alert" hidden></p>
<section id="job" aria-label="Upload under way" hidden>
  <p><strong id="job-name"></strong><button id="cancel">Cancel</button></p>
  <progress id="progress" aria-label="Arrived" max="1" value="0"></progress>
  <p class="facts number"><span id="arrived"></span><span id="speed"></span></p>
</section>
<ol id="done" aria-label="Uploaded" aria-live="polite"></ol>
<p id="note">Nothing is kept: the server counts the bytes, computes their checksum and forgets them. The page computes its own and compares.</p>`;

const STYLE = `
main { width: 100%; max-width: 40rem; margin: 0 auto; display: flex; flex-direction: column; gap: 1rem; }
#drop { display: flex; flex-direction: column; align-items: center; justify-content: center; gap: .3rem; min-height: 11rem; padding: 1.5rem; border: 2px dashed var(--line); border-radius: .9rem; background: var(--panel); text-align: center; cursor: pointer; }
#drop:has(:enabled):hover, #drop.over { border-color: var(--accent); background: var(--raised); }
#drop:has(:focus-visible) { outline: 2px solid var(--accent); outline-offset: 2px; }
#drop:has(:disabled) { cursor: default; color: var(--soft); }
#file { position: absolute; width: 1px; height: 1px; opacity: 0; }
#limit, .facts, #note { color: var(--soft); font-size: .85rem; }
#problem { padding: .7rem 1rem; border: 1px solid var(--bad); border-radius: .6rem; color: var(--bad); overflow-wrap: anywhere; }
#job, #done li { padding: .9rem 1rem; border: 1px solid var(--line); border-radius: .9rem; background: var(--raised); }
#job p:first-child, .facts { display: flex; align-items: center; justify-content: space-between; gap: 1rem; }
#job strong, #done strong { min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
#cancel { padding: .2rem .8rem; font-size: .9rem; }
progress { display: block; width: 100%; height: .6rem; margin: .7rem 0 .5rem; appearance: none; border: 0; border-radius: .3rem; background: var(--line); overflow: hidden; }
progress::-webkit-progress-bar { background: var(--line); }
progress::-webkit-progress-value { background: var(--accent); border-radius: .3rem; }
progress::-moz-progress-bar { background: var(--accent); border-radius: .3rem; }
#done { display: flex; flex-direction: column; gap: .7rem; list-style: none; }
#done:empty { display: none; }
#done strong { display: block; }
#done .same { color: var(--good); }
#done .facts { flex-wrap: wrap; justify-content: start; gap: .1rem 1.2rem; }
`;

/** The page. */
export const PAGE: Page = { title: "Upload", style: STYLE, body: BODY, script: SCRIPT };
