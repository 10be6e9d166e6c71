// The connection to /streams, as the feeds see it.
import { StreamClient, type ConnectionState, type NodeStreams, type Welcome } from "@fanfare/client";

export interface Link {
  state: "opening" | "live" | "lost" | "none"; // none: the server has no streams
  since: number; // milliseconds since 1970
}

export interface StreamEvents<T> {
  onValue: (value: T, timestamp: number) => void;
  onSource: (available: boolean, reason: string | undefined, timestamp: number) => void;
  onLost: (from?: number) => void; // nothing is known of the time since then, or since the last value
  onPace: (intervalS: number, onChange: boolean) => void; // what the server says of the stream
  onUnavailable: (reason: string) => void;
}

export const addressOf = (path: string): string => `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;

// A first attempt that has not failed yet is no loss.
const linkOf = (state: ConnectionState, wasLost: boolean): Link["state"] =>
  state === "connected" ? "live" : (state === "idle" || state === "connecting") && !wasLost ? "opening" : "lost";

export class Streams {
  private readonly client: StreamClient<NodeStreams>;
  private link: Link = { state: "opening", since: Date.now() };
  private readonly paces: (() => void)[] = [];
  private greeting: Welcome | null = null;
  private aheadMs = 0; // the server's clock

  constructor(path: string, onLink: (link: Link) => void) {
    this.client = new StreamClient<NodeStreams>({ url: addressOf(path) });
    this.client.onChange(() => {
      this.greet();
      const state = linkOf(this.client.state, this.client.error !== null || this.link.state !== "opening");
      if (state === this.link.state) return;
      this.link = { state, since: Date.now() };
      onLink(this.link);
    });
  }

  private greet(): void {
    const before = this.greeting;
    const now = (this.greeting = this.client.welcome);
    if (now && now.timestamp !== before?.timestamp) this.aheadMs = now.timestamp * 1000 - Date.now();
    if (now?.details !== before?.details) for (const tell of this.paces) tell();
  }

  // The server's clock, in seconds since 1970.
  serverTime(): number {
    return Math.floor((Date.now() + this.aheadMs) / 1000);
  }

  subscribe<N extends keyof NodeStreams>(stream: N, history: number, events: StreamEvents<NodeStreams[N]>): void {
    const tellPace = () => {
      const details = this.greeting?.details?.[stream];
      if (details?.intervalMs) events.onPace(details.intervalMs / 1000, details.onChange);
    };
    this.paces.push(tellPace);
    tellPace();
    this.client.subscribe(
      stream,
      {
        history: (messages) =>
          messages.forEach(({ data, timestamp, position }, index) => {
            // Between two values there is a notice: the stream was interrupted or not polled.
            const before = messages[index - 1]?.position;
            if (before && position && before.offset + 1 !== position.offset) events.onLost();
            events.onValue(data, timestamp);
          }),
        message: ({ data, timestamp }) => events.onValue(data, timestamp),
        source: ({ available, reason, timestamp }) => events.onSource(available, reason, timestamp),
        pause: ({ from }) => events.onLost(from),
        gap: () => events.onLost(),
        error: (error) => events.onUnavailable(error.message),
      },
      { history },
    );
  }

  reconnectNow(): void {
    this.client.wake();
  }
}
