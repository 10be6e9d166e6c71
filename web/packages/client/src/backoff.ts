// When to try again. Pure: chance and the number of failures are arguments.
import { TIMER_MS_MAX } from "./durations.js";

export interface BackoffOptions {
  /** The longest delay after the first failure, in milliseconds. Default 500, or what the server asks for. */
  readonly firstMs?: number;
  /** No delay is longer. Default 30,000, or what the server asks for. */
  readonly maxMs?: number;
  /** Each further failure multiplies the delay. Default 2. */
  readonly factor?: number;
  /** The part of the delay that is chance, 0 to 1, so that clients do not return all at once. Default 0.5. */
  readonly jitter?: number;
}

/** What the server asks of clients that reconnect (`reconnect` in its `hello`). */
export interface ReconnectHint {
  readonly min_ms: number;
  readonly max_ms: number;
}

/** A hint above this counts as this, so that no message can silence a client for good. */
export const HINT_MS_MAX = 600_000;
/** A first delay below this counts as this, and a longest one below a second as a second, so that no message makes a client a flood. */
export const HINT_FIRST_MS_MIN = 100;
export const HINT_LONGEST_MS_MIN = 1_000;
/** No delay is shorter, whatever the program sets. */
export const DELAY_MS_MIN = 10;

/** Returns the delay in milliseconds after `failures` (at least 1) failures in a row. `random` is in [0, 1). */
export function backoffDelay(failures: number, options: BackoffOptions, random: number): number {
  const { firstMs = 500, maxMs = 30_000, factor = 2, jitter = 0.5 } = options;
  const whole = Math.min(maxMs, Math.max(firstMs, DELAY_MS_MIN) * factor ** Math.min(failures - 1, 64), TIMER_MS_MAX);
  return Math.max(whole * (1 - jitter * random), DELAY_MS_MIN);
}

/** The server's hint replaces defaults, and raises values of the program that are smaller. What is no number above 0 is ignored. */
export function withHint(options: BackoffOptions, hint: ReconnectHint | null): BackoffOptions {
  const min = usable(hint?.min_ms, HINT_FIRST_MS_MIN);
  const max = usable(hint?.max_ms, HINT_LONGEST_MS_MIN);
  const firstMs = min === undefined ? options.firstMs : Math.max(options.firstMs ?? 0, min);
  const maxMs = options.maxMs === undefined ? max && Math.max(max, min ?? 0) : Math.max(options.maxMs, min ?? 0);
  return { ...options, ...(firstMs === undefined ? {} : { firstMs }), ...(maxMs === undefined ? {} : { maxMs }) };
}

function usable(ms: unknown, least: number): number | undefined {
  return typeof ms === "number" && ms > 0 ? Math.min(Math.max(ms, least), HINT_MS_MAX) : undefined;
}
