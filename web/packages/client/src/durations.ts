// Times in milliseconds that a program sets: checked when they are set, and never too long for a timer.

/** A timer of more is run at once, in browsers and in Node. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/** Calls after this time. Infinity: never. A time that is longer than a timer can be, 24.8 days, is cut off. */
export function after(ms: number, call: () => void): ReturnType<typeof setTimeout> | null {
  return ms === Infinity ? null : setTimeout(call, Math.min(ms, TIMER_MS_MAX));
}

/** Throws RangeError if the option is neither absent nor a number from `least` to `most`. Infinity is a number. */
export function checkNumber(name: string, value: unknown, least = 0, most = Infinity): void {
  if (value === undefined || (typeof value === "number" && value >= least && value <= most)) return;
  const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`;
  throw new RangeError(`the option ${name} must be a number ${range}, not ${String(value)}`);
}
