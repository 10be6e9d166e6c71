// What a hook shows: a snapshot that changes at most once a frame.
import { acquireClient, type AcquireOptions, type StreamSource, type Unsubscribe } from "@fanfare/client";
import { cancelFrame, inNextFrame } from "./frames.js";

export abstract class Store<S> {
  protected source: StreamSource | null = null;
  private stop: Unsubscribe[] = [];
  private notify: (() => void) | null = null;

  constructor(protected readonly url: string, private readonly client: AcquireOptions, private snapshot: S) {}

  // Both are passed to useSyncExternalStore, so they are bound and keep their identity.
  readonly subscribe = (notify: () => void): Unsubscribe => {
    this.notify = notify;
    const [source, giveBack] = acquireClient(this.url, this.client);
    this.source = source;
    this.stop = [source.onChange(() => this.changed()), giveBack];
    this.started(source);
    this.changed();
    return () => {
      this.notify = null;
      this.source = null;
      cancelFrame(this.flush);
      this.stopped();
      for (const one of this.stop) one();
    };
  };
  readonly getSnapshot = (): S => this.snapshot;

  /** Subscribes to what the hook shows. */
  protected abstract started(source: StreamSource): void;
  protected abstract stopped(): void;
  protected abstract take(source: StreamSource): S;

  protected changed(): void { inNextFrame(this.flush); }

  private readonly flush = (): void => {
    if (!this.notify || !this.source) return;
    this.snapshot = this.take(this.source);
    this.notify();
  };
}
