/** CloseEvent: the runtime's own, and ours where it has none that will do. @module */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { CloseEvent, OwnCloseEvent } from "../../src/web/close_event.ts";

for (const [name, Class] of Object.entries({ CloseEvent, OwnCloseEvent })) {
  test(`${name} is an event with wasClean, code and reason`, () => {
    const empty = new Class("close");
    assert(empty instanceof Event);
    assertEquals([empty.type, empty.wasClean, empty.code, empty.reason], ["close", false, 0, ""]);
    assertEquals([empty.bubbles, empty.cancelable], [false, false]);
    const full = new Class("x", { wasClean: true, code: 3000, reason: "ä", cancelable: true });
    assertEquals([full.type, full.wasClean, full.code, full.reason], ["x", true, 3000, "ä"]);
    assertEquals(full.cancelable, true);
    assertEquals([Class.name, Class.length], ["CloseEvent", 1]);
    assertEquals("initCloseEvent" in full, false);
  });

  test(`${name} says what it is, and shows its members`, () => {
    const event = new Class("close");
    assertEquals(Object.prototype.toString.call(event), "[object CloseEvent]");
    assert(Object.getPrototypeOf(Class) === Event);
    for (const name of ["wasClean", "code", "reason"]) {
      const property = Object.getOwnPropertyDescriptor(Class.prototype, name)!;
      assertEquals([property.enumerable, property.set], [true, undefined]);
      assertThrows(() => property.get!.call({}), TypeError);
    }
  });
}

test("OwnCloseEvent converts as Web IDL wants it", () => {
  const converted = (init: object): unknown[] => {
    const { wasClean, code, reason } = new OwnCloseEvent("close", init);
    return [wasClean, code, reason];
  };
  assertEquals(converted({ wasClean: 1, code: "3000", reason: 5 }), [true, 3000, "5"]);
  assertEquals(converted({ code: 65_537.9, reason: "\ud800" }), [false, 1, "\ufffd"]);
  assertEquals(converted({ code: NaN, reason: null }), [false, 0, "null"]);
  assertThrows(() => converted({ code: 1n }), TypeError);
  assertThrows(() => Reflect.construct(OwnCloseEvent, []), TypeError);
});
