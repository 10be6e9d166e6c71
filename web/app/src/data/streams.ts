// The four streams of the dashboard. Each is subscribed to once, when a panel first needs it, and then kept: switching between panels
// shows at once what came meanwhile.
import type { MarketsHealth, NetworkMetrics, NodeStreams, Peers, Receipt } from "@fanfare/client";
import { Streams, type Link } from "./link";
import { Series, type Curve } from "./series";
import { Store, oncePerFrame } from "./store";

// What a panel shows: nothing yet, values, values that no longer come, or the reason why there are none.
export interface StreamState<T> {
  phase: "loading" | "live" | "interrupted" | "unavailable";
  value?: T;
  timestamp?: number; // of the value, seconds since 1970
  reason?: string;
}

export const link = new Store<Link>({ state: "opening", since: Date.now() });

let connection: Streams | undefined;
function streams(): Streams {
  connection ??= new Streams((state) => link.set(state));
  return connection;
}
export const reconnectNow = (): void => streams().reconnectNow();

class Feed<N extends keyof NodeStreams, T = NodeStreams[N]> {
  readonly state = new Store<StreamState<T>>({ phase: "loading" });
  private current: StreamState<T> = this.state.get();
  private open = false;
  private readonly show = oncePerFrame(() => this.state.set(this.current));

  constructor(
    private readonly name: N,
    private readonly history: number,
    private readonly take: (value: T, timestamp: number) => void = () => undefined,
    private readonly lost: () => void = () => undefined,
  ) {}

  start(): void {
    if (this.open) return;
    this.open = true;
    streams().subscribe(this.name, this.history, {
      onValue: (value, timestamp) => {
        this.take(value as T, timestamp);
        this.change({ phase: "live", value: value as T, timestamp });
      },
      onSource: (available, reason) => this.sourceChanged(available, reason),
      onLost: () => this.lost(),
      onUnavailable: (reason) => this.change({ ...this.current, phase: "unavailable", reason }),
    });
  }

  private sourceChanged(available: boolean, reason: string | undefined): void {
    if (!available) this.change({ ...this.current, phase: "interrupted", reason });
    else if (this.current.phase === "interrupted") {
      this.change({ ...this.current, phase: this.current.value === undefined ? "loading" : "live", reason: undefined });
    }
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

export const network = new Feed(
  "network_metrics",
  300,
  (value: NetworkMetrics, timestamp) => {
    networkSeries.push(timestamp, kNetworkColumns.map((name) => value[name] ?? null));
    showNetwork();
  },
  () => networkSeries.break(),
);
export const markets = new Feed<"markets_health", MarketsHealth>("markets_health", 1);
export const peers = new Feed<"peers", Peers>("peers", 1);

// Receipts come as they are new, so they are collected here, the newest first.
export const kReceiptsMax = 200;
export interface Receipts {
  rows: (Receipt & { arrived: number })[];
  seen: number; // since the page was opened
}
const collected = { ids: new Set<string>(), rows: [] as Receipts["rows"], seen: 0 };
export const receiptList = new Store<Receipts>({ rows: [], seen: 0 });
const showReceipts = oncePerFrame(() => receiptList.set({ rows: collected.rows, seen: collected.seen }));

export const receipts = new Feed("receipts", 40, (value: NodeStreams["receipts"]) => {
  const fresh = (value.receipts ?? []).filter((receipt) => !collected.ids.has(receipt.id));
  if (fresh.length === 0) return;
  const now = collected.seen === 0 ? 0 : Date.now(); // what was there before the page is not new
  collected.seen += fresh.length;
  const newestFirst = fresh.map((receipt) => ({ ...receipt, arrived: now })).toSorted((a, b) => (b.timestamp ?? 0) - (a.timestamp ?? 0));
  collected.rows = [...newestFirst, ...collected.rows].slice(0, kReceiptsMax);
  collected.ids = new Set(collected.rows.map((receipt) => receipt.id));
  showReceipts();
});
