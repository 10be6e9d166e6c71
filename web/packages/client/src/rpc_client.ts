// JSON-RPC over one WebSocket that reconnects, with events that resume from their positions (docs/embedding.md, "Events").
// Classes that openrpc.ts generates derive from it.
import { Connection, type ConnectionOptions } from "./connection.js";
import { RpcError } from "./eth_client.js";
import { ConnectionError, callSafely, type ConnectionState, type Json, type Unsubscribe } from "./types.js";

export interface RpcClientOptions extends ConnectionOptions {
  /** A call without an answer for this time is rejected, in milliseconds. Default 30,000. */
  readonly requestTimeoutMs?: number;
}

/** Where an event stands. Keep the last one, for example in a file, to continue after a restart. */
export interface RpcPosition {
  readonly epoch: number;
  readonly offset: number;
}
/** Events that do not arrive: those after `after`, up to and including `until`. Without `count` their number is unknown. */
export interface RpcMissed {
  readonly after: RpcPosition;
  readonly until: RpcPosition;
  readonly count?: number;
}

export interface RpcListener<Value> {
  /** `position` is missing if the server does not number the event. */
  event(value: Value, position?: RpcPosition): void;
  missed?(missed: RpcMissed): void;
  /** After each reconnect, too. False: `missed` was called. */
  subscribed?(recovered: boolean): void;
  /** The server refuses the subscription. It is tried again after the next reconnect. */
  error?(error: Error): void;
}

export interface RpcSubscribeOptions {
  /** Begins behind this event. Only for the first subscription to an event. */
  readonly since?: RpcPosition;
}

interface Pending {
  readonly text: string;
  sent: boolean;
  resolve(result: Json): void;
  reject(error: Error): void;
}
// All listeners of one event are one subscription at the server.
interface Watched {
  readonly listeners: Set<RpcListener<any>>;
  position: RpcPosition | undefined;
  // Counts up with each subscription at the server, so that an old answer is recognised.
  round: number;
}
interface Message {
  readonly id?: number | string | null;
  readonly result?: Json;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: Json };
  readonly method?: string;
  readonly params?: any;
}

const PING_ID = "ping";

export class RpcClient<Events extends object = Record<string, Json>> {
  readonly #options: RpcClientOptions;
  readonly #broadcasts: ReadonlySet<string>;
  readonly #connection: Connection;
  readonly #pending = new Map<number, Pending>();
  readonly #watched = new Map<string, Watched>();
  #nextId = 1;

  /** `broadcasts`: the events that the server sends to everybody, without a subscription. */
  constructor(options: RpcClientOptions, broadcasts: readonly string[] = []) {
    this.#options = options;
    this.#broadcasts = new Set(broadcasts);
    this.#connection = new Connection(options, {
      changed: () => { if (this.state === "closed" && this.#connection.error) this.#rejectAll(this.#connection.error, false); },
      opened: () => this.#opened(),
      received: (text) => this.#received(text),
      lost: (error) => this.#rejectAll(error, true),
    }, () => JSON.stringify({ jsonrpc: "2.0", id: PING_ID, method: "rpc.ping" }));  // an error is an answer, too
  }

