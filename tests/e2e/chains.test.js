// Nodes of other chains are never used, even if all nodes of the right chain fail.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { call, metric, metricIs, readiness, startFanfare, untilReady, writeConfig } from "./support/fanfare.js";
import { NodeProxy } from "./support/node_proxy.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const configFor = (chainId, ...urls) => `
logLevel: info
server:
  httpPort: 0
projects:
  - id: main
    networks:
      - architecture: evm
        evm: { chainId: ${chainId}, pollIntervalMin: 50ms, pollIntervalMax: 100ms, chainCheckInterval: 1s }
    upstreams:
${urls.map((url, i) => `      - id: node-${i + 1}\n        endpoint: ${url}\n        timeout: 1s\n`).join("")}`;

const SEND = [{ from: "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266", to: "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266" }];
const overWebSocket = (url) => url.replace("http:", "ws:");

for (const [kind, address] of [["HTTP", (url) => url], ["WebSocket", overWebSocket]]) {
  test(`a second node of another chain is not used when the first has died (${kind})`, async (t) => {
    const right = await startAnvil(t, ["--chain-id", "1"]);
    const wrong = await startAnvil(t, ["--chain-id", "2"]);
    await wrong.ask("anvil_mine", ["0x64"]);
    const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(1, address(right.url), address(wrong.url)))]);
    const raw = await RawSocket.open(fanfare.ws);
    atEnd(t, () => raw.destroy());
    const id = await raw.subscribe("newHeads");
    assert.equal(await call(fanfare.http, "eth_chainId"), "0x1");
    const isTold = async () => /node-2 is not used: the node is on chain 2, the network is chain 1/.test((await readiness(fanfare)).text);
    await until("/readyz names the wrong node", isTold);
    assert.equal((await readiness(fanfare)).status, 200);
    await metricIs(1, fanfare, "fanfare_upstream_wrong_chain", { upstream: "node-2" });
    assert.equal(await metric(fanfare, "fanfare_upstream_wrong_chain", { upstream: "node-1" }), 0);

    await right.program.stop("SIGKILL");
    await untilReady(fanfare, 503);
    for (const [method, params] of [["eth_chainId", []], ["eth_blockNumber", []], ["eth_sendTransaction", SEND]]) {
      await assert.rejects(call(fanfare.http, method, params), { code: -32603 }, method);
    }
    assert.equal(await wrong.ask("eth_getTransactionCount", [SEND[0].from, "latest"]), "0x0");
    const heads = raw.frames.items.filter(({ text }) => text?.includes(id));
    assert.deepEqual(heads, []);
    const errors = fanfare.program.lines.items.filter((line) => /error +upstream_on_wrong_chain endpoint=node-2/.test(line));
    assert.equal(errors.length, 1);
  });

  test(`a node restarted as another chain is not used until it is back on the right one (${kind})`, async (t) => {
    let anvil = await startAnvil(t, ["--chain-id", "1", "--timestamp", "1700000000"]);
    const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(1, address(anvil.url)))]);
    const raw = await RawSocket.open(fanfare.ws);
    atEnd(t, () => raw.destroy());
    const id = await raw.subscribe("newHeads");
    await anvil.program.stop("SIGKILL");
    anvil = await startAnvil(t, ["--chain-id", "2", "--block-time", "0.1"], { port: anvil.port });
    await fanfare.program.line(/error +upstream_on_wrong_chain endpoint=node-1/);
    await untilReady(fanfare, 503);
    await assert.rejects(call(fanfare.http, "eth_chainId"), { code: -32603 });
    await assert.rejects(call(fanfare.http, "eth_sendTransaction", SEND), { code: -32603 });
    assert.equal(await anvil.ask("eth_getTransactionCount", [SEND[0].from, "pending"]), "0x0");
    assert.deepEqual(raw.frames.items.filter(({ text }) => text?.includes(id)), []);

    await anvil.program.stop("SIGKILL");
    anvil = await startAnvil(t, ["--chain-id", "1", "--timestamp", "1700000000"], { port: anvil.port });
    await untilReady(fanfare);
    await anvil.ask("anvil_mine", ["0x1"]);
    const { params: { result: head } } = await raw.json((message) => message.params?.subscription === id);
    assert.equal(head.hash, (await anvil.ask("eth_getBlockByNumber", ["0x1", false])).hash);
    assert.equal(await call(fanfare.http, "eth_chainId"), "0x1");
  });
}

test("what a node said before it was found on another chain is not kept", async (t) => {
  const right = await startAnvil(t, ["--chain-id", "1", "--timestamp", "1700000000"]);
  const wrong = await startAnvil(t, ["--chain-id", "2", "--timestamp", "1800000000"]);
  for (const anvil of [right, wrong]) await anvil.ask("anvil_mine", ["0x64"]);
  // The proxy serves the other chain: at first only for one block, so that this is not detected yet.
  let stage = "hidden";
  const proxy = await NodeProxy.start(t, right.url, {
    answer: (asked, respond) => {
      const { id, method, params } = asked;
      if (stage === "hidden" && method === "eth_getBlockByNumber" && params[0] === "0x5") {
        wrong.ask(method, params).then((result) => respond(200, JSON.stringify({ jsonrpc: "2.0", id, result })));
        return true;
      }
      if (stage === "found" && method === "eth_chainId") return respond(200, JSON.stringify({ jsonrpc: "2.0", id, result: "0x2" })), true;
      return false;
    },
  });
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(1, proxy.url))]);
  const block = async () => (await call(fanfare.http, "eth_getBlockByNumber", ["0x5", false])).hash;
  const [ours, theirs] = await Promise.all([right, wrong].map(async (anvil) => (await anvil.ask("eth_getBlockByNumber", ["0x5", false])).hash));
  // Once the block is known to be final it is served from the cache, and the node is not asked again.
  await until("it is kept", async () => {
    const before = proxy.count("eth_getBlockByNumber");
    assert.equal(await block(), theirs);
    return proxy.count("eth_getBlockByNumber") === before;
  });

  stage = "found";
  await untilReady(fanfare, 503);
  stage = "right";
  await untilReady(fanfare);
  assert.equal(await block(), ours);
});

test("two chains with the same id are told apart by their genesis", async (t) => {
  const right = await startAnvil(t, ["--chain-id", "1", "--timestamp", "1700000000"]);
  const wrong = await startAnvil(t, ["--chain-id", "1", "--timestamp", "1800000000"]);
  await wrong.ask("anvil_mine", ["0x64"]);
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(1, right.url, wrong.url))]);
  await fanfare.program.line(/error +upstream_on_wrong_chain endpoint=node-2/);
  await right.program.stop("SIGKILL");
  await untilReady(fanfare, 503);
  await assert.rejects(call(fanfare.http, "eth_blockNumber"), { code: -32603 });
});
