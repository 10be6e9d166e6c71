// Keeps what the client sends below the server's limit of messages a second.

/** The limit of a server that names none. */
export const MESSAGES_PER_SECOND = 20;
/**
 * Until the server has answered `hello`, so many messages are sent at once, and then so many a second: less than what a server with the
 * smallest limit, one a second, answers by closing (ten times its limit).
 */
export const FIRST_BURST = 5;
export const FIRST_RATE = 3;

export class Pacer {
  private readonly waiting: string[] = [];
  private rate = FIRST_RATE;
  private burst = FIRST_BURST;
  private allowance = FIRST_BURST;
  // On this connection.
  private sent = 0;
  private isRateKnown = false;
  private countedAtMs = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly send: (text: string) => void) {}

  /** The server has named its limit. What is no such limit is ignored. */
  setRate(messagesPerSecond: number): void {
    if (!(messagesPerSecond > 0)) return;
    this.count();
    // One in ten is left for heartbeats.
    this.rate = messagesPerSecond * 0.9;
    this.burst = Math.max(1, this.rate);
    this.allowance = Math.min(this.isRateKnown ? this.allowance : Math.max(0, this.burst - this.sent), this.burst);
    this.isRateKnown = true;
    this.flush();
  }

  /** The server does not know `hello`, so it will name no limit. */
  setDefaultRate(): void { if (!this.isRateKnown) this.setRate(MESSAGES_PER_SECOND); }

  /** Something waits for its turn. */
  get isBusy(): boolean { return this.waiting.length > 0; }

  push(text: string): void {
    this.waiting.push(text);
    if (!this.timer) this.flush();
  }

  /** Forgets what waits. */
  drop(): void { this.waiting.length = 0; }

  /** There is another connection, perhaps to a server with another limit. */
  reset(): void {
    this.drop();
    this.cancel();
    this.rate = FIRST_RATE;
    this.burst = this.allowance = FIRST_BURST;
    this.sent = 0;
    this.isRateKnown = false;
  }

  private count(): void {
    const nowMs = Date.now();
    // A clock that is set back must not stop it.
    const passedMs = Math.max(0, nowMs - this.countedAtMs);
    this.allowance = Math.min(this.burst, this.allowance + (passedMs * this.rate) / 1000);
    this.countedAtMs = nowMs;
  }

  private flush(): void {
    this.cancel();
    this.count();
    while (this.waiting.length && this.allowance >= 1) {
      this.allowance--;
      this.sent++;
      this.send(this.waiting.shift() as string);
    }
    if (this.waiting.length) this.timer = setTimeout(() => this.flush(), Math.ceil(((1 - this.allowance) * 1000) / this.rate));
  }

  private cancel(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }
}
