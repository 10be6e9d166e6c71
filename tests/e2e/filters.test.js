// Filters served by the gateway itself: eth_newFilter and related methods, over HTTP and WebSocket, for any node.

import assert from "node:assert/strict";
import { test } from "node:test";
import { JsonRpcProvider } from "ethers";
import { Web3 } from "web3";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { call, metric, metricIs, readiness, startDevChain, startFanfare, writeConfig } from "./support/fanfare.js";
import { NodeProxy } from "./support/node_proxy.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const FROM = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"; // anvil's first account
const EMITTER = // emits Transfer(caller, to, value) of its calldata's two words
  "0x6031600c60003960316000f3602035600052600035337fddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef60206000a300";
const word = (n) => n.toString(16).padStart(64, "0");
const NOT_FOUND = { code: -32000, message: "filter not found" };

async function open(t, fanfare) {
  const raw = await RawSocket.open(fanfare.ws);
  atEnd(t, () => raw.destroy());
  return raw;
}

test("filters of the development chain say what eth_getLogs and the chain say, whoever asks by whatever way", async (t) => {
  const fanfare = await startDevChain(t, ["--dev-block-time", "50ms", "--threads", "2"]);
  const raw = await open(t, fanfare);
  const ask = (method, params = []) => call(fanfare.http, method, params);
  const logs = await ask("eth_newFilter", [{}]);
  const blocks = (await raw.ask("eth_newBlockFilter")).result;
  const pending = await ask("eth_newPendingTransactionFilter");
  assert.match(logs, /^0x[1-9a-f][0-9a-f]{24,31}$/);

  const heard = { logs: [], blocks: [], pending: [] };
  await until("thirty blocks", async () => {
    // Poll each filter over the transport that did not create it.
    heard.logs.push(...(await raw.ask("eth_getFilterChanges", [logs])).result);
    heard.blocks.push(...(await ask("eth_getFilterChanges", [blocks])));
    heard.pending.push(...(await ask("eth_getFilterChanges", [pending])));
    return heard.blocks.length >= 30;
  });
  let parent;
  for (const hash of heard.blocks) {
    const block = await ask("eth_getBlockByHash", [hash, false]);
    if (parent) assert.equal(block.parentHash, parent);
    parent = hash;
  }
  const numbers = heard.logs.map(({ blockNumber }) => Number(blockNumber));
  const [first, last] = [numbers[0] + 1, numbers.at(-1) - 1];
  const within = heard.logs.filter(({ blockNumber }) => Number(blockNumber) >= first && Number(blockNumber) <= last);
  assert.deepEqual(within, await ask("eth_getLogs", [{ fromBlock: `0x${first.toString(16)}`, toBlock: `0x${last.toString(16)}` }]));
  assert.ok(heard.pending.length > 0 && heard.pending.every((hash) => /^0x[0-9a-f]{64}$/.test(hash)));
  assert.equal(new Set(heard.pending).size, heard.pending.length);

  const ranged = await ask("eth_newFilter", [{ fromBlock: "0x1", toBlock: `0x${last.toString(16)}` }]);
  assert.deepEqual(await ask("eth_getFilterLogs", [ranged]), await ask("eth_getLogs", [{ fromBlock: "0x1", toBlock: `0x${last.toString(16)}` }]));
  assert.deepEqual((await raw.ask("eth_getFilterLogs", [blocks])).error, NOT_FOUND);
  assert.equal((await raw.ask("eth_newFilter", [{ toBlock: "0x64" }])).error.code, -32602);
  assert.equal(await ask("eth_uninstallFilter", [logs]), true);
  assert.equal(await ask("eth_uninstallFilter", [logs]), false);
  assert.deepEqual((await raw.ask("eth_getFilterChanges", [logs])).error, NOT_FOUND);
});

test("a filter is tied to no node: nothing is lost and nothing told twice when one goes and another comes", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  let down = -1; // the proxy that fails every call
  const proxies = [];
  for (const i of [0, 1]) {
    proxies.push(await NodeProxy.start(t, anvil.url, {
      answer: (_, respond) => {
        if (down === i) respond(502, "bad gateway");
        return down === i;
      },
    }));
  }
  const fanfare = await startFanfare(t, ["--upstream", proxies[0].url, "--upstream", proxies[1].url]);
  const ask = (method, params = []) => call(fanfare.http, method, params);
  const send = (transaction) => anvil.ask("eth_sendTransaction", [{ from: FROM, ...transaction }]);
  const deployed = await send({ data: EMITTER });
  await anvil.ask("evm_mine");
  const { contractAddress } = await anvil.ask("eth_getTransactionReceipt", [deployed]);
  await until("the contract's block", async () => (await readiness(fanfare)).text.includes("head 1"));

  const blocks = await ask("eth_newBlockFilter");
  const logs = await ask("eth_newFilter", [{ address: contractAddress }]);
  const heard = { blocks: [], logs: [] };
  const wanted = [];
  for (const [round, broken] of [-1, 0, -1, 1, 0, 1, -1].entries()) {
    down = broken;
    for (let i = 0; i < 3; ++i) {
      wanted.push(await send({ to: contractAddress, data: `0x${word(round)}${word(i)}` }));
      await anvil.ask("evm_mine");
    }
    await until(`round ${round}`, async () => {
      heard.blocks.push(...(await ask("eth_getFilterChanges", [blocks])));
      heard.logs.push(...(await ask("eth_getFilterChanges", [logs])));
      return heard.logs.length >= wanted.length && heard.blocks.length >= wanted.length;
    });
  }
  assert.deepEqual(heard.logs.map(({ transactionHash }) => transactionHash), wanted);
  const chain = [];
  for (let number = 2; number < 2 + wanted.length; ++number) {
    chain.push((await anvil.ask("eth_getBlockByNumber", [`0x${number.toString(16)}`, false])).hash);
  }
  assert.deepEqual(heard.blocks, chain);
});

