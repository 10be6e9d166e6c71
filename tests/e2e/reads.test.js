// Identical reads are shared, immutable answers are cached, and a stalled node delays no client.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { metric, metricIs, startFanfare, writeConfig } from "./support/fanfare.js";
import { assertConsecutive } from "./support/heads.js";
import { NodeProxy } from "./support/node_proxy.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const configFor = (...urls) => `
logLevel: info
server: { httpPort: 0 }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 31337 } }]
    upstreams:
${urls.map((url, i) => `      - id: node-${i + 1}\n        endpoint: ${url}\n`).join("")}`;

async function open(t, fanfare) {
  const raw = await RawSocket.open(fanfare.ws);
  atEnd(t, () => raw.destroy());
  return raw;
}

test("twenty clients with one question cost one call, and an answer by hash is asked for once", async (t) => {
  const anvil = await startAnvil(t);
  await anvil.ask("anvil_mine", ["0x2"]);
  const held = [];
  const proxy = await NodeProxy.start(t, anvil.url, {
    answer: (asked, respond) => asked.method === "eth_gasPrice" && held.push({ asked, respond }) > 0,
  });
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(proxy.url))]);
  const clients = await Promise.all(Array.from({ length: 20 }, () => open(t, fanfare)));
  const answers = Promise.all(clients.map((raw, i) => raw.ask("eth_gasPrice", [], `id-${i}`)));
  await until("all have asked", async () => (await metric(fanfare, "fanfare_reads_shared_total")) === 19);
  await until("the node was asked", () => held.length > 0);
  assert.equal(held.length, 1);
  held[0].respond(200, JSON.stringify({ jsonrpc: "2.0", id: held[0].asked.id, result: "0x77" }));
  assert.deepEqual(await answers, clients.map((_, i) => ({ jsonrpc: "2.0", id: `id-${i}`, result: "0x77" })));

  const { hash } = await anvil.ask("eth_getBlockByNumber", ["0x1", false]);
  const before = proxy.count("eth_getBlockByHash");
  const first = await clients[0].ask("eth_getBlockByHash", [hash, false], 1);
  const second = await clients[1].ask("eth_getBlockByHash", [hash, false], 1);
  assert.equal(first.result.hash, hash);
  assert.deepEqual(second, first);
  assert.equal(proxy.count("eth_getBlockByHash") - before, 1);
  await metricIs(1, fanfare, "fanfare_cache_hits_total");
  await metricIs(1, fanfare, "fanfare_upstream_calls_total", { upstream: "node-1", method: "eth_gasPrice" });
});

test("the preferred node stands still one block behind: heads go on by the other", async (t) => {
  const anvil = await startAnvil(t);
  let frozen = null; // the head at which it stalls
  const stuck = await NodeProxy.start(t, anvil.url, {
    answer: (asked, respond) => {
      if (frozen === null) return false;
      const reply = (result) => respond(200, JSON.stringify({ jsonrpc: "2.0", id: asked.id, result }));
      if (asked.method === "eth_blockNumber") reply(frozen.number);
      else if (asked.method === "eth_getBlockByNumber" && asked.params[0] === "latest") reply(frozen);
      else if (asked.method === "eth_getBlockByNumber" && BigInt(asked.params[0]) > BigInt(frozen.number)) reply(null);
      else return false;
      return true;
    },
  });
  const well = await NodeProxy.start(t, anvil.url);
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(stuck.url, well.url))]);
  const raw = await open(t, fanfare);
  const id = await raw.subscribe("newHeads");
  const heads = [];
  const take = async () => heads.push((await raw.json((message) => message.params?.subscription === id)).params.result);
  for (let i = 0; i < 3; ++i) {
    await anvil.ask("anvil_mine", ["0x1"]);
    await take();
  }
  frozen = await anvil.ask("eth_getBlockByNumber", ["latest", false]);
  for (let i = 0; i < 5; ++i) {
    await anvil.ask("anvil_mine", ["0x1"]);
    await take();
  }
  assertConsecutive(heads);
  assert.equal(heads.length, 8);
  assert.ok((await metric(fanfare, "fanfare_upstream_stalls_total", { upstream: "node-1" })) >= 1);
  await fanfare.program.line(/upstream_stalled endpoint=node-1/);
});
