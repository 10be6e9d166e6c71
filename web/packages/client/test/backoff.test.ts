import { expect, test } from "vitest";
import { DELAY_MS_MIN, HINT_FIRST_MS_MIN, HINT_LONGEST_MS_MIN, HINT_MS_MAX, backoffDelay, withHint } from "../src/backoff.js";

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
});

test("no hint makes a client try without delay", () => {
  expect(withHint({}, { min_ms: HINT_FIRST_MS_MIN - 1, max_ms: HINT_LONGEST_MS_MIN - 1 })).toEqual({ firstMs: HINT_FIRST_MS_MIN, maxMs: HINT_LONGEST_MS_MIN });
  expect(withHint({}, { min_ms: HINT_FIRST_MS_MIN, max_ms: HINT_LONGEST_MS_MIN })).toEqual({ firstMs: HINT_FIRST_MS_MIN, maxMs: HINT_LONGEST_MS_MIN });
  expect(withHint({}, { min_ms: 2_000, max_ms: 1_000 })).toEqual({ firstMs: 2_000, maxMs: 2_000 });
  for (const bad of [0, -5, Number.NaN, "x", "5", null, undefined, {}, [7], true]) {
    expect(withHint({ maxMs: 7_000 }, { min_ms: bad, max_ms: bad } as any)).toEqual({ maxMs: 7_000 });
    expect(withHint({}, bad as any)).toEqual({});
  }
  expect(withHint({}, { min_ms: 4_000 } as any)).toEqual({ firstMs: 4_000 });
  expect(withHint({}, { max_ms: 4_000 } as any)).toEqual({ maxMs: 4_000 });
});

test("no option makes the delay too short or too long for a timer", () => {
  for (const options of [{ firstMs: 0 }, { firstMs: 0, maxMs: 0 }, { firstMs: 100, jitter: 1 }]) {
    for (let failures = 1; failures < 100; failures++) expect(backoffDelay(failures, options, 0.999_999)).toBeGreaterThanOrEqual(DELAY_MS_MIN);
  }
  for (const options of [{ firstMs: 3e9, maxMs: Infinity }, { firstMs: Infinity, maxMs: Infinity }, { maxMs: Infinity }]) {
    expect(backoffDelay(64, options, 0)).toBe(2 ** 31 - 1);
  }
});
