// The subscriptions of one page: many listeners, one subscription a stream. Drops what a listener has seen already.
import type { Want } from "./wire_client.js";
import {
  StreamError, callSafely, type Gap, type Json, type Position, type StreamEvent, type StreamListener, type StreamMessage, type SubscribeOptions, type Unsubscribe,
} from "./types.js";

/** Where the messages come from: a connection of this page, or another tab. */
export interface TableUpstream {
  open(stream: string, want: Want): readonly StreamEvent[];
  close(stream: string): void;
}

/** A stream that nobody listens to stays subscribed for this long, so that a new view of a page costs nothing. */
export const LINGER_MS = 500;

interface Subscription {
  readonly listener: StreamListener<any>;
  /** Values that are still to come before the first message; 0 afterwards. */
  history: number;
}

interface Entry {
  readonly subscriptions: Set<Subscription>;
  position: Position | null;
  last: StreamMessage | null;
  interrupted: StreamEvent | null;
  historyMax: number;
  linger: ReturnType<typeof setTimeout> | null;
}

export class StreamTable {
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly upstream: TableUpstream, private readonly lingerMs = LINGER_MS) {}

  subscribe(stream: string, listener: StreamListener<any>, options: SubscribeOptions): Unsubscribe {
    const { history = 0, since } = options;
    const subscription: Subscription = { listener, history: since ? 0 : history };
    let entry = this.entries.get(stream);
    let replies: readonly StreamEvent[] = [];
    if (!entry) {
      entry = { subscriptions: new Set([subscription]), position: since ?? null, last: null, interrupted: null, historyMax: history, linger: null };
      this.entries.set(stream, entry);
      replies = this.upstream.open(stream, since ? { since } : { history });
    } else {
      entry.subscriptions.add(subscription);
      if (entry.linger) clearTimeout(entry.linger);
      entry.linger = null;
      entry.historyMax = Math.max(entry.historyMax, history);
      replies = subscription.history ? this.upstream.open(stream, { history }) : this.known(stream, entry, since);
    }
    const present = entry;
    // Never within the caller's own turn: its variables are not assigned yet.
    if (replies.length) queueMicrotask(() => { for (const event of replies) this.deliver(present, event, [subscription]); });
    return () => this.leave(stream, present, subscription);
  }

  /** What the table needs after its source was replaced: every stream from its position on. */
  wants(): [string, Want][] {
    return [...this.entries].map(([stream, { position, last, historyMax }]) => {
      if (!position) return [stream, { history: historyMax }];
      // The value is the base of patches only if no notice came after it.
      const isBase = last?.position?.epoch === position.epoch && last.position.offset === position.offset;
      return [stream, isBase ? { since: position, value: last.data as Json } : { since: position }];
    });
  }

  /** Something happened to a stream, for all who listen. */
  event(stream: string, event: StreamEvent): void {
    const entry = this.entries.get(stream);
    if (entry) this.deliver(entry, event, null);
  }

  clear(): void {
    for (const { linger } of this.entries.values()) if (linger) clearTimeout(linger);
    this.entries.clear();
  }

  private known(stream: string, entry: Entry, since: Position | undefined): StreamEvent[] {
    const events: StreamEvent[] = [];
    const now = entry.position;
    if (since && now && (since.epoch !== now.epoch || since.offset < now.offset)) {
      const gap: Gap = { stream, missing: { after: since, until: now }, reason: "another subscription of this page is ahead" };
      events.push({ kind: "gap", gap });
    }
    if (entry.last) events.push({ kind: "message", message: entry.last });
    if (entry.interrupted) events.push(entry.interrupted);
    return events;
  }

  private leave(stream: string, entry: Entry, subscription: Subscription): void {
    if (!entry.subscriptions.delete(subscription) || entry.subscriptions.size) return;
    entry.linger = setTimeout(() => {
      if (this.entries.get(stream) !== entry) return;
      this.entries.delete(stream);
      this.upstream.close(stream);
    }, this.lingerMs);
  }

  // `only`: a reply to these; null: news to all.
  private deliver(entry: Entry, event: StreamEvent, only: readonly Subscription[] | null): void {
    const to = (call: (subscription: Subscription) => void): void => {
      for (const subscription of only ?? [...entry.subscriptions]) {
        if (entry.subscriptions.has(subscription)) callSafely(() => call(subscription));
      }
    };
    switch (event.kind) {
      case "message": return this.message(entry, event.message, only, to);
      case "history": return this.history(entry, event.messages, event.position, only, to);
      case "gap": {
        const until = event.gap.missing?.until;
        if (!only && until && isSeen(until, entry.position)) return;
        if (until && !only) entry.position = until;
        return to(({ listener }) => listener.gap?.(event.gap));
      }
      case "subscribed": {
        const { recovered, position } = event.answer;
        if (recovered === false && position && entry.last && isSeen(position, entry.last.position ?? null)) return;
        return to(({ listener }) => listener.subscribed?.(event.answer));
      }
      case "source": {
        const { position, available } = event.status;
        if (!only && position && isSeen(position, entry.position)) return;
        if (position && !only) entry.position = position;
        entry.interrupted = available ? null : event;
        return to(({ listener }) => listener.source?.(event.status));
      }
      case "pause": {
        const { position } = event.pause;
        if (!only && position && isSeen(position, entry.position)) return;
        if (position && !only) entry.position = position;
        return to(({ listener }) => listener.pause?.(event.pause));
      }
      case "error": return to(({ listener }) => listener.error?.(new StreamError(event.message, event.stream, event.code)));
    }
  }

  private message(entry: Entry, message: StreamMessage, only: readonly Subscription[] | null, to: (call: (subscription: Subscription) => void) => void): void {
    const isNew = !message.position || !isSeen(message.position, entry.position);
    if (!only && !isNew) return;
    if (isNew) {
      entry.last = message;
      if (message.position) entry.position = message.position;
    }
    to((subscription) => { if (!subscription.history) subscription.listener.message?.(message); });
  }

  private history(
    entry: Entry, messages: readonly StreamMessage[], position: Position | undefined, only: readonly Subscription[] | null,
    to: (call: (subscription: Subscription) => void) => void,
  ): void {
    const before = entry.position;
    const fresh = messages.filter((message) => !message.position || !isSeen(message.position, before));
    // Who had nothing yet gets the last value; who had something gets all that came since.
    const news = entry.last ? fresh : messages.slice(-1);
    const last = messages.at(-1);
    if (last && (!last.position || !isSeen(last.position, before))) entry.last = last;
    if (position && !isSeen(position, before)) entry.position = position;
    to((subscription) => {
      const { history, listener } = subscription;
      subscription.history = 0;
      if (history) listener.history?.(messages.slice(-history));
      else if (!only) for (const message of news) listener.message?.(message);
    });
  }
}

/** True if `position` is not after `seen`. A position of another epoch counts as new. */
function isSeen(position: Position, seen: Position | null): boolean {
  return seen !== null && seen.epoch === position.epoch && position.offset <= seen.offset;
}
