/** What the upload's page does, as plain browser JavaScript in a string. @module */

import { VIEW } from "./upload_view.ts";

/** The page's script, a module. */
export const SCRIPT: string = String.raw`${VIEW}
const LOW = 262_144; // bytes that the browser may hold back before we give it more
let socket = null;
let limits = null; // what the server takes, while it is there
let job = null; // the upload under way

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

keepSocket({
  opened(opened) {
    socket = opened;
  },
  received(data) {
    const reply = JSON.parse(data);
    replies[reply.type](reply);
  },
  closed({ reason }) {
    socket = limits = null;
    if (job !== null) finish("The connection was lost" + (reason && ": " + reason));
    showReady();
  },
});

const replies = {
  ready(reply) { limits = reply; showReady(); },
  accepted() { sendSlices(job); },
  refused({ reason }) { finish(reason); },
  received({ bytes }) { job.arrived = bytes; showProgress(); job.wake(); },
  cancelled() { finish(job?.error ?? null); },
  // A cancel may come too late; it is answered all the same.
  done(reply) { if (!job.cancelled) { showDone(reply); finish(null); } },
};

function start(file) {
  if (socket === null || limits === null || job !== null) return;
  job = { file, sent: 0, arrived: 0, crc: 0, since: performance.now(), cancelled: false, error: null, wake() {} };
  socket.send(JSON.stringify({ type: "upload", name: file.name.slice(0, 255), size: file.size }));
  showProblem(null);
  showReady();
  showProgress();
  $("cancel").focus();
}

/** Two things hold it back: what the browser still has to send, and what the server has not dealt with. */
async function sendSlices(mine) {
  const { file } = mine;
  while (mine === job && !mine.cancelled && mine.sent < file.size) {
    if (mine.sent + limits.slice - mine.arrived > limits.window) {
      await new Promise((resolve) => { mine.wake = resolve; });
    } else if (socket.bufferedAmount > LOW) {
      await pause(10);
    } else {
      const slice = await file.slice(mine.sent, mine.sent + limits.slice).arrayBuffer().catch(() => null);
      if (mine !== job || mine.cancelled) return;
      if (slice === null) return cancel("The file cannot be read any more");
      socket.send(slice);
      mine.sent += slice.byteLength;
      mine.crc = updateCrc32(mine.crc, new Uint8Array(slice));
    }
  }
}

function cancel(error) {
  if (job === null || job.cancelled) return;
  Object.assign(job, { cancelled: true, error });
  socket.send('{"type":"cancel"}');
  job.wake();
}

function finish(problem) {
  job?.wake();
  job = null;
  showProblem(problem);
  const hadFocus = document.activeElement === $("cancel");
  showReady();
  if (hadFocus) $("file").focus();
}

// --- What people do ------------------------------------------------------------------------------

$("file").onchange = ({ target }) => {
  if (target.files.length > 0) start(target.files[0]);
  target.value = "";
};
$("cancel").onclick = () => cancel(null);
for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
  addEventListener(type, (event) => {
    event.preventDefault(); // a file beside the field must not replace the page
    const isOver = type !== "drop" && $("drop").contains(event.target) && type !== "dragleave";
    $("drop").classList.toggle("over", isOver && !$("file").disabled);
    if (type === "drop" && event.dataTransfer.files.length > 0) start(event.dataTransfer.files[0]);
  });
}
`;
