// A node behind WebSocket: the same events as with polling, calls over the same connection, and restarts.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { metric, startFanfare, temporaryFolder, untilReady, writeConfig } from "./support/fanfare.js";
import { assertConsecutive, assertHeadIsBlock } from "./support/heads.js";
import { RawSocket } from "./support/raw_socket.js";

const FROM = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"; // anvil's first account
const EMITTER = // emits Transfer(caller, to, value) of its calldata's two words
  "0x6031600c60003960316000f3602035600052600035337fddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef60206000a300";
const word = (n) => n.toString(16).padStart(64, "0");

// Subscribes to everything that is identified by hashes only, so that two subscribers can be compared.
class Listener {
  static async of(t, fanfare) {
    const listener = new Listener();
    listener.raw = await RawSocket.open(fanfare.ws);
    atEnd(t, () => listener.raw.destroy());
    listener.heads = await listener.raw.subscribe("newHeads");
    listener.logs = await listener.raw.subscribe("logs", {});
    listener.pending = await listener.raw.subscribe("newPendingTransactions");
    return listener;
  }

  async next(id) {
    return (await this.raw.json((message) => message.params?.subscription === id)).params.result;
  }

  async take(id, count) {
    const some = [];
    while (some.length < count) some.push(await this.next(id));
    return some;
  }
}

const behind = (t, anvil, scheme) => {
  const url = anvil.url.replace("http", scheme);
  return startFanfare(t, ["--config", writeConfig(t, `
logLevel: info
server: { httpPort: 0 }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 31337 } }]
    upstreams: [{ id: node, endpoint: "${url}" }]
`)]);
};

test("over WebSocket and by polling: the same heads, logs, reorgs and pending transactions", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  const gateways = [await behind(t, anvil, "http"), await behind(t, anvil, "ws")];
  const listeners = await Promise.all(gateways.map((gateway) => Listener.of(t, gateway)));
  const both = async (what) => {
    const [polled, told] = await Promise.all(listeners.map(what));
    assert.deepEqual(told, polled);
    return told;
  };

  const deployed = await anvil.ask("eth_sendTransaction", [{ from: FROM, data: EMITTER }]);
  assert.deepEqual(await both((one) => one.take(one.pending, 1)), [deployed]);
  await anvil.ask("evm_mine");
  const [head] = await both((one) => one.take(one.heads, 1));
  await assertHeadIsBlock(head, anvil.ask);
  const { contractAddress: to } = await anvil.ask("eth_getTransactionReceipt", [deployed]);

  const sent = [];
  for (let i = 1; i <= 3; ++i) sent.push(await anvil.ask("eth_sendTransaction", [{ from: FROM, to, data: `0x${word(i)}${word(i)}` }]));
  assert.deepEqual((await both(async (one) => (await one.take(one.pending, 3)).sort())), [...sent].sort());
  await anvil.ask("evm_mine");
  await both((one) => one.take(one.heads, 1));
  const logs = await both((one) => one.take(one.logs, 3));
  assert.deepEqual(logs.map(({ removed }) => removed), [false, false, false]);

  await anvil.ask("anvil_mine", ["0x5"]);
  assertConsecutive(await both((one) => one.take(one.heads, 5)));
  await anvil.ask("anvil_reorg", [7, []]);
  const branch = await both((one) => one.take(one.heads, 7));
  assertConsecutive(branch);
  const removed = await both((one) => one.take(one.logs, 3));
  assert.deepEqual(removed, logs.map((log) => ({ ...log, removed: true })).reverse());

  // Calls use the same connection, and keep their ids.
  const [http, ws] = await Promise.all(listeners.map((one) => one.raw.ask("eth_getBlockByNumber", ["latest", true], "x-1")));
  assert.deepEqual(ws, http);
  const post = async (gateway) => (await fetch(gateway.http, {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify([{ jsonrpc: "2.0", id: 1, method: "eth_chainId" }, { jsonrpc: "2.0", id: 1, method: "eth_nothing" }]),
  })).json();
  const batch = await post(gateways[1]);
  assert.deepEqual(batch.map(({ id, result, error }) => [id, result, typeof error?.code]), [[1, "0x7a69", "undefined"], [1, undefined, "number"]]);
});

test("a node behind WebSocket is killed and comes back: no head missing, none twice", async (t) => {
  const state = ["--state", path.join(temporaryFolder(t), "state.json")];
  let anvil = await startAnvil(t, state);
  const fanfare = await behind(t, anvil, "ws");
  const raw = await RawSocket.open(fanfare.ws);
  atEnd(t, () => raw.destroy());
  const id = await raw.subscribe("newHeads");
  const heads = [];
  const take = async (count) => {
    for (let i = 0; i < count; ++i) heads.push((await raw.json((message) => message.params?.subscription === id)).params.result);
  };
  await anvil.ask("anvil_mine", ["0x3"]);
  await take(3);
  for (let round = 0; round < 2; ++round) {
    await anvil.program.stop("SIGTERM"); // it saves its state on exit
    await untilReady(fanfare, 503);
    assert.equal((await raw.ask("eth_getBalance", [FROM, "latest"])).error.code, -32603);
    anvil = await startAnvil(t, state, { port: anvil.port });
    await anvil.ask("anvil_mine", ["0x3"]);
    await take(3);
    await untilReady(fanfare);
  }
  assertConsecutive(heads);
  assert.deepEqual(heads.map(({ number }) => Number(number)), Array.from({ length: 9 }, (_, i) => i + 1));
  assert.ok((await raw.ask("eth_getBalance", [FROM, "latest"])).result);
  assert.equal(await metric(fanfare, "fanfare_head_gaps_total"), 0);
});
