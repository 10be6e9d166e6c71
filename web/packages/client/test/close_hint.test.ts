import { expect, test } from "vitest";
import { HINT_MS_MAX } from "../src/backoff.js";
import { closeHintMs } from "../src/close_hint.js";

test("the reasons of a restart and of overload are read", () => {
  expect(closeHintMs(1012, "the gateway is restarting, try again in 3 s")).toBe(3_000);
  expect(closeHintMs(1013, "the server has too much to do, try again in 7 s")).toBe(7_000);
});

test("other codes and texts ask for nothing", () => {
  expect(closeHintMs(1000, "try again in 3 s")).toBe(0);
  for (const reason of ["", "the gateway is restarting", "try again in s", "try again in 3", "try again in 3 minutes", "try again in -3 s"]) {
    expect(closeHintMs(1012, reason)).toBe(0);
  }
});

test("no hint silences a client for good", () => {
  expect(closeHintMs(1012, "try again in 600 s")).toBe(HINT_MS_MAX);
  expect(closeHintMs(1012, "try again in 601 s")).toBe(HINT_MS_MAX);
  expect(closeHintMs(1012, `try again in ${"9".repeat(400)} s`)).toBe(HINT_MS_MAX);
});
