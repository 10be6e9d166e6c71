// Heads depend neither on clients' calls nor on a node's handling of logs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { atEnd } from "./support/cleanup.js";
import { call, metric, metricIs, startDevChain, startFanfare, writeConfig } from "./support/fanfare.js";
import { assertConsecutive } from "./support/heads.js";
import { NodeProxy } from "./support/node_proxy.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const result = (id, value) => JSON.stringify({ jsonrpc: "2.0", id, result: value });
const error = (id, code, message) => JSON.stringify({ jsonrpc: "2.0", id, error: { code, message } });

async function start(t, answer, limits = "") {
  const chain = await startDevChain(t, ["--dev-block-time", "200ms"]);
  const node = await NodeProxy.start(t, chain.http, { answer });
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, `
logLevel: info
server: { httpPort: 0 }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1337, pollIntervalMin: 50ms, pollIntervalMax: 100ms } }]
    upstreams: [{ id: node, endpoint: "${node.url}", timeout: 60s${limits} }]
`)]);
  return { chain, node, fanfare };
}

async function subscribe(t, fanfare, ...params) {
  const raw = await RawSocket.open(fanfare.ws);
  atEnd(t, () => raw.destroy());
  const id = await raw.subscribe(...params);
  const told = [];
  const ended = (async () => {
    for (;;) {
      const message = await raw.json((one) => one.params?.subscription === id).catch(() => null);
      if (!message) return;
      told.push(message.params.result);
    }
  })();
  return { raw, told, ended };
}

test("reads that a node never answers hold back neither heads nor other clients, and the node is not blamed", async (t) => {
  const held = [];
  const { node, fanfare } = await start(t, (asked, respond) => {
    if (asked.method !== "eth_getLogs" || !asked.params[0].fromBlock) return false;
    held.push(() => respond(200, result(asked.id, [])));
    return true;
  }, ", connectionsMax: 8, queuedCallsMax: 300, queuedCallsPerClientMax: 200");
  const heads = await subscribe(t, fanfare, "newHeads");
  // One client sends more slow reads than its share of the connections: six at the node, 200 waiting.
  const slow = await RawSocket.open(fanfare.ws);
  atEnd(t, () => slow.destroy());
  const query = (id) => ({ jsonrpc: "2.0", id, method: "eth_getLogs", params: [{ fromBlock: "0x1", toBlock: "0x1", address: `0x${id.toString(16).padStart(40, "0")}` }] });
  for (let id = 1; id <= 207; ++id) slow.sendJson(query(id));
  const refused = await slow.json(({ id }) => id === 207);
  assert.equal(refused.error.code, -32005);
  assert.match(refused.error.message, /the gateway's queue/);
  await until("a quarter of the connections is left to others", () => held.length === 6);
  // Heads and other clients continue.
  const from = heads.told.length;
  await until("ten heads", () => heads.told.length >= from + 10);
  assertConsecutive(heads.told);
  const other = await RawSocket.open(fanfare.ws);
  atEnd(t, () => other.destroy());
  assert.equal((await other.ask("eth_getBlockByNumber", ["0x1", false])).result.number, "0x1");
  assert.equal(held.length, 6);
  await metricIs(1, fanfare, "fanfare_upstream_available");
  // The other calls get their turn when the node answers again.
  const answering = setInterval(() => held.splice(0).forEach((answer) => answer()), 20);
  atEnd(t, () => clearInterval(answering));
  assert.deepEqual((await slow.json(({ id }) => id === 206)).result, []);
  assert.ok(node.count("eth_getLogs") >= 206);
});

test("a node that rejects blockHash holds no head back, and its logs are told by another way", async (t) => {
  const { fanfare } = await start(t, (asked, respond) => {
    if (asked.method !== "eth_getLogs" || !asked.params[0].blockHash) return false;
    respond(200, error(asked.id, -32602, "blockHash is not supported"));
    return true;
  });
  const heads = await subscribe(t, fanfare, "newHeads");
  const logs = await subscribe(t, fanfare, "logs", {});
  await until("ten heads and logs", () => heads.told.length >= 10 && logs.told.length >= 10);
  assertConsecutive(heads.told);
  assert.equal(await metric(fanfare, "fanfare_head_gaps_total"), 0);
});

test("logs that no way brings end the subscriptions to logs only, and heads go on whoever subscribes again", async (t) => {
  const { fanfare } = await start(t, (asked, respond) => {
    if (!["eth_getLogs", "eth_getBlockReceipts", "eth_getTransactionReceipt"].includes(asked.method)) return false;
    respond(200, error(asked.id, -32602, "not supported"));
    return true;
  });
  const heads = await subscribe(t, fanfare, "newHeads");
  const begun = heads.told.length;
  const first = await subscribe(t, fanfare, "logs", {});
  const closed = await first.raw.closed();
  assert.equal(closed.close, 1013);
  assert.match(closed.reason, /the logs of block \d+ were missed/);
  // Many heads have arrived meanwhile. A head that waits for its block's logs arrives at once.
  assert.ok(heads.told.length > begun + 10, `${heads.told.length - begun} heads`);
  const again = await subscribe(t, fanfare, "logs", {});
  const from = heads.told.length;
  await until("five heads more", () => heads.told.length >= from + 5);
  assertConsecutive(heads.told);
  assert.equal(again.told.length, 0);
  assert.ok((await metric(fanfare, "fanfare_head_gaps_total")) >= 1);
  assert.equal((await call(fanfare.http, "eth_chainId")), "0x539");
});
