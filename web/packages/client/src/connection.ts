// One WebSocket that is made again whenever it is lost. It knows nothing of the messages that it carries.
import { closeHintMs } from "./close_hint.js";
import { backoffDelay, withHint, type BackoffOptions, type ReconnectHint } from "./backoff.js";
import { after, checkNumber } from "./durations.js";
import { isOnline, watchPage } from "./page.js";
import { TokenKeeper, type TokenProvider } from "./token.js";
import { withToken, type Attempt, type TokenPlace } from "./token_place.js";
import { ConnectionError, callSafely, type ConnectionState } from "./types.js";

/** The part of the WebSocket interface that is used. Browsers, Node 22 and the npm package `ws` have it. */
export interface SocketLike {
  readonly readyState: number;
  /** Set to "arraybuffer" for a program that takes binary messages. */
  binaryType?: string;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
}
export type SocketConstructor = new (url: string, protocols?: string[]) => SocketLike;

export interface HeartbeatOptions {
  /** After this time without any message the server is asked for one, in milliseconds. Default 15,000; 0 and Infinity turn it off. */
  readonly idleMs?: number;
  /** Without an answer for this time the connection counts as dead. Default 5,000. */
  readonly answerMs?: number;
}

export interface ConnectionOptions {
  /** `ws://` or `wss://`. A function is called before each attempt. */
  readonly url: string | URL | (() => string | URL | Promise<string | URL>);
  /** Default: the global WebSocket. Node 20 has none: pass that of the npm package `ws`. */
  readonly WebSocket?: SocketConstructor;
  readonly protocols?: readonly string[];
  readonly token?: TokenProvider;
  /** How the server gets the token. Default `"subprotocol"`: `fanfare.bearer.<token>` beside `fanfare`. */
  readonly tokenAs?: TokenPlace | ((attempt: Attempt, token: string) => Attempt);
  /** False: a lost connection is not made again. Default true. */
  readonly reconnect?: boolean;
  readonly backoff?: BackoffOptions;
  readonly heartbeat?: HeartbeatOptions;
  /** An attempt that takes longer is abandoned. Default 10,000; Infinity: none is. */
  readonly connectTimeoutMs?: number;
}

/** The program's side of a connection. `opened` is called before any `received` of the same socket. */
export interface ConnectionEvents {
  changed(): void;
  opened(): void;
  received(text: string): void;
  /** A binary message. Without this, binary messages are ignored. The bytes belong to the receiver. */
  receivedBytes?(bytes: Uint8Array<ArrayBuffer>): void;
  lost(error: ConnectionError): void;
  /**
   * The text that presents a fresh token on an open connection; null if it cannot. `Connection.authenticated()` reports the answer. Without
   * this, another connection presents the token.
   */
  authenticate?(token: string): string | null;
}

/** A connection that stood this long is no failure: the next delay begins from the start. */
export const STABLE_MS = 5_000;
/** After so many refusals in a row (close code 1008), with a fresh token each if there are tokens, nothing more is tried. */
export const REFUSALS_MAX = 3;
// Registered for WebSocket: "Unauthorized".
const UNAUTHORIZED = 3000;
// A browser may not send 1002. docs/streams.md names it.
const PROTOCOL_ERROR = 4002;
const EXPIRED = "the token expired";

/** Throws RangeError or TypeError for a value that cannot be used. */
export function checkConnectionOptions({ url, backoff = {}, heartbeat = {}, connectTimeoutMs }: Partial<ConnectionOptions>): void {
  if (typeof url !== "string" && typeof url !== "function" && !(url instanceof URL)) throw new TypeError("the option url must be a text, a URL or a function");
  checkNumber("connectTimeoutMs", connectTimeoutMs, 1);
  checkNumber("heartbeat.idleMs", heartbeat.idleMs);
  checkNumber("heartbeat.answerMs", heartbeat.answerMs, 1);
  checkNumber("backoff.firstMs", backoff.firstMs);
  checkNumber("backoff.maxMs", backoff.maxMs);
  checkNumber("backoff.factor", backoff.factor, 1);
  checkNumber("backoff.jitter", backoff.jitter, 0, 1);
}

