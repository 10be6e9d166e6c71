import { expect, test } from "vitest";
import { age, amount, bytesText, gwei, number, precise, sentence, short, shortHash, span, words } from "../src/format";

test("numbers keep what matters", () => {
  expect([number(1234.56), number(1234.56, 1), number(null), short(1_234_567), short(99.96), short(3.14159), precise(0.00141), precise(1234.567)]).toEqual(
    ["1,235", "1,234.6", "–", "1.2M", "100", "3.14", "0.00141", "1,234.57"]);
});

test("amounts are aligned, and a tiny one is not nothing", () => {
  expect([amount(0, false), amount(4.7e-8, false), amount(0.005, false), amount(1234.5, false), amount(undefined, false), amount(21_000, true)]).toEqual(["0.00", "< 0.01", "0.01", "1,234.50", "–", "21,000"]);
  expect([amount("1234", false), amount("1".repeat(30), false), amount("12.5", false)]).toEqual(["1,234", `${"1".repeat(16)}…`, "12.5"]);
});

test("bytes are in powers of 1000", () => {
  expect([0, 999, 1000, 123_456, 5.4e6, undefined].map(bytesText)).toEqual(["0 B", "999 B", "1 kB", "123 kB", "5.4 MB", "– "]);
});

test("times are short", () => {
  expect([0, 59, 60, 61, 3700, 90_000].map(span)).toEqual(["0 s", "59 s", "1 min", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
  expect([0, 12, 75, 7200, 200_000].map(age)).toEqual(["now", "12s", "1m", "2h", "2d"]);
});

test("hashes keep both ends, and fees their unit", () => {
  expect(shortHash(`0x${"ab".repeat(32)}`)).toBe("0xababab…abab");
  expect(shortHash("0xabcdef")).toBe("0xabcdef");
  expect([gwei(null), gwei(7), gwei(1.5e9)]).toEqual(["–", "7 wei", "1.50 gwei"]);
});

test("what a machine says is shown to people", () => {
  expect([words("total_markets"), words("Ads"), words("")]).toEqual(["Total markets", "Ads", ""]);
  expect([sentence("no answer"), sentence("Really?"), sentence("it ended."), sentence(undefined)]).toEqual(["No answer.", "Really?", "It ended.", ""]);
});
