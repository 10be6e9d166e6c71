// Streams with a socket of this page.
import { Listeners } from "./listeners.js";
import { StreamTable } from "./stream_table.js";
import type { ConnectionState, StreamListener, StreamMap, StreamMessage, StreamSource, SubscribeOptions, Unsubscribe, Welcome } from "./types.js";
import { WireClient, type WireClientOptions } from "./wire_client.js";

export interface StreamClientOptions extends WireClientOptions {
  /** A stream without listeners stays subscribed for this time, in milliseconds. Default 500. */
  readonly lingerMs?: number;
}

/**
 * ```ts
 * const client = new StreamClient<NodeStreams>({ url: "ws://localhost:8545/streams" });
 * const stop = client.subscribe("network_metrics", ({ data }) => console.log(data.block_height));
 * ```
 * The first subscription connects. A lost connection is made again, and every stream resumes from its position.
 */
export class StreamClient<S = StreamMap> implements StreamSource<S> {
  private readonly changes = new Listeners<[]>();
  private readonly wire: WireClient;
  private readonly table: StreamTable;

  constructor(options: StreamClientOptions) {
    this.wire = new WireClient(options, {
      changed: () => this.changes.emit(),
      event: (stream, event) => this.table.event(stream, event),
    });
    this.table = new StreamTable(this.wire, options.lingerMs);
  }

  get state(): ConnectionState { return this.wire.connection.state; }
  get error(): Error | null { return this.wire.connection.error; }
  get welcome(): Welcome | null { return this.wire.welcome; }

  /** Connects without a subscription. */
  connect(): void { this.wire.connection.start(); }

  onChange(listener: () => void): Unsubscribe { return this.changes.add(listener); }

  subscribe<N extends keyof S & string>(
    stream: N, listener: StreamListener<S[N]> | ((message: StreamMessage<S[N]>) => void), options: SubscribeOptions = {},
  ): Unsubscribe {
    const stop = this.table.subscribe(stream, typeof listener === "function" ? { message: listener } : listener, options);
    this.connect();
    return stop;
  }

  /** Tests the connection now, and replaces an expired token. The browser's own events do this too. */
  wake(): void { this.wire.connection.wake(); }

  close(): void {
    this.table.clear();
    this.wire.stop();
    this.changes.clear();
  }
}
