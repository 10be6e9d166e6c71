// Subscriptions to logs, pending transactions and sync state, against the development chain.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Contract, WebSocketProvider } from "ethers";
import { createPublicClient, parseAbi, webSocket } from "viem";
import { Web3 } from "web3";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { call, startDevChain, startFanfare } from "./support/fanfare.js";
import { NodeProxy } from "./support/node_proxy.js";
import { RawSocket } from "./support/raw_socket.js";
import { Inbox, until } from "./support/waiting.js";

const TOKENS = [1, 2, 3].map((last) => `0xfa4fa4e00000000000000000000000000000000${last}`);
const TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
const LOG_MEMBERS = ["address", "blockHash", "blockNumber", "blockTimestamp", "data", "logIndex", "removed", "topics", "transactionHash", "transactionIndex"];

async function open(t, fanfare) {
  const raw = await RawSocket.open(fanfare.ws);
  atEnd(t, () => raw.destroy());
  return raw;
}

const next = async (raw, id) => (await raw.json((message) => message.params?.subscription === id)).params.result;

test("logs", async (t) => {
  const fanfare = await startDevChain(t, ["--dev-block-time", "200ms"]);

  await t.test("are those of eth_getLogs, whole, for any, an address, alternatives and positions", async (t) => {
    const filters = [
      {}, { address: TOKENS[0] }, { address: TOKENS[0].toUpperCase().replace("0X", "0x") }, { address: [TOKENS[1], TOKENS[2]] },
      { address: [], topics: [] }, { topics: [TRANSFER] }, { topics: [[TRANSFER, `0x${"00".repeat(32)}`], null] }, { topics: [null, [], []] },
    ];
    const raw = await open(t, fanfare);
    const heads = await raw.subscribe("newHeads");
    const ids = [];
    for (const filter of filters) ids.push(await raw.subscribe("logs", filter));
    const none = [
      await raw.subscribe("logs", { address: `0x${"ab".repeat(20)}` }),
      await raw.subscribe("logs", { topics: [null, null, null, null] }), // a Transfer has three topics
    ];
    const first = Number((await next(raw, heads)).number) + 1;
    const last = first + 9;
    while (Number((await next(raw, heads)).number) < last + 1);
    const messages = raw.frames.items.map(({ text }) => JSON.parse(text).params).filter(({ result }) => result.topics);
    const got = (id) => messages.filter(({ subscription, result }) =>
      subscription === id && Number(result.blockNumber) >= first && Number(result.blockNumber) <= last).map(({ result }) => result);
    let total = 0;
    for (const [i, filter] of filters.entries()) {
      const expected = await call(fanfare.http, "eth_getLogs", [{ ...filter, fromBlock: `0x${first.toString(16)}`, toBlock: `0x${last.toString(16)}` }]);
      assert.deepEqual(got(ids[i]), expected, JSON.stringify(filter));
      total += expected.length;
      for (const log of got(ids[i])) {
        assert.deepEqual(Object.keys(log).sort(), LOG_MEMBERS);
        assert.ok(Object.values(log).every((value) => value !== null));
        assert.equal(log.removed, false);
      }
    }
    assert.ok(total > 0);
    for (const id of none) assert.deepEqual(messages.filter(({ subscription }) => subscription === id), []);
  });

  await t.test("bad filters are -32602", async (t) => {
    const raw = await open(t, fanfare);
    for (const filter of [{ address: "0x12" }, { address: 1 }, { topics: "x" }, { topics: [1] }, { topics: [null, null, null, null, null] },
      { topics: [["0x12"]] }, { topics: [Array(1001).fill(TRANSFER)] }, "x", 1]) {
      assert.equal((await raw.ask("eth_subscribe", ["logs", filter])).error?.code, -32602, JSON.stringify(filter).slice(0, 100));
    }
  });

  await t.test("to ethers, viem and web3.js", async (t) => {
    const abi = ["event Transfer(address indexed from, address indexed to, uint256 value)"];
    const boxes = { ethers: new Inbox("ethers"), viem: new Inbox("viem"), web3: new Inbox("web3.js") };

    const provider = new WebSocketProvider(fanfare.ws);
    atEnd(t, () => provider.destroy());
    await provider.getNetwork(); // ethers fails if a log arrives before it knows its chain
    const token = new Contract(TOKENS[0], abi, provider);
    await token.on("Transfer", (from, to, value, { log }) => boxes.ethers.push([log.transactionHash, log.index, value]));

    const client = createPublicClient({ transport: webSocket(fanfare.ws, { reconnect: false }) });
    atEnd(t, async () => (await client.transport.getRpcClient()).close());
    atEnd(t, client.watchContractEvent({
      address: TOKENS[0], abi: parseAbi(abi), eventName: "Transfer",
      onLogs: (logs) => logs.forEach((log) => boxes.viem.push([log.transactionHash, log.logIndex, log.args.value])),
      onError: (error) => boxes.viem.end(error.message),
    }));

    const web3 = new Web3(fanfare.ws);
    atEnd(t, () => web3.provider.disconnect());
    const subscription = await web3.eth.subscribe("logs", { address: TOKENS[0], topics: [TRANSFER] });
    subscription.on("data", (log) => boxes.web3.push([log.transactionHash, Number(log.logIndex), BigInt(log.data)]));

    for (const box of Object.values(boxes)) {
      const heard = (await box.atLeast(5)).slice(0, 5);
      for (const [hash, index, value] of heard) {
        const { logs } = await call(fanfare.http, "eth_getTransactionReceipt", [hash]);
        assert.equal(BigInt(logs.find(({ logIndex }) => Number(logIndex) === index).data), value, box.name);
      }
      assert.equal(new Set(heard.map(([hash, index]) => hash + index)).size, 5, box.name);
    }
  });
});

