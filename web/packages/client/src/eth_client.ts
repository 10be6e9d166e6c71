// JSON-RPC over one WebSocket that reconnects, with subscriptions that resume from cursors (docs/subscriptions.md).
import { after, checkNumber } from "./durations.js";
import { Connection, type ConnectionOptions } from "./connection.js";
import { EthSubscription, type EthListener, type EthSubscribeOptions, type EthType } from "./eth_subscription.js";
import { Listeners } from "./listeners.js";
import { ConnectionError, type ConnectionState, type Json, type Unsubscribe } from "./types.js";

export interface EthClientOptions extends ConnectionOptions {
  /** A request without an answer for this time is rejected, in milliseconds. Default 30,000; Infinity: none is. */
  readonly requestTimeoutMs?: number;
}

/** An error answer of JSON-RPC. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  constructor(message: string, readonly code: number, readonly data?: Json) { super(message); }
}

interface Pending {
  readonly text: string;
  sent: boolean;
  resolve(result: Json): void;
  reject(error: Error): void;
}
interface Answer {
  readonly id?: number | string | null;
  readonly result?: Json;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: Json };
  readonly method?: string;
  readonly params?: { readonly subscription: string; readonly result?: Json; readonly notice?: Json; readonly cursor?: string };
}
/** The content of one `eth_subscription`. */
export type EthNotification = NonNullable<Answer["params"]>;

/** Notifications may overtake the reply that names their subscription at nodes of others. So many are kept. */
export const EARLY_NOTIFICATIONS_MAX = 1_000;
const PING_ID = "ping";
const AUTHENTICATE_ID = "authenticate";

export class EthClient {
  private readonly connection: Connection;
  private readonly changes = new Listeners<[]>();
  private readonly pending = new Map<number, Pending>();
  private readonly subscriptions = new Set<EthSubscription>();
  private early: EthNotification[] = [];
  private nextId = 1;

  constructor(private readonly options: EthClientOptions) {
    checkNumber("requestTimeoutMs", options.requestTimeoutMs, 1);
    this.connection = new Connection(options, {
      changed: () => this.changed(),
      opened: () => this.opened(),
      received: (text) => this.received(text),
      lost: (error) => this.lost(error),
      authenticate: (token) => JSON.stringify({ jsonrpc: "2.0", id: AUTHENTICATE_ID, method: "fanfare_authenticate", params: [token] }),
    }, () => JSON.stringify({ jsonrpc: "2.0", id: PING_ID, method: "eth_chainId", params: [] }));
  }

  get state(): ConnectionState { return this.connection.state; }
  get error(): Error | null { return this.connection.error; }

  connect(): void { this.connection.start(); }
  onChange(listener: () => void): Unsubscribe { return this.changes.add(listener); }
  wake(): void { this.connection.wake(); }

  /**
   * Waits for the connection if there is none. Rejects with RpcError for an error answer, and with ConnectionError if
   * the connection was lost before the answer: whether the request was carried out is then unknown, so it is not repeated.
   */
  request(method: string, params: readonly Json[] = []): Promise<Json> {
    this.connect();
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      const timer = after(this.options.requestTimeoutMs ?? 30_000, () => settle(() => reject(new ConnectionError(`no answer to ${method} in time`))));
      const settle = (act: () => void): void => {
        if (timer) clearTimeout(timer);
        this.pending.delete(id);
        act();
      };
      const entry: Pending = {
        text: JSON.stringify({ jsonrpc: "2.0", id, method, params }),
        sent: false,
        resolve: (result) => settle(() => resolve(result)),
        reject: (error) => settle(() => reject(error)),
      };
      this.pending.set(id, entry);
      if (this.connection.state === "closed") entry.reject(this.connection.error ?? new ConnectionError("the client is closed"));
      else entry.sent = this.connection.send(entry.text);
    });
  }

  /**
   * Subscribes, and does so again after each reconnect, from the cursor of the last notification. `params` is what
   * `eth_subscribe` takes after the type, for example a log filter.
   */
  subscribe(type: EthType, params: readonly Json[], listener: EthListener, options: EthSubscribeOptions = {}): EthSubscription {
    const subscription = new EthSubscription(type, params, listener, options, {
      request: (method, values) => this.request(method, values),
      claimEarly: (id) => this.claimEarly(id),
      ended: (one) => { this.subscriptions.delete(one); },
    });
    this.subscriptions.add(subscription);
    this.connect();
    if (this.state === "connected") subscription.begin();
    else if (this.state === "closed") queueMicrotask(() => subscription.ended(this.connection.error ?? new ConnectionError("the client is closed")));
    return subscription;
  }

  close(): void {
    for (const subscription of [...this.subscriptions]) subscription.close();
    this.connection.close();
    this.rejectAll(new ConnectionError("the client is closed"), false);
    this.changes.clear();
  }

  private changed(): void {
    const { error } = this.connection;
    if (this.state === "closed" && error) {
      for (const subscription of [...this.subscriptions]) subscription.ended(error);
      this.rejectAll(error, false);
    }
    this.changes.emit();
  }

  private opened(): void {
    for (const entry of this.pending.values()) if (!entry.sent) entry.sent = this.connection.send(entry.text);
    for (const subscription of this.subscriptions) subscription.begin();
  }

  private lost(error: ConnectionError): void {
    this.early = [];
    for (const subscription of this.subscriptions) subscription.lost();
    this.rejectAll(error, true);
  }

  private rejectAll(error: Error, onlySent: boolean): void {
    for (const entry of [...this.pending.values()]) if (entry.sent || !onlySent) entry.reject(error);
  }

  private received(text: string): void {
    let parsed: Answer | Answer[];
    try {
      parsed = JSON.parse(text) as Answer | Answer[];
    } catch {
      return;
    }
    for (const answer of Array.isArray(parsed) ? parsed : [parsed]) this.take(answer);
  }

  private take(answer: Answer | null): void {
    if (answer?.method === "eth_subscription" && answer.params) return this.notified(answer.params);
    if (answer?.id === AUTHENTICATE_ID) return this.connection.authenticated(answer.error === undefined);
    const entry = typeof answer?.id === "number" ? this.pending.get(answer.id) : undefined;
    if (!entry || !answer) return;
    if (answer.error) entry.reject(new RpcError(answer.error.message, answer.error.code, answer.error.data));
    else entry.resolve(answer.result ?? null);
  }

  private notified(notification: EthNotification): void {
    for (const subscription of this.subscriptions) if (subscription.id === notification.subscription) return subscription.notified(notification);
    for (const subscription of this.subscriptions) {
      if (!subscription.isWaiting) continue;
      if (this.early.length < EARLY_NOTIFICATIONS_MAX) this.early.push(notification);
      return;
    }
  }

  private claimEarly(id: string): EthNotification[] {
    const mine = this.early.filter((notification) => notification.subscription === id);
    this.early = this.early.filter((notification) => notification.subscription !== id);
    return mine;
  }
}
