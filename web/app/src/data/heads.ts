// New heads of the chosen network over its WebSocket, with a cursor: after a reconnect the missed ones are replayed.
import { ChainModel, emptyChain, readHead, type Chain } from "./chain";
import { Store, oncePerFrame } from "./store";

export interface Heads {
  phase: "loading" | "live" | "lost" | "error";
  reason?: string;
  chain: Chain;
}

export const heads = new Store<Heads>({ phase: "loading", chain: emptyChain });

let model = new ChainModel();
let socket: WebSocket | undefined;
let path: string | undefined;
let cursor: string | undefined;
let attempt = 0;
let current: Pick<Heads, "phase" | "reason"> = { phase: "loading" };
const show = oncePerFrame(() => heads.set({ ...current, chain: model.chain() }));

function change(phase: Heads["phase"], reason?: string): void {
  current = { phase, reason };
  show();
}

export function watchHeads(networkPath: string): void {
  if (path === networkPath) return;
  path = networkPath;
  model = new ChainModel();
  cursor = undefined;
  attempt = 0;
  change("loading");
  open();
}

function open(): void {
  socket?.close();
  const mine = (socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`));
  mine.onopen = () =>
    mine.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads", { cursor: cursor ?? true }] }));
  mine.onmessage = (event) => {
    if (mine === socket) receive(JSON.parse(event.data));
  };
  mine.onclose = () => {
    if (mine !== socket) return;
    attempt += 1;
    change(model.chain().tip ? "lost" : "error", "the connection to the server was lost");
    setTimeout(() => mine === socket && open(), Math.min(500 * 2 ** (attempt - 1), 10_000) * (0.5 + Math.random() / 2));
  };
}

interface Message {
  id?: number;
  result?: unknown;
  error?: { message: string };
  params?: { result?: Record<string, unknown>; notice?: { type: string; fromBlock?: string; toBlock?: string }; cursor?: string };
}

function receive(message: Message): void {
  if (message.error) return change("error", message.error.message);
  if (message.id === 1) {
    attempt = 0;
    return change(model.chain().tip ? "live" : "loading");
  }
  const { result, notice, cursor: at } = message.params ?? {};
  if (at) cursor = at;
  if (result) model.apply(readHead(result), Date.now());
  if (notice?.type === "missed") model.miss(Number(notice.fromBlock), Number(notice.toBlock), Date.now());
  if (result || notice) change(model.chain().tip ? "live" : current.phase);
}
