// Logs and reorgs of a real node, as ethers, viem, web3.js and a C++ program see them.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { WebSocketProvider } from "ethers";
import { createPublicClient, webSocket } from "viem";
import { Web3 } from "web3";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { BINARY, startFanfare, writeConfig } from "./support/fanfare.js";
import { startFor } from "./support/processes.js";
import { RawSocket } from "./support/raw_socket.js";
import { Inbox, until } from "./support/waiting.js";

const FROM = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"; // anvil's first account
const EMITTER = // emits Transfer(caller, to, value) of its calldata's two words
  "0x6031600c60003960316000f3602035600052600035337fddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef60206000a300";
const TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
const EXAMPLE = path.join(path.dirname(BINARY), "../../examples/resume");
const word = (n) => n.toString(16).padStart(64, "0");

const configFor = (url) => `
logLevel: info
server: { httpPort: 0 }
projects:
  - id: main
    networks:
      - architecture: evm
        evm: { chainId: 31337, pollIntervalMin: 50ms, pollIntervalMax: 100ms }
    upstreams: [{ id: node, endpoint: "${url}" }]
`;

test("logs in front of anvil: arrays, wildcards, alternatives, anvil_reorg and evm_revert, to every client", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  const send = (transaction) => anvil.ask("eth_sendTransaction", [{ from: FROM, ...transaction }]);
  const deployed = [];
  for (let i = 0; i < 3; ++i) deployed.push(await send({ data: EMITTER }));
  await anvil.ask("evm_mine");
  const contracts = [];
  for (const hash of deployed) contracts.push((await anvil.ask("eth_getTransactionReceipt", [hash])).contractAddress);
  const emit = (contract, to) => send({ to: contracts[contract], data: `0x${word(to)}${word(7)}` });
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(anvil.url))]);

  const two = [contracts[0], contracts[1]];
  const to = [`0x${word(1)}`, `0x${word(2)}`];
  const filters = [{}, { address: contracts[2] }, { address: two }, { topics: [null, null, to] }, { topics: [[TRANSFER, `0x${word(0)}`], [], to[0]] },
    { address: two, topics: [TRANSFER, null, to[1]] }, { topics: [`0x${word(0)}`] }];
  const raw = await RawSocket.open(fanfare.ws);
  atEnd(t, () => raw.destroy());
  const told = new Map(); // notifications by subscription
  for (const filter of filters) told.set(await raw.subscribe("logs", filter), []);
  const ids = [...told.keys()];
  const pending = await raw.subscribe("newPendingTransactions");
  told.set(pending, []);
  raw.frames.push = ({ text }) => {
    const { params } = text ? JSON.parse(text) : {};
    if (params) told.get(params.subscription).push(params.result);
  };

  // The transactions of the first two contracts that each client receives, with a minus if removed by a reorg.
  const heard = { ethers: new Inbox("ethers"), viem: new Inbox("viem"), web3: new Inbox("web3.js"), cpp: new Inbox("C++") };
  const entry = ({ transactionHash, removed }) => `${removed ? "-" : ""}${transactionHash}`;
  const provider = new WebSocketProvider(fanfare.ws);
  atEnd(t, () => provider.destroy());
  await provider.getNetwork(); // ethers fails if a log arrives before it knows its chain
  await provider.on({ address: two }, (log) => {
    heard.ethers.push(entry(log));
    provider.on({ orphan: "drop-log", log: { ...log.toJSON(), removed: true } }, (gone) => heard.ethers.push(entry(gone)));
  });
  const client = createPublicClient({ transport: webSocket(fanfare.ws, { reconnect: false }) });
  atEnd(t, async () => (await client.transport.getRpcClient()).close());
  atEnd(t, client.watchEvent({ address: two, onLogs: (logs) => logs.forEach((log) => heard.viem.push(entry(log))), onError: (error) => heard.viem.end(error.message) }));
  const web3 = new Web3(fanfare.ws);
  atEnd(t, () => web3.provider.disconnect());
  (await web3.eth.subscribe("logs", { address: two })).on("data", (log) => heard.web3.push(entry(log)));
  const program = startFor(t, "resume", EXAMPLE, [fanfare.ws, `"logs",{"address":${JSON.stringify(two)}}`]);
  await program.line(/"live"/);
  program.lines.push = (line) => {
    const { params } = line.startsWith("{") ? JSON.parse(line) : {};
    if (params?.result) heard.cpp.push(entry(params.result));
  };
  // viem and ethers subscribe asynchronously: wait for our own subscriptions and theirs.
  await until("everybody has subscribed", async () => {
    const metrics = await (await fetch(`${fanfare.http.replace(/(:\d+).*$/, "$1")}/metrics`)).text();
    return Number(/fanfare_subscriptions\{[^}]*type="logs"[^}]*\} (\d+)/.exec(metrics)?.[1]) === filters.length + 4;
  });

  const expected = []; // transactions of the first two contracts
  const all = async (what) => {
    for (const inbox of Object.values(heard)) {
      const items = await inbox.atLeast(expected.length);
      assert.deepEqual(items, expected, `${inbox.name} after ${what}`);
    }
  };
  const block = async (...calls) => {
    const hashes = [];
    for (const [contract, receiver] of calls) hashes.push(await emit(contract, receiver));
    await until("they are pending", () => hashes.every((hash) => told.get(pending).includes(hash)));
    await anvil.ask("evm_mine");
    const number = await anvil.ask("eth_blockNumber");
    const logs = await anvil.ask("eth_getLogs", [{ fromBlock: number, toBlock: number, address: two }]);
    expected.push(...logs.map(entry));
    return logs;
  };
  const first = Number(await anvil.ask("eth_blockNumber")) + 1;
  await block([0, 1], [1, 2], [2, 1]);
  await block([0, 2], [2, 3], [1, 1]);
  await all("two blocks");
  // Every filter receives the complete logs that the node itself answers.
  for (const [i, filter] of filters.entries()) {
    const logs = await anvil.ask("eth_getLogs", [{ ...filter, fromBlock: `0x${first.toString(16)}`, toBlock: "latest" }]);
    await until(`filter ${i}`, () => told.get(ids[i]).length >= logs.length);
    assert.ok(logs.every(({ blockTimestamp }) => blockTimestamp), "a member that is anvil's own addition stays");
    const wanted = logs;
    assert.deepEqual(told.get(ids[i]), wanted, JSON.stringify(filter));
  }

  // A reorg made by the node; its blocks have no transactions.
  expected.push(...expected.slice(-2).reverse().map((one) => `-${one}`));
  await anvil.ask("anvil_reorg", [1, []]);
  await all("anvil_reorg");
  // A reorg that the gateway cannot see before the next block exists.
  const snapshot = await anvil.ask("evm_snapshot");
  const gone = await block([1, 3], [0, 3]);
  await all("a block more");
  assert.equal(await anvil.ask("evm_revert", [snapshot]), true);
  await anvil.ask("evm_mine");
  expected.push(...gone.map(entry).reverse().map((one) => `-${one}`));
  await all("evm_revert");
});
