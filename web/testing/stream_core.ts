// The server's side of the stream protocol for tests, written from docs/streams.md and independent of the client's code.
import { crc32 } from "node:zlib";

type Json = any;
interface Entry { offset: number; data?: Json; notice?: { state: string; reason?: string; from?: number }; timestamp: number }
interface Topic { entries: Entry[]; offset: number; last: Entry | null; interrupted: Entry | null }
interface Choice { positions: boolean; delta: boolean; base: Json | undefined }

export interface Peer { send(text: string): void; close(code: number, reason: string): void }
export interface CoreOptions {
  streams: readonly string[];
  /** Values that are kept of each stream. */
  history?: number;
  /** False: only the messages of the short protocol, as a server of others has it. */
  extended?: boolean;
  hello?: Json;
  /** The tokens that `authenticate` may present. Without it there is no such message. */
  accepts?: (token: string) => boolean;
}

export class StreamCore {
  epoch = Math.floor(Math.random() * 2 ** 40);
  /** Every message of every client, in order. */
  readonly received: { connection: number; message: Json }[] = [];
  connections = 0;
  now = 1_764_181_800;
  /** Falsifies the next patch that is sent. */
  corruptNextPatch = false;
  readonly sessions = new Set<Session>();
  readonly topics = new Map<string, Topic>();

  constructor(readonly options: CoreOptions) {
    for (const name of options.streams) this.topics.set(name, { entries: [], offset: 0, last: null, interrupted: null });
  }

  accept(peer: Peer): Session {
    const session = new Session(this, peer, ++this.connections);
    this.sessions.add(session);
    session.reply({ type: "welcome", message: "test server", available_streams: [...this.topics.keys()], timestamp: this.now });
    return session;
  }

  publish(stream: string, data: Json): number { return this.append(stream, { data }); }
  notice(stream: string, state: "interrupted" | "restored" | "of a later version", reason?: string): number { return this.append(stream, { notice: { state, reason } }); }
  pause(stream: string, from: number): number { return this.append(stream, { notice: { state: "paused", from } }); }

  /** What a restarted server does: positions of before mean nothing. */
  forget(): void {
    this.epoch++;
    for (const topic of this.topics.values()) Object.assign(topic, { entries: [], offset: 0, last: null, interrupted: null });
  }

  private append(stream: string, what: Partial<Entry>): number {
    const topic = this.topics.get(stream) as Topic;
    const entry: Entry = { offset: ++topic.offset, timestamp: this.now, ...what };
    topic.entries.push(entry);
    if (topic.entries.length > (this.options.history ?? 1_000)) topic.entries.shift();
    if (entry.notice) topic.interrupted = entry.notice.state === "interrupted" ? entry : null;
    else topic.last = entry;
    for (const session of this.sessions) session.deliver(stream, entry);
    return entry.offset;
  }
}

export class Session {
  readonly choices = new Map<string, Choice>();
  constructor(private readonly core: StreamCore, readonly peer: Peer, readonly number: number) {}

  gone(): void { this.core.sessions.delete(this); }
  reply(message: Json): void { this.peer.send(JSON.stringify(message)); }

  receive(text: string): void {
    const request = JSON.parse(text);
    this.core.received.push({ connection: this.number, message: request });
    const id = this.core.options.extended === false || request.id === undefined ? {} : { id: request.id };
    if (request.type === "ping") return this.reply({ type: "pong", ...id });
    const { accepts } = this.core.options;
    if (request.type === "authenticate" && accepts) {
      return accepts(request.token)
        ? this.reply({ type: "authenticated", available_streams: [...this.core.topics.keys()], ...id })
        : this.error("not_authenticated", "the token is not accepted", undefined, id);
    }
    if (request.type === "hello" && this.core.options.extended !== false) return this.hello(id);
    if (request.type === "subscribe") return this.subscribe(request, id);
    if (request.type === "unsubscribe") {
      if (!this.choices.delete(request.stream)) return this.error("not_subscribed", "not subscribed", request.stream, id);
      return this.reply({ type: "unsubscribed", stream: request.stream, ...id });
    }
    this.error("unknown_type", `unknown type ${request.type}`, undefined, id);
  }

  private hello(id: Json): void {
    const limits = { subscriptions: 64, message_bytes: 4096, messages_per_second: 20 };
    this.reply({ type: "hello", reconnect: { min_ms: 500, max_ms: 30_000 }, limits, streams: [], ...this.core.options.hello, ...id });
  }

  private error(code: string, message: string, stream: string | undefined, id: Json): void {
    this.reply({ type: "error", message, ...(this.core.options.extended === false ? {} : { code, stream }), ...id });
  }

