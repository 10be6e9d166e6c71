// New heads of the chosen network. The client subscribes with a cursor: after a reconnect the missed ones are replayed.
import { EthClient } from "@fanfare/client";
import { ChainModel, emptyChain, readHead, type Chain } from "./chain";
import { gate, keyOptions } from "./key";
import { addressOf } from "./link";
import { recheckKey } from "./server";
import { Store, oncePerFrame } from "./store";

export interface Heads {
  phase: "loading" | "live" | "lost" | "error";
  reason?: string;
  chain: Chain;
}

export const heads = new Store<Heads>({ phase: "loading", chain: emptyChain });

let path: string | undefined;
let client: EthClient | undefined;

gate.subscribe(() => {
  if (gate.get() === "refused") client?.close();
});

// Follows this network from now on, also while no panel shows it.
export function watchHeads(networkPath: string, isDevelopment: boolean): void {
  if (path === networkPath) return;
  path = networkPath;
  client?.close();
  client = follow(networkPath, isDevelopment);
}

// A development chain that was started again is shorter than before. The server would wait until it reaches the cursor's block, as for a node that
// is behind; here nobody wants to wait.
function follow(networkPath: string, isDevelopment: boolean): EthClient {
  let model = new ChainModel();
  let current: Pick<Heads, "phase" | "reason"> = { phase: "loading" };
  const show = oncePerFrame(() => {
    if (path === networkPath) heads.set({ ...current, chain: model.chain() });
  });
  const change = (phase: Heads["phase"], reason?: string): void => {
    current = { phase, reason };
    show();
  };
  const eth = new EthClient({ url: addressOf(networkPath), ...keyOptions() });
  eth.onChange(() => {
    if (eth.state === "waiting") recheckKey();
    if (eth.state === "connected" && isDevelopment && !model.isEmpty) void beginAgainIfShorter();
    if (eth.state === "waiting" || eth.state === "offline") change(model.isEmpty ? "error" : "lost", "The connection to the server was lost");
    else if (eth.state === "connected" && current.phase !== "live") change(model.isEmpty ? "loading" : "live");
  });
  const begin = () =>
    eth.subscribe("newHeads", [], {
      event: (header) => {
        model.apply(readHead(header as Record<string, unknown>), Date.now());
        change("live");
      },
      live: () => change("live"),
      // What was missed shows by itself: the next head does not follow the last one.
      error: (error) => change("error", error.message),
    });
  let subscription = begin();
  const beginAgainIfShorter = async (): Promise<void> => {
    const tip = model.chain().tip!.number;
    const head = await eth.request("eth_blockNumber").catch(() => null);
    if (typeof head !== "string" || Number(head) >= tip) return;
    subscription.close();
    model = new ChainModel();
    change("loading");
    subscription = begin();
  };
  show();
  return eth;
}
