/**
 * The protocol without I/O, for those who bring their own: bytes in, events out; messages in, bytes
 * out. The opening handshake is a matter of heads and checks; what follows it is a
 * {@linkcode Protocol}.
 *
 * Nothing here reads a clock, opens a socket or draws a random number. Timeouts are the owner's,
 * and so are the limits, the backpressure and the question whether a request's `Origin` is welcome.
 *
 * A server for one connection, whose first bytes are the client's request and a message:
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { checkRequest, createResponse, HeadReader, Protocol } from "@twoway/websocket/core";
 *
 * const request = new TextEncoder().encode(
 *   "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
 *     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
 * );
 * const received = Uint8Array.of(...request, 0x81, 0x82, 1, 2, 3, 4, 0x69, 0x6b); // "hi", masked
 * const written: Uint8Array[] = [];
 *
 * const reader = HeadReader.forRequests({
 *   maxHeaderSize: 16_384,
 *   maxHeaderLine: 8192,
 *   maxHeaders: 100,
 * });
 * const head = reader.receive(received); // null as long as the head is incomplete
 * if (head !== null) written.push(await createResponse(checkRequest(head)));
 *
 * const limits = { maxMessageSize: 1_048_576, maxFragments: 65_536, maxPendingPongs: 128 };
 * const protocol = new Protocol({ role: "server", limits });
 * protocol.receive(reader.rest);
 * for (let event = protocol.next(); event !== null; event = protocol.next()) {
 *   if (event.type === "message") protocol.sendMessage(event.data);
 *   if (event.type === "close" || event.type === "error") protocol.answerClose();
 * }
 * for (let bytes = protocol.takeOutput(); bytes !== null; bytes = protocol.takeOutput()) {
 *   written.push(bytes.slice());
 *   protocol.outputWritten();
 * }
 * assertEquals(written.length, 2); // the response, and a frame
 * assertEquals([...written[1]], [0x81, 0x02, 0x68, 0x69]);
 * ```
 *
 * @module
 */

export {
  type ErrorEvent,
  type Event,
  Protocol,
  type ProtocolLimits,
  type ProtocolOptions,
  type State,
} from "./protocol.ts";
export type { Received, Role } from "./receiver.ts";
export { type PreparedMessage, prepareMessage } from "./prepared_message.ts";
export {
  acceptDeflate,
  checkDeflate,
  type DeflateParams,
  type Deflater,
  type DeflateWish,
  type Inflater,
  type InflateSink,
  type MessageCodec,
  offerDeflate,
} from "./permessage_deflate.ts";
export type { Message, MessageLimits } from "./message.ts";
export {
  type DecodedHeader,
  decodeHeader,
  encodeHeader,
  type FrameHeader,
  Opcode,
} from "./frame.ts";
export { type ClosePayload, type CloseStatus, decodeClose, encodeClose } from "./close.ts";
export { CloseCode, isValidCloseCode } from "./close_code.ts";
export { HandshakeError, type HandshakeErrorInit, ProtocolError } from "./errors.ts";
export { type HeadLimits, HeadReader } from "./head_reader.ts";
export {
  encodeRequest,
  encodeResponse,
  type RequestHead,
  type ResponseHead,
  type ResponseInit,
} from "./http.ts";
export { type ExtensionOffer, formatExtensions } from "./extensions.ts";
export { HeaderList, type HeadersInput } from "./headers.ts";
export {
  type Agreement,
  type CheckedOpening,
  type CheckedRequest,
  checkRequest,
  checkResponse,
  createKey,
  createRequest,
  createResponse,
  isUpgradeRequest,
  type RequestOptions,
  type ResponseOptions,
} from "./handshake.ts";
export {
  checkConnect,
  checkConnectResponse,
  type CheckedConnect,
  type ConnectRequestOptions,
  createConnect,
  createConnectResponse,
  type Http2Fields,
  isExtendedConnect,
  readConnectResponse,
} from "./extended_connect.ts";
export type { OfferOptions } from "./negotiation.ts";