export class Connection {
  state: ConnectionState = "idle";
  error: ConnectionError | null = null;
  /** Connections that were opened so far. */
  opened = 0;

  private readonly tokens: TokenKeeper | null;
  private socket: SocketLike | null = null;
  // Each attempt has a number; what an earlier attempt still reports is ignored.
  private attempt = 0;
  private failures = 0;
  private refusals = 0;
  private openedAtMs = 0;
  private hint: ReconnectHint | null = null;
  private retryAtMs = 0;
  /** The server's wish at the last close (close_hint.ts). */
  private notBeforeMs = 0;
  private heardAtMs = 0;
  private lastUrl = "";
  private readonly timers = new Map<"connect" | "retry" | "idle" | "answer" | "token" | "renewal", ReturnType<typeof setTimeout>>();
  private unwatch: (() => void) | null = null;
  private isRenewing = false;

  constructor(
    private readonly options: ConnectionOptions,
    private readonly events: ConnectionEvents,
    /** Returns the text that makes the server answer. */
    private readonly ping: () => string,
  ) {
    checkConnectionOptions(options);
    this.tokens = options.token ? new TokenKeeper(options.token) : null;
  }

  start(): void {
    if (this.state !== "idle") return;
    this.unwatch = watchPage({ woke: () => this.wake(), online: () => this.wake(), offline: () => this.networkLost() });
    this.connect();
  }

  /** Returns false if there is no open socket; the message is then not sent. */
  send(data: string | Uint8Array<ArrayBuffer>): boolean {
    if (this.state !== "connected" || this.socket?.readyState !== 1) return false;
    this.socket.send(data);
    return true;
  }

  close(): void {
    if (this.state === "closed") return;
    this.dropSocket(1000, "closed by the client");
    this.stop(null);
  }

  /** Its members may be anything. */
  setHint(hint: ReconnectHint | null): void { this.hint = hint; }

  /**
   * The page may have slept, or the network may have changed. An expired token is replaced before anything is sent;
   * an open socket is tested; a delayed attempt is made now, but not before the server's shortest delay.
   */
  wake(): void {
    if (this.state === "connected") {
      if (this.tokens?.isExpired(Date.now())) this.renew(this.tokens);
      else this.probe();
    } else if (this.state === "waiting" || this.state === "offline") {
      const soonest = Math.max(this.hint ? this.delay(1) : 0, this.notBeforeMs - Date.now());
      this.retryIn(Math.min(Math.max(this.retryAtMs - Date.now(), 0), soonest));
    }
  }

  /** The server cannot be understood: ends the socket, and connects again after a delay as after a failure. */
  abandon(reason: string): void {
    if (this.state !== "connected") return;
    this.dropSocket(PROTOCOL_ERROR, reason);
    this.failed(new ConnectionError(reason), true);
  }

  /** The server has answered what `ConnectionEvents.authenticate` said. */
  authenticated(isAccepted: boolean): void {
    if (!this.isRenewing) return;
    if (!isAccepted) return this.replace(EXPIRED);
    this.isRenewing = false;
    this.cancel("renewal");
    this.setConnected();
  }

  // After the token's end the server has closed the connection, or is about to: only another one can be resumed.
  private renew(tokens: TokenKeeper): void {
    if (this.isRenewing) return;
    if (!this.events.authenticate || tokens.hasEnded(Date.now())) return this.replace(EXPIRED);
    this.isRenewing = true;
    const { attempt } = this;
    const give = (token: string | null): void => {
      if (attempt !== this.attempt) return;
      const text = token === null ? null : this.events.authenticate?.(token);
      if (!text || !this.send(text)) return this.replace(EXPIRED);
      this.timer("renewal", this.options.heartbeat?.answerMs ?? 5_000, () => this.replace(EXPIRED));
    };
    this.timer("renewal", this.options.connectTimeoutMs ?? 10_000, () => this.replace(EXPIRED));
    // If there is no token, the next attempt to connect asks again, and reports it.
    tokens.get().then(give, () => give(null));
  }

