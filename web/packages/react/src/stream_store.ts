// The store behind useStream and useDataStream: one stream, its recent values and its holes.
import type { AcquireOptions, ConnectionState, Gap, SourceStatus, StreamMessage, StreamSource, Unsubscribe } from "@fanfare/client";
import { Store } from "./store.js";

/** A place in the course of a stream, after the value with this time (null: before the first). */
export interface Mark {
  /** `paused`: nobody polled for some time; only streams with `onChange`. */
  readonly kind: "gap" | "interrupted" | "restored" | "paused";
  /** Unix seconds of the last value before it; of the last poll before a pause. */
  readonly after: number | null;
  readonly reason: string;
}

export interface StreamState<T> {
  /** The last value, null before the first. It stays while the connection is lost. */
  readonly data: T | null;
  /** Unix seconds of `data`, from the server. */
  readonly timestamp: number | null;
  readonly connected: boolean;
  readonly state: ConnectionState;
  /** Why there are no new values: the connection, a refusal, or the source of the stream. Null while all is well. */
  readonly error: Error | null;
  /** The last values, oldest first, as many as `history` asks for. */
  readonly messages: readonly StreamMessage<T>[];
  /** Where values are missing among `messages`. */
  readonly marks: readonly Mark[];
}

/** Callbacks for every single message, also those that are never shown. */
export interface StreamCallbacks<T> {
  onMessage?(message: StreamMessage<T>): void;
  onGap?(gap: Gap): void;
}

/** No more marks are kept than this. */
export const MARKS_MAX = 100;

export const EMPTY: StreamState<any> = { data: null, timestamp: null, connected: false, state: "idle", error: null, messages: [], marks: [] };

export class StreamStore<T> extends Store<StreamState<T>> {
  /** Set by the hook: the callbacks of its latest render. */
  callbacks: StreamCallbacks<T> = {};
  private last: StreamMessage<T> | null = null;
  private kept: StreamMessage<T>[] = [];
  private marks: Mark[] = [];
  private refusal: Error | null = null;
  private interruption: Error | null = null;
  private unsubscribe: Unsubscribe = () => {};
  private shown: readonly StreamMessage<T>[] = [];
  private isStale = false;

  constructor(private readonly stream: string, url: string, client: AcquireOptions, private readonly length: number) {
    super(url, client, EMPTY);
  }

  protected started(source: StreamSource): void {
    this.unsubscribe = source.subscribe(this.stream, {
      message: (message) => this.received(message as StreamMessage<T>),
      history: (messages) => this.filled(messages as readonly StreamMessage<T>[]),
      subscribed: () => this.settle(() => { this.refusal = null; }),
      gap: (gap) => {
        this.mark("gap", gap.reason);
        this.callbacks.onGap?.(gap);
      },
      source: (status) => this.sourceChanged(status),
      pause: ({ from }) => this.mark("paused", "", from),
      error: (error) => this.settle(() => { if (error.code !== "resync") this.refusal = error; }),
    }, { history: this.length });
  }

  protected stopped(): void { this.unsubscribe(); }

  protected take(source: StreamSource): StreamState<T> {
    const { state } = source;
    if (this.isStale) this.shown = this.kept.slice(-this.length);
    this.isStale = false;
    return {
      data: this.last ? this.last.data : null,
      timestamp: this.last?.timestamp ?? null,
      connected: state === "connected",
      state,
      error: source.error ?? this.refusal ?? this.interruption,
      messages: this.shown,
      marks: this.marks,
    };
  }

  private received(message: StreamMessage<T>): void {
    // Shown again after a remount: the last value is not a new one.
    if (this.last && isSame(this.last, message)) return;
    this.last = message;
    this.interruption = null;
    this.keep(message);
    this.changed();
    this.callbacks.onMessage?.(message);
  }

  private keep(message: StreamMessage<T>): void {
    if (!this.length) return;
    this.kept.push(message);
    if (this.kept.length > 2 * this.length) this.kept = this.kept.slice(-this.length);
    this.isStale = true;
  }

  private filled(messages: readonly StreamMessage<T>[]): void {
    this.kept = [...messages];
    this.last = messages.at(-1) ?? this.last;
    this.isStale = true;
    this.changed();
  }

  private sourceChanged({ available, reason }: SourceStatus): void {
    const text = reason ?? "the source of the stream is not available";
    this.interruption = available ? null : new Error(text);
    this.mark(available ? "restored" : "interrupted", available ? "" : text);
  }

  private mark(kind: Mark["kind"], reason: string, after = this.last?.timestamp ?? null): void {
    this.marks = [...this.marks.slice(1 - MARKS_MAX), { kind, after, reason }];
    this.changed();
  }

  private settle(act: () => void): void {
    act();
    this.changed();
  }
}

function isSame(a: StreamMessage<unknown>, b: StreamMessage<unknown>): boolean {
  return a === b || (a.position !== undefined && a.position.epoch === b.position?.epoch && a.position.offset === b.position.offset);
}
