// A value that React components can watch, and a shared once-a-second clock.
import { useSyncExternalStore } from "react";

export class Store<T> {
  private readonly listeners = new Set<() => void>();
  constructor(private value: T) {}

  readonly get = (): T => this.value;
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };
  set(value: T): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const listener of this.listeners) listener();
  }
  update(change: Partial<T>): void {
    this.set({ ...this.value, ...change });
  }
}

export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get);
}

// Calls `draw` at most once an animation frame, however often the result is called. A hidden page draws when it is shown.
export function oncePerFrame(draw: () => void): () => void {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}

const seconds = new Store(Date.now());
let ticker: ReturnType<typeof setInterval> | undefined;
let watchers = 0;

// Milliseconds since 1970, renewed every second while somebody watches.
export function useNow(): number {
  return useSyncExternalStore(watchClock, seconds.get);
}

function watchClock(listener: () => void): () => void {
  if (watchers++ === 0) {
    seconds.set(Date.now());
    ticker = setInterval(() => seconds.set(Date.now()), 1000);
  }
  const stop = seconds.subscribe(listener);
  return () => {
    stop();
    if (--watchers === 0) clearInterval(ticker);
  };
}
