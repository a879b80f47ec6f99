import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { show } from "../../src/core/show.ts";

test("show() quotes text and escapes what is not printable ASCII", () => {
  assertEquals(show("a b~"), '"a b~"');
  assertEquals(show('"\\\r\n\0'), '"\\"\\\\\\r\\n\\u0000"');
  assertEquals(show("\x7f\x9b\xe9\u2028\ud800"), '"\\u007f\\u009b\\u00e9\\u2028\\ud800"');
});

test("show() keeps 80 characters and marks what it leaves out", () => {
  assertEquals(show("x".repeat(80)), `"${"x".repeat(80)}"`);
  assertEquals(show("x".repeat(81)), `"${"x".repeat(80)}"…`);
});

test("show() names the type of what is no text", () => {
  assertEquals([show(undefined), show(1)], ["of type undefined", "of type number"]);
});