  get state(): ConnectionState { return this.#connection.state; }
  connect(): void { this.#connection.start(); }

  /**
   * Waits for the connection if there is none. Rejects with RpcError for an error answer, and with ConnectionError if the
   * connection was lost before the answer: whether the call was carried out is then unknown, so it is not repeated.
   */
  call(method: string, params?: readonly unknown[] | object): Promise<Json> {
    return new Promise((resolve, reject) => this.#send(method, params, resolve, reject));
  }

  /** Subscribes, and does so again after each reconnect, from the position of the last event. */
  subscribe<E extends keyof Events & string>(event: E, listener: RpcListener<Events[E]> | ((value: Events[E]) => void), options: RpcSubscribeOptions = {}): Unsubscribe {
    const own: RpcListener<Events[E]> = typeof listener === "function" ? { event: (value) => listener(value) } : listener;
    let watched = this.#watched.get(event);
    if (watched && options.since) throw new Error(`there is a subscription to ${event} already: it cannot begin at a position`);
    if (!watched) {
      watched = { listeners: new Set(), position: options.since, round: 0 };
      this.#watched.set(event, watched);
      watched.listeners.add(own);
      this.connect();
      if (this.state === "connected") this.#begin(event, watched);
    } else {
      watched.listeners.add(own);
    }
    const there = watched;
    return () => {
      if (!there.listeners.delete(own) || there.listeners.size > 0 || this.#watched.get(event) !== there) return;
      this.#watched.delete(event);
      if (this.state === "connected" && !this.#broadcasts.has(event)) this.#send("unsubscribe", { event }, () => {}, () => {});
    };
  }

  /** The position of the last event that the listeners got. */
  positionOf(event: keyof Events & string): RpcPosition | undefined { return this.#watched.get(event)?.position; }

  close(): void {
    this.#watched.clear();
    this.#connection.close();
    this.#rejectAll(new ConnectionError("the client is closed"), false);
  }

  #send(method: string, params: unknown, done: (result: Json) => void, failed: (error: Error) => void): void {
    this.connect();
    const id = this.#nextId++;
    const timer = setTimeout(() => settle(() => failed(new ConnectionError(`no answer to ${method} in time`))), this.#options.requestTimeoutMs ?? 30_000);
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      if (this.#pending.delete(id)) act();
    };
    const entry: Pending = {
      text: JSON.stringify({ jsonrpc: "2.0", id, method, params }),
      sent: false,
      resolve: (result) => settle(() => done(result)),
      reject: (error) => settle(() => failed(error)),
    };
    this.#pending.set(id, entry);
    if (this.state === "closed") entry.reject(this.#connection.error ?? new ConnectionError("the client is closed"));
    else entry.sent = this.#connection.send(entry.text);
  }

  #opened(): void {
    // Subscriptions first: what a call causes is then seen.
    for (const [event, watched] of this.#watched) this.#begin(event, watched);
    for (const entry of this.#pending.values()) if (!entry.sent) entry.sent = this.#connection.send(entry.text);
  }

  #begin(event: string, watched: Watched): void {
    if (this.#broadcasts.has(event)) return;
    const round = ++watched.round;
    const isCurrent = (): boolean => round === watched.round && this.#watched.get(event) === watched;
    const since = watched.position;
    this.#send("subscribe", since ? { event, since } : { event }, (result) => {
      if (!isCurrent()) return;
      const { recovered, position, missed } = result as unknown as { recovered: boolean; position: RpcPosition; missed?: RpcMissed };
      watched.position = position;
      if (missed) this.#tell(watched, (listener) => listener.missed?.(missed));
      this.#tell(watched, (listener) => listener.subscribed?.(recovered));
    }, (error) => {
      if (isCurrent() && error instanceof RpcError) this.#tell(watched, (listener) => listener.error?.(error));
    });
  }

  #tell(watched: Watched, act: (listener: RpcListener<any>) => void): void {
    for (const listener of [...watched.listeners]) if (watched.listeners.has(listener)) callSafely(() => act(listener));
  }

  #rejectAll(error: Error, onlySent: boolean): void {
    for (const entry of [...this.#pending.values()]) if (entry.sent || !onlySent) entry.reject(error);
  }

  #received(text: string): void {
    let parsed: Message | Message[] | null;
    try {
      parsed = JSON.parse(text) as Message | Message[] | null;
    } catch {
      return;
    }
    for (const message of Array.isArray(parsed) ? parsed : [parsed]) this.#take(message);
  }

  #take(message: Message | null): void {
    if (message === null || typeof message !== "object") return;
    if (typeof message.method === "string") return this.#notified(message.method, message.params);
    const entry = typeof message.id === "number" ? this.#pending.get(message.id) : undefined;
    if (!entry) return;
    if (message.error) entry.reject(new RpcError(message.error.message, message.error.code, message.error.data));
    else entry.resolve(message.result ?? null);
  }

  #notified(method: string, params: any): void {
    const watched = this.#watched.get(method === "rpc.missed" ? params?.event : method);
    if (!watched || params === null || typeof params !== "object") return;
    if (method === "rpc.missed") {
      const { event: _, ...missed } = params;
      watched.position = missed.until;
      return this.#tell(watched, (listener) => listener.missed?.(missed));
    }
    const position = params.position as RpcPosition | undefined;
    const last = watched.position;
    if (position && last && position.epoch === last.epoch && position.offset <= last.offset) return;  // it came before
    if (position) watched.position = position;
    this.#tell(watched, (listener) => listener.event(params.value, position));
  }
}
