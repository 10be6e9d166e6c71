// Own pixels on their way: shown at once, sent at the pace that the room allows, taken back if the server refuses them.
import { PIXELS_MAX, type AckMessage, type CanvasPixel, type CanvasStatus, type Colour, type WelcomeMessage } from "./canvas_wire.js";

/** Pixels that wait to be sent. `draw` takes no more. */
export const QUEUED_PIXELS_MAX = 16_384;
/** Pixels of this time go out in one message. */
export const SEND_EVERY_MS = 20;

export interface RefusedPixels {
  /** `connection_lost`: nobody knows whether the server had them; the canvas shows it after the reconnect. */
  readonly status: CanvasStatus | "connection_lost";
  readonly pixels: readonly CanvasPixel[];
  readonly retryAfterMs: number;
}

export interface OwnEvents {
  /** Returns false if there is no connection. */
  send(request: number, pixels: readonly CanvasPixel[]): boolean;
  nextRequest(): number;
  /** What is shown at these places changed. */
  changed(pixels: readonly CanvasPixel[]): void;
  accepted(pixels: readonly CanvasPixel[]): void;
  refused(refused: RefusedPixels): void;
}

interface Shown { readonly colour: Colour; readonly serial: number }

export class OwnPixels {
  private readonly shown = new Map<number, Shown>();
  private readonly sent = new Map<number, { pixels: readonly CanvasPixel[]; serials: readonly number[] }>();
  private queue: { pixel: CanvasPixel; serial: number }[] = [];
  private serial = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private rate = { perSecond: 0, burst: 0, cooldownMs: 0 };
  private tokens = 0;
  private refilledAtMs = 0;
  private blockedUntilMs = 0;
  private isOpen = false;

  constructor(private readonly events: OwnEvents) {}

  /** Pixels that are not acknowledged yet. */
  get pending(): number { return this.shown.size; }

  /** When the next pixel can be sent, in Unix milliseconds; a time that has passed: now. */
  get nextAtMs(): number { return this.blockedUntilMs; }

  /** Whether the batch of this request is sent and not answered. */
  isSent(request: number): boolean { return this.sent.has(request); }

  at(x: number, y: number): Colour | undefined { return this.shown.get(y * 0x10000 + x)?.colour; }

  opened({ pixelsPerSecond, pixelsBurst, cooldownMs }: WelcomeMessage): void {
    this.rate = { perSecond: pixelsPerSecond, burst: Math.max(pixelsBurst, 1), cooldownMs };
    this.tokens = this.rate.burst;
    this.refilledAtMs = Date.now();
    this.isOpen = true;
    this.schedule(0);
  }

  /** Returns how many were taken: all, up to the length of the queue. Within a cooldown: none. */
  draw(pixels: readonly CanvasPixel[]): number {
    const room = this.rate.cooldownMs > 0 ? Number(this.queue.length === 0 && this.sent.size === 0 && Date.now() >= this.blockedUntilMs) : QUEUED_PIXELS_MAX - this.queue.length;
    const taken = pixels.slice(0, Math.max(0, room));
    for (const pixel of taken) {
      this.shown.set(pixel.y * 0x10000 + pixel.x, { colour: pixel.colour, serial: ++this.serial });
      this.queue.push({ pixel, serial: this.serial });
    }
    if (taken.length) {
      this.events.changed(taken);
      this.schedule(this.rate.cooldownMs > 0 ? 0 : SEND_EVERY_MS);
    }
    return taken.length;
  }

  acknowledged({ request, accepted, status, retryAfterMs }: AckMessage): void {
    const batch = this.sent.get(request);
    if (!batch) return;
    this.sent.delete(request);
    const now = Date.now();
    if (retryAfterMs > 0) this.block(now + retryAfterMs);
    this.drop(batch);
    if (accepted > 0) this.events.accepted(batch.pixels.slice(0, accepted));
    const refused = batch.pixels.slice(accepted);
    if (refused.length) this.events.refused({ status, pixels: refused, retryAfterMs });
  }

  /** What was sent without an answer is taken back; what was not sent waits for the next connection. */
  lost(): void {
    this.isOpen = false;
    this.stopTimer();
    const batches = [...this.sent.values()];
    this.sent.clear();
    for (const batch of batches) this.drop(batch);
    const pixels = batches.flatMap((batch) => batch.pixels);
    if (pixels.length) this.events.refused({ status: "connection_lost", pixels, retryAfterMs: 0 });
  }

  /** Forgets everything that waits, for example because the room has another size now. */
  clear(): void {
    this.stopTimer();
    this.queue = [];
    this.sent.clear();
    this.shown.clear();
  }

  private drop({ pixels, serials }: { pixels: readonly CanvasPixel[]; serials: readonly number[] }): void {
    const changed = pixels.filter(({ x, y }, i) => {
      const key = y * 0x10000 + x;
      return this.shown.get(key)?.serial === serials[i] && this.shown.delete(key);
    });
    if (changed.length) this.events.changed(changed);
  }

  private flush(): void {
    if (!this.isOpen || this.queue.length === 0) return;
    const now = Date.now();
    if (now < this.blockedUntilMs) return this.schedule(this.blockedUntilMs - now);
    const count = Math.min(this.queue.length, PIXELS_MAX, this.allowed(now));
    if (count > 0) {
      const part = this.queue.slice(0, count);
      const request = this.events.nextRequest();
      if (!this.events.send(request, part.map(({ pixel }) => pixel))) return;
      this.queue = this.queue.slice(count);
      this.sent.set(request, { pixels: part.map(({ pixel }) => pixel), serials: part.map(({ serial }) => serial) });
      this.tokens -= count;
      if (this.rate.cooldownMs > 0) this.block(now + this.rate.cooldownMs);
    }
    if (this.queue.length) this.schedule(count > 0 ? SEND_EVERY_MS : Math.ceil((1 - this.tokens) * 1_000 / this.rate.perSecond));
  }

  // The room's own bucket, so that a stroke that is drawn faster than the room allows waits here, and is not refused.
  private allowed(now: number): number {
    if (this.rate.cooldownMs > 0) return 1;
    if (this.rate.perSecond === 0) return PIXELS_MAX;
    this.tokens = Math.min(this.rate.burst, this.tokens + (now - this.refilledAtMs) * this.rate.perSecond / 1_000);
    this.refilledAtMs = now;
    return Math.floor(this.tokens);
  }

  private block(untilMs: number): void { this.blockedUntilMs = Math.max(this.blockedUntilMs, untilMs); }

  private schedule(ms: number): void {
    if (!this.isOpen || this.queue.length === 0 || this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.flush();
    }, ms);
  }

  private stopTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
