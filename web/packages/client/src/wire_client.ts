// Streams over one connection: passes the server's messages to the streams, and asks again after each reconnect.
import { Connection, type ConnectionOptions } from "./connection.js";
import { Pacer } from "./pacer.js";
import type { Json, Position, StreamDetails, StreamEvent, Welcome } from "./types.js";
import { isWellFormed, parseMessage, type ErrorMessage, type HelloAnswer, type NoticeMessage, type ServerMessage, type SubscribedAnswer, type UnsubscribedAnswer, type ValueMessage } from "./wire.js";
import { WireStream } from "./wire_stream.js";

export interface WireClientOptions extends ConnectionOptions {
  /** Ask the server for patches instead of whole values, which saves bytes. Default true. */
  readonly delta?: boolean;
}

/** What a subscriber needs of a stream. */
export interface Want {
  readonly since?: Position;
  /** The value at `since`; without it the resume cannot use patches. */
  readonly value?: Json;
  readonly history?: number;
}

export interface WireClientEvents {
  /** The state, the error or the greeting changed. */
  changed(): void;
  event(stream: string, event: StreamEvent): void;
}

/** After `too_many_messages` the unanswered requests are repeated after this time. */
export const REPEAT_MS = 1_500;
/** A server that answers no request for this time, though other messages may come, is left. */
export const ANSWER_MS = 30_000;
const HELLO = "hello";
const AUTHENTICATE = "authenticate";
/** A longer message is refused by a server that has named no limit. */
const MESSAGE_BYTES_MAX = 4_096;
const PING = '{"type":"ping"}';

