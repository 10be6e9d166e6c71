// The hooks. All of them on a page share one socket for each address.
import { createContext, createElement, useContext, useLayoutEffect, useMemo, useSyncExternalStore, type ReactNode } from "react";
import type { AcquireOptions, ConnectionState, NodeStreams } from "@fanfare/client";
import { SocketStore } from "./socket_store.js";
import { EMPTY, StreamStore, type StreamCallbacks, type StreamState } from "./stream_store.js";

export interface FanfareProviderProps {
  /** The address for hooks that name none. */
  readonly url: string;
  /** For every client below: tokens, one socket for all tabs, and so on. Keep the same object between renders. */
  readonly options?: AcquireOptions;
  readonly children?: ReactNode;
}

const Context = createContext<{ url: string | null; options: AcquireOptions }>({ url: null, options: {} });

export function FanfareProvider({ url, options, children }: FanfareProviderProps): ReactNode {
  const value = useMemo(() => ({ url, options: options ?? {} }), [url, options]);
  return createElement(Context.Provider, { value }, children);
}

export interface UseStreamOptions<T> extends StreamCallbacks<T> {
  /** Number of values to keep in `messages`, beginning with what the server has kept. Default 0. */
  readonly history?: number;
}

/** One stream with its recent course. The component renders at most once a frame; `onMessage` gets every message. */
export function useStream<N extends keyof NodeStreams>(stream: N, url?: string, options?: UseStreamOptions<NodeStreams[N]>): StreamState<NodeStreams[N]>;
export function useStream<T = unknown>(stream: string, url?: string, options?: UseStreamOptions<T>): StreamState<T>;
export function useStream<T>(stream: string, url?: string, options: UseStreamOptions<T> = {}): StreamState<T> {
  const [address, client] = useAddress(url);
  const { history = 0 } = options;
  const store = useMemo(() => new StreamStore<T>(stream, address, client, history), [stream, address, client, history]);
  useLayoutEffect(() => { store.callbacks = options; });
  return useSyncExternalStore(store.subscribe, store.getSnapshot, nothingYet<StreamState<T>>);
}

export interface DataStream<T> {
  /** The last value, null before the first. */
  readonly data: T | null;
  readonly connected: boolean;
  readonly error: Error | null;
}

/** The last value of a stream. */
export function useDataStream<N extends keyof NodeStreams>(stream: N, url?: string, options?: StreamCallbacks<NodeStreams[N]>): DataStream<NodeStreams[N]>;
export function useDataStream<T = unknown>(stream: string, url?: string, options?: StreamCallbacks<T>): DataStream<T>;
export function useDataStream<T>(stream: string, url?: string, options?: StreamCallbacks<T>): DataStream<T> {
  const { data, connected, error } = useStream<T>(stream, url, options);
  return { data, connected, error };
}

export interface UseWebSocketOptions {
  readonly url?: string;
  /** False: a lost connection is not made again. Default true. */
  readonly reconnect?: boolean;
  /** The delay after the first failure, in milliseconds; it grows with each further one. Default: the server's. */
  readonly reconnectInterval?: number;
}

export interface UseWebSocket {
  readonly state: ConnectionState;
  subscribe(stream: string): void;
  unsubscribe(stream: string): void;
  /** The last value of each subscribed stream, by name. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly error: Error | null;
}

/** A connection, for components that decide at run time which streams they need. */
export function useWebSocket({ url, reconnect, reconnectInterval }: UseWebSocketOptions): UseWebSocket {
  const [address, client] = useAddress(url);
  const store = useMemo(() => new SocketStore(address, {
    ...client,
    ...(reconnect === undefined ? {} : { reconnect }),
    ...(reconnectInterval === undefined ? {} : { backoff: { ...client.backoff, firstMs: reconnectInterval } }),
  }), [address, client, reconnect, reconnectInterval]);
  const { state, data, error } = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
  return { state, subscribe: store.add, unsubscribe: store.remove, data, error };
}

function useAddress(url: string | undefined): [string, AcquireOptions] {
  const context = useContext(Context);
  const address = url ?? context.url;
  if (address === null) throw new Error("no address: pass a url, or use <FanfareProvider url=...>");
  return [address, context.options];
}

function nothingYet<S>(): S { return EMPTY as S; }
