// The streams that ship with Fanfare. Servers may have others: use an interface of your own for them.

export interface NetworkMetrics {
  /** 0 to 100. */
  network_strength: number;
  block_height: number;
  /** Seconds. */
  finality_time: number;
  peer_count: number;
  /** Transactions a second. */
  tps: number;
  /** Bytes a second. */
  bandwidth_in: number;
  bandwidth_out: number;
  active_connections: number;
}

export interface Market {
  status: string;
  [member: string]: unknown;
}
export interface MarketsHealth {
  overall_status: string;
  markets: { compute: Market; storage: Market; energy: Market; ads: Market } & Record<string, Market>;
  healthy_markets: number;
  total_markets: number;
}

export interface Receipt {
  id: string;
  market: string;
  block_height: number;
  /** Unix time in seconds. */
  timestamp: number;
  provider: string;
  consumer: string;
  amount: number;
}
export interface Receipts {
  receipts: Receipt[];
  count: number;
}

export interface Peer {
  id: string;
  address: string;
  latency_ms: number;
  is_validator: boolean;
}
export interface Peers {
  peers: Peer[];
  total: number;
}

export interface NodeStreams {
  network_metrics: NetworkMetrics;
  markets_health: MarketsHealth;
  receipts: Receipts;
  peers: Peers;
}
