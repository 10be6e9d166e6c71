// A WebSocket without a network: the test decides when it opens, what it hears and how it ends.
import type { StreamCore, Session } from "./stream_core.js";

export class FakeSocket {
  static all: FakeSocket[] = [];
  static get last(): FakeSocket {
    const one = FakeSocket.all.at(-1);
    if (!one) throw new Error("no socket was made");
    return one;
  }
  /** If set, sockets open by themselves and talk to it. Null: they never open by themselves. */
  static core: StreamCore | null = null;
  /** What an attempt meets: `open`, `refuse` (closes with 1006), `hang`. */
  static next: "open" | "refuse" | "hang" = "open";

  static reset(core: StreamCore | null = null): void {
    FakeSocket.all = [];
    FakeSocket.core = core;
    FakeSocket.next = "open";
  }

  readyState = 0;
  readonly sent: string[] = [];
  closedWith: { code?: number; reason?: string } | null = null;
  /** The peer hears nothing and says nothing, but the socket looks open. */
  isHalfOpen = false;
  onopen: ((event: any) => void) | null = null;
  onmessage: ((event: any) => void) | null = null;
  onerror: ((event: any) => void) | null = null;
  onclose: ((event: any) => void) | null = null;
  private session: Session | null = null;

  constructor(readonly url: string, readonly protocols: string[] = []) {
    FakeSocket.all.push(this);
    const behaviour = FakeSocket.next;
    if (behaviour === "hang") return;
    queueMicrotask(() => (behaviour === "open" ? this.open() : this.end(1006)));
  }

  open(): void {
    if (this.readyState !== 0) return;
    this.readyState = 1;
    this.onopen?.({});
    const core = FakeSocket.core;
    if (!core) return;
    this.session = core.accept({ send: (text) => this.hear(text), close: (code, reason) => this.end(code, reason) });
  }

  hear(text: string | object): void {
    const data = typeof text === "string" ? text : JSON.stringify(text);
    if (this.readyState === 1 && !this.isHalfOpen) this.onmessage?.({ data });
  }

  /** The connection ends from outside. */
  end(code = 1006, reason = ""): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.session?.gone();
    this.onclose?.({ code, reason });
  }

  send(text: string): void {
    if (this.readyState !== 1) throw new Error("InvalidStateError");
    this.sent.push(text);
    if (!this.isHalfOpen) queueMicrotask(() => this.session?.receive(text));
  }

  close(code?: number, reason?: string): void {
    this.closedWith = { code, reason };
    this.readyState = 3;
    this.session?.gone();
  }

  get messages(): any[] { return this.sent.map((text) => JSON.parse(text)); }
}
