// Waiting for conditions. Nothing here waits for a fixed time: every wait ends when its condition is true, and
// fails with a message at its deadline.

import { setTimeout as pause } from "node:timers/promises";

export const DEADLINE_MS = 60_000;

// Calls `probe` (may be async) until it returns a truthy value, which is returned. Between two calls it yields
// for a moment. At the deadline, the error includes the last exception of the probe.
export async function until(what, probe, { deadlineMs = DEADLINE_MS, everyMs = 20 } = {}) {
  const end = Date.now() + deadlineMs;
  let last;
  for (;;) {
    try {
      const answer = await probe();
      if (answer) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      throw new Error(`not within ${deadlineMs} ms: ${what}${last ? ` (last: ${last.message})` : ""}`, { cause: last });
    }
    await pause(everyMs);
  }
}

// Returns the promise's value, or throws an error that names the awaited event.
export function within(what, promise, deadlineMs = DEADLINE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${deadlineMs} ms: ${what}`)), deadlineMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A queue of items: pushed at one end, awaited at the other.
export class Inbox {
  constructor(name) {
    this.name = name;
    this.items = [];
    this.ended = null;
    this.waiting = [];
  }

  push(item) {
    this.items.push(item);
    this.#wake();
  }

  // No more items will arrive; pending waits fail with `why`.
  end(why) {
    this.ended ??= why ?? "ended";
    this.#wake();
  }

  #wake() {
    for (const look of this.waiting.splice(0)) look();
  }

  // Resolves when `ready(items)` is truthy, to that value.
  async when(what, ready, deadlineMs = DEADLINE_MS) {
    const end = Date.now() + deadlineMs;
    for (;;) {
      const answer = ready(this.items);
      if (answer) return answer;
      if (this.ended) throw new Error(`${this.name}: ${this.ended}, still waiting for ${what}`);
      const left = end - Date.now();
      if (left <= 0) {
        const tail = this.items.slice(-3).map((item) => JSON.stringify(item)?.slice(0, 200));
        throw new Error(`${this.name}: not within ${deadlineMs} ms: ${what}; ${this.items.length} arrived, last ${tail}`);
      }
      let timer;
      await new Promise((resolve) => {
        timer = setTimeout(resolve, left);
        this.waiting.push(resolve);
      });
      clearTimeout(timer);
    }
  }

  atLeast(count, deadlineMs) {
    return this.when(`${count} items`, (items) => items.length >= count && items, deadlineMs);
  }

  // Removes the first matching item from the inbox and returns it.
  take(what, fits = () => true, deadlineMs = DEADLINE_MS) {
    return this.when(
      what,
      (items) => {
        const at = items.findIndex(fits);
        return at < 0 ? null : { item: items.splice(at, 1)[0] };
      },
      deadlineMs,
    ).then(({ item }) => item);
  }
}
