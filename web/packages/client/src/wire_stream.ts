// One stream on one connection after another: what to ask, what has arrived, and what is therefore missing.
//
//   idle --connected--> asked --subscribed--> live --unsubscribe--> leaving --unsubscribed--> asked or idle
//                         '----error----> refused (until the next connection)
import { checksum, mergePatch } from "./merge.js";
import type { Gap, Json, Missing, Position, StreamEvent, StreamMessage } from "./types.js";
import type { ErrorMessage, NoticeMessage, StreamRequest, SubscribedAnswer, ValueMessage } from "./wire.js";

export interface WireStreamOptions {
  /** Ask for patches instead of whole values. */
  readonly delta: boolean;
}

export interface WireStreamOutput {
  send(request: StreamRequest): void;
  emit(event: StreamEvent): void;
  /** The server contradicts the protocol: ends the connection. */
  abandon(reason: string): void;
}

/** After so many `already_subscribed` in a row, each behind an `unsubscribed`, nothing more is asked on this connection. */
export const CONFLICTS_MAX = 3;

type Phase = "idle" | "asked" | "live" | "leaving" | "refused";

export class WireStream {
  phase: Phase = "idle";
  /** The position of the last message that was passed on. */
  position: Position | null = null;
  last: StreamMessage | null = null;

  // The value at `position`, which the next patch changes.
  private base: Json | undefined;
  private delta: boolean;
  // The last values, as many as were ever requested. `complete`: the server had no more when it was asked.
  private ring: StreamMessage[] = [];
  private historyMax = 0;
  private complete = false;
  private historyAsked = 0;
  private historySent = 0;
  private sinceAsked: Position | null = null;
  private wasLive = false;
  private conflicts = 0;
  // The last value, sent first after a subscription without a position, may be followed by a jump over notices.
  private jumpsAllowed = 0;
  private discarding = false;
  private wanted = true;
  private interruption: StreamEvent | null = null;

  constructor(
    readonly name: string,
    private readonly output: WireStreamOutput,
    private readonly options: WireStreamOptions,
  ) {
    this.delta = options.delta;
  }

  get isWanted(): boolean { return this.wanted; }
  /** A request is not answered yet. */
  get isWaiting(): boolean { return this.phase === "asked" || this.phase === "leaving"; }
  /** The last event of the source, while it is not available. */
  get interrupted(): StreamEvent | null { return this.interruption; }

  /** There is a new connection, or the stream is new. */
  begin(): void {
    if (!this.wanted || this.phase !== "idle") return;
    this.delta = this.options.delta;
    this.ask(this.position);
  }

  disconnected(): void {
    this.phase = "idle";
    this.conflicts = 0;
  }

  /** Asks again for what was never answered, because the server ignored it. */
  repeat(): void {
    if (this.phase === "asked") this.ask(this.sinceAsked);
    else if (this.phase === "leaving") this.output.send({ type: "unsubscribe", stream: this.name });
  }

  /** Begins at this position, from which `value` is the base of patches. Before the first ask, or in a rewind. */
  startAt(position: Position, value: Json | undefined): void {
    this.position = position;
    this.base = value;
    this.ring = [];
    this.complete = false;
    if (this.phase === "live" || this.phase === "asked") this.leave(true);
    else if (this.phase === "leaving") this.discarding = true;
  }

  /** Keeps `count` values. Returns them if they are here; otherwise they arrive as an event. */
  wantHistory(count: number): readonly StreamMessage[] | null {
    if (this.phase === "live" && (this.ring.length >= count || this.complete)) {
      this.historyMax = Math.max(this.historyMax, count);
      return this.ring.slice(-count);
    }
    this.historyMax = this.historyAsked = Math.max(this.historyMax, count);
    if (this.phase === "live") this.leave(false);
    return null;
  }

  /** Wanted again after unsubscribe(). */
  resume(): void {
    this.wanted = true;
    if (this.phase === "refused") this.ask(this.position);
  }

  /** Returns true once nothing of it is left on the connection. */
  unsubscribe(): boolean {
    this.wanted = false;
    if (this.phase === "live" || this.phase === "asked") this.leave(true);
    return this.phase !== "leaving";
  }

