// The four streams of the dashboard. Each is subscribed to once, when a panel first needs it, and then kept: switching between panels
// shows at once what came meanwhile.
import { connectStreams, type Link, type StreamEvents } from "./link";
import { Series, type Curve } from "./series";
import { Store, oncePerFrame } from "./store";

export interface NetworkMetrics {
  network_strength?: number;
  block_height?: number;
  finality_time?: number;
  peer_count?: number;
  tps?: number;
  bandwidth_in?: number;
  bandwidth_out?: number;
  active_connections?: number;
}
export interface Market {
  status?: string;
  [field: string]: unknown;
}
export interface MarketsHealth {
  overall_status?: string;
  markets?: Record<string, Market>;
  healthy_markets?: number;
  total_markets?: number;
}
export interface Receipt {
  id: string;
  market?: string;
  block_height?: number;
  timestamp?: number;
  provider?: string;
  consumer?: string;
  amount?: number | string;
}
export interface Peer {
  id: string;
  address?: string;
  latency_ms?: number;
  is_validator?: boolean;
}

// What a panel shows: nothing yet, values, values that no longer come, or the reason why there are none.
export interface StreamState<T> {
  phase: "loading" | "live" | "interrupted" | "unavailable";
  value?: T;
  timestamp?: number; // of the value, seconds since 1970
  reason?: string;
}

export type LinkState = Link;
export const link = new Store<LinkState>({ state: "opening", since: Date.now(), attempt: 0 });

let connection: ReturnType<typeof connectStreams> | undefined;
function streams(): ReturnType<typeof connectStreams> {
  connection ??= connectStreams((state) => link.set(state));
  return connection;
}
export const reconnectNow = (): void => streams().reconnectNow();

class Feed<T> {
  readonly state = new Store<StreamState<T>>({ phase: "loading" });
  private current: StreamState<T> = this.state.get();
  private open = false;
  private readonly show = oncePerFrame(() => this.state.set(this.current));

  constructor(
    private readonly name: string,
    private readonly history: number,
    private readonly take: (value: T, timestamp: number) => void = () => undefined,
    private readonly lost: () => void = () => undefined,
  ) {}

  start(): void {
    if (this.open) return;
    this.open = true;
    const events: StreamEvents = {
      onValue: (value, timestamp) => {
        this.take(value as T, timestamp);
        this.change({ phase: "live", value: value as T, timestamp });
      },
      onNotice: (state, reason) => {
        if (state === "missed") this.lost();
        if (state === "interrupted") this.change({ ...this.current, phase: "interrupted", reason });
        if (state === "restored" && this.current.phase === "interrupted") {
          this.change({ ...this.current, phase: this.current.value === undefined ? "loading" : "live", reason: undefined });
        }
      },
      onLost: () => this.lost(),
      onUnavailable: (reason) => this.change({ ...this.current, phase: "unavailable", reason }),
    };
    streams().subscribe(this.name, this.history, events);
  }

  private change(state: StreamState<T>): void {
    this.current = state;
    this.show();
  }
}

export const kNetworkColumns = ["network_strength", "tps", "bandwidth_in", "bandwidth_out", "finality_time", "peer_count"] as const;
const networkSeries = new Series(kNetworkColumns.length, 2);
export const networkCurve = new Store<Curve>(networkSeries.curve());
const showNetwork = oncePerFrame(() => networkCurve.set(networkSeries.curve()));

export const network = new Feed<NetworkMetrics>(
  "network_metrics",
  300,
  (value, timestamp) => {
    networkSeries.push(timestamp, kNetworkColumns.map((name) => value[name] ?? null));
    showNetwork();
  },
  () => networkSeries.break(),
);
export const markets = new Feed<MarketsHealth>("markets_health", 1);
export const peers = new Feed<{ peers?: Peer[]; total?: number }>("peers", 1);

// Receipts come as they are new, so they are collected here, the newest first.
export const kReceiptsMax = 200;
export interface Receipts {
  rows: (Receipt & { arrived: number })[];
  seen: number; // since the page was opened
}
const collected = { ids: new Set<string>(), rows: [] as Receipts["rows"], seen: 0 };
export const receiptList = new Store<Receipts>({ rows: [], seen: 0 });
const showReceipts = oncePerFrame(() => receiptList.set({ rows: collected.rows, seen: collected.seen }));

export const receipts = new Feed<{ receipts?: Receipt[]; count?: number }>("receipts", 40, (value) => {
  const fresh = (value.receipts ?? []).filter((receipt) => !collected.ids.has(receipt.id));
  if (fresh.length === 0) return;
  const now = collected.seen === 0 ? 0 : Date.now(); // what was there before the page is not new
  collected.seen += fresh.length;
  const newestFirst = fresh.map((receipt) => ({ ...receipt, arrived: now })).toSorted((a, b) => (b.timestamp ?? 0) - (a.timestamp ?? 0));
  collected.rows = [...newestFirst, ...collected.rows].slice(0, kReceiptsMax);
  collected.ids = new Set(collected.rows.map((receipt) => receipt.id));
  showReceipts();
});
