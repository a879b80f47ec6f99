/** What the upload's page shows, as plain browser JavaScript in a string. @module */

/** The start of the page's script: it uses `limits` and `job`, which `upload_script.ts` keeps. */
export const VIEW: string = String.raw`
const SHOWN = 10; // finished uploads

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

function updateCrc32(crc, bytes) {
  let value = ~crc;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

function formatSize(bytes) {
  const power = Math.min(4, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  const number = bytes / 1024 ** power;
  return number.toFixed(power === 0 || number >= 100 ? 0 : 1) + " " + ["B", "KiB", "MiB", "GiB", "TiB"][power];
}

const formatRate = (bytes, ms) => formatSize(bytes / Math.max(ms, 1) * 1000) + "/s";

/** Whether a file may be chosen, and whether one is on the way. */
function showReady() {
  $("file").disabled = limits === null || job !== null;
  $("limit").textContent = limits === null ? "" : "up to " + formatSize(limits.maxSize);
  $("job").hidden = job === null;
}

function showProblem(problem) {
  $("problem").hidden = problem === null;
  $("problem").textContent = problem ?? "";
}

function showProgress() {
  const { file, arrived, since } = job;
  $("job-name").textContent = file.name;
  $("progress").value = file.size === 0 ? 1 : arrived / file.size;
  $("arrived").textContent = formatSize(arrived) + " of " + formatSize(file.size) + " have arrived";
  $("speed").textContent = arrived === 0 ? "" : formatRate(arrived, performance.now() - since);
}

function showDone({ size, crc32, milliseconds }) {
  const isSame = crc32 === job.crc.toString(16).padStart(8, "0");
  const facts = [formatSize(size), "CRC-32 " + crc32, formatRate(size, milliseconds)];
  const item = document.createElement("li");
  const name = document.createElement("strong");
  name.textContent = job.file.name;
  const line = document.createElement("p");
  line.className = "facts number";
  for (const text of facts) line.append(Object.assign(document.createElement("span"), { textContent: text }));
  const verdict = isSame ? "✓ arrived unchanged" : "✗ not what this page has sent";
  line.append(Object.assign(document.createElement("span"), { textContent: verdict, className: isSame ? "same" : "" }));
  item.append(name, line);
  $("done").prepend(item);
  while ($("done").children.length > SHOWN) $("done").lastChild.remove();
}
`;