  subscribed(answer: SubscribedAnswer): void {
    // The broker of a relayed stream was away when the server answered.
    if (this.phase === "live" && !this.position && answer.position) this.position = answer.position;
    if (this.phase !== "asked") return;
    this.phase = "live";
    this.conflicts = 0;
    const before = this.position;
    const resuming = this.sinceAsked !== null || this.wasLive;
    this.wasLive = true;
    this.jumpsAllowed = this.sinceAsked === null ? 2 : 0;
    // A server that does not say so has not resumed.
    let recovered = answer.recovered ?? (this.sinceAsked ? false : undefined);
    if (!answer.position) {
      // A server of the short protocol numbers nothing: what happened meanwhile is unknown.
      this.position = null;
      if (resuming) recovered = false;
      if (resuming && this.historySent === 0) this.gap("the server does not number its messages", undefined);
    } else if (recovered === true) {
      this.position = this.sinceAsked ?? answer.position;
    } else {
      if (recovered === false) this.gap("the server no longer has these messages", answer.missing ?? missing(this.sinceAsked ?? answer.position, answer.position));
      this.position = answer.position;
      this.base = undefined;
      if (recovered === false) this.ring = [];
    }
    this.output.emit({ kind: "subscribed", answer: { stream: this.name, recovered, position: answer.position } });
    this.takeHistory(answer, before);
  }

  private takeHistory(answer: SubscribedAnswer, before: Position | null): void {
    if (this.historySent) {
      const epoch = answer.position?.epoch;
      const messages: StreamMessage[] = (answer.history ?? []).map(({ data, timestamp, offset }) => ({
        stream: this.name, data, timestamp, position: epoch === undefined ? undefined : { epoch, offset },
      }));
      if (before && answer.position) this.checkBridge(before, messages[0]?.position ?? null, answer.position);
      this.complete = messages.length < this.historySent;
      if (this.historyAsked <= this.historySent) this.historyAsked = 0;
      this.ring = messages;
      const last = messages.at(-1);
      if (last) {
        this.last = last;
        this.base = last.data as Json;
      }
      this.output.emit({ kind: "history", messages: [...messages], position: answer.position });
    }
    // A resume cannot bring history in the same answer, and the number may have grown meanwhile.
    if (this.historyAsked) this.leave(false);
  }

  // Values between the position held and the answer are in the history, if it reaches back that far.
  private checkBridge(before: Position, oldest: Position | null, now: Position): void {
    if (before.epoch !== now.epoch) return this.gap("the server began to count anew", missing(before, now));
    const until = oldest ? oldest.offset - 1 : now.offset;
    if (until > before.offset) this.gap("the history does not reach back", missing(before, { epoch: now.epoch, offset: until }));
  }

  value(message: ValueMessage): void {
    if (!this.accepts()) return;
    const position = this.advance(message.offset);
    if (position === "old") return;
    let data: Json;
    if (message.data !== undefined) data = message.data;
    else if (!this.delta) return this.output.abandon(`the server sent a patch of ${this.name}, which nobody asked for`);
    else if (message.patch !== undefined && this.base !== undefined && position !== "hole") data = mergePatch(this.base, message.patch);
    else return this.resync("a patch arrived without its base");
    if (message.checksum !== undefined && this.delta && message.checksum !== checksum(data)) {
      return this.resync("the checksum of the merged value differs; up to seven values before it may be wrong too");
    }
    if (position === "hole") this.hole(message.offset as number);
    if (message.offset !== undefined && this.position) this.position = { epoch: this.position.epoch, offset: message.offset };
    this.base = data;
    this.pass({ stream: this.name, data, timestamp: message.timestamp, position: message.offset === undefined ? undefined : this.position ?? undefined });
  }

  private pass(message: StreamMessage): void {
    this.last = message;
    if (this.historyMax) {
      this.ring.push(message);
      // Cut in large steps, so that a long history costs nothing a message.
      if (this.ring.length > 2 * this.historyMax) this.ring = this.ring.slice(-this.historyMax);
    }
    this.output.emit({ kind: "message", message });
  }

  private accepts(): boolean { return this.phase === "live" || (this.phase === "leaving" && !this.discarding); }

