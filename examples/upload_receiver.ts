/**
 * The receiving end of an upload: counts and checks what comes, and keeps none of it.
 *
 * First the server says `ready` and what it takes. The client sends `upload` with a size, waits for
 * `accepted` or `refused`, then sends the bytes in binary messages. The server tells every so often how
 * many it has `received`, so that the client never has more than a window of them on the way, and in the
 * end says `done`. A `cancel` is answered by `cancelled`. Whatever else comes closes the session.
 *
 * @module
 */

import type { Handler, Message, WebSocketSession } from "../mod.ts";
import { formatCrc32, updateCrc32 } from "./upload_crc.ts";

/** What a receiver takes. */
export interface UploadLimits {
  /** The largest file, in bytes. */
  readonly maxSize: number;
  /** Bytes that may be on the way at a time: sent, and not yet acknowledged. @default {1_048_576} */
  readonly window?: number;
  /** Milliseconds without a byte after which an upload is given up. @default {30_000} */
  readonly patience?: number;
  /** Awaited after each slice, by what is slower than the network. */
  readonly pace?: () => Promise<unknown>;
}

/** What a server says. */
export type UploadReply =
  | { type: "ready"; maxSize: number; slice: number; window: number }
  | { type: "accepted" }
  | { type: "refused"; reason: string }
  | { type: "received"; bytes: number }
  | { type: "cancelled" }
  | { type: "done"; size: number; crc32: string; milliseconds: number };

/** The longest binary message, in bytes: `limits.maxMessageSize` of the server. */
export const SLICE = 65_536;

/** Whoever breaks the protocol is closed with this as the reason. */
class Violation extends Error {}

/** A handler for `serve()` which takes one upload after another from each session. */
export function receiveUploads(limits: UploadLimits): Handler {
  const complete = {
    window: 1_048_576,
    patience: 30_000,
    pace: () => Promise.resolve(),
    ...limits,
  };
  return async (session) => {
    try {
      const { maxSize, window } = complete;
      await tell(session, { type: "ready", maxSize, slice: SLICE, window });
      for await (const message of session) await answer(session, message, complete);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      await session.close(1008, error.message);
    }
  };
}

async function answer(
  session: WebSocketSession,
  message: Message,
  limits: Required<UploadLimits>,
): Promise<void> {
  const size = readRequest(message);
  if (size === "cancel") return await tell(session, { type: "cancelled" });
  if (size > limits.maxSize) {
    const reason = `The file has ${size} bytes, and this server takes ${limits.maxSize} at most`;
    return await tell(session, { type: "refused", reason });
  }
  await tell(session, { type: "accepted" });
  await receiveBytes(session, size, limits);
}

async function receiveBytes(
  session: WebSocketSession,
  size: number,
  { window, patience, pace }: Required<UploadLimits>,
): Promise<void> {
  const start = performance.now();
  let crc = 0;
  let received = 0;
  let told = 0;
  while (received < size) {
    const slice = await receiveWithin(session, patience);
    if (slice === null) return;
    if (typeof slice === "string") {
      if (readRequest(slice) === "cancel") return await tell(session, { type: "cancelled" });
      throw new Violation("one upload at a time");
    }
    if (slice.length === 0) throw new Violation("an empty slice");
    received += slice.length;
    if (received > size) throw new Violation(`more than the ${size} bytes announced`);
    crc = updateCrc32(crc, slice);
    await pace();
    if (received - told < window / 4) continue;
    told = received;
    await tell(session, { type: "received", bytes: received });
  }
  const milliseconds = Math.round(performance.now() - start);
  await tell(session, { type: "done", size, crc32: formatCrc32(crc), milliseconds });
}

/** The size of the file that somebody wants to upload, or `"cancel"`. */
function readRequest(message: Message): number | "cancel" {
  if (typeof message !== "string") throw new Violation("bytes before an upload was accepted");
  const { type, name, size } = parse(message);
  if (type === "cancel") return type;
  const isUpload = type === "upload" && typeof name === "string" && name.length <= 255;
  if (isUpload && Number.isSafeInteger(size) && size as number >= 0) return size as number;
  throw new Violation("neither an upload with name and size nor a cancel");
}

function parse(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    throw new Violation("not JSON");
  }
}

/** The next message; if there is none for so long, the session closes, and there will be none. */
async function receiveWithin(session: WebSocketSession, ms: number): Promise<Message | null> {
  const timer = setTimeout(() => session.close(1008, `no bytes for ${ms} milliseconds`), ms);
  try {
    return await session.receive();
  } finally {
    clearTimeout(timer);
  }
}

function tell(session: WebSocketSession, reply: UploadReply): Promise<void> {
  return session.send(JSON.stringify(reply));
}
