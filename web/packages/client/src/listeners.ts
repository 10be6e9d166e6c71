// A set of callbacks that may change while it is being called.
import { callSafely, type Unsubscribe } from "./types.js";

export class Listeners<A extends unknown[]> {
  private readonly all = new Set<{ call: (...args: A) => void }>();

  add(call: (...args: A) => void): Unsubscribe {
    const entry = { call };
    this.all.add(entry);
    return () => { this.all.delete(entry); };
  }

  emit(...args: A): void {
    for (const entry of [...this.all]) {
      if (this.all.has(entry)) callSafely(() => entry.call(...args));
    }
  }

  clear(): void { this.all.clear(); }
}