export class WireClient {
  welcome: Welcome | null = null;
  readonly connection: Connection;
  private readonly streams = new Map<string, WireStream>();
  private readonly pacer: Pacer;
  private readonly pending = new Map<number, string>();
  private nextId = 1;
  private beginning = false;
  private messageBytesMax = MESSAGE_BYTES_MAX;
  private answerTimer: ReturnType<typeof setTimeout> | null = null;
  private repeatTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly options: WireClientOptions, private readonly events: WireClientEvents) {
    this.connection = new Connection(options, {
      changed: () => this.changed(),
      opened: () => this.opened(),
      received: (text) => this.received(text),
      lost: () => this.lost(),
      authenticate: (token) => this.authenticate(token),
    }, () => PING);
    this.pacer = new Pacer((text) => { this.connection.send(text); });
  }

  /** Returns what is known already. It is meant for the new subscriber alone. */
  open(name: string, want: Want): readonly StreamEvent[] {
    const known = this.streams.get(name);
    if (known) return this.join(known, want);
    const stream = new WireStream(name, {
      send: (request) => {
        const id = this.nextId++;
        this.pending.set(id, name);
        this.pacer.push(JSON.stringify({ ...request, id }));
        this.awaitAnswer();
      },
      abandon: (reason) => this.connection.abandon(reason),
      emit: (event) => this.events.event(name, event),
    }, { delta: this.options.delta ?? true });
    if (want.since) stream.startAt(want.since, want.value);
    if (want.history) stream.wantHistory(want.history);
    this.streams.set(name, stream);
    this.beginSoon();
    const ending = this.ending(name);
    return ending ? [ending] : [];
  }

  close(name: string): void {
    if (this.streams.get(name)?.unsubscribe()) this.streams.delete(name);
  }

  stop(): void {
    this.connection.close();
    this.lost();
    this.streams.clear();
  }

  // A connection that ended for good ends the streams: those who wait for values must hear of it.
  private changed(): void {
    this.events.changed();
    for (const { name, isWanted } of [...this.streams.values()]) {
      const ending = this.ending(name);
      if (ending && isWanted) this.events.event(name, ending);
    }
  }

  private ending(stream: string): StreamEvent | null {
    const { state, error } = this.connection;
    if (state !== "closed" || !error) return null;
    return { kind: "error", stream, message: `the connection ended for good: ${error.message}`, code: "closed" };
  }

  private join(stream: WireStream, { since, value, history }: Want): StreamEvent[] {
    stream.resume();
    const events: StreamEvent[] = [];
    const ring = history && !since ? stream.wantHistory(history) : null;
    const rewinds = since !== undefined && isBehind(since, stream.position);
    if (rewinds) stream.startAt(since, value);
    else if (since) events.push({ kind: "subscribed", answer: { stream: stream.name, recovered: true, position: since } });
    else if (ring) events.push({ kind: "history", messages: ring, position: stream.position ?? undefined });
    else if (!history && stream.last) events.push({ kind: "message", message: stream.last });
    // What is played again holds the notice too.
    if (stream.interrupted && !rewinds) events.push(stream.interrupted);
    const ending = this.ending(stream.name);
    if (ending) events.push(ending);
    return events;
  }

  // Subscriptions of one turn of the program are asked for together, with what all of them need.
  private beginSoon(): void {
    if (this.beginning) return;
    this.beginning = true;
    queueMicrotask(() => {
      this.beginning = false;
      if (this.connection.state === "connected") for (const stream of this.streams.values()) stream.begin();
    });
  }

  private opened(): void {
    this.pacer.reset();
    this.pacer.push(JSON.stringify({ type: "hello", id: HELLO }));
    for (const stream of this.streams.values()) stream.begin();
  }

  // It does not wait behind other requests, which need it.
  private authenticate(token: string): string | null {
    const text = JSON.stringify({ type: "authenticate", token, id: AUTHENTICATE });
    return new TextEncoder().encode(text).length <= this.messageBytesMax ? text : null;
  }

  // The time begins again with each request and each answer, and while requests wait for their turn.
  private awaitAnswer(): void {
    this.stopAwaiting();
    const waiting = [...this.streams.values()].filter((stream) => stream.isWaiting);
    if (!waiting.length) return;
    this.answerTimer = setTimeout(() => {
      if (this.pacer.isBusy) return this.awaitAnswer();
      const message = "the server does not answer a subscription";
      this.connection.abandon(message);
      for (const { name: stream } of waiting) this.events.event(stream, { kind: "error", stream, message, code: "unanswered" });
    }, ANSWER_MS);
  }

  private stopAwaiting(): void {
    if (this.answerTimer) clearTimeout(this.answerTimer);
    this.answerTimer = null;
  }

  private lost(): void {
    this.stopAwaiting();
    if (this.repeatTimer) clearTimeout(this.repeatTimer);
    this.repeatTimer = null;
    this.pacer.reset();
    this.pending.clear();
    for (const stream of this.streams.values()) {
      stream.disconnected();
      if (!stream.isWanted) this.streams.delete(stream.name);
    }
  }

  private received(text: string): void {
    const message = parseMessage(text);
    if (!message) return;
    // The answer of one connection is lost, but nothing else: the streams resume from their positions on the next one.
    if (!isWellFormed(message, this.streams.has(message.type))) {
      return this.connection.abandon(`the server sent a malformed message of type ${message.type}`);
    }
    // The answer may arrive in either member; a stream cannot have one of these names.
    switch (message.type) {
      case "welcome": return this.greeted(message);
      case "hello": return this.hello(message as HelloAnswer);
      case "pong": return;
      case "authenticated": return this.authenticated(message);
      case "subscribed": return this.answered(message, (stream) => stream.subscribed(message as unknown as SubscribedAnswer));
      case "unsubscribed": return this.answered(message, (stream) => this.afterEnd(stream, stream.unsubscribed((message as unknown as UnsubscribedAnswer).reason)));
      case "notice": return this.streams.get(String(message["stream"]))?.notice(message as unknown as NoticeMessage);
      case "error": return this.failed(message as unknown as ErrorMessage);
      default: this.streams.get(message.type)?.value(message as unknown as ValueMessage);
    }
  }

  private authenticated(message: ServerMessage): void {
    if (this.welcome) this.welcome = { ...this.welcome, streams: namesIn(message) };
    this.connection.authenticated(true);
    this.events.changed();
  }

  private greeted(message: ServerMessage): void {
    this.welcome = {
      message: String(message["message"] ?? ""),
      streams: namesIn(message),
      timestamp: Number(message["timestamp"] ?? 0),
      details: this.welcome?.details,
    };
    this.events.changed();
  }

  private hello({ reconnect, limits, streams }: HelloAnswer): void {
    if (this.welcome && streams) {
      const details = streams.map(({ name, interval_ms, on_change, history }): [string, StreamDetails] =>
        [name, { intervalMs: interval_ms, onChange: on_change === true, history }]);
      this.welcome = { ...this.welcome, details: Object.fromEntries(details) };
      this.events.changed();
    }
    if (reconnect) this.connection.setHint(reconnect);
    this.messageBytesMax = limits?.message_bytes ?? MESSAGE_BYTES_MAX;
    if (limits?.messages_per_second === undefined) this.pacer.setDefaultRate();
    else this.pacer.setRate(limits.messages_per_second);
  }

  private answered(message: ServerMessage, act: (stream: WireStream) => void): void {
    if (typeof message["id"] === "number") this.pending.delete(message["id"]);
    const stream = this.streams.get(String(message["stream"]));
    if (stream) act(stream);
    this.awaitAnswer();
  }

  private afterEnd(stream: WireStream, isOver: boolean): void {
    if (isOver) this.streams.delete(stream.name);
  }

  private failed(error: ErrorMessage): void {
    if (error.id === AUTHENTICATE) return this.connection.authenticated(false);
    if (error.code === "too_many_messages") {
      this.repeatTimer ??= setTimeout(() => {
        this.repeatTimer = null;
        // What has not been sent yet is among the unanswered.
        this.pacer.drop();
        for (const stream of this.streams.values()) stream.repeat();
      }, REPEAT_MS);
      return;
    }
    if (error.code === undefined || error.id === HELLO) this.pacer.setDefaultRate();
    const name = typeof error.id === "number" ? this.pending.get(error.id) : this.withoutId(error);
    if (typeof error.id === "number") this.pending.delete(error.id);
    const stream = name === undefined ? undefined : this.streams.get(name);
    if (stream) this.afterEnd(stream, stream.failed(error));
    this.awaitAnswer();
  }

  // A server of the short protocol repeats no id and names no stream: if one stream waits for an answer, it is that one.
  private withoutId(error: ErrorMessage): string | undefined {
    if (error.stream !== undefined) return error.stream;
    const asked = [...this.streams.values()].filter((stream) => stream.phase === "asked" && error.message.includes(stream.name));
    return asked.length === 1 ? asked[0]?.name : undefined;
  }
}

function namesIn(message: ServerMessage): string[] {
  const streams = message["available_streams"];
  return Array.isArray(streams) ? streams.map(String) : [];
}

function isBehind(since: Position, position: Position | null): boolean {
  return position === null || since.epoch !== position.epoch || since.offset < position.offset;
}
