// Web Locks and BroadcastChannel of one process, for tabs that are objects of a test.

interface Request { call: (lock: unknown) => unknown; reject: (error: Error) => void; resolve: (value: unknown) => void; options: any }

export class FakeLocks {
  private readonly held = new Map<string, Request>();
  private readonly waiting = new Map<string, Request[]>();

  request(name: string, options: any, call?: (lock: unknown) => unknown): Promise<unknown> {
    const settings = call ? options : {};
    return new Promise((resolve, reject) => {
      const request: Request = { call: call ?? options, resolve, reject, options: settings };
      settings.signal?.addEventListener("abort", () => {
        const queue = this.waiting.get(name) ?? [];
        if (!queue.includes(request)) return;
        queue.splice(queue.indexOf(request), 1);
        reject(new Error("AbortError"));
      });
      const holder = this.held.get(name);
      if (settings.steal && holder) {
        this.held.delete(name);
        holder.reject(new Error("AbortError: stolen"));
      }
      if (this.held.has(name)) this.waiting.set(name, [...(this.waiting.get(name) ?? []), request]);
      else this.grant(name, request);
    });
  }

  private grant(name: string, request: Request): void {
    this.held.set(name, request);
    queueMicrotask(async () => {
      const result = await request.call({ name });
      request.resolve(result);
      if (this.held.get(name) !== request) return;
      this.held.delete(name);
      const next = this.waiting.get(name)?.shift();
      if (next) this.grant(name, next);
    });
  }
}

export class FakeChannel {
  static all = new Set<FakeChannel>();
  onmessage: ((event: any) => void) | null = null;
  /** A tab that is stopped: nothing goes in or out. */
  isMuted = false;
  constructor(readonly name: string) { FakeChannel.all.add(this); }

  postMessage(message: unknown): void {
    if (this.isMuted) return;
    if (!FakeChannel.all.has(this)) throw new Error("InvalidStateError");
    const data = structuredClone(message);
    for (const other of FakeChannel.all) {
      if (other !== this && other.name === this.name) queueMicrotask(() => { if (FakeChannel.all.has(other) && !other.isMuted) other.onmessage?.({ data }); });
    }
  }
  close(): void { FakeChannel.all.delete(this); }
}
