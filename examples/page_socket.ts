/** How the pages of the examples stay connected, as plain browser JavaScript in a string. @module */

/** The start of a page's script: `$()` and `keepSocket()`. */
export const PAGE_SOCKET: string = String.raw`
const $ = (id) => document.getElementById(id);

function showState(text, isOnline) {
  document.body.classList.toggle("online", isOnline);
  $("state-text").textContent = text;
}

/**
 * Keeps a WebSocket open to where the page came from. When it is lost it comes back: after a pause that
 * doubles each time and is half chance, so that not everybody comes back at once; and without one when the
 * network is back or somebody looks at the page again. Whether the socket is open stands in the headline.
 */
function keepSocket({ opened = () => {}, received, closed = () => {} }) {
  let socket = null;
  let attempts = 0;
  let timer = 0;

  function open() {
    clearTimeout(timer);
    const url = new URL("/", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    showState("connecting", false);
    socket.onopen = () => { attempts = 0; showState("connected", true); opened(socket); };
    socket.onmessage = ({ data }) => received(data);
    socket.onclose = (event) => {
      socket = null;
      timer = setTimeout(open, Math.min(15_000, 500 * 2 ** attempts++) * (0.5 + Math.random() / 2));
      showState("offline, trying again", false);
      closed(event);
    };
  }

  function hurry() {
    if (socket === null && document.visibilityState === "visible") open();
  }
  addEventListener("online", hurry);
  document.addEventListener("visibilitychange", hurry);
  open();

  return {
    /** Sends if the socket is open; returns whether it is. */
    send(data) {
      if (socket?.readyState !== WebSocket.OPEN) return false;
      socket.send(data);
      return true;
    },
  };
}
`;
