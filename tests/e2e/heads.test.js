// Every client receives every head exactly once, and equal to the node's block, while other clients connect and
// disconnect. With a real node, and with the development chain.

import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocketProvider } from "ethers";
import { createPublicClient, webSocket } from "viem";
import { Web3 } from "web3";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { call, metric, metricIs, startDevChain, startFanfare, writeConfig } from "./support/fanfare.js";
import { assertConsecutive, assertHeadIsBlock } from "./support/heads.js";
import { RawSocket } from "./support/raw_socket.js";
import { Inbox, until } from "./support/waiting.js";

const HEADS = 20;
const VISITORS = 200;

// Each of these subscribes with its library's API and fills `inbox` with {number, hash, parentHash}.

async function ethersHeads(t, url, inbox) {
  const provider = new WebSocketProvider(url);
  atEnd(t, () => provider.destroy());
  // The provider reports only the number, so read the block through it, as its users do.
  let reads = Promise.resolve();
  await provider.on("block", (number) => {
    reads = reads
      .then(() => provider.getBlock(number))
      .then((block) => {
        if (block === null) throw new Error(`getBlock(${number}) after its head: null`);
        inbox.push({ number: block.number, hash: block.hash, parentHash: block.parentHash });
      })
      .catch((error) => inbox.end(error.message));
  });
}

async function viemHeads(t, url, inbox) {
  const client = createPublicClient({ transport: webSocket(url, { reconnect: false }) });
  const stop = client.watchBlocks({
    emitMissed: false,
    onBlock: ({ number, hash, parentHash }) => inbox.push({ number, hash, parentHash }),
    onError: (error) => inbox.end(error.message),
  });
  atEnd(t, async () => {
    stop();
    (await client.transport.getRpcClient()).close();
  });
}

async function web3Heads(t, url, inbox) {
  const web3 = new Web3(url);
  atEnd(t, () => web3.provider.disconnect());
  const subscription = await web3.eth.subscribe("newHeads");
  subscription.on("data", ({ number, hash, parentHash }) => inbox.push({ number, hash, parentHash }));
  subscription.on("error", (error) => inbox.end(error.message));
}

async function rawHeads(t, url, inbox) {
  const raw = await RawSocket.open(url);
  atEnd(t, () => raw.destroy());
  const id = await raw.subscribe("newHeads");
  (async () => {
    for (;;) inbox.push((await raw.json((message) => message.params?.subscription === id)).params.result);
  })().catch((error) => inbox.end(error.message));
}

const CLIENTS = { ethers: ethersHeads, viem: viemHeads, "web3.js": web3Heads, raw: rawHeads };

// Subscribes, may receive a head, and leaves: with a proper close, or by dropping the connection.
async function visit(url, number) {
  const raw = await RawSocket.open(url);
  try {
    const id = await raw.subscribe("newHeads");
    if (number % 3 === 0) await raw.json((message) => message.params?.subscription === id);
    if (number % 3 === 1) assert.equal((await raw.ask("eth_unsubscribe", [id])).result, true);
    if (number % 2 === 0) await raw.close();
  } finally {
    raw.destroy();
  }
}

async function everyClientSeesEveryHead(t, fanfare, node) {
  const inboxes = Object.entries(CLIENTS).map(([name]) => new Inbox(name));
  await Promise.all(Object.values(CLIENTS).map((subscribe, i) => subscribe(t, fanfare.ws, inboxes[i])));
  const visits = Array.from({ length: VISITORS }, (_, number) => visit(fanfare.ws, number));
  for (const inbox of inboxes) {
    const heads = (await inbox.atLeast(HEADS)).slice(0, HEADS);
    assertConsecutive(heads, inbox.name);
    const asked = await Promise.all(
      heads.map(({ number }) => call(node, "eth_getBlockByNumber", [`0x${BigInt(number).toString(16)}`, false])));
    assert.deepEqual(heads.map(({ hash }) => hash), asked.map(({ hash }) => hash), inbox.name);
    if (inbox.name === "raw") {
      for (const head of heads) await assertHeadIsBlock(head, (method, params) => call(node, method, params));
    }
  }
  await Promise.all(visits);
  assert.ok((await metric(fanfare, "fanfare_websocket_connections_opened_total")) >= VISITORS + inboxes.length);
  // The visitors' connections are gone; the four clients stay.
  await until("the visitors are gone", async () => (await metric(fanfare, "fanfare_websocket_connections")) === inboxes.length);
  await metricIs(inboxes.length, fanfare, "fanfare_subscriptions", { type: "newHeads" });
}

test("20 heads to ethers, viem, web3.js and raw bytes in front of anvil while 200 come and go", async (t) => {
  const anvil = await startAnvil(t, ["--block-time", "0.5"]);
  const fanfare = await startFanfare(t, ["--upstream", anvil.url]);
  await everyClientSeesEveryHead(t, fanfare, anvil.url);
});

test("20 heads to ethers, viem, web3.js and raw bytes on the development chain while 200 come and go", async (t) => {
  const fanfare = await startDevChain(t, ["--dev-block-time", "400ms"]);
  await everyClientSeesEveryHead(t, fanfare, fanfare.http);
});

test("1,000 blocks at once are 1,000 heads in order", async (t) => {
  const anvil = await startAnvil(t);
  const fanfare = await startFanfare(t, ["--upstream", anvil.url]);
  const inbox = new Inbox("raw");
  await rawHeads(t, fanfare.ws, inbox);
  await anvil.ask("anvil_mine", ["0x3e8"]);
  const heads = await inbox.atLeast(1000);
  assertConsecutive(heads);
  assert.equal(Number(heads[0].number), 1);
  assert.equal(Number(heads.at(-1).number), 1000);
  assert.equal(heads.length, 1000);
  for (const head of [heads[0], heads[499], heads[999]]) await assertHeadIsBlock(head, anvil.ask);
  assert.ok((await metric(fanfare, "fanfare_backfilled_blocks_total")) >= 900);
  assert.equal(await metric(fanfare, "fanfare_head_gaps_total"), 0);
});

test("a jump by 1,000 blocks closes no subscriber that reads, however small its outbox", async (t) => {
  const node = await startDevChain(t, ["--dev-block-time", "1h"]);
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, `
server: { httpPort: 0, websocket: { outboxBytesMax: 65536 } }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1337 } }]
    upstreams: [{ id: node, endpoint: "${node.http}" }]
`)]);
  const inboxes = [];
  for (let i = 0; i < 5; i += 1) {
    const inbox = new Inbox();
    await rawHeads(t, fanfare.ws, inbox);
    inboxes.push(inbox);
  }
  await call(node.http, "anvil_mine", ["0x3e8"]);
  for (const inbox of inboxes) {
    const heads = await inbox.atLeast(1000);
    assertConsecutive(heads);
    assert.equal(Number(heads.at(-1).number), 1000);
  }
  assert.equal(await metric(fanfare, "fanfare_slow_consumer_closes_total"), 0);
});