test("filters have limits that are settings, are counted, and their answers keep to a batch's bound", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, `
logLevel: info
server: { httpPort: 0, threads: 1, limits: { batchAnswerBytesMax: 3000 } }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 31337, filtersMax: 2, filterTimeout: 1s } }]
    upstreams: [{ id: anvil, endpoint: "${anvil.url}" }]
`)]);
  const counted = (outcome) => metric(fanfare, "fanfare_filter_outcomes_total", { outcome });
  const ask = (method, params = []) => call(fanfare.http, method, params);
  const deployed = await anvil.ask("eth_sendTransaction", [{ from: FROM, data: EMITTER }]);
  await anvil.ask("evm_mine");
  const { contractAddress } = await anvil.ask("eth_getTransactionReceipt", [deployed]);
  for (let i = 0; i < 3; ++i) await anvil.ask("eth_sendTransaction", [{ from: FROM, to: contractAddress, data: `0x${word(1)}${word(i)}` }]);
  await anvil.ask("evm_mine");

  const logs = await ask("eth_newFilter", [{ fromBlock: "0x0" }]);
  const blocks = await ask("eth_newBlockFilter");
  await assert.rejects(ask("eth_newBlockFilter"), { code: -32005 });
  const one = (id) => ({ jsonrpc: "2.0", id, method: "eth_getFilterLogs", params: [logs] });
  const response = await fetch(fanfare.http, { method: "POST", body: JSON.stringify([1, 2, 3, 4].map(one)) });
  const text = await response.text();
  const answers = JSON.parse(text);
  assert.ok(answers.some(({ result }) => result?.length === 3), text);
  assert.ok(answers.some(({ error }) => error?.code === -32003), text);
  assert.ok(text.length < 4000);
  assert.equal(await ask("eth_uninstallFilter", [blocks]), true);
  await metricIs(1, fanfare, "fanfare_filters");
  await until("the other one expires", async () => (await metric(fanfare, "fanfare_filters")) === 0);
  for (const [outcome, count] of [["created", 2], ["refused", 1], ["expired", 1], ["uninstalled", 1], ["lost", 0]]) {
    assert.equal(await counted(outcome), count, outcome);
  }
});

test("the libraries that poll: ethers over HTTP, web3.js and its contracts", async (t) => {
  const anvil = await startAnvil(t);
  const fanfare = await startFanfare(t, ["--upstream", anvil.url]);
  const deployed = await anvil.ask("eth_sendTransaction", [{ from: FROM, data: EMITTER }]);
  const receipt = await until("the contract", () => anvil.ask("eth_getTransactionReceipt", [deployed]));
  const provider = new JsonRpcProvider(fanfare.http, 31337, { polling: false, staticNetwork: true, pollingInterval: 100 });
  atEnd(t, () => provider.destroy());
  const heard = [];
  const pending = [];
  await provider.on({ address: receipt.contractAddress }, (log) => heard.push(log.transactionHash));
  await provider.on("pending", (hash) => pending.push(hash));
  const sent = [];
  // ethers creates its filters asynchronously, and they do not see earlier events.
  await until("ethers hears its logs and its pending transactions", async () => {
    sent.push(await anvil.ask("eth_sendTransaction", [{ from: FROM, to: receipt.contractAddress, data: `0x${word(1)}${word(sent.length)}` }]));
    return heard.length >= 3 && pending.length >= 3;
  });
  assert.deepEqual(heard, sent.slice(sent.indexOf(heard[0]), sent.indexOf(heard[0]) + heard.length));
  const web3 = new Web3(fanfare.http);
  const past = await web3.eth.getPastLogs({ address: receipt.contractAddress, fromBlock: 0, toBlock: "latest" });
  assert.ok(past.length >= heard.length);
});

test("a subscriber of syncing is told the present state, after the answer", async (t) => {
  const fanfare = await startDevChain(t);
  for (let i = 0; i < 2; ++i) {
    const raw = await open(t, fanfare);
    const id = await raw.subscribe("syncing");
    const { params } = await raw.json(({ method }) => method === "eth_subscription");
    assert.deepEqual(params, { subscription: id, result: false });
  }
  const web3 = new Web3(fanfare.ws);
  atEnd(t, () => web3.provider.disconnect());
  const subscription = await web3.eth.subscribe("syncing");
  const state = await new Promise((resolve) => subscription.on("changed", resolve));
  assert.equal(state, false);
});

test("a chain that cannot be followed is an error to who subscribes to it, not silence", async (t) => {
  const anvil = await startAnvil(t);
  let down = true;
  const proxy = await NodeProxy.start(t, anvil.url, {
    answer: (_, respond) => {
      if (down) respond(502, "bad gateway");
      return down;
    },
  });
  const fanfare = await startFanfare(t, ["--upstream", proxy.url], { ready: false });
  const raw = await open(t, fanfare);
  const { error } = await raw.ask("eth_subscribe", ["newHeads"]);
  assert.equal(error.code, -32603);
  assert.match(error.message, /^the chain cannot be followed at present/);
  assert.doesNotMatch(error.message, /127\.0\.0\.1|502/);
  // After the node is back: the delay depends on the current poll interval.
  down = false;
  await until("a subscription is answered", async () => (await raw.ask("eth_subscribe", ["newHeads"])).result !== undefined);
  await assert.doesNotReject(call(fanfare.http, "eth_newBlockFilter"));
});
