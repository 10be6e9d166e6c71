// A WebSocket without a network to a canvas: both directions arrive later, in order, at times that the test decides.
import type { CanvasCore, CanvasSession } from "./canvas_core.js";

export class CanvasSocket {
  static all: CanvasSocket[] = [];
  static core: CanvasCore;
  /** Messages on the way wait for `deliver`. Otherwise they arrive with the next microtask. */
  static isHeld = false;
  /** Attempts to connect fail. */
  static isDown = false;

  static reset(core: CanvasCore): void {
    CanvasSocket.all = [];
    CanvasSocket.core = core;
    CanvasSocket.isHeld = CanvasSocket.isDown = false;
  }
  static get last(): CanvasSocket { return CanvasSocket.all.at(-1)!; }

  readyState = 0;
  binaryType = "blob";
  onopen: ((event: any) => void) | null = null;
  onmessage: ((event: any) => void) | null = null;
  onerror: ((event: any) => void) | null = null;
  onclose: ((event: any) => void) | null = null;
  private session: CanvasSession | null = null;
  private readonly up: (Buffer | string)[] = [];
  private readonly down: (Buffer | string)[] = [];

  constructor(readonly url: string, readonly protocols: string[] = []) {
    CanvasSocket.all.push(this);
    const isDown = CanvasSocket.isDown;
    queueMicrotask(() => (isDown ? this.end() : this.open()));
  }

  private open(): void {
    if (this.readyState !== 0) return;
    this.readyState = 1;
    this.onopen?.({});
    this.session = CanvasSocket.core.accept({ send: (data) => this.push(this.down, data), close: (code, reason) => this.end(code, reason) }, new URL(this.url).searchParams);
  }

  send(data: string | Uint8Array): void {
    if (this.readyState !== 1) throw new Error("InvalidStateError");
    this.push(this.up, typeof data === "string" ? data : Buffer.from(data));
  }

  private push(queue: (Buffer | string)[], data: Buffer | string): void {
    queue.push(data);
    if (!CanvasSocket.isHeld) queueMicrotask(() => this.deliver());
  }

  /** Lets `up` and `down` messages arrive; default: all that are on the way. */
  deliver(up = this.up.length, down = this.down.length): void {
    for (const data of this.up.splice(0, up)) this.session?.receive(data);
    for (const data of this.down.splice(0, down)) {
      if (this.readyState !== 1) return;
      if (typeof data !== "string" && this.binaryType !== "arraybuffer") throw new Error("the client did not ask for array buffers");
      this.onmessage?.({ data: typeof data === "string" ? data : new Uint8Array(data).buffer });
    }
  }

  get waiting(): readonly [up: number, down: number] { return [this.up.length, this.down.length]; }

  end(code = 1006, reason = ""): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.session?.gone();
    this.onclose?.({ code, reason });
  }

  close(): void {
    this.readyState = 3;
    this.session?.gone();
  }
}
