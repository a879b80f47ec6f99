/**
 * What the chat's page does, as plain browser JavaScript in a string. What people write only ever
 * becomes text, never markup: every node is made by `element()`.
 *
 * @module
 */

/** The page's script, a module. */
export const SCRIPT: string = String.raw`
const $ = (id) => document.getElementById(id);

/** Makes an element; strings become text. */
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

// --- What is known ---------------------------------------------------------------------------

/** Everything that outlives a reload of the page in this tab. */
const memory = {
  get token() { return sessionStorage.getItem("token") ?? undefined; },
  set token(token) { token === undefined ? sessionStorage.removeItem("token") : sessionStorage.setItem("token", token); },
  get name() { return sessionStorage.getItem("name") ?? ""; },
  set name(name) { sessionStorage.setItem("name", name); },
  get outbox() { return JSON.parse(sessionStorage.getItem("outbox") ?? "[]"); },
  set outbox(messages) { sessionStorage.setItem("outbox", JSON.stringify(messages)); },
};

/** Rooms that we are in: name → { people: Set, events: [], unread, seen }. */
const rooms = new Map();
let directory = [];
let current = "lobby";
let me = "";
let lastSeq = 0;
let limits = { textLength: 2000, history: 200 };
/** Messages that the server has not acknowledged: sent again after a reconnection, same ids. */
let outbox = memory.outbox;

function roomOf(name) {
  if (!rooms.has(name)) rooms.set(name, { people: new Set(), events: [], unread: 0, seen: 0 });
  return rooms.get(name);
}

// --- The connection --------------------------------------------------------------------------

let socket = null;
let attempts = 0;
let retryTimer = 0;

function connect() {
  clearTimeout(retryTimer);
  const url = new URL(location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  const mine = socket = new WebSocket(url, ["chat.v1"]);
  showState("connecting");
  mine.onopen = () => transmit({ type: "hello", name: memory.name, token: memory.token, since: lastSeq || undefined });
  mine.onmessage = ({ data }) => { if (mine === socket) receive(JSON.parse(data)); };
  mine.onclose = ({ code }) => { if (mine === socket) disconnected(code); };
}

function disconnected(code) {
  socket = null;
  if (code === 4000) return showState("open in another window");
  // The wait doubles each time and is half chance, so that not everybody comes back at once.
  const wait = Math.min(15_000, 500 * 2 ** attempts++) * (0.5 + Math.random() / 2);
  retryTimer = setTimeout(connect, wait);
  showState("offline, trying again");
}

// Back from sleep, or in reach of a network again: no reason to wait.
addEventListener("online", () => { if (socket === null && me !== "") connect(); });
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState !== "visible") return;
  if (socket === null && me !== "") connect();
  markSeen();
});

function transmit(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function receive(message) {
  switch (message.type) {
    case "welcome": return welcome(message);
    case "event": return addEvent(message.event);
    case "room": return addRoom(message.room, true);
    case "roomLeft": return removeRoom(message.room);
    case "directory": directory = message.rooms; return showSide();
    case "ack": return acknowledge(message.id);
    case "refused": return refused(message);
  }
}

function welcome(message) {
  attempts = 0;
  limits = message.limits;
  me = memory.name = message.name;
  memory.token = message.token;
  directory = message.directory;
  if (!message.isResumed) { rooms.clear(); lastSeq = 0; }
  for (const name of [...rooms.keys()]) if (!message.rooms.some((room) => room.name === name)) rooms.delete(name);
  for (const room of message.rooms) addRoom(room, false);
  for (const event of message.privates) addEvent(event);
  if (!rooms.has(current)) current = "lobby";
  showState("online");
  if ($("entry").open) $("entry").close();
  $("app").hidden = false;
  for (const waiting of outbox) transmit(waiting);
  showAll();
  $("text").focus();
}

function acknowledge(id) {
  outbox = outbox.filter((waiting) => waiting.id !== id);
  memory.outbox = outbox;
  for (const node of document.querySelectorAll("[data-waiting]")) if (node.dataset.waiting === id) node.remove();
}

function refused({ what, text, id }) {
  if (what === "name" || what === "full") return askName(text);
  notify(text);
  const waiting = outbox.find((message) => message.id === id);
  if (waiting === undefined) return;
  acknowledge(id);
  // What was refused goes back to where it came from, and is not lost.
  const box = $("text");
  box.value = [waiting.type === "whisper" ? "/msg " + quote(waiting.to) + " " + waiting.text : waiting.text, box.value].filter(Boolean).join("\n");
  sized();
}

// --- Rooms and events ------------------------------------------------------------------------

function addRoom({ name, people, events }, enter) {
  const room = roomOf(name);
  room.people = new Set(people);
  for (const event of events) {
    store(room, event);
    if (event.from === me && event.id !== undefined) acknowledge(event.id);
  }
  if (enter && name !== "lobby") current = name;
  if (enter) showAll();
}

function removeRoom(name) {
  rooms.delete(name);
  if (current === name) current = "lobby";
  showAll();
}

/** Keeps an event once, in its place: after a reconnection some may come a second time. */
function store(room, event) {
  lastSeq = Math.max(lastSeq, event.seq);
  if (room.events.some(({ seq }) => seq === event.seq)) return false;
  room.events.push(event);
  room.events.sort((a, b) => a.seq - b.seq);
  if (room.events.length > 2 * limits.history) room.events.shift();
  return true;
}

function addEvent(event) {
  const name = event.type === "private" ? current : event.room;
  const room = roomOf(name);
  if (event.type === "joined") room.people.add(event.from);
  if (event.type === "left") room.people.delete(event.from);
  if (event.from === me && event.id !== undefined) acknowledge(event.id);
  if (!store(room, event)) return;
  const isNews = event.type === "message" || event.type === "private";
  if (isNews && event.from !== me && (name !== current || document.visibilityState !== "visible")) room.unread++;
  if (name === current) showLog(event.from === me); 
  showSide();
}

function markSeen() {
  const room = roomOf(current);
  room.unread = 0;
  showSide();
}

// --- What is shown ---------------------------------------------------------------------------

function showAll() {
  $("title").textContent = current;
  $("text").placeholder = "Message #" + current;
  showLog(true);
  markSeen();
}

function showState(text) {
  document.body.classList.toggle("online", text === "online");
  $("state-text").textContent = text;
}

/** A colour for each name, as readable on light as on dark. */
function colour(name) {
  let hash = 0;
  for (const char of name) hash = (hash * 31 + char.codePointAt(0)) >>> 0;
  const hue = hash % 360;
  return "light-dark(oklch(0.5 0.13 " + hue + "), oklch(0.8 0.11 " + hue + "))";
}

function face(name) {
  const node = element("span", { class: "face", "aria-hidden": "true" }, [...name][0].toUpperCase());
  node.style.setProperty("--who", colour(name));
  return node;
}

function showSide() {
  const room = roomOf(current);
  $("rooms").replaceChildren(...[...new Set([...rooms.keys(), ...directory])].map((name) => {
    const own = rooms.get(name);
    const button = element("button", { "aria-current": String(name === current), class: own ? "" : "other" },
      element("span", { class: "label" }, "# " + name));
    if (own?.unread) button.append(element("span", { class: "unread", title: own.unread + " unread" }, String(own.unread)));
    button.onclick = () => own ? show(name) : transmit({ type: "join", room: name });
    return element("li", {}, button);
  }));
  $("count").textContent = "· " + room.people.size;
  $("people").replaceChildren(...[...room.people].sort((a, b) => a.localeCompare(b)).map((name) => {
    const button = element("button", { title: name === me ? "You" : "Whisper to " + name }, face(name),
      element("span", { class: "label" }, name === me ? name + " (you)" : name));
    button.onclick = () => { if (name !== me) whisperTo(name); };
    return element("li", {}, button);
  }));
  $("me").textContent = "You are " + me + ".";
  const unread = [...rooms.values()].reduce((sum, { unread }) => sum + unread, 0);
  document.title = (unread > 0 ? "(" + unread + ") " : "") + "#" + current + " · Twoway chat";
}

function show(name) {
  current = name;
  document.body.classList.remove("menu-open");
  $("menu").setAttribute("aria-expanded", "false");
  showAll();
  $("text").focus();
}

const timeFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

function isAtEnd() {
  const log = $("log");
  return log.scrollHeight - log.scrollTop - log.clientHeight < 60;
}

/** Draws the room: days, groups of what one person says in a row, comings and goings. */
function showLog(toEnd) {
  const log = $("log");
  const follow = toEnd || isAtEnd();
  const { events, unread } = roomOf(current);
  const nodes = [];
  let day = "", group = null, last = null;
  const firstUnread = unread > 0 ? events.filter(isSaid).slice(-unread)[0] : null;
  for (const event of events) {
    const today = dayFormat.format(event.time);
    if (today !== day) { nodes.push(element("div", { class: "day" }, today)); day = today; group = null; }
    if (event === firstUnread) { nodes.push(element("div", { class: "fresh" }, "new")); group = null; }
    if (!isSaid(event)) { nodes.push(infoOf(event)); group = null; continue; }
    if (group === null || last.from !== event.from || last.type !== event.type || last.to !== event.to || event.time - last.time > 300_000) {
      group = groupOf(event);
      nodes.push(group);
    }
    group.lastChild.append(bubbleOf(event.text));
    last = event;
  }
  if (!events.some(isSaid)) nodes.unshift(element("div", { class: "empty" }, element("div", {}, element("strong", {}, "It is quiet here."), "Say something, and whoever is here will see it.")));
  log.replaceChildren(...nodes, ...waitingNodes());
  if (follow) { log.scrollTop = log.scrollHeight; $("newer").hidden = true; }
  else $("newer").hidden = false;
}

function isSaid({ type }) { return type === "message" || type === "private"; }

function infoOf({ type, from, time }) {
  return element("p", { class: "info" }, from + (type === "joined" ? " came in" : " left") + " · " + timeFormat.format(time));
}

function groupOf({ from, to, type, time }) {
  const node = element("div", { class: "group" + (from === me ? " mine" : "") + (type === "private" ? " whisper" : "") }, face(from));
  const name = type === "private" ? from + " → " + to : from;
  const stamp = element("time", { datetime: new Date(time).toISOString() }, timeFormat.format(time));
  node.append(element("div", {}, element("div", { class: "by" }, element("b", {}, name), stamp)));
  node.style.setProperty("--who", colour(from));
  return node;
}

function bubbleOf(text) {
  return element("div", { class: "bubble" }, ...linked(text));
}

/** Text with its web addresses as links. */
function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]])/).map((part, i) =>
    i % 2 === 0 ? part : element("a", { href: part, rel: "noopener noreferrer", target: "_blank" }, part));
}

/** Our messages that the server has not taken yet. */
function waitingNodes() {
  return outbox.filter((message) => message.type === "whisper" || message.room === current).map((message) => {
    const node = groupOf({ from: me, to: message.to, type: message.type === "whisper" ? "private" : "message", time: Date.now() });
    node.classList.add("waiting");
    node.dataset.waiting = message.id;
    node.lastChild.append(bubbleOf(message.text));
    return node;
  });
}

let noticeTimer = 0;
function notify(text) {
  $("notice-text").textContent = text;
  $("notice").hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => $("notice").hidden = true, 8000);
}

// --- What people do --------------------------------------------------------------------------

function askName(why = "") {
  if (why !== "") memory.token = undefined;
  $("entry-error").textContent = why;
  $("name").value = memory.name;
  if (!$("entry").open) $("entry").showModal();
  $("name").select();
}

$("entry").addEventListener("cancel", (event) => event.preventDefault());
$("entry-form").onsubmit = (event) => {
  event.preventDefault();
  memory.name = $("name").value;
  if (socket?.readyState === WebSocket.OPEN) transmit({ type: "hello", name: memory.name });
  else connect();
};

function quote(name) { return /\s/.test(name) ? '"' + name + '"' : name; }

function whisperTo(name) {
  $("text").value = "/msg " + quote(name) + " ";
  document.body.classList.remove("menu-open");
  $("text").focus();
  sized();
}

/** Says the text, or does what it commands; returns whether the composer is done with it. */
function perform(text) {
  const command = /^\/(\w+)\s*([^]*)$/.exec(text);
  if (command === null || text.startsWith("//")) return queue({ type: "say", room: current, text: text.replace(/^\/\//, "/") });
  const [, verb, rest] = command;
  if (verb === "join" && rest.trim() !== "") { transmit({ type: "join", room: rest }); return true; }
  if (verb === "leave") { transmit({ type: "leave", room: rest.trim() || current }); return true; }
  const whisper = verb === "msg" ? /^(?:"([^"]+)"|(\S+))\s+([^]+)$/.exec(rest) : null;
  if (whisper !== null) return queue({ type: "whisper", to: whisper[1] ?? whisper[2], text: whisper[3] });
  notify("Not a command: try /msg name text, /join room or /leave. Two slashes send a message that begins with one.");
  return false;
}

function queue(message) {
  if ([...message.text].length > limits.textLength) {
    notify("That is " + [...message.text].length + " characters long; " + limits.textLength + " is the most.");
    return false;
  }
  if (outbox.length >= 20) { notify("Twenty messages wait already. They will leave when the connection is back."); return false; }
  const identified = { ...message, id: crypto.randomUUID?.() ?? String(Math.random()).slice(2) + Date.now() };
  outbox.push(identified);
  memory.outbox = outbox;
  transmit(identified);
  showLog(true);
  return true;
}

function sized() {
  const box = $("text");
  box.style.height = "auto";
  box.style.height = box.scrollHeight + "px";
  const left = limits.textLength - [...box.value].length;
  $("room-left").textContent = left < 200 ? String(left) : "";
  $("room-left").classList.toggle("over", left < 0);
  $("send").disabled = box.value.trim() === "";
}

$("text").oninput = sized;
$("text").onkeydown = (event) => {
  if (event.key === "Escape") { $("notice").hidden = true; return; }
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
};
$("composer").onsubmit = (event) => {
  event.preventDefault();
  const box = $("text");
  if (box.value.trim() === "" || !perform(box.value.trim())) return;
  box.value = "";
  sized();
};
$("join").onsubmit = (event) => {
  event.preventDefault();
  if ($("join-name").value.trim() !== "") transmit({ type: "join", room: $("join-name").value });
  $("join-name").value = "";
  document.body.classList.remove("menu-open");
};
$("menu").onclick = () => {
  const isOpen = document.body.classList.toggle("menu-open");
  $("menu").setAttribute("aria-expanded", String(isOpen));
};
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.body.classList.contains("menu-open")) $("menu").click();
});
$("notice-close").onclick = () => { $("notice").hidden = true; $("text").focus(); };
$("newer").onclick = () => { $("log").scrollTop = $("log").scrollHeight; $("newer").hidden = true; $("text").focus(); };
$("log").onscroll = () => { if (isAtEnd()) $("newer").hidden = true; };
for (const list of [$("rooms"), $("people")]) {
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const buttons = [...list.querySelectorAll("button")];
    buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length]?.focus();
  });
}

sized();
if (memory.token !== undefined && memory.name !== "") connect();
else askName();
`;
