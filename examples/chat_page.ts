/**
 * The page of the chat as a string, so that serving it needs no permission to read files.
 *
 * @module
 */

import { SCRIPT } from "./chat_script.ts";
import { STYLE } from "./chat_style.ts";

/** The page; `nonce` is what its Content-Security-Policy lets style and script run by. */
export function createPage(nonce: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, interactive-widget=resizes-content">
<meta name="color-scheme" content="light dark">
<title>Twoway chat</title>
<link rel="icon" href="data:,">
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
${BODY}
<script nonce="${nonce}" type="module">${SCRIPT}</script>
</body>
</html>
`;
}

const BODY = `<div id="app" hidden>
  <header>
    <button id="menu" class="plain" aria-expanded="false" aria-controls="side" title="Rooms and people">
      <span aria-hidden="true">☰</span><span class="sr">Rooms and people</span>
    </button>
    <h1><span aria-hidden="true">#</span><span id="title">lobby</span></h1>
    <p id="state" role="status"><span id="dot" aria-hidden="true"></span><span id="state-text">connecting</span></p>
  </header>
  <aside id="side" aria-label="Rooms and people">
    <section aria-labelledby="rooms-label">
      <h2 id="rooms-label">Rooms</h2>
      <ul id="rooms"></ul>
      <form id="join">
        <label class="sr" for="join-name">Room to join or open</label>
        <input id="join-name" placeholder="Join or open a room" maxlength="24" autocomplete="off" enterkeyhint="go">
      </form>
    </section>
    <section aria-labelledby="people-label">
      <h2 id="people-label">Here now <span id="count"></span></h2>
      <ul id="people"></ul>
    </section>
    <p id="me"></p>
  </aside>
  <main>
    <div id="log" role="log" aria-live="polite" aria-label="Messages" tabindex="0"></div>
    <button id="newer" hidden>New messages <span aria-hidden="true">↓</span></button>
    <div id="notice" role="alert" hidden><span id="notice-text"></span><button id="notice-close" class="plain" title="Dismiss"><span aria-hidden="true">×</span><span class="sr">Dismiss</span></button></div>
    <form id="composer">
      <label class="sr" for="text">Message</label>
      <textarea id="text" rows="1" placeholder="Message" enterkeyhint="send" autocomplete="off"></textarea>
      <span id="room-left" aria-live="polite"></span>
      <button id="send" title="Send (Enter)"><span aria-hidden="true">➤</span><span class="sr">Send</span></button>
    </form>
    <p id="hint">Enter sends · Shift+Enter starts a line · <code>/msg name text</code> whispers · <code>/join room</code> · <code>/leave</code></p>
  </main>
</div>
<dialog id="entry" aria-labelledby="entry-title">
  <form id="entry-form" method="dialog">
    <h1 id="entry-title">Twoway chat</h1>
    <p>Two windows, one server, and whoever else is here.</p>
    <label for="name">Your name</label>
    <input id="name" required maxlength="48" autocomplete="nickname" autofocus enterkeyhint="go">
    <p id="entry-error" role="alert"></p>
    <button>Enter</button>
  </form>
</dialog>
<noscript><p class="noscript">This chat needs JavaScript.</p></noscript>`;