  private setConnected(): void {
    this.setState("connected", this.tokens?.problem ? new ConnectionError(this.tokens.problem) : null);
    this.armToken();
  }

  /** Ends the socket and connects at once. Subscriptions resume from their positions, so nothing is lost. */
  private replace(reason: string): void {
    this.dropSocket(1000, reason);
    this.reportLost(new ConnectionError(reason));
    this.connect();
  }

  private connect(): void {
    this.clearTimers();
    const attempt = ++this.attempt;
    this.setState("connecting", this.error);
    this.timer("connect", this.options.connectTimeoutMs ?? 10_000, () => {
      this.dropSocket();
      this.failed(new ConnectionError("the server did not answer in time"));
    });
    this.target().then(
      (target) => { if (attempt === this.attempt) this.openSocket(target); },
      (error: unknown) => {
        if (attempt !== this.attempt) return;
        this.failed(new ConnectionError(error instanceof Error ? error.message : "the token or address is unavailable", undefined, error));
      },
    );
  }

  private async target(): Promise<Attempt> {
    const { url, protocols = [], tokenAs = "subprotocol" } = this.options;
    const plain = { url: String(typeof url === "function" ? await url() : url), protocols };
    this.lastUrl = plain.url;
    if (!this.tokens) return plain;
    const token = await this.tokens.get();
    return typeof tokenAs === "function" ? tokenAs(plain, token) : withToken(plain, token, tokenAs);
  }

  private openSocket(target: Attempt): void {
    const Socket = this.options.WebSocket ?? (globalThis as { WebSocket?: SocketConstructor }).WebSocket;
    if (!Socket) {
      this.stop(new ConnectionError("there is no WebSocket here: pass one in the option `WebSocket`, for example that of the npm package ws"));
      return;
    }
    let socket: SocketLike;
    try {
      socket = new Socket(target.url, [...target.protocols]);
    } catch (error) {
      this.stop(new ConnectionError(`the address cannot be used: ${error instanceof Error ? error.message : String(error)}`, undefined, error));
      return;
    }
    this.socket = socket;
    if (this.events.receivedBytes) socket.binaryType = "arraybuffer";
    socket.onopen = () => this.socketOpened();
    socket.onmessage = (event: { data: unknown }) => this.socketReceived(event.data);
    socket.onerror = () => {};  // onclose follows
    socket.onclose = (event: { code: number; reason: string }) => this.socketClosed(event.code, event.reason);
  }

  private socketOpened(): void {
    this.clearTimers();
    this.openedAtMs = this.heardAtMs = Date.now();
    this.opened++;
    this.setConnected();
    this.armIdle();
    callSafely(() => this.events.opened());
  }

  private socketReceived(data: unknown): void {
    this.heardAtMs = Date.now();
    this.cancel("answer");
    if (typeof data === "string") callSafely(() => this.events.received(data));
    else if (data instanceof ArrayBuffer) callSafely(() => this.events.receivedBytes?.(new Uint8Array(data)));
  }

  private socketClosed(code: number, reason: string): void {
    const wasOpen = this.state === "connected";
    this.dropSocket();
    if (wasOpen && this.hasStood()) this.refusals = 0;
    const text = reason || (wasOpen ? "the connection was lost" : "the server cannot be reached");
    const error = new ConnectionError(text, code);
    if (code === 1009) return this.stop(error, wasOpen);
    if (code === 1008 || code === UNAUTHORIZED) {
      if (++this.refusals >= REFUSALS_MAX) return this.stop(error, wasOpen);
      this.tokens?.refuse();
    } else if (!wasOpen && this.failures % 8 === 1) {
      // A browser does not say why an upgrade failed. It may have been the token, but often the server is just away.
      this.tokens?.refuse();
    }
    this.failed(error, wasOpen, closeHintMs(code, reason));
  }

