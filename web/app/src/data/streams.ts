// The four streams of the dashboard. Each is subscribed to once, when a panel first needs it, and then kept: switching between panels
// shows at once what came meanwhile.
import type { MarketsHealth, NetworkMetrics, NodeStreams, Peers, Receipt } from "@fanfare/client";
import { Streams, type Link } from "./link";
import { Series, type Curve } from "./series";
import { info, loadInfo } from "./server";
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

// Runs `use` with the connection once the server is known to have streams, or `refuse` if it has none.
function withStreams(use: (streams: Streams) => void, refuse: () => void): void {
  const go = (): boolean => {
    const { value, error } = info.get();
    if (!value) {
      if (error) link.set({ state: "lost", since: Date.now() });
      return false;
    }
    if (value.streams === null) {
      link.set({ state: "none", since: Date.now() });
      refuse();
    } else {
      connection ??= new Streams(value.streams, (state) => {
        // A server that comes back may have other networks.
        if (state.state === "live" && link.get().state === "lost") void loadInfo();
        link.set(state);
      });
      use(connection);
    }
    return true;
  };
  if (go()) return;
  const stop = info.subscribe(() => {
    if (go()) stop();
  });
}

export function reconnectNow(): void {
  if (connection) connection.reconnectNow();
  else void loadInfo();
}

class Feed<N extends keyof NodeStreams, T = NodeStreams[N]> {
  readonly state = new Store<StreamState<T>>({ phase: "loading" });
  private current: StreamState<T> = this.state.get();
  private open = false;
  private readonly show = oncePerFrame(() => this.state.set(this.current));

  constructor(
    private readonly name: N,
    private readonly history: number,
    private readonly take: (value: T, timestamp: number) => void = () => undefined,
    private readonly lost: (from?: number) => void = () => undefined,
    private readonly pace: (intervalS: number, onChange: boolean) => void = () => undefined,
  ) {}

  start(): void {
    if (this.open) return;
    this.open = true;
    const unavailable = (reason: string) => this.change({ ...this.current, phase: "unavailable", reason });
    withStreams(
      (streams) =>
        streams.subscribe(this.name, this.history, {
          onValue: (value, timestamp) => {
            this.take(value as T, timestamp);
            this.change({ phase: "live", value: value as T, timestamp });
          },
          onSource: (available, reason, timestamp) => this.sourceChanged(available, reason, timestamp),
          onLost: (from) => this.lost(from),
          onPace: (intervalS, onChange) => this.pace(intervalS, onChange),
          onUnavailable: unavailable,
        }),
      () => unavailable("It has no streams."),
    );
  }

  private sourceChanged(available: boolean, reason: string | undefined, timestamp: number): void {
    if (!available) {
      this.lost(timestamp);
      this.change({ ...this.current, phase: "interrupted", reason });
    } else if (this.current.phase === "interrupted") {
      this.change({ ...this.current, phase: this.current.value === undefined ? "loading" : "live", reason: undefined });
    }
  }

  private change(state: StreamState<T>): void {
    this.current = state;
    this.show();
  }
}

export const kNetworkColumns = ["network_strength", "tps", "bandwidth_in", "bandwidth_out", "finality_time", "peer_count", "block_height"] as const;
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
  (from) => networkSeries.break(from),
  (intervalS, onChange) => {
    networkSeries.setPace(intervalS, onChange);
    holding ??= setInterval(hold, 1000);
  },
);

// While nothing changes, the curve goes on: the server is connected and would say if it could not ask its node.
let holding: ReturnType<typeof setInterval> | undefined;
function hold(): void {
  if (document.hidden || link.get().state !== "live" || network.state.get().phase !== "live") return;
  networkSeries.hold(connection!.serverTime());
  showNetwork();
}

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

export const receipts = new Feed("receipts", 40, (value: NodeStreams["receipts"], timestamp) => {
  const fresh = (value.receipts ?? []).filter((receipt) => !collected.ids.has(receipt.id));
  if (fresh.length === 0) return;
  const now = collected.seen === 0 ? 0 : Date.now(); // what was there before the page is not new
  collected.seen += fresh.length;
  const newestFirst = fresh.map((receipt) => ({ ...receipt, timestamp: receipt.timestamp ?? timestamp, arrived: now })).toSorted((a, b) => b.timestamp - a.timestamp);
  collected.rows = [...newestFirst, ...collected.rows].slice(0, kReceiptsMax);
  collected.ids = new Set(collected.rows.map((receipt) => receipt.id));
  showReceipts();
});
