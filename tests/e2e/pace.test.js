// Slowness means lack of progress, not size. Answers are sent as fast as the client reads them, and a client that
// reads nothing is closed.
// Runs alone: its clients read at a set speed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { metric, startFanfare, writeConfig } from "./support/fanfare.js";
import { NodeProxy } from "./support/node_proxy.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const MiB = 1024 * 1024;

// debug_getRawBlock takes a number of MiB and returns an answer of that size.
async function start(t, { slowTimeout = "10s" } = {}) {
  const anvil = await startAnvil(t);
  const node = await NodeProxy.start(t, anvil.url, {
    answer: (asked, respond) => {
      if (asked.method !== "debug_getRawBlock") return false;
      respond(200, `{"jsonrpc":"2.0","id":${asked.id},"result":"0x${"00".repeat((Number(asked.params[0]) * MiB) / 2)}"}`);
      return true;
    },
  });
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, `
logLevel: info
server:
  httpPort: 0
  websocket: { slowTimeout: ${slowTimeout} }
projects:
  - id: main
    networks:
      - architecture: evm
        evm: { chainId: 31337, pollIntervalMax: 200ms, hedgeAfter: 0s }
    upstreams:
      - id: node
        endpoint: ${node.url}
`)]);
  const raw = await RawSocket.open(fanfare.ws);
  atEnd(t, () => raw.destroy());
  return { anvil, fanfare, raw };
}

const closes = (fanfare) => metric(fanfare, "fanfare_slow_consumer_closes_total");

test("a block with 8,000 logs reaches a client that reads", async (t) => {
  const { anvil, fanfare, raw } = await start(t);
  // A contract that emits the number of logs given by its argument.
  const [from] = await anvil.ask("eth_accounts");
  const code = "0x6014600c60003960146000f3" + "6000355b6001900360016020" + "6000a1806003" + "5700";
  const hash = await anvil.ask("eth_sendTransaction", [{ from, data: code, gas: "0x100000" }]);
  const { contractAddress } = await until("the contract", () => anvil.ask("eth_getTransactionReceipt", [hash]));
  await raw.subscribe("newHeads");
  const logs = await raw.subscribe("logs", { address: contractAddress });
  const count = 8000;
  await anvil.ask("eth_sendTransaction", [{ from, to: contractAddress, gas: "0x1c00000", data: `0x${count.toString(16).padStart(64, "0")}` }]);
  await until("all logs", () => raw.frames.items.filter(({ text }) => text?.includes(logs) && text.includes('"logIndex"')).length === count);
  // A busy machine may refuse calls as overload for a moment.
  assert.equal(await until("an answer", async () => (await raw.ask("eth_chainId")).result), "0x7a69");
  assert.equal(await closes(fanfare), 0);
});

test("ten parallel answers of 3 MiB all come", async (t) => {
  const { fanfare, raw } = await start(t);
  for (let id = 1; id <= 10; ++id) raw.sendJson({ jsonrpc: "2.0", id, method: "debug_getRawBlock", params: [3, id] });
  const sizes = [];
  for (let i = 0; i < 10; ++i) sizes.push((await raw.text((text) => text.includes("result"))).length);
  for (const size of sizes) assert.ok(size > 3 * MiB);
  assert.equal(await closes(fanfare), 0);
  await until("nothing is held", async () => (await metric(fanfare, "fanfare_held_bytes")) === 0);
});

test("heads come beside a large answer to a client that reads it slowly", async (t) => {
  const { anvil, fanfare, raw } = await start(t, { slowTimeout: "1s" });
  const heads = await raw.subscribe("newHeads");
  // About 4 MB/s, reading a part and then pausing, for longer than slowTimeout.
  const pace = setInterval(() => {
    raw.readAgain();
    raw.socket.once("data", () => raw.stopReading());
  }, 15);
  atEnd(t, () => clearInterval(pace));
  raw.sendJson({ jsonrpc: "2.0", id: 1, method: "debug_getRawBlock", params: [20] });
  await until("the answer is on its way", () => raw.bytesReceived > MiB);
  for (let i = 0; i < 5; ++i) await anvil.ask("evm_mine");
  await raw.text((text) => text.length > 20 * MiB);
  clearInterval(pace);
  raw.readAgain();
  const numbers = [];
  while (numbers.at(-1) !== 5) numbers.push(Number((await raw.json(({ params }) => params?.subscription === heads)).params.result.number));
  assert.deepEqual(numbers, [1, 2, 3, 4, 5]);
  assert.equal(await closes(fanfare), 0);
});

test("a client that takes nothing is closed after slowTimeout, with the answers that waited for it", async (t) => {
  const { fanfare, raw } = await start(t, { slowTimeout: "1s" });
  raw.stopReading();
  for (let id = 1; id <= 10; ++id) raw.sendJson({ jsonrpc: "2.0", id, method: "debug_getRawBlock", params: [8, id] });
  await until("answers wait", async () => (await metric(fanfare, "fanfare_held_bytes")) > 16 * MiB);
  await until("it is closed", async () => (await closes(fanfare)) === 1);
  await until("nothing is held", async () => (await metric(fanfare, "fanfare_held_bytes")) === 0);
  await fanfare.program.line(/ slow_consumer_closed network=main\/31337/);
});

test("a client that is behind is not read while answers wait, and goes on where it was", async (t) => {
  const { fanfare, raw } = await start(t, { slowTimeout: "1h" });
  raw.stopReading();
  raw.socket.cork(); // all three are asked for before the first answer comes
  raw.sendJson({ jsonrpc: "2.0", id: 1, method: "debug_getRawBlock", params: [16] });
  for (let id = 2; id <= 3; ++id) raw.sendJson({ jsonrpc: "2.0", id, method: "debug_getRawBlock", params: [1, id] });
  raw.socket.uncork();
  await until("an answer waits", async () => (await metric(fanfare, "fanfare_held_bytes")) > 15 * MiB);
  for (let id = 4; id <= 200; ++id) raw.sendJson({ jsonrpc: "2.0", id, method: "eth_chainId" });
  raw.readAgain();
  for (let id = 4; id <= 200; ++id) assert.equal((await raw.json((message) => message.id === id)).result, "0x7a69");
  assert.equal(await closes(fanfare), 0);
});