  private failed(error: ConnectionError, wasOpen = false, leastMs = 0): void {
    this.attempt++;
    if (wasOpen && this.hasStood()) this.failures = 0;
    this.failures++;
    if (this.options.reconnect === false) return this.stop(error, wasOpen);
    this.clearTimers();
    const offline = !isOnline(this.lastUrl);
    this.setState(offline ? "offline" : "waiting", error);
    this.notBeforeMs = Date.now() + leastMs;
    this.retryIn(leastMs + (offline ? this.delay(64) : this.delay(this.failures)));
    if (wasOpen) this.reportLost(error);
  }

  private hasStood(): boolean { return Date.now() - this.openedAtMs >= STABLE_MS; }

  private delay(failures: number): number {
    return backoffDelay(failures, withHint(this.options.backoff ?? {}, this.hint), Math.random());
  }

  private retryIn(ms: number): void {
    this.retryAtMs = Date.now() + ms;
    this.timer("retry", ms, () => this.connect());
  }

  // The browser's report is not proof: an open socket is tested, not dropped.
  private networkLost(): void {
    if (this.state === "connected") this.probe();
    else if (this.state === "waiting" && !isOnline(this.lastUrl)) this.setState("offline", this.error);
  }

  private armIdle(): void {
    const idleMs = this.options.heartbeat?.idleMs ?? 15_000;
    if (idleMs === 0) return;
    this.timer("idle", Math.max(this.heardAtMs + idleMs - Date.now(), 0), () => this.checkIdle(idleMs));
  }

  private checkIdle(idleMs: number): void {
    if (Date.now() - this.heardAtMs < idleMs) return this.armIdle();
    // A late timer is also the sign of a sleep that no event of the page reported.
    this.wake();
    if (this.state === "connected") this.timer("idle", idleMs, () => this.checkIdle(idleMs));
  }

  /** Asks the server for a message. Silence means that the socket is half-open. */
  private probe(): void {
    if (this.timers.has("answer")) return;
    const answerMs = this.options.heartbeat?.answerMs ?? 5_000;
    const askedAtMs = Date.now();
    if (!this.send(this.ping())) return;
    this.timer("answer", answerMs, () => {
      // The page slept meanwhile, so the answer may wait behind this timer: ask again.
      if (Date.now() - askedAtMs > 2 * answerMs) return this.probe();
      this.dropSocket();
      this.failed(new ConnectionError("the server does not answer"), true);
    });
  }

  private armToken(): void {
    if (!this.tokens) return;
    this.timer("token", Math.max(this.tokens.renewAtMs - Date.now(), 0), () => {
      if (this.tokens?.isExpired(Date.now())) this.renew(this.tokens);
      else this.armToken();
    });
  }

  private dropSocket(code?: number, reason?: string): void {
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.onerror = () => {};
    try {
      if (code === undefined) socket.close();
      else socket.close(code, reason);
    } catch { /* it is closing already */ }
  }

  private stop(error: ConnectionError | null, wasOpen = false): void {
    this.attempt++;
    this.clearTimers();
    this.unwatch?.();
    this.unwatch = null;
    this.setState("closed", error);
    if (wasOpen && error) this.reportLost(error);
  }

  private reportLost(error: ConnectionError): void { callSafely(() => this.events.lost(error)); }

  private setState(state: ConnectionState, error: ConnectionError | null): void {
    if (this.state === state && this.error === error) return;
    this.state = state;
    this.error = error;
    callSafely(() => this.events.changed());
  }

  private timer(name: Parameters<typeof this.timers.get>[0], ms: number, call: () => void): void {
    this.cancel(name);
    const timer = after(ms, () => {
      this.timers.delete(name);
      call();
    });
    if (timer) this.timers.set(name, timer);
  }

  private cancel(name: Parameters<typeof this.timers.get>[0]): void {
    clearTimeout(this.timers.get(name));
    this.timers.delete(name);
  }

  private clearTimers(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    this.isRenewing = false;
  }
}
