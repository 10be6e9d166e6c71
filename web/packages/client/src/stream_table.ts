// The subscriptions of one page: many listeners, one subscription a stream. Drops what a listener has seen already.
import { after, checkNumber } from "./durations.js";
import type { Want } from "./wire_client.js";
import {
  StreamError, callSafely, type Json, type Position, type StreamEvent, type StreamListener, type StreamMessage, type SubscribeOptions, type Unsubscribe,
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
  /** A listener with a `since` of its own has its own place until the others and it are at the same one. Null: it is where the others are. */
  own: Position | null;
  /** The messages from `own` on are requested, but what arrives is not yet the answer. */
  waiting: boolean;
}

interface Entry {
  readonly subscriptions: Set<Subscription>;
  position: Position | null;
  last: StreamMessage | null;
  interrupted: StreamEvent | null;
  /** The connection ended for good. */
  ended: StreamEvent | null;
  historyMax: number;
  linger: ReturnType<typeof setTimeout> | null;
}

export class StreamTable {
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly upstream: TableUpstream, private readonly lingerMs = LINGER_MS) { checkNumber("lingerMs", lingerMs); }

  subscribe(stream: string, listener: StreamListener<any>, options: SubscribeOptions): Unsubscribe {
    const { history = 0, since } = options;
    const subscription: Subscription = { listener, history: since ? 0 : history, own: null, waiting: false };
    let entry = this.entries.get(stream);
    let replies: readonly StreamEvent[] = [];
    if (!entry) {
      entry = { subscriptions: new Set([subscription]), position: since ?? null, last: null, interrupted: null, ended: null, historyMax: history, linger: null };
      this.entries.set(stream, entry);
      replies = this.upstream.open(stream, since ? { since } : { history });
    } else {
      entry.subscriptions.add(subscription);
      if (entry.linger) clearTimeout(entry.linger);
      entry.linger = null;
      entry.historyMax = Math.max(entry.historyMax, history);
      if (subscription.history) replies = this.upstream.open(stream, { history });
      else replies = since ? this.resume(stream, entry, subscription, since) : this.known(entry);
    }
    const present = entry;
    // Never within the caller's own turn: its variables are not assigned yet.
    if (replies.length) queueMicrotask(() => { for (const event of replies) this.deliver(present, event, [subscription]); });
    return () => this.leave(stream, present, subscription);
  }

  /** What the table needs after its source was replaced: every stream from its position on. */
  wants(): [string, Want][] {
    return [...this.entries].map(([stream, { position: reached, subscriptions, last, historyMax }]) => {
      let position = reached;
      // Who is behind needs more than the others.
      for (const { own } of subscriptions) if (own && !(position && isSeen(position, own))) position = own;
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

  private known(entry: Entry): StreamEvent[] {
    const events: StreamEvent[] = [];
    if (entry.last) events.push({ kind: "message", message: entry.last });
    if (entry.interrupted) events.push(entry.interrupted);
    if (entry.ended) events.push(entry.ended);
    return events;
  }

  // The server is asked for everything after `since`. What the other listeners have seen of it they do not get again.
  private resume(stream: string, entry: Entry, subscription: Subscription, since: Position): readonly StreamEvent[] {
    if (!entry.position && entry.last) {
      return [{ kind: "gap", gap: { stream, reason: "the server does not number its messages" } }, ...this.known(entry)];
    }
    if (isSame(since, entry.position)) {
      return [{ kind: "subscribed", answer: { stream, recovered: true, position: since } }, ...(entry.ended ? [entry.ended] : [])];
    }
    subscription.own = since;
    subscription.waiting = !entry.position || !isSeen(entry.position, since);
    return this.upstream.open(stream, { since });
  }

  private leave(stream: string, entry: Entry, subscription: Subscription): void {
    if (!entry.subscriptions.delete(subscription) || entry.subscriptions.size) return;
    entry.linger = after(this.lingerMs, () => {
      if (this.entries.get(stream) !== entry) return;
      this.entries.delete(stream);
      this.upstream.close(stream);
    });
  }

  // `only`: a reply to these; null: news to all.
  private deliver(entry: Entry, event: StreamEvent, only: readonly Subscription[] | null): void {
    const hadLast = entry.last !== null;
    const place = placeOf(event);
    const isNews = !isOld(event, place, entry);
    const targets = only ?? [...entry.subscriptions].filter((one) => (one.own ? isNewsFor(one, one.own, event, place) : isNews));
    const calls = targets.map((one): [Subscription, Position | null] => [one, one.own ?? (hadLast ? entry.position : null)]);
    if (only && event.kind === "subscribed") for (const one of only) one.waiting = false;
    if (isNews || only) this.note(entry, event);
    if (place && !(only && event.kind !== "history")) this.move(entry, targets, place);
    for (const [one, seen] of calls) if (entry.subscriptions.has(one)) callSafely(() => pass(one, event, only !== null, seen));
  }

  private move(entry: Entry, targets: readonly Subscription[], place: Position): void {
    if (!isSeen(place, entry.position)) entry.position = place;
    for (const one of targets) if (one.own) one.own = place;
    for (const one of entry.subscriptions) if (one.own && !one.waiting && isSame(one.own, entry.position)) one.own = null;
  }

  private note(entry: Entry, event: StreamEvent): void {
    if (event.kind === "message" && !isSeen(event.message.position, entry.last?.position)) entry.last = event.message;
    else if (event.kind === "history") {
      const last = event.messages.at(-1);
      if (last && !isSeen(last.position, entry.last?.position)) entry.last = last;
    } else if (event.kind === "source") entry.interrupted = event.status.available ? null : event;
    else if (event.kind === "subscribed") entry.ended = null;
    else if (event.kind === "error" && event.code === "closed") entry.ended = event;
  }
}

/** Where a listener is after the event. */
function placeOf(event: StreamEvent): Position | undefined {
  switch (event.kind) {
    case "message": return event.message.position;
    case "history": return event.position;
    case "gap": return event.gap.missing?.until;
    case "source": return event.status.position;
    case "pause": return event.pause.position;
    default: return undefined;
  }
}

// Whether it repeats what the listeners have seen: it was requested for another one. An answer with history is for whoever waits for it.
function isOld(event: StreamEvent, place: Position | undefined, { position: reached, last }: Entry): boolean {
  if (event.kind === "history") return false;
  if (event.kind !== "subscribed") return isSeen(place, reached);
  const { recovered, position } = event.answer;
  if (recovered === false) return isSeen(position, last?.position);
  return recovered === true && isSeen(position, reached) && !isSame(position, reached);
}

// For a listener with a place of its own. What was under way before the answer to its request belongs to the others.
function isNewsFor(one: Subscription, own: Position, event: StreamEvent, place: Position | undefined): boolean {
  if (event.kind === "error") return true;
  if (one.waiting) {
    const from = event.kind === "gap" ? event.gap.missing?.after : event.kind === "subscribed" ? event.answer.position : undefined;
    if (!isSeen(from, own)) return false;
    one.waiting = false;
  } else if (event.kind === "subscribed") {
    // The answer to one that is further behind.
    const { recovered, position } = event.answer;
    return !(recovered === true && isSeen(position, own) && !isSame(position, own));
  }
  return !isSeen(place, own);
}

// `seen`: where the listener was before the event; null if it has had no value yet.
function pass(one: Subscription, event: StreamEvent, isReply: boolean, seen: Position | null): void {
  const { listener } = one;
  switch (event.kind) {
    case "message":
      if (!one.history) listener.message?.(event.message);
      return;
    case "history": return passHistory(one, event.messages, isReply, seen);
    case "subscribed": return listener.subscribed?.(event.answer);
    case "gap": return listener.gap?.(event.gap);
    case "source": return listener.source?.(event.status);
    case "pause": return listener.pause?.(event.pause);
    case "error": return listener.error?.(new StreamError(event.message, event.stream, event.code));
  }
}

function passHistory(one: Subscription, messages: readonly StreamMessage[], isReply: boolean, seen: Position | null): void {
  const { history, listener } = one;
  one.history = 0;
  if (history) return listener.history?.(messages.slice(-history));
  if (isReply) return;
  // Who had nothing yet gets the last value; who had something gets all that came since.
  const news = seen ? messages.filter((message) => !isSeen(message.position, seen)) : messages.slice(-1);
  for (const message of news) listener.message?.(message);
}

/** True if `position` is not after `seen`. A position of another epoch counts as new, and so does one that is not known. */
function isSeen(position: Position | undefined, seen: Position | null | undefined): boolean {
  return !!position && !!seen && seen.epoch === position.epoch && position.offset <= seen.offset;
}

function isSame(one: Position | undefined, other: Position | null): boolean {
  return !!one && !!other && one.epoch === other.epoch && one.offset === other.offset;
}
