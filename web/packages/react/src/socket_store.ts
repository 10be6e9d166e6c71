// The store behind useWebSocket: a connection, and the last value of each stream that the component asked for.
import type { AcquireOptions, ConnectionState, StreamSource, Unsubscribe } from "@fanfare/client";
import { Store } from "./store.js";

export interface SocketState {
  readonly state: ConnectionState;
  /** The last value of each subscribed stream, by name. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly error: Error | null;
}

export class SocketStore extends Store<SocketState> {
  // What the component wants, whether it is mounted or not: StrictMode unmounts it in between.
  private readonly wanted = new Set<string>();
  private readonly active = new Map<string, Unsubscribe>();
  private readonly refused = new Map<string, Error>();
  private data: Readonly<Record<string, unknown>> = {};
  private pending: Record<string, unknown> = {};

  constructor(url: string, client: AcquireOptions) { super(url, client, { state: "idle", data: {}, error: null }); }

  readonly add = (stream: string): void => {
    this.wanted.add(stream);
    if (this.source) this.activate(this.source, stream);
  };

  readonly remove = (stream: string): void => {
    this.wanted.delete(stream);
    this.active.get(stream)?.();
    this.active.delete(stream);
    this.refused.delete(stream);
    delete this.pending[stream];
    const { [stream]: _, ...rest } = this.data;
    this.data = rest;
    if (this.source) this.changed();
  };

  protected started(source: StreamSource): void { for (const stream of this.wanted) this.activate(source, stream); }

  protected stopped(): void {
    for (const stop of this.active.values()) stop();
    this.active.clear();
  }

  protected take(source: StreamSource): SocketState {
    if (Object.keys(this.pending).length) this.data = { ...this.data, ...this.pending };
    this.pending = {};
    const [refusal = null] = this.refused.values();
    return { state: source.state, data: this.data, error: source.error ?? refusal };
  }

  private activate(source: StreamSource, stream: string): void {
    if (this.active.has(stream)) return;
    this.active.set(stream, source.subscribe(stream, {
      message: ({ data }) => {
        this.pending[stream] = data;
        this.changed();
      },
      subscribed: () => {
        if (this.refused.delete(stream)) this.changed();
      },
      error: (error) => {
        if (error.code === "resync") return;
        this.refused.set(stream, error);
        this.changed();
      },
    }));
  }
}
