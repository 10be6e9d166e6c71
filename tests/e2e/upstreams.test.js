// Misbehaving nodes, and two nodes that do not agree yet.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { BINARY, metric, startFanfare, writeConfig } from "./support/fanfare.js";
import { assertConsecutive } from "./support/heads.js";
import { NodeProxy } from "./support/node_proxy.js";
import { startFor } from "./support/processes.js";
import { RawSocket } from "./support/raw_socket.js";

const configFor = (...urls) => `
logLevel: info
server:
  httpPort: 0
projects:
  - id: main
    networks:
      - architecture: evm
        evm: { chainId: 31337 }
    upstreams:
${urls.map((url, i) => `      - id: node-${i + 1}\n        endpoint: ${url}\n        timeout: 1s\n`).join("")}`;

async function open(t, fanfare) {
  const raw = await RawSocket.open(fanfare.ws);
  atEnd(t, () => raw.destroy());
  return raw;
}

test("what a node does wrong has its own error, and what it says comes through untouched", async (t) => {
  const anvil = await startAnvil(t);
  const answers = {
    test_silent: () => {},
    test_broken: (respond) => respond(200, "<html>"),
    test_gateway: (respond) => respond(502, "bad gateway"),
    test_exact: (respond, id) => respond(200, `{"id":${id},"jsonrpc":"2.0","result":{"n":9007199254740993,"x":1.0,"s":"\\u00e9\\/"}}`),
    test_error: (respond, id) => respond(200, `{"jsonrpc":"2.0","id":${id},"error":{"code":3,"message":"execution reverted","data":"0x08c379a0"}}`),
  };
  const proxy = await NodeProxy.start(t, anvil.url, {
    answer: (asked, respond) => {
      const take = answers[asked.method];
      take?.(respond, asked.id);
      return take !== undefined;
    },
  });
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(proxy.url))]);
  const raw = await open(t, fanfare);
  assert.equal((await raw.ask("test_silent")).error.code, -32002);
  assert.equal((await raw.ask("test_broken")).error.code, -32603);
  assert.equal((await raw.ask("test_gateway")).error.code, -32603);
  assert.deepEqual((await raw.ask("test_error")).error, { code: 3, message: "execution reverted", data: "0x08c379a0" });
  raw.sendJson('{"jsonrpc":"2.0","id":9007199254740993,"method":"test_exact"}');
  const exact = await raw.text();
  assert.ok(exact.includes('"id":9007199254740993') && exact.includes('{"n":9007199254740993,"x":1.0,"s":"\\u00e9\\/"}'), exact);
});

test("a node that lags never answers from below the head that was shown", async (t) => {
  const anvil = await startAnvil(t);
  const lagging = 0; // the head of the second node
  const ahead = await NodeProxy.start(t, anvil.url);
  const behind = await NodeProxy.start(t, anvil.url, {
    answer: (asked, respond) => {
      const reply = (result) => respond(200, JSON.stringify({ jsonrpc: "2.0", id: asked.id, result }));
      const newest = `0x${lagging.toString(16)}`;
      if (asked.method === "eth_blockNumber") reply(newest);
      else if (asked.method !== "eth_getBlockByNumber") return false;
      else if (asked.params[0] === "latest") anvil.ask(asked.method, [newest, asked.params[1]]).then(reply);
      else if (Number(asked.params[0]) > lagging) reply(null);
      else return false;
      return true;
    },
  });
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(ahead.url, behind.url))]);
  const raw = await open(t, fanfare);
  const id = await raw.subscribe("newHeads");
  for (let i = 0; i < 10; ++i) {
    await anvil.ask("anvil_mine", ["0x1"]);
    const { params: { result: head } } = await raw.json((message) => message.params?.subscription === id);
    const block = await raw.ask("eth_getBlockByNumber", [head.number, false]);
    assert.equal(block.result?.hash, head.hash, JSON.stringify(block).slice(0, 200));
    const latest = await raw.ask("eth_blockNumber");
    assert.ok(BigInt(latest.result) >= BigInt(head.number), JSON.stringify(latest));
  }
});

test("the first of two nodes dies: no head missing, none twice, and requests go on", async (t) => {
  const anvil = await startAnvil(t);
  const [first, second] = [await NodeProxy.start(t, anvil.url), await NodeProxy.start(t, anvil.url)];
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(first.url, second.url))]);
  const raw = await open(t, fanfare);
  const id = await raw.subscribe("newHeads");
  const heads = [];
  for (let i = 0; i < 20; ++i) {
    if (i === 10) await first.stop();
    await anvil.ask("anvil_mine", ["0x2"]);
    for (let k = 0; k < 2; ++k) heads.push((await raw.json((message) => message.params?.subscription === id)).params.result);
    assert.equal((await raw.ask("eth_getBalance", [`0x${"11".repeat(20)}`, "latest"])).result, "0x0");
  }
  assertConsecutive(heads);
  assert.deepEqual(heads.map(({ number }) => Number(number)), Array.from({ length: 40 }, (_, i) => i + 1));
});

test("without a chain id of ours, the metrics carry the node's", async (t) => {
  const anvil = await startAnvil(t, ["--chain-id", "4242"]);
  const fanfare = await startFanfare(t, ["--upstream", anvil.url]);
  assert.equal(await metric(fanfare, "fanfare_head_number", { chain_id: "4242" }), 0);
  assert.ok((await metric(fanfare, "fanfare_upstream_calls_total", { chain_id: "4242", method: "eth_chainId" })) > 0);
});

test("where metrics are off, nobody is sent to them", async (t) => {
  const anvil = await startAnvil(t);
  const config = writeConfig(t, `metrics: { enabled: false }\n${configFor(anvil.url)}`);
  const program = startFor(t, "fanfare", BINARY, ["serve", "--config", config]);
  const [, health] = await program.line(/^ {2}Health\s+(http:\S+)\/healthz/);
  assert.equal((await fetch(`${health}/metrics`)).status, 404);
  assert.doesNotMatch(program.text, /\/metrics/);
});
