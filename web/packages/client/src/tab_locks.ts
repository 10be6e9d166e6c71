// Locks of the browser (Web Locks API): held as long as a tab lives, released by the browser however it ends.
import type { Unsubscribe } from "./types.js";

export function locksOf(): LockManager | null {
  return (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks ?? null;
}

/**
 * Calls `held` once the lock is ours, which may be never. `lost` is called if another tab takes it away. The returned
 * function releases the lock or stops waiting for it.
 */
export function hold(locks: LockManager, name: string, held: () => void, lost?: () => void, steal = false): Unsubscribe {
  let release: () => void = () => {};
  let released = false;
  const waiting = new AbortController();
  // A request that steals cannot be aborted: it never waits.
  const request = locks.request(name, steal ? { steal: true } : { signal: waiting.signal }, () => {
    if (released) return undefined;
    held();
    return new Promise<void>((resolve) => { release = resolve; });
  });
  request.catch(() => { if (!released) lost?.(); });
  return () => {
    released = true;
    release();
    waiting.abort();
  };
}

/** Calls once the lock is free, which means that the tab that held it is gone. */
export function whenFree(locks: LockManager, name: string, call: () => void): void {
  locks.request(name, () => call()).catch(() => {});
}