  private advance(offset: number | undefined): "next" | "hole" | "old" {
    if (offset === undefined || !this.position) return "next";
    if (offset <= this.position.offset) return "old";
    const mayJump = this.jumpsAllowed > 0;
    if (mayJump) this.jumpsAllowed--;
    return offset === this.position.offset + 1 || mayJump ? "next" : "hole";
  }

  private hole(offset: number): void {
    const { epoch } = this.position as Position;
    this.gap("messages are missing", missing(this.position as Position, { epoch, offset: offset - 1 }));
  }

  notice(notice: NoticeMessage): void {
    if (!this.accepts()) return;
    if (notice.state === "missed") {
      this.gap(notice.reason ?? "this client reads too slowly", notice.missing);
      if (notice.missing) this.position = notice.missing.until;
      this.base = undefined;
      return;
    }
    const step = this.advance(notice.offset);
    if (step === "old") return;
    if (step === "hole") this.hole(notice.offset as number);
    if (notice.offset !== undefined && this.position) this.position = { epoch: this.position.epoch, offset: notice.offset };
    const position = notice.offset === undefined ? undefined : this.position ?? undefined;
    if (notice.state === "paused") {
      const pause = { stream: this.name, from: notice.from ?? notice.timestamp, until: notice.timestamp, position };
      return this.output.emit({ kind: "pause", pause });
    }
    // A notice of a later version still has its place in the sequence.
    if (notice.state !== "interrupted" && notice.state !== "restored") return;
    const available = notice.state === "restored";
    const event: StreamEvent = {
      kind: "source", status: { stream: this.name, available, reason: notice.reason, timestamp: notice.timestamp, position },
    };
    this.interruption = available ? null : event;
    this.output.emit(event);
  }

  /** `unsubscribed`: the answer to our request, or the end of the stream. Returns true if nothing is left. */
  unsubscribed(reason?: string): boolean {
    if (this.phase === "leaving") {
      this.phase = "idle";
      if (this.wanted) this.ask(this.historyAsked ? null : this.position);
    } else if (this.phase === "live") {
      this.phase = "refused";
      this.output.emit({ kind: "error", stream: this.name, message: reason ?? "the server ended the stream", code: "ended" });
    }
    return !this.wanted && this.phase === "idle";
  }

  failed(error: ErrorMessage): boolean {
    if (this.phase === "leaving") return this.unsubscribed();
    if (error.code === "already_subscribed" && this.phase !== "asked") return false;
    if (error.code === "already_subscribed" && ++this.conflicts < CONFLICTS_MAX) {
      this.leave(false);
      return false;
    }
    this.phase = "refused";
    this.output.emit({ kind: "error", stream: this.name, message: error.message, code: error.code });
    return false;
  }

  private ask(since: Position | null): void {
    this.phase = "asked";
    this.discarding = false;
    this.sinceAsked = since;
    this.historySent = since ? 0 : this.historyAsked;
    const stream = this.name;
    const delta = this.delta && (!since || this.base !== undefined) ? { delta: "merge" as const } : {};
    if (since) this.output.send({ type: "subscribe", stream, since, ...delta });
    else if (this.historySent) this.output.send({ type: "subscribe", stream, history: this.historySent, ...delta });
    else this.output.send({ type: "subscribe", stream, position: true, ...delta });
  }

  private leave(discarding: boolean): void {
    this.phase = "leaving";
    this.discarding = discarding;
    this.output.send({ type: "unsubscribe", stream: this.name });
  }

  // Asks for whole values from the last position on, so that nothing is lost.
  private resync(why: string): void {
    this.delta = false;
    this.base = undefined;
    this.output.emit({ kind: "error", stream: this.name, message: `${why}: continuing with whole values`, code: "resync" });
    this.leave(true);
  }

  private gap(reason: string, range: Missing | undefined): void {
    const gap: Gap = { stream: this.name, missing: range, reason };
    this.output.emit({ kind: "gap", gap });
  }
}

/** The range between two positions, with its count if it can be known. */
export function missing(after: Position, until: Position): Missing {
  return after.epoch === until.epoch ? { after, until, count: until.offset - after.offset } : { after, until };
}
