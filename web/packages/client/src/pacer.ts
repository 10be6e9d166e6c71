// Keeps what the client sends below the server's limit of messages a second.

/** Used until the server names its own limit (`messages_per_second` in `hello`). */
export const MESSAGES_PER_SECOND = 20;

export class Pacer {
  private readonly waiting: string[] = [];
  private allowance = MESSAGES_PER_SECOND;
  private rate = MESSAGES_PER_SECOND;
  private countedAtMs = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly send: (text: string) => void) {}

  setRate(messagesPerSecond: number): void {
    // One in ten is left for heartbeats.
    this.rate = Math.max(1, messagesPerSecond * 0.9);
    this.allowance = Math.min(this.allowance, this.rate);
  }

  push(text: string): void {
    this.waiting.push(text);
    if (!this.timer) this.flush();
  }

  /** Forgets what waits: there is another connection. */
  reset(): void {
    this.waiting.length = 0;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.allowance = this.rate;
  }

  private flush(): void {
    this.timer = null;
    const nowMs = Date.now();
    this.allowance = Math.min(this.rate, this.allowance + ((nowMs - this.countedAtMs) * this.rate) / 1000);
    this.countedAtMs = nowMs;
    while (this.waiting.length && this.allowance >= 1) {
      this.allowance--;
      this.send(this.waiting.shift() as string);
    }
    if (this.waiting.length) this.timer = setTimeout(() => this.flush(), Math.ceil(((1 - this.allowance) * 1000) / this.rate));
  }
}