test("pending transactions: hashes, whole with true, and to each library", async (t) => {
  const fanfare = await startDevChain(t, ["--dev-block-time", "300ms"]);
  const raw = await open(t, fanfare);
  const hashes = await raw.subscribe("newPendingTransactions");
  const bodies = await raw.subscribe("newPendingTransactions", true);
  assert.notEqual(hashes, bodies);
  for (let i = 0; i < 5; ++i) assert.match(await next(raw, hashes), /^0x[0-9a-f]{64}$/);
  for (let i = 0; i < 5; ++i) {
    const transaction = await next(raw, bodies);
    for (const member of ["hash", "from", "to", "value", "nonce", "gas", "input"]) assert.ok(member in transaction, member);
  }

  // All subscribers receive the hash of our own transaction.
  const provider = new WebSocketProvider(fanfare.ws);
  atEnd(t, () => provider.destroy());
  const client = createPublicClient({ transport: webSocket(fanfare.ws, { reconnect: false }) });
  atEnd(t, async () => (await client.transport.getRpcClient()).close());
  const web3 = new Web3(fanfare.ws);
  atEnd(t, () => web3.provider.disconnect());
  const seen = { ethers: new Set(), viem: new Set(), web3: new Set(), raw: new Set() };
  await provider.on("pending", (hash) => seen.ethers.add(hash));
  atEnd(t, client.watchPendingTransactions({ onTransactions: (list) => list.forEach((hash) => seen.viem.add(hash)) }));
  (await web3.eth.subscribe("newPendingTransactions")).on("data", (hash) => seen.web3.add(hash));
  // The library's subscription promise may still be pending; the subscription exists once a message arrives.
  await until("pending transactions at each library", () => seen.ethers.size && seen.viem.size && seen.web3.size);
  const [from, to] = await call(fanfare.http, "eth_accounts");
  const hash = await call(fanfare.http, "eth_sendTransaction", [{ from, to, value: "0x1" }]);
  await until("ours at each library", () => seen.ethers.has(hash) && seen.viem.has(hash) && seen.web3.has(hash));
  assert.equal(await next(raw, hashes).then(async (one) => {
    while (one !== hash) one = await next(raw, hashes);
    return one;
  }), hash);
});

test("sync state: true with a status while it catches up, then false", async (t) => {
  const fanfare = await startDevChain(t, ["--dev-sync-blocks", "60", "--dev-block-time", "1s"], { ready: false });
  const raw = await open(t, fanfare);
  const id = await raw.subscribe("syncing");
  let state = await next(raw, id);
  while (state !== false) {
    assert.equal(state.syncing, true);
    for (const member of ["startingBlock", "currentBlock", "highestBlock"]) assert.match(state.status[member], /^0x/);
    state = await next(raw, id);
  }
  assert.equal(await call(fanfare.http, "eth_syncing"), false);
});

