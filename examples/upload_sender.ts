/** The sending end of an upload: never holds more than a slice, however slow the other end is. @module */

import type { WebSocketSession } from "../mod.ts";
import { formatCrc32, updateCrc32 } from "./upload_crc.ts";
import type { UploadReply } from "./upload_receiver.ts";

/** What to upload. */
export interface Upload {
  readonly name: string;
  /** In bytes; `slices` have so many together. */
  readonly size: number;
  /** The bytes in order, in pieces of 64 KiB at most. */
  readonly slices: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** Is told how many bytes have arrived. */
  readonly onProgress?: (bytes: number) => void;
}

/** How an upload went. */
export type Receipt = Extract<UploadReply, { type: "done" }>;

/**
 * Uploads over a session whose `ready` has not been received yet. Two things hold the sender back:
 * `send()`, while the connection takes no more, and the window, while the server has not dealt with what
 * it got. Throws an `Error` if the server refuses, or got other bytes than were sent.
 */
export async function upload(session: WebSocketSession, file: Upload): Promise<Receipt> {
  const { window } = await expect(session, "ready");
  await session.send(JSON.stringify({ type: "upload", name: file.name, size: file.size }));
  await expect(session, "accepted");
  let sent = 0;
  let arrived = 0;
  let crc = 0;
  for await (const slice of file.slices) {
    while (sent + slice.length - arrived > window) {
      arrived = (await expect(session, "received")).bytes;
      file.onProgress?.(arrived);
    }
    crc = updateCrc32(crc, slice);
    await session.send(slice);
    sent += slice.length;
  }
  if (sent !== file.size) throw new Error(`There were ${sent} bytes, and ${file.size} announced`);
  return await confirm(session, file, formatCrc32(crc));
}

/** Waits until all has arrived, and checks that it has arrived unchanged. */
async function confirm(session: WebSocketSession, file: Upload, crc: string): Promise<Receipt> {
  while (true) {
    const reply = await expect(session, "received", "done");
    if (reply.type === "received") {
      file.onProgress?.(reply.bytes);
      continue;
    }
    if (reply.crc32 === crc) return reply;
    throw new Error(`The server got bytes with CRC-32 ${reply.crc32}, those sent have ${crc}`);
  }
}

/** The server's next reply, which has to be of one of these types. */
async function expect<Type extends UploadReply["type"]>(
  session: WebSocketSession,
  ...types: Type[]
): Promise<Extract<UploadReply, { type: Type }>> {
  const message = await session.receive();
  if (message === null) {
    const { code, reason } = await session.closed;
    throw new Error(`The server closed the connection: ${code} ${reason}`.trimEnd());
  }
  const reply: UploadReply = JSON.parse(String(message));
  if (types.some((type) => type === reply.type)) {
    return reply as Extract<UploadReply, { type: Type }>;
  }
  throw new Error(reply.type === "refused" ? reply.reason : `Unexpected reply: ${message}`);
}