  private subscribe(request: Json, id: Json): void {
    const { stream, since, history, delta, position } = request;
    const topic = this.core.topics.get(stream);
    if (!topic) return this.error("unknown_stream", `there is no stream ${stream}`, stream, id);
    if (this.choices.has(stream)) return this.error("already_subscribed", `already subscribed to ${stream}`, stream, id);
    const extended = this.core.options.extended !== false;
    const choice: Choice = { positions: extended && Boolean(since || history !== undefined || delta || position), delta: extended && delta === "merge", base: undefined };
    this.choices.set(stream, choice);
    const answer: Json = { type: "subscribed", stream, ...id };
    if (!choice.positions) {
      this.reply(answer);
      if (topic.last) this.deliver(stream, topic.last);
    } else if (since) this.resume(stream, topic, choice, since, answer);
    else if (history !== undefined) {
      const values = history === 0 ? [] : topic.entries.filter((entry) => !entry.notice).slice(-history);
      choice.base = values.at(-1)?.data;
      this.reply({ ...answer, position: this.at(topic.offset), history: values.map(({ data, timestamp, offset }) => ({ data, timestamp, offset })) });
      if (topic.interrupted) this.deliver(stream, topic.interrupted);
    } else {
      this.reply({ ...answer, position: this.at(topic.last ? topic.last.offset - 1 : topic.offset) });
      if (topic.last) this.deliver(stream, topic.last);
      if (topic.interrupted) this.deliver(stream, topic.interrupted);
    }
  }

  private resume(stream: string, topic: Topic, choice: Choice, since: { epoch: number; offset: number }, answer: Json): void {
    const oldest = topic.entries[0]?.offset ?? topic.offset + 1;
    const known = since.epoch === this.core.epoch && since.offset <= topic.offset;
    const recovered = known && since.offset + 1 >= oldest;
    const from = recovered ? since.offset : oldest - 1;
    if (recovered) {
      choice.base = topic.entries.findLast((entry) => entry.offset <= since.offset && !entry.notice)?.data;
      this.reply({ ...answer, position: since, recovered });
    } else {
      const until = this.at(from);
      const missing = { after: since, until, ...(known ? { count: from - since.offset } : {}) };
      this.reply({ ...answer, position: until, recovered, missing });
    }
    for (const entry of topic.entries) if (entry.offset > from) this.deliver(stream, entry);
  }

  private at(offset: number): Json { return { epoch: this.core.epoch, offset }; }

  deliver(stream: string, entry: Entry): void {
    const choice = this.choices.get(stream);
    if (!choice) return;
    const offset = choice.positions ? { offset: entry.offset } : {};
    if (entry.notice) return this.reply({ type: "notice", stream, ...entry.notice, timestamp: entry.timestamp, ...offset });
    const patch = choice.delta && choice.base !== undefined ? diff(choice.base, entry.data) : undefined;
    choice.base = entry.data;
    const sum = choice.delta && entry.offset % 8 === 0 ? { checksum: checksumOf(entry.data) } : {};
    const head = { type: stream, timestamp: entry.timestamp, ...offset, ...sum };
    if (patch === undefined) return this.reply({ ...head, data: entry.data });
    const sent = this.core.corruptNextPatch ? { ...patch, corrupted: true } : patch;
    this.core.corruptNextPatch = false;
    this.reply({ ...head, patch: sent });
  }

  /** Tells this client alone that messages were left out. */
  miss(stream: string, after: number, until: number): void {
    const missing = { after: this.at(after), until: this.at(until), count: until - after };
    this.reply({ type: "notice", stream, state: "missed", missing, timestamp: this.core.now });
    const choice = this.choices.get(stream);
    if (choice) choice.base = undefined;
  }
}

/** A merge patch from one object to the other, or undefined if there is none. */
function diff(from: Json, to: Json): Json | undefined {
  if (!isObject(from) || !isObject(to)) return undefined;
  const patch: Record<string, Json> = {};
  for (const name of Object.keys(from)) if (!(name in to)) patch[name] = null;
  for (const [name, value] of Object.entries(to)) {
    if (JSON.stringify(from[name]) === JSON.stringify(value)) continue;
    if (value === null) return undefined;
    const inner = isObject(value) && isObject(from[name]) ? diff(from[name], value) : value;
    if (inner === undefined || (!isObject(from[name]) && hasNull(value))) return undefined;
    patch[name] = inner;
  }
  return patch;
}
const isObject = (value: Json): boolean => typeof value === "object" && value !== null && !Array.isArray(value);
const hasNull = (value: Json): boolean => isObject(value) && Object.values(value).some((one) => one === null || hasNull(one));

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  return isObject(value) ? Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])])) : value;
}
function checksumOf(value: Json): string {
  return crc32(JSON.stringify(sorted(value))).toString(16).padStart(8, "0");
}
