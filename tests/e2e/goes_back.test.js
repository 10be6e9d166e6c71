// A chain that goes back: evm_revert, or a node restarted from an older state. No call waits for blocks that no
// longer exist.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { call, metric, startFanfare, temporaryFolder, untilReady } from "./support/fanfare.js";
import { NodeProxy } from "./support/node_proxy.js";
import { RawSocket } from "./support/raw_socket.js";
import { until, within } from "./support/waiting.js";

const FROM = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
// Far less than the 30 s limit of a call, and far more than an answer takes.
const AT_ONCE_MS = 10_000;

async function subscribed(t, fanfare) {
  const raw = await RawSocket.open(fanfare.ws);
  atEnd(t, () => raw.destroy());
  const id = await raw.subscribe("newHeads");
  raw.head = async () => (await raw.json((message) => message.params?.subscription === id)).params.result;
  return raw;
}

// Waits until the gateway knows the new head, that is, until it has polled the newest block twice.
async function untilPolled(fanfare) {
  const polls = () => metric(fanfare, "fanfare_upstream_calls_total", { method: "eth_getBlockByNumber" });
  const before = await polls();
  await until("two more polls", async () => (await polls()) >= before + 2);
}

// Sends each call over HTTP, and over the WebSocket that has seen the removed blocks.
async function everythingAnswersAtOnce(fanfare, raw) {
  const calls = [
    ["eth_chainId", []],
    ["eth_blockNumber", []],
    ["eth_getBalance", [FROM, "latest"]],
    ["eth_getBlockByNumber", ["latest", false]],
    ["eth_getLogs", [{ fromBlock: "0x0", toBlock: "latest" }]],
    ["evm_snapshot", []],
    ["eth_sendTransaction", [{ from: FROM, to: FROM }]],
  ];
  for (const [method, params] of calls) {
    await within(`${method} over HTTP`, call(fanfare.http, method, params), AT_ONCE_MS);
    const { error } = await within(`${method} over WebSocket`, raw.ask(method, params), AT_ONCE_MS);
    assert.equal(error, undefined, method);
  }
}

test("evm_revert: every call is answered at once, and the next block is told", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  const fanfare = await startFanfare(t, ["--upstream", anvil.url]);
  const raw = await subscribed(t, fanfare);
  const snapshot = await anvil.ask("evm_snapshot");
  for (let i = 1; i <= 4; ++i) {
    await anvil.ask("evm_mine");
    assert.equal(Number((await raw.head()).number), i);
  }
  assert.equal(await call(fanfare.http, "evm_revert", [snapshot]), true);
  await untilPolled(fanfare);
  await everythingAnswersAtOnce(fanfare, raw);
  assert.equal(await call(fanfare.http, "eth_blockNumber"), "0x0");
  await call(fanfare.http, "evm_mine");
  const head = await raw.head();
  assert.equal(head.hash, (await anvil.ask("eth_getBlockByNumber", ["0x1", false])).hash);
  await everythingAnswersAtOnce(fanfare, raw);
});

test("two nodes in front of a chain that goes back", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  const [first, second] = [await NodeProxy.start(t, anvil.url), await NodeProxy.start(t, anvil.url)];
  const fanfare = await startFanfare(t, ["--upstream", first.url, "--upstream", second.url]);
  const raw = await subscribed(t, fanfare);
  const snapshot = await anvil.ask("evm_snapshot");
  for (let i = 1; i <= 4; ++i) {
    await anvil.ask("evm_mine");
    assert.equal(Number((await raw.head()).number), i);
  }
  await anvil.ask("evm_revert", [snapshot]);
  await untilPolled(fanfare);
  await everythingAnswersAtOnce(fanfare, raw);
});

test("a node restarted from an older state", async (t) => {
  const state = path.join(temporaryFolder(t), "state.json");
  let anvil = await startAnvil(t, ["--no-mining", "--state", state]);
  await anvil.ask("anvil_mine", ["0x2"]);
  await anvil.program.stop("SIGTERM"); // writes block 2
  anvil = await startAnvil(t, ["--no-mining", "--load-state", state], { port: anvil.port });
  const fanfare = await startFanfare(t, ["--upstream", anvil.url]);
  const raw = await subscribed(t, fanfare);
  await anvil.ask("anvil_mine", ["0x4"]);
  for (let i = 3; i <= 6; ++i) assert.equal(Number((await raw.head()).number), i);
  await anvil.program.stop("SIGKILL");
  await untilReady(fanfare, 503);
  anvil = await startAnvil(t, ["--no-mining", "--load-state", state], { port: anvil.port });
  await untilReady(fanfare);
  await everythingAnswersAtOnce(fanfare, raw);
  await until("the node's own head", async () => (await call(fanfare.http, "eth_blockNumber")) === "0x2");
});

test("a failed first node and a dead second one: calls fail at once", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  const gone = await NodeProxy.start(t, anvil.url);
  await gone.stop();
  const fanfare = await startFanfare(t, ["--upstream", anvil.url, "--upstream", gone.url]);
  const raw = await subscribed(t, fanfare);
  await anvil.ask("anvil_mine", ["0x2"]);
  for (let i = 1; i <= 2; ++i) await raw.head();
  await anvil.program.stop("SIGKILL");
  await untilReady(fanfare, 503);
  for (const method of ["eth_blockNumber", "eth_chainId", "eth_sendRawTransaction"]) {
    const { error } = await within(method, raw.ask(method, []), AT_ONCE_MS);
    assert.equal(error.code, -32603, method);
  }
});
