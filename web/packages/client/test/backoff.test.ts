import { expect, test } from "vitest";
import { HINT_MS_MAX, backoffDelay, withHint } from "../src/backoff.js";

test("a delay lies between half of it and all of it, doubles, and stops at the maximum", () => {
  const delays = [1, 2, 3, 4].map((failures) => backoffDelay(failures, { firstMs: 100, maxMs: 350 }, 0));
  expect(delays).toEqual([100, 200, 350, 350]);
  expect(backoffDelay(1, { firstMs: 100 }, 1)).toBe(50);
  expect(backoffDelay(1, { firstMs: 100, jitter: 0 }, 0.9)).toBe(100);
  expect(backoffDelay(5_000, {}, 0)).toBe(30_000);
});

test("the server's hint replaces defaults and raises what the program set lower", () => {
  const hint = { min_ms: 2_000, max_ms: 60_000 };
  expect(withHint({}, null)).toEqual({});
  expect(withHint({}, hint)).toEqual({ firstMs: 2_000, maxMs: 60_000 });
  expect(withHint({ firstMs: 100, maxMs: 1_000 }, hint)).toEqual({ firstMs: 2_000, maxMs: 2_000 });
  expect(withHint({ firstMs: 5_000, maxMs: 90_000 }, hint)).toEqual({ firstMs: 5_000, maxMs: 90_000 });
});

test("no hint silences a client for good", () => {
  expect(withHint({}, { min_ms: HINT_MS_MAX, max_ms: HINT_MS_MAX })).toEqual({ firstMs: HINT_MS_MAX, maxMs: HINT_MS_MAX });
  expect(withHint({}, { min_ms: HINT_MS_MAX + 1, max_ms: 1e300 })).toEqual({ firstMs: HINT_MS_MAX, maxMs: HINT_MS_MAX });
  expect(withHint({}, { min_ms: Number.NaN, max_ms: -5 })).toEqual({ firstMs: 1, maxMs: 1 });
});
