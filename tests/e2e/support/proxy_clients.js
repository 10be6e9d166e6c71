// Every client library of Node through proxies: proxy_clients.js ORIGIN secure|plain ... A process of its own, because Node reads
// NODE_EXTRA_CA_CERTS at its start. Prints a line "ORIGIN ok NAME" or "ORIGIN not ok NAME: REASON" for each.

import { JsonRpcProvider, WebSocketProvider } from "ethers";
import { createPublicClient, http as httpTransport, webSocket } from "viem";
import { Web3 } from "web3";
import { WebSocket } from "ws";

const CHAIN = 1337;

const same = (found, expected) => {
  if (Number(found) !== expected) throw new Error(`got ${found}`);
};
const heads = (subscribe) => new Promise((resolve, reject) => {
  subscribe((number) => (number > 0 ? resolve() : reject(new Error(`head ${number}`))), reject);
});

const clientsOf = (origin, s, http, ws) => ({
  async fetch() {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId" });
    const response = await fetch(http, { method: "POST", headers: { "content-type": "application/json" }, body });
    same((await response.json()).result, CHAIN);
  },
  async "fetch, a body of 2 MiB"() {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [], padding: "x".repeat(2 << 20) });
    const response = await fetch(http, { method: "POST", headers: { "content-type": "application/json" }, body });
    if (response.status !== 200) throw new Error(`status ${response.status}`);
    same((await response.json()).result, CHAIN);
  },
  async "event stream"() {
    const response = await fetch(`http${s}://${origin}/streams/sse?stream=clock`, { headers: { accept: "text/event-stream" } });
    if (response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`);
    let text = "";
    const decoder = new TextDecoder();
    for await (const piece of response.body) {
      text += decoder.decode(piece, { stream: true });
      if ((text.match(/^data:.*"clock"/gm) ?? []).length >= 2) return; // one by one, not when the answer ends
    }
    throw new Error(`ended after ${text}`);
  },
  async "ethers over HTTP"() {
    const provider = new JsonRpcProvider(http, CHAIN, { staticNetwork: true });
    same((await provider.getNetwork()).chainId, CHAIN);
    if ((await provider.getBlockNumber()) < 0) throw new Error("no block");
    provider.destroy();
  },
  async "ethers over WebSocket"() {
    const provider = new WebSocketProvider(ws, CHAIN, { staticNetwork: true });
    await heads((next) => provider.on("block", next));
    await provider.destroy();
  },
  async "viem over HTTP"() {
    same(await createPublicClient({ transport: httpTransport(http) }).getChainId(), CHAIN);
  },
  async "viem over WebSocket"() {
    const client = createPublicClient({ transport: webSocket(ws) });
    await heads((next, failed) => client.watchBlockNumber({ onBlockNumber: next, onError: failed }));
    (await client.transport.getRpcClient()).close();
  },
  async "web3 over HTTP"() {
    same(await new Web3(http).eth.getChainId(), CHAIN);
  },
  async "web3 over WebSocket"() {
    const web3 = new Web3(ws);
    const subscription = await web3.eth.subscribe("newHeads");
    await heads((next, failed) => {
      subscription.on("data", (head) => next(Number(head.number)));
      subscription.on("error", failed);
    });
    web3.provider.disconnect();
  },
  async ws() {
    const socket = new WebSocket(ws);
    await heads((next, failed) => {
      socket.on("error", failed);
      socket.on("open", () => socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads"] })));
      socket.on("message", (text) => {
        const { params } = JSON.parse(text);
        if (params) next(Number(params.result.number));
      });
    });
    socket.close();
  },
});

async function tryAll(origin, secure) {
  const s = secure === "secure" ? "s" : "";
  const clients = clientsOf(origin, s, `http${s}://${origin}/main/evm/1337`, `ws${s}://${origin}/main/evm/1337`);
  await Promise.all(Object.entries(clients).map(([name, run]) => tryOne(`${origin}`, name, run)));
}

async function tryOne(origin, name, run) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("no answer within 20 s")), 20_000)));
  try {
    await Promise.race([run(), late]);
    console.log(`${origin} ok ${name}`);
  } catch (error) {
    console.log(`${origin} not ok ${name}: ${error.message.split("\n")[0]}`);
  } finally {
    clearTimeout(timer);
  }
}

const wanted = process.argv.slice(2);
for (let i = 0; i < wanted.length; i += 2) await tryAll(wanted[i], wanted[i + 1]);
process.exit(0);
