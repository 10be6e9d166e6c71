// The admin API, while the Server panel shows it: connections, upstreams, drain and log level, every two seconds.
import { keyHeaders } from "./key";
import { info } from "./server";
import { Store } from "./store";

export interface Connection {
  id: string;
  kind: string;
  address: string;
  age_s: number;
  user_agent: string;
  principal: string;
  service: string;
  network: string;
  room: string;
  subscriptions: number;
  topics: string[];
  bytes_behind: number;
  messages_received: number;
  messages_sent: number;
}
export interface Upstream {
  name: string;
  network: string;
  url: string;
  enabled: boolean;
  used: boolean;
  reason: string;
  head: number | null;
  lag: number;
  latency_s: number;
  head_hints: string;
  calls: number;
  errors: number;
  can_be_disabled: boolean;
}
export interface Drain {
  state: "off" | "draining" | "drained";
  since_s: number;
  closed: number;
  open: number;
}
export const kSorts = ["behind", "age", "received", "sent", "subscriptions"] as const;
export type Sort = (typeof kSorts)[number];

export interface AdminState {
  phase: "loading" | "live" | "stale" | "forbidden";
  reason?: string; // why it is stale, or what the server said about the last change
  sort: Sort;
  search: string;
  connections: Connection[];
  matched: number;
  upstreams: Upstream[];
  drain?: Drain;
  logLevel?: string;
}
export const admin = new Store<AdminState>({ phase: "loading", sort: "behind", search: "", connections: [], matched: 0, upstreams: [] });

const kIntervalMs = 2000;
const kShown = 50;

class Refused extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

async function request<T>(path: string, method = "GET", body?: unknown): Promise<T> {
  const base = info.get().value?.admin?.path;
  if (!base) throw new Error("this port does not offer the admin API");
  const response = await fetch(base + path, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...keyHeaders() },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000),
  });
  const answer = (await response.json().catch(() => ({}))) as { detail?: string };
  if (!response.ok) throw new Refused(answer.detail ?? `it answered ${response.status}`, response.status);
  return answer as T;
}

async function poll(): Promise<void> {
  const { sort, search } = admin.get();
  try {
    const [page, upstreams, status] = await Promise.all([
      request<{ connections: Connection[]; matched: number }>(`/connections?kind=websocket&sort=${sort}&limit=${kShown}&q=${encodeURIComponent(search)}`),
      request<{ upstreams: Upstream[] }>("/upstreams"),
      request<{ drain: Drain; log_level: string }>("/status"),
    ]);
    // Another order was chosen meanwhile: its answer is on its way.
    if (admin.get().sort !== sort || admin.get().search !== search) return;
    admin.update({ phase: "live", reason: undefined, ...page, ...upstreams, drain: status.drain, logLevel: status.log_level });
  } catch (error) {
    const { name, message } = error as Error;
    const forbidden = error instanceof Refused && [401, 403].includes(error.status);
    const reason = name === "TypeError" ? "the server cannot be reached" : name === "TimeoutError" ? "the server did not answer in time" : message;
    admin.update({ phase: forbidden ? "forbidden" : "stale", reason });
  }
}

// Polls as long as somebody watches, and as long as the server lets it. Returns the function that ends it.
export function watchAdmin(): () => void {
  let ended = false;
  const round = async (): Promise<void> => {
    if (ended) return;
    if (!document.hidden) await poll();
    if (admin.get().phase !== "forbidden") timer = setTimeout(() => void round(), kIntervalMs);
  };
  let timer = setTimeout(() => void round(), 0);
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

export function chooseConnections(change: { sort?: Sort; search?: string }): void {
  admin.update(change);
  void poll();
}

// Makes a change, then shows its effect. The error: what the server said.
async function change(path: string, method: string, body?: unknown): Promise<string | undefined> {
  try {
    await request(path, method, body);
    await poll();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

export const closeConnection = (id: string) => change(`/connections/${id}?code=1012&reason=${encodeURIComponent("closed by the operator")}`, "DELETE");
export const switchUpstream = ({ network, name }: Upstream, enabled: boolean) => change(`/networks/${network.split("/").map(encodeURIComponent).join("/")}/upstreams/${encodeURIComponent(name)}`, "PUT", { enabled });
export const beginDrain = () => change("/drain", "POST", {});
export const endDrain = () => change("/drain", "DELETE");
export const setLogLevel = (level: string) => change("/log-level", "PUT", { level });
