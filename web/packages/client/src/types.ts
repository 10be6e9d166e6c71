// The plain types that every part of the client shares.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Ends what a subscribe() or on...() began. A second call does nothing. */
export type Unsubscribe = () => void;

/**
 * `idle` not started. `connecting` asks for a token or waits for the socket. `connected` the socket is open.
 * `waiting` until the next attempt. `offline` the browser reports that it has no network. `closed` for good.
 */
export type ConnectionState = "idle" | "connecting" | "connected" | "waiting" | "offline" | "closed";

/** Identifies one message of a stream. Offsets of one epoch are consecutive. A new epoch makes old positions void. */
export interface Position {
  readonly epoch: number;
  readonly offset: number;
}

/** One value of a stream. */
export interface StreamMessage<T = Json> {
  readonly stream: string;
  readonly data: T;
  /** Unix time in seconds, from the server. */
  readonly timestamp: number;
  /** Absent if the server does not number its messages. */
  readonly position?: Position;
}

/** The messages after `after` up to and including `until`. `count` is absent if the epochs differ. */
export interface Missing {
  readonly after: Position;
  readonly until: Position;
  readonly count?: number;
}

/** Messages that will not arrive any more. The next value is complete again; only the course has a hole. */
export interface Gap {
  readonly stream: string;
  /** Absent if the server does not number its messages. */
  readonly missing?: Missing;
  readonly reason: string;
}

/** The answer to a subscription, also after each reconnect. */
export interface Subscribed {
  readonly stream: string;
  /** Absent for a first subscription. True: every missed message follows. False: a gap is reported as well. */
  readonly recovered?: boolean;
  readonly position?: Position;
}

/** The source of a stream failed, or works again. The subscription continues in both cases. */
export interface SourceStatus {
  readonly stream: string;
  readonly available: boolean;
  /** Why it is not available, in the server's words. */
  readonly reason?: string;
  readonly timestamp: number;
  readonly position?: Position;
}

/**
 * The stream was not polled between two times, because nobody was subscribed or a poll took long. Only for streams whose silence
 * means that the value is the same (`onChange` in the server's configuration). A value follows at once.
 */
export interface Pause {
  readonly stream: string;
  /** Unix time in seconds of the last poll before the pause, and of the first one after it. */
  readonly from: number;
  readonly until: number;
  readonly position?: Position;
}

/** Callbacks of one subscription. An exception in one of them is reported to `reportError` and harms nobody else. */
export interface StreamListener<T = Json> {
  message?(message: StreamMessage<T>): void;
  /** The values before the first message, oldest first, if `history` was requested. Called once a subscription. */
  history?(messages: readonly StreamMessage<T>[]): void;
  subscribed?(answer: Subscribed): void;
  gap?(gap: Gap): void;
  source?(status: SourceStatus): void;
  pause?(pause: Pause): void;
  /** The server refused the subscription. It is requested again after the next reconnect. */
  error?(error: StreamError): void;
}

export interface SubscribeOptions {
  /** Number of past values for `history()`. Default 0. */
  readonly history?: number;
  /** Resume after this position, for example from a previous visit of the page. Then `history` is ignored. */
  readonly since?: Position;
}

/** What the server says about a stream. */
export interface StreamDetails {
  /** Between two polls. Absent for a stream that is not polled. */
  readonly intervalMs?: number;
  /** Polls that find the same value send nothing. */
  readonly onChange: boolean;
  /** Number of values that the server keeps. */
  readonly history: number;
}

export interface Welcome {
  readonly message: string;
  readonly streams: readonly string[];
  readonly timestamp: number;
  /** By name. Absent until the server has answered `hello`, and with a server of the short protocol. */
  readonly details?: Readonly<Record<string, StreamDetails>>;
}

/** What a stream client offers, with a socket of its own or one that all tabs share. */
export interface StreamSource<S = StreamMap> {
  readonly state: ConnectionState;
  /** Why the connection is not there; null while it is. */
  readonly error: Error | null;
  /** The server's greeting, null before the first one. */
  readonly welcome: Welcome | null;
  /** Called after `state`, `error` or `welcome` changed. */
  onChange(listener: () => void): Unsubscribe;
  subscribe<N extends keyof S & string>(
    stream: N,
    listener: StreamListener<S[N]> | ((message: StreamMessage<S[N]>) => void),
    options?: SubscribeOptions,
  ): Unsubscribe;
  /** Ends all subscriptions and the connection. */
  close(): void;
}

/** Streams by name with the type of their data. Pass an interface of your own: `new StreamClient<MyStreams>(...)`. */
export type StreamMap = Record<string, unknown>;

/** An error that the server reported. */
export class StreamError extends Error {
  override readonly name = "StreamError";
  constructor(
    message: string,
    /** The stream that it is about, if the server named one. */
    readonly stream?: string,
    /** The server's code of the error, for programs. */
    readonly code?: string,
  ) {
    super(message);
  }
}

/** Why a connection ended or was not made. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  constructor(
    message: string,
    /** The close code, or undefined if there was no connection to close. */
    readonly code?: number,
    override readonly cause?: unknown,
  ) {
    super(message);
  }
}

/** A failure of a caller's callback belongs to the caller: the page's error handler gets it, the client goes on. */
export function callSafely(call: () => void): void {
  try {
    call();
  } catch (error) {
    if (typeof reportError === "function") reportError(error);
    else queueMicrotask(() => { throw error; });
  }
}

/** Everything that can happen to a subscription, as one value, so that it can be passed between tabs. */
export type StreamEvent =
  | { readonly kind: "message"; readonly message: StreamMessage }
  | { readonly kind: "history"; readonly messages: readonly StreamMessage[]; readonly position?: Position }
  | { readonly kind: "subscribed"; readonly answer: Subscribed }
  | { readonly kind: "gap"; readonly gap: Gap }
  | { readonly kind: "source"; readonly status: SourceStatus }
  | { readonly kind: "pause"; readonly pause: Pause }
  | { readonly kind: "error"; readonly stream: string; readonly message: string; readonly code?: string };
