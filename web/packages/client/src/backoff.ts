// When to try again. Pure: chance and the number of failures are arguments.

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

/** Returns the delay in milliseconds after `failures` (at least 1) failures in a row. `random` is in [0, 1). */
export function backoffDelay(failures: number, options: BackoffOptions, random: number): number {
  const { firstMs = 500, maxMs = 30_000, factor = 2, jitter = 0.5 } = options;
  const whole = Math.min(maxMs, firstMs * factor ** Math.min(failures - 1, 64));
  return whole * (1 - jitter * random);
}

/** The server's hint replaces defaults, and raises values of the program that are smaller. */
export function withHint(options: BackoffOptions, hint: ReconnectHint | null): BackoffOptions {
  if (!hint) return options;
  const min = clamp(hint.min_ms);
  const max = Math.max(min, clamp(hint.max_ms));
  return {
    ...options,
    firstMs: Math.max(options.firstMs ?? 0, min),
    maxMs: options.maxMs === undefined ? max : Math.max(options.maxMs, min),
  };
}

function clamp(ms: number): number {
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 1), HINT_MS_MAX) : 1;
}
