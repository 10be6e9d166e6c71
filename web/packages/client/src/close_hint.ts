// When a server wants its clients back: in the reason of a Close with 1012 or 1013, "..., try again in 3 s". Pure.
import { HINT_MS_MAX } from "./backoff.js";

const HINT = /try again in (\d+) s(?![\s\S]*try again in )/;

/** The milliseconds that the server asks its client to wait before it connects again; 0 if it asks for nothing. */
export function closeHintMs(code: number, reason: string): number {
  if (code !== 1012 && code !== 1013) return 0;
  const seconds = HINT.exec(reason)?.[1];
  return seconds === undefined ? 0 : Math.min(Number(seconds) * 1_000, HINT_MS_MAX);
}
