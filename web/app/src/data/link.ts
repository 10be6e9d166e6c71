// The connection to /streams, as the feeds see it.
import { StreamClient, type ConnectionState, type NodeStreams } from "@fanfare/client";

export interface Link {
  state: "opening" | "live" | "lost" | "none"; // none: the server has no streams
  since: number; // milliseconds since 1970
}

export interface StreamEvents<T> {
  onValue: (value: T, timestamp: number) => void;
  onSource: (available: boolean, reason: string | undefined) => void;
  onLost: () => void; // values were missed for good
  onUnavailable: (reason: string) => void;
}

export const addressOf = (path: string): string => `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;

// A first attempt that has not failed yet is no loss.
const linkOf = (state: ConnectionState, wasLost: boolean): Link["state"] =>
  state === "connected" ? "live" : (state === "idle" || state === "connecting") && !wasLost ? "opening" : "lost";

export class Streams {
  private readonly client: StreamClient<NodeStreams>;
  private link: Link = { state: "opening", since: Date.now() };

  constructor(path: string, onLink: (link: Link) => void) {
    this.client = new StreamClient<NodeStreams>({ url: addressOf(path) });
    this.client.onChange(() => {
      const state = linkOf(this.client.state, this.client.error !== null || this.link.state !== "opening");
      if (state === this.link.state) return;
      this.link = { state, since: Date.now() };
      onLink(this.link);
    });
  }

  subscribe<N extends keyof NodeStreams>(stream: N, history: number, events: StreamEvents<NodeStreams[N]>): void {
    this.client.subscribe(
      stream,
      {
        history: (messages) => messages.forEach(({ data, timestamp }) => events.onValue(data, timestamp)),
        message: ({ data, timestamp }) => events.onValue(data, timestamp),
        source: ({ available, reason }) => events.onSource(available, reason),
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
