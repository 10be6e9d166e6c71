// Streams with one socket for all tabs of a browser.
import { checkConnectionOptions, type SocketConstructor } from "./connection.js";
import { Listeners } from "./listeners.js";
import { watchPage } from "./page.js";
import { StreamTable } from "./stream_table.js";
import { LeaderLink, canLead, localLink, tabLock, workerLink } from "./tab_links.js";
import { hold, locksOf } from "./tab_locks.js";
import { ALIVE_MS, ANSWER_MS, type HubMessage, type HubOptions, type TabLink, type TabMessage } from "./tab_messages.js";
import type { TokenProvider } from "./token.js";
import {
  ConnectionError, type ConnectionState, type StreamListener, type StreamMap, type StreamMessage, type StreamSource, type SubscribeOptions, type Unsubscribe, type Welcome,
} from "./types.js";

/** `worker`: a SharedWorker. `leader`: one of the tabs. `none`: this page has a socket of its own. */
export type Sharing = "worker" | "leader" | "none";

export interface SharedStreamClientOptions extends HubOptions {
  /** Default: the first of worker, leader and none that works here. A leader needs HTTPS or localhost. */
  readonly via?: Sharing;
  /** Tabs with the same name share. Default: the address. Give tabs of different users different names. */
  readonly name?: string;
  /** Makes the worker, if the bundler does not find `shared_worker.js` by itself. `name` keeps connections apart. */
  readonly worker?: (name: string) => SharedWorker;
  /** Asked in the tab that was active last. */
  readonly token?: TokenProvider;
  readonly lingerMs?: number;
  /** As in ConnectionOptions, for a connection that is in this page or process: `via` is `none` or `leader`. A worker has its own. */
  readonly WebSocket?: SocketConstructor;
}

/** The same interface as StreamClient. The options of the tab that comes first count for all of them. */
export class SharedStreamClient<S = StreamMap> implements StreamSource<S> {
  state: ConnectionState = "idle";
  error: Error | null = null;
  welcome: Welcome | null = null;
  readonly via: Sharing;

  private readonly changes = new Listeners<[]>();
  private readonly table: StreamTable;
  private readonly hubOptions: HubOptions;
  private readonly tab = crypto.getRandomValues(new Uint32Array(4)).join("-");
  private link: TabLink | null = null;
  private attached = false;
  private ended = false;
  private readonly undo: Unsubscribe[] = [];
  private heardAtMs = 0;
  private answerTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly options: SharedStreamClientOptions) {
    const { url, protocols, delta, backoff, heartbeat, connectTimeoutMs, tokenAs } = options;
    checkConnectionOptions(options);
    this.hubOptions = { url, protocols, delta, backoff, heartbeat, connectTimeoutMs, tokenAs };
    this.via = options.via ?? bestSharing();
    this.table = new StreamTable({
      open: (stream, want) => {
        this.send({ t: "subscribe", stream, want });
        return [];
      },
      close: (stream) => this.send({ t: "unsubscribe", stream }),
    }, options.lingerMs);
  }

  connect(): void {
    if (this.ended || this.state !== "idle") return;
    const wake = (): void => {
      this.send({ t: "wake" });
      this.checkHub();
    };
    this.undo.push(watchPage({ woke: wake, online: wake, offline: wake }));
    const timer = setInterval(() => this.checkHub(), ALIVE_MS);
    this.undo.push(() => clearInterval(timer));
    this.set("connecting", null);
    // Whoever gets this lock later knows that the tab is gone, so it is held before anyone hears of the tab.
    const locks = locksOf();
    if (locks && this.via !== "none") this.undo.push(hold(locks, tabLock(this.tab), () => { this.link = this.makeLink(locks); }));
    else this.link = this.makeLink(locks);
  }

  onChange(listener: () => void): Unsubscribe { return this.changes.add(listener); }

  subscribe<N extends keyof S & string>(
    stream: N, listener: StreamListener<S[N]> | ((message: StreamMessage<S[N]>) => void), options: SubscribeOptions = {},
  ): Unsubscribe {
    const stop = this.table.subscribe(stream, typeof listener === "function" ? { message: listener } : listener, options);
    this.connect();
    return stop;
  }

  close(): void {
    if (this.ended) return;
    this.ended = true;
    for (const undo of this.undo) undo();
    if (this.answerTimer) clearTimeout(this.answerTimer);
    this.link?.close();
    this.attached = false;
    this.table.clear();
    this.set("closed", null);
    this.changes.clear();
  }

  private makeLink(locks: LockManager | null): TabLink {
    const name = this.options.name ?? this.options.url;
    const events = { ready: () => this.attach(), received: (message: HubMessage) => this.received(message) };
    if (this.via === "worker") return workerLink(this.tab, () => (this.options.worker ?? defaultWorker)(name), events);
    if (this.via === "leader" && locks && canLead()) return new LeaderLink(this.tab, name, locks, events, this.options.WebSocket);
    return localLink(this.tab, events, this.options.WebSocket);
  }

  // The subscriptions made so far, each from the position that this tab has reached.
  private attach(): void {
    this.attached = true;
    this.send({ t: "attach", options: this.hubOptions, hasToken: this.options.token !== undefined });
    for (const [stream, want] of this.table.wants()) this.send({ t: "subscribe", stream, want });
  }

  private send(message: TabMessage): void { if (this.attached) this.link?.send(message); }

  private received(message: HubMessage): void {
    this.heardAtMs = Date.now();
    switch (message.t) {
      case "state":
        this.welcome = message.welcome;
        return this.set(message.state, message.error && new ConnectionError(message.error.message, message.error.code));
      case "event": return this.table.event(message.stream, message.event);
      case "token?": return void this.answerToken(message.id, message.reason);
      case "unknown": return this.attach();
      case "alive": return;
    }
  }

  private async answerToken(id: number, reason: Parameters<TokenProvider>[0]): Promise<void> {
    try {
      const token = await this.options.token?.(reason);
      this.send(token === undefined ? { t: "token", id, error: "the token provider returned nothing" } : { t: "token", id, token });
    } catch (error) {
      this.send({ t: "token", id, error: error instanceof Error ? error.message : String(error) });
    }
  }

  private checkHub(): void {
    if (this.answerTimer) return;
    const askedAtMs = Date.now();
    this.send({ t: "alive" });
    this.answerTimer = setTimeout(() => {
      this.answerTimer = null;
      if (this.heardAtMs >= askedAtMs) return;
      // After a sleep the answer may wait behind this timer.
      if (Date.now() - askedAtMs > 2 * ANSWER_MS) this.checkHub();
      else this.link?.replace();
    }, ANSWER_MS);
  }

  private set(state: ConnectionState, error: Error | null): void {
    this.state = state;
    this.error = error;
    this.changes.emit();
  }
}

function bestSharing(): Sharing {
  if (typeof SharedWorker !== "undefined") return "worker";
  return canLead() ? "leader" : "none";
}

function defaultWorker(name: string): SharedWorker {
  return new SharedWorker(new URL("./shared_worker.js", import.meta.url), { type: "module", name });
}
