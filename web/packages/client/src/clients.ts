// One client for each address of a page, for as long as some part of the page uses it.
import { SharedStreamClient, type SharedStreamClientOptions } from "./shared_stream_client.js";
import { StreamClient, type StreamClientOptions } from "./stream_client.js";
import type { StreamMap, StreamSource, Unsubscribe } from "./types.js";

export interface AcquireOptions extends Omit<StreamClientOptions, "url" | "tokenAs">, Pick<SharedStreamClientOptions, "tokenAs" | "via" | "name" | "worker"> {
  /** One socket for all tabs of the browser instead of one for this page. Default false. */
  readonly shared?: boolean;
}

/** A client that nobody uses any more is closed after this time, so that a change of views does not reconnect. */
export const CLIENT_LINGER_MS = 1_000;

interface Held {
  readonly client: StreamClient | SharedStreamClient;
  users: number;
  linger: ReturnType<typeof setTimeout> | null;
}

const held = new Map<string, Held>();

/**
 * Returns the page's client of this address, and a function that gives it back. The options of the first caller count.
 * Clients with different `name` or `shared` are different clients.
 */
export function acquireClient<S = StreamMap>(url: string, options: AcquireOptions = {}): [StreamSource<S>, Unsubscribe] {
  const { shared = false, via, name, worker, ...rest } = options;
  const key = JSON.stringify([url, shared, name ?? ""]);
  let entry = held.get(key);
  if (!entry || entry.client.state === "closed") {
    const client = shared ? new SharedStreamClient({ ...rest, url, via, name, worker }) : new StreamClient({ ...rest, url });
    entry = { client, users: 0, linger: null };
    held.set(key, entry);
  }
  const mine = entry;
  mine.users++;
  if (mine.linger) clearTimeout(mine.linger);
  mine.linger = null;
  mine.client.connect();
  let returned = false;
  return [mine.client as StreamSource<any>, () => {
    if (returned) return;
    returned = true;
    if (--mine.users === 0) mine.linger = setTimeout(() => closeUnused(key, mine), CLIENT_LINGER_MS);
  }];
}

function closeUnused(key: string, entry: Held): void {
  entry.client.close();
  if (held.get(key) === entry) held.delete(key);
}
