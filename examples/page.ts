/**
 * Serves the page of an example: one document that holds everything, so that it takes no permission to
 * read files, under a policy that lets it run nothing but its own script and connect only back.
 *
 * @module
 */

import type { Fetch } from "../mod.ts";
import { PAGE_SOCKET } from "./page_socket.ts";
import { PAGE_STYLE } from "./page_style.ts";

/** The parts of a page. */
export interface Page {
  readonly title: string;
  readonly style: string;
  /** What stands below the headline, as HTML. */
  readonly body: string;
  /** A module; `keepSocket()` of `page_socket.ts` is in its scope. */
  readonly script: string;
}

/** A handler of plain HTTP requests which serves the page at `/`, and nothing else. */
export function servePage(page: Page): Fetch {
  return serveDocument((nonce) => createDocument(page, nonce));
}

/** The same for a page whose HTML is its own; style and script run by the nonce. */
export function serveDocument(create: (nonce: string) => string): Fetch {
  return (request) => {
    const { pathname, host } = new URL(request.url);
    if (pathname !== "/") return new Response("Not found\n", { status: 404 });
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("Only GET and HEAD\n", { status: 405, headers: { allow: "GET, HEAD" } });
    }
    const nonce = crypto.randomUUID();
    return new Response(create(nonce), {
      headers: {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": createPolicy(nonce, host),
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
      },
    });
  };
}

/** Lets the page load nothing but itself, run nothing but its own script, and connect only back. */
function createPolicy(nonce: string, host: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    `connect-src 'self' ws://${host} wss://${host}`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

function createDocument({ title, style, body, script }: Page, nonce: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Twoway</title>
<link rel="icon" href="data:,">
<style nonce="${nonce}">${PAGE_STYLE}${style}</style>
</head>
<body>
<header>
  <h1>${title}</h1>
  <p id="state" role="status"><span id="dot" aria-hidden="true"></span><span id="state-text">connecting</span></p>
</header>
<main>
${body}
</main>
<noscript><p>This page needs JavaScript.</p></noscript>
<script nonce="${nonce}" type="module">${PAGE_SOCKET}${script}</script>
</body>
</html>
`;
}