test("a reorg takes its logs back, newest first, before the new branch", async (t) => {
  const fanfare = await startDevChain(t, ["--dev-block-time", "500ms"]);
  const raw = await open(t, fanfare);
  const heads = await raw.subscribe("newHeads");
  const logs = await raw.subscribe("logs", {});
  const events = [];
  const take = async (enough) => {
    while (!enough(events)) {
      const { params } = await raw.json((message) => message.method === "eth_subscription");
      events.push(params);
    }
  };
  const logsOf = (removed) => events.filter(({ subscription, result }) => subscription === logs && result.removed === removed);
  await take(() => logsOf(false).length >= 6 && events.filter(({ subscription }) => subscription === heads).length >= 4);
  await call(fanfare.http, "anvil_reorg", [2, []]);
  await take(() => {
    const numbers = events.filter(({ subscription }) => subscription === heads).map(({ result }) => Number(result.number));
    const fork = numbers.findIndex((number, i) => i > 0 && number <= numbers[i - 1]);
    return fork > 0 && numbers.at(-1) > numbers[fork - 1] + 1;
  });
  const live = new Map();
  let taken = 0;
  for (const { subscription, result } of events) {
    if (subscription !== logs) continue;
    const key = `${result.blockHash}-${result.logIndex}`;
    if (result.removed) {
      ++taken;
      assert.equal([...live.keys()].at(-1), key, "taken back newest first");
      live.delete(key);
    } else {
      assert.ok(!live.has(key), "told twice");
      live.set(key, result);
    }
  }
  assert.ok(taken > 0, "the reorg took no logs back");
  // The remaining logs equal those of the chain now.
  const left = [...live.values()].filter(({ blockNumber }) => Number(blockNumber) < Number(events.at(-1).result.number ?? events.at(-1).result.blockNumber));
  const range = { fromBlock: left[0].blockNumber, toBlock: left.at(-1).blockNumber };
  const now = await call(fanfare.http, "eth_getLogs", [range]);
  assert.deepEqual(left, now.slice(now.length - left.length));
});

test("transactionReceipts are those of each block, all or those of given transactions", async (t) => {
  const fanfare = await startDevChain(t, ["--dev-block-time", "200ms"]);
  const raw = await open(t, fanfare);
  const all = await raw.subscribe("transactionReceipts");
  const [receipt] = await next(raw, all);
  assert.equal((await raw.ask("eth_subscribe", ["transactionReceipts", { transactionHashes: ["0x1"] }])).error.code, -32602);
  for (let i = 0; i < 5; ++i) {
    const receipts = await next(raw, all);
    assert.deepEqual(receipts, await call(fanfare.http, "eth_getBlockReceipts", [receipts[0].blockNumber]));
  }
  assert.deepEqual(receipt, await call(fanfare.http, "eth_getTransactionReceipt", [receipt.transactionHash]));
});

test("receipts from a node without eth_getBlockReceipts are asked for one by one", async (t) => {
  const node = await startDevChain(t, ["--dev-block-time", "200ms"]);
  const answer = ({ id, method }, respond) => {
    if (method !== "eth_getBlockReceipts") return false;
    respond(200, `{"jsonrpc":"2.0","id":${id},"error":{"code":-32601,"message":"Method not found"}}`);
    return true;
  };
  const lacking = await NodeProxy.start(t, node.http, { answer });
  const fanfare = await startFanfare(t, ["--upstream", lacking.url]);
  const raw = await open(t, fanfare);
  const all = await raw.subscribe("transactionReceipts");
  await next(raw, all);
  const asked = lacking.count("eth_getBlockReceipts");
  for (let i = 0; i < 3; ++i) {
    const receipts = await next(raw, all);
    assert.deepEqual(receipts, await call(node.http, "eth_getBlockReceipts", [receipts[0].blockHash]));
  }
  // The gateway remembers that the node does not support the method. A client's own call still goes to the node.
  assert.equal(lacking.count("eth_getBlockReceipts"), asked);
  assert.equal((await raw.ask("eth_getBlockReceipts", ["latest"])).error.code, -32601);
});

test("the receipt of one transaction, from a node of another make", async (t) => {
  const anvil = await startAnvil(t);
  const fanfare = await startFanfare(t, ["--upstream", anvil.url]);
  const raw = await open(t, fanfare);
  const [from, to] = await anvil.ask("eth_accounts");
  await anvil.ask("evm_setAutomine", [false]);
  const send = () => anvil.ask("eth_sendTransaction", [{ from, to, value: "0x1" }]);
  const [, wanted] = [await send(), await send()];
  const one = await raw.subscribe("transactionReceipts", { transactionHashes: [wanted] });
  await anvil.ask("evm_mine");
  const receipts = await next(raw, one);
  assert.deepEqual(receipts.map(({ transactionHash }) => transactionHash), [wanted]);
  assert.deepEqual(receipts[0], await anvil.ask("eth_getTransactionReceipt", [wanted]));
});
