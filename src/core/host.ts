/**
 * Where a request is sent to: its Host field and its target (RFC 9112 section 3.2).
 *
 * @module
 */

import type { HeaderList } from "./headers.ts";
import { show } from "./show.ts";

/** Makes the error for a rule that broke. */
export type Fail = (why: string) => Error;

/**
 * The Host field, of which there must be one. "A server MUST respond with a 400 ... to any HTTP/1.1
 * request message that lacks a Host header field and to any request message that contains more than
 * one Host header field line or a Host header field with an invalid field value." (3.2)
 */
export function checkHost(headers: HeaderList, fail: Fail): string {
  const hosts = headers.getAll("host");
  if (hosts.length !== 1) throw fail(`it has ${hosts.length} Host fields, not one`);
  if (!isHost(hosts[0])) throw fail(`Host is ${show(hosts[0])}`);
  return hosts[0];
}

/** The last that was one: clients of a server name the same. */
let lastHost = "";

/** Whether `text` is a host with an optional port, as in a Host field. */
export function isHost(text: string): boolean {
  if (text !== "" && text === lastHost) return true;
  if (!canBeHost(text)) return false;
  lastHost = text;
  return true;
}

function canBeHost(text: string): boolean {
  const match = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=-]{1,255})(?::(\d{0,5}))?$/i.exec(text);
  if (match === null || Number(match[1] ?? 0) > 65_535) return false;
  // A URL will be made of it, so that must be possible, too. Which names that begin with xn-- are
  // possible the runtimes do not agree on: all of them pass here.
  return URL.canParse(`http://${text.replace(/(^|\.)xn--/gi, "$1x--")}/`);
}

/** The target in origin-form: path and query. It may hold secrets, so messages don't show it. */
export function checkTarget(target: string, host: string, fail: Fail): string {
  if (target.includes("#")) throw fail("the target has a fragment");
  if (target.startsWith("/")) return target;
  const absolute = /^(?:https?|wss?):\/\/([^/?]+)(.*)$/i.exec(target);
  // Never routed to where the target says, if that is not where Host says.
  if (absolute === null || absolute[1].toLowerCase() !== host.toLowerCase()) {
    throw fail(`the target is neither a path nor a URL of host ${show(host)}`);
  }
  return absolute[2].startsWith("/") ? absolute[2] : `/${absolute[2]}`;
}
