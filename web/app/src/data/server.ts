// What the server says about itself: /fanfare.json once, /metrics every two seconds while a panel shows them.
import { checkKey, hasKey, keyHeaders } from "./key";
import { parseMetrics, sumOf, sumsBy, type Metric } from "./metrics";
import { Series, type Curve } from "./series";
import { Store } from "./store";

export interface NetworkInfo {
  project: string;
  chain_id: number | null;
  path: string; // JSON-RPC over POST and WebSocket
  development: { block_time_ms: number } | null;
}
export interface ServerInfo {
  version: string;
  networks: NetworkInfo[];
  streams: string | null;
  metrics: string | null;
  canvas?: { path: string; rooms: string[] } | null; // rooms are at path/ROOM
  admin?: { path: string | null; url: string | null } | null; // on this port below path; or the page of its own port
  access?: { anonymous: boolean } | null; // null: everyone may call
}

export const info = new Store<{ value?: ServerInfo; error?: string }>({});

let again: ReturnType<typeof setTimeout> | undefined;

export async function loadInfo(): Promise<void> {
  clearTimeout(again);
  try {
    const response = await fetch("/fanfare.json", { signal: AbortSignal.timeout(10_000) });
    if (!response.ok) throw new Error(`/fanfare.json answered ${response.status}`);
    const value = (await response.json()) as ServerInfo;
    await checkKey(value.access, () => probe(value, false));
    info.set({ value });
  } catch (error) {
    info.set({ ...info.get(), error: (error as Error).message });
    clearTimeout(again);
    again = setTimeout(() => void loadInfo(), 2000);
  }
}

// Makes a call to learn whether the key is accepted. Without a network there is only the address of the streams. A plain GET of it fails
// in any case, which browsers report, so it is done only when the streams cannot be reached.
async function probe({ networks, streams, canvas }: ServerInfo, isFailing: boolean): Promise<number> {
  if (networks[0]) return (await post(networks[0].path, "eth_chainId", [])).status;
  if (canvas?.rooms[0]) return (await fetch(`${canvas.path}/${canvas.rooms[0]}/info`, { headers: keyHeaders(), signal: AbortSignal.timeout(15_000) })).status;
  return isFailing && streams ? (await fetch(streams, { headers: keyHeaders(), signal: AbortSignal.timeout(15_000) })).status : 200;
}

// The server is gone, or it no longer accepts the key: a token may have expired.
export function recheckKey(): void {
  const { value } = info.get();
  if (value && hasKey()) void checkKey(value.access, () => probe(value, true));
}

let lastId = 0;

export class RpcError extends Error {
  constructor(
    message: string,
    readonly code: number,
  ) {
    super(message);
  }
}

function post(path: string, method: string, params: unknown[]): Promise<Response> {
  return fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...keyHeaders() },
    body: JSON.stringify({ jsonrpc: "2.0", id: ++lastId, method, params }),
    signal: AbortSignal.timeout(15_000),
  });
}

export async function call<T>(path: string, method: string, params: unknown[] = []): Promise<T> {
  const response = await post(path, method, params);
  const answer = await response.json();
  if (answer.error) throw new RpcError(answer.error.message, answer.error.code);
  return answer.result as T;
}

// Counters of which the panel shows how much they grow a second.
export const kRates = {
  notifications: "fanfare_notifications_total",
  requests: "fanfare_rpc_requests_total",
  sent: "fanfare_websocket_sent_bytes_total",
  received: "fanfare_websocket_received_bytes_total",
} as const;
export type Rates = Record<keyof typeof kRates, number | null>;

export interface ServerState {
  phase: "loading" | "live" | "stale" | "off" | "error";
  reason?: string;
  at?: number; // milliseconds since 1970
  metrics: Metric[];
  rates: Rates;
  curve: Curve;
}

const kIntervalMs = 2000;
const kFirstIntervalMs = 500; // a rate needs two samples
const kRateNames = Object.keys(kRates) as (keyof typeof kRates)[];
const series = new Series(kRateNames.length + 1, kIntervalMs / 1000);
const noRates = Object.fromEntries(kRateNames.map((name) => [name, null])) as Rates;
export const server = new Store<ServerState>({ phase: "loading", metrics: [], rates: noRates, curve: series.curve() });

let before: { at: number; sums: Record<string, number> } | undefined;

function accept(text: string): void {
  const metrics = parseMetrics(text);
  const at = Date.now();
  const sums: Record<string, number> = {};
  const rates = { ...noRates };
  for (const name of kRateNames) {
    const sum = sumOf(metrics, kRates[name]);
    if (sum === null) continue;
    sums[name] = sum;
    const earlier = before?.sums[name];
    // A counter that shrank belongs to a server that was started since.
    if (before && earlier !== undefined && sum >= earlier) rates[name] = ((sum - earlier) * 1000) / (at - before.at);
  }
  before = { at, sums };
  if (kRateNames.some((name) => rates[name] !== null)) {
    series.push(at / 1000, [...kRateNames.map((name) => rates[name]), sumOf(metrics, "fanfare_websocket_connections")]);
  }
  server.set({ phase: "live", at, metrics, rates, curve: series.curve() });
}

async function poll(): Promise<void> {
  if (info.get().value?.metrics === null) return server.update({ phase: "off" });
  try {
    const response = await fetch("/metrics", { headers: keyHeaders(), signal: AbortSignal.timeout(5000) });
    if (!response.ok) throw new Error(`/metrics answered ${response.status}`);
    accept(await response.text());
  } catch (error) {
    const { name, message } = error as Error;
    const reason = name === "TypeError" ? "the server cannot be reached" : name === "TimeoutError" ? "the server did not answer in time" : message;
    server.update({ phase: server.get().metrics.length ? "stale" : "error", reason });
  }
}

// Polls as long as somebody watches. Returns the function that ends it.
export function watchServer(): () => void {
  let ended = false;
  const round = async (): Promise<void> => {
    if (ended) return;
    if (!document.hidden) await poll();
    timer = setTimeout(() => void round(), isFirst ? kFirstIntervalMs : kIntervalMs);
    isFirst = false;
  };
  let isFirst = before === undefined;
  let timer = setTimeout(() => void round(), 0);
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

export { sumOf, sumsBy };
