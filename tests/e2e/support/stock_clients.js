// Unmodified clients that follow the logs of a chain and reconnect as their libraries do, and what each of them holds.

import { WebSocketProvider } from "ethers";
import { createPublicClient, webSocket } from "viem";
import { Web3, WebSocketProvider as Web3Socket } from "web3";
import WebSocket from "ws";

const RECONNECT_MS = 20;

// What a program holds that applies each log: the same log again changes nothing, and it ignores the removal of one that it does
// not hold.
export class Held {
  logs = new Map(); // by block hash and index
  twice = 0;
  seesRemovals = true;
  received = 0;

  take({ blockHash, blockNumber, logIndex, index, removed }) {
    const key = `${blockHash}/${Number(logIndex ?? index)}`;
    ++this.received;
    if (removed) {
      this.logs.delete(key);
      return;
    }
    if (this.logs.has(key)) ++this.twice;
    else this.logs.set(key, Number(blockNumber));
  }

  // Of the chain's logs, from the first one that it ever held to block `last`: how many it lacks, and how many it should not have.
  compare(chain, first, last) {
    const wanted = new Map(chain.map((log) => [`${log.blockHash}/${Number(log.logIndex)}`, Number(log.blockNumber)]));
    const isMeant = (number) => number >= first && number <= last;
    const count = (some, others) => [...some].filter(([key, number]) => isMeant(number) && !others.has(key)).length;
    return { lost: count(wanted, this.logs), stale: this.seesRemovals ? count(this.logs, wanted) : 0, twice: this.twice };
  }
}

// ethers does not reconnect: its users make a new provider. It keeps removed logs from listeners to a filter.
export function followWithEthers(url, held) {
  held.seesRemovals = false;
  let provider;
  let stopped = false;
  const connect = () => {
    if (stopped) return;
    const socket = new WebSocket(url);
    socket.on("error", () => {}); // it is closed, too
    socket.on("close", () => setTimeout(connect, RECONNECT_MS));
    provider = new WebSocketProvider(socket, 1337, { staticNetwork: true });
    provider.on({ topics: [] }, (log) => held.take(log)).catch(() => {});
  };
  connect();
  return () => {
    stopped = true;
    provider.websocket.terminate();
  };
}

// viem reconnects, and makes its subscriptions again.
export function followWithViem(url, held) {
  const transport = webSocket(url, { key: url + Math.random(), keepAlive: false, reconnect: { attempts: 10_000, delay: RECONNECT_MS } });
  const client = createPublicClient({ transport });
  client.watchEvent({ onLogs: (logs) => logs.forEach((log) => held.take(log)), onError: () => {} });
  return async () => (await client.transport.getRpcClient()).close();
}

// web3.js reconnects, but its subscriptions are made again by the program.
export function followWithWeb3(url, held) {
  const provider = new Web3Socket(url, {}, { autoReconnect: true, delay: RECONNECT_MS, maxAttempts: 10_000 });
  const web3 = new Web3(provider);
  let subscription;
  provider.on("error", () => {});
  provider.on("connect", async () => {
    try {
      // It begins with eth_unsubscribe, whose answer without a session is an error. Then the program must subscribe anew.
      if (subscription && (await subscription.resubscribe().then(() => true, () => false))) return;
      subscription = await web3.eth.subscribe("logs", {});
      subscription.on("data", (log) => held.take(log));
    } catch {
      // The connection was lost meanwhile: it connects again.
    }
  });
  return () => {
    provider._reconnectOptions.autoReconnect = false; // else it reconnects, unless the Close frame is answered in time
    provider.disconnect();
  };
}

export const LIBRARIES = { ethers: followWithEthers, viem: followWithViem, "web3.js": followWithWeb3 };
