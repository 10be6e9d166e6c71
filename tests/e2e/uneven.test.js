// Two nodes at different heights, over HTTP; node errors with status 200; refused batches.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startAnvil } from "./support/anvil.js";
import { call, startFanfare, writeConfig } from "./support/fanfare.js";
import { NodeProxy } from "./support/node_proxy.js";
import { until } from "./support/waiting.js";

const FROM = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
const configFor = (...urls) => `
logLevel: info
server: { httpPort: 0 }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 31337, pollIntervalMin: 50ms, pollIntervalMax: 100ms } }]
    upstreams:
${urls.map((url, i) => `      - id: node-${i + 1}\n        endpoint: ${url}\n`).join("")}`;
const start = (t, ...nodes) => startFanfare(t, ["--config", writeConfig(t, configFor(...nodes.map(({ url }) => url)))]);

// A view of the node that ends at block `view.head` (null: no limit), and knows no transactions if `view.blind`.
function viewOf(t, anvil, view) {
  const hex = (number) => `0x${number.toString(16)}`;
  const one = async ({ method, params = [] }) => {
    if (view.head === null) return anvil.ask(method, params);
    const above = (block) => block?.startsWith?.("0x") && Number(block) > view.head;
    if (method === "eth_blockNumber") return hex(view.head);
    if (method === "eth_getBlockByNumber") {
      if (above(params[0])) return null;
      return anvil.ask(method, [params[0] === "latest" ? hex(view.head) : params[0], params[1]]);
    }
    if (method === "eth_getLogs" && params[0]?.toBlock && (above(params[0].toBlock) || params[0].toBlock === "latest")) {
      return anvil.ask(method, [{ ...params[0], toBlock: hex(view.head) }]);
    }
    if (view.blind && method === "eth_getTransactionByHash") return null;
    if (view.blind && method === "eth_getTransactionCount") return anvil.ask(method, [params[0], hex(view.head)]);
    return anvil.ask(method, params);
  };
  return NodeProxy.start(t, anvil.url, {
    answer: (asked, respond) => {
      const answer = (request) => one(request).then(
        (result) => ({ jsonrpc: "2.0", id: request.id, result }),
        (error) => ({ jsonrpc: "2.0", id: request.id, error: { code: error.code, message: error.message } }));
      const all = Array.isArray(asked) ? Promise.all(asked.map(answer)) : answer(asked);
      all.then((json) => respond(200, JSON.stringify(json)));
      return true;
    },
  });
}

test("over HTTP nothing goes back while the nodes take turns in being behind", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  await anvil.ask("anvil_mine", ["0x14"]);
  const views = [{ head: null }, { head: null }];
  const fanfare = await start(t, await viewOf(t, anvil, views[0]), await viewOf(t, anvil, views[1]));
  let shown = 0;
  for (let round = 0; round < 12; ++round) {
    await anvil.ask("anvil_mine", ["0x3"]);
    const height = Number(await anvil.ask("eth_blockNumber"));
    const [behind, ahead] = round % 2 === 0 ? views : [...views].reverse();
    ahead.head = height; // first, so that one node always has the blocks already shown
    behind.head = height - 5;
    for (let i = 0; i < 5; ++i) {
      const number = Number(await call(fanfare.http, "eth_blockNumber"));
      assert.ok(number >= shown, `${number} after ${shown}`);
      shown = number;
      const latest = await call(fanfare.http, "eth_getBlockByNumber", ["latest", false]);
      assert.ok(Number(latest.number) >= shown, `${latest.number} after ${shown}`);
      shown = Number(latest.number);
      const text = `0x${shown.toString(16)}`;
      assert.equal((await call(fanfare.http, "eth_getBlockByNumber", [text, false]))?.number, text);
    }
  }
  assert.equal(shown, Number(await anvil.ask("eth_blockNumber")));
});

test("logs up to a block that was shown are whole", async (t) => {
  const anvil = await startAnvil(t);
  // Emits one log without topics on every call: PUSH1 0 PUSH1 0 LOG0 STOP.
  const address = `0x${"ab".repeat(20)}`;
  await anvil.ask("anvil_setCode", [address, "0x60006000a000"]);
  const views = [{ head: null }, { head: null }];
  const fanfare = await start(t, await viewOf(t, anvil, views[0]), await viewOf(t, anvil, views[1]));
  for (let i = 1; i <= 6; ++i) {
    await anvil.ask("eth_sendTransaction", [{ from: FROM, to: address, gas: "0x30000" }]);
    await until(`block ${i}`, async () => Number(await anvil.ask("eth_blockNumber")) === i);
    views[1].head = i;
    views[0].head = i - 1; // the preferred node
    await until("it is shown", async () => Number(await call(fanfare.http, "eth_blockNumber")) === i);
    const logs = await call(fanfare.http, "eth_getLogs", [{ fromBlock: "0x0", toBlock: `0x${i.toString(16)}` }]);
    assert.equal(logs.length, i);
  }
});

test("what was just sent over HTTP is known and counted, whichever node took it", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  const blind = { head: 0, blind: true };
  let sends = 0;
  const first = await viewOf(t, anvil, blind);
  const second = await NodeProxy.start(t, anvil.url);
  const answer = first.answer;
  first.answer = (asked, respond) => {
    if (asked.method !== "eth_sendTransaction") return answer(asked, respond);
    ++sends;
    respond(403, "{}"); // it refuses all transactions
    return true;
  };
  const fanfare = await start(t, first, second);
  await assert.rejects(call(fanfare.http, "eth_sendTransaction", [{ from: FROM, to: FROM }]));
  assert.equal(sends, 1); // a call that may have been executed is not sent to another node
  // For one second, the node that refused is ranked after the other.
  for (let i = 1; i <= 3; ++i) {
    let hash = null;
    while (hash === null) hash = await call(fanfare.http, "eth_sendTransaction", [{ from: FROM, to: FROM }]).catch(() => null);
    assert.equal((await call(fanfare.http, "eth_getTransactionByHash", [hash]))?.hash, hash);
    const count = await call(fanfare.http, "eth_getTransactionCount", [FROM, "pending"]);
    assert.equal(count, await anvil.ask("eth_getTransactionCount", [FROM, "pending"]));
  }
});

test("an error that only says what one node cannot do is not the answer", async (t) => {
  const anvil = await startAnvil(t);
  const errors = [
    { code: -32005, message: "daily request count exceeded, request rate limited" },
    { code: 429, message: "Too Many Requests" },
    { code: -32016, message: "over rate limit" },
    { code: -32000, message: "missing trie node 2f0d (path )" },
    { code: -32000, message: "header not found" },
    { code: -32601, message: "the method eth_getBalance does not exist/is not available" },
  ];
  let error = null;
  const first = await NodeProxy.start(t, anvil.url, {
    answer: (asked, respond) => {
      const bad = ({ method }) => error !== null && method === "eth_getBalance";
      if (![asked].flat().some(bad)) return false;
      const one = (request) => ({ jsonrpc: "2.0", id: request.id, ...(bad(request) ? { error } : { result: "0x7a69" }) });
      respond(200, JSON.stringify(Array.isArray(asked) ? asked.map(one) : one(asked)));
      return true;
    },
  });
  const second = await NodeProxy.start(t, anvil.url);
  const fanfare = await start(t, first, second);
  for (error of errors) {
    assert.equal(await call(fanfare.http, "eth_getBalance", [`0x${"11".repeat(20)}`, "latest"]), "0x0", error.message);
    const batch = [["eth_chainId", []], ["eth_getBalance", [`0x${"12".repeat(20)}`, "latest"]]]
      .map(([method, params], id) => ({ jsonrpc: "2.0", id, method, params }));
    const answers = await (await fetch(fanfare.http, { method: "POST", body: JSON.stringify(batch) })).json();
    assert.deepEqual(answers.map(({ result }) => result), ["0x7a69", "0x0"], error.message);
  }
  // If the error is the answer, it comes from the preferred node, and no other node is asked.
  error = { code: 3, message: "execution reverted" };
  const another = await start(t, first, second);
  const before = second.count("eth_getBalance");
  await assert.rejects(call(another.http, "eth_getBalance", [`0x${"13".repeat(20)}`, "latest"]), { code: 3 });
  assert.equal(second.count("eth_getBalance"), before);
});

test("a batch refused as a whole is asked for in parts", async (t) => {
  const anvil = await startAnvil(t);
  const LIMIT = 3;
  const refusal = { jsonrpc: "2.0", id: null, error: { code: -32600, message: "batch too large" } };
  const refusals = {
    "one error": (respond) => respond(200, JSON.stringify(refusal)),
    "an array of one": (respond) => respond(200, JSON.stringify([refusal])),
    "HTTP 400": (respond) => respond(400, "{}"),
    "HTTP 413": (respond) => respond(413, "<html>"),
    "HTTP 429": (respond) => respond(429, "{}"),
  };
  for (const [name, refuse] of Object.entries(refusals)) {
    await t.test(name, async (t) => {
      let refused = 0;
      const node = await NodeProxy.start(t, anvil.url, {
        answer: (asked, respond) => {
          if (!Array.isArray(asked) || asked.length <= LIMIT) return false;
          ++refused;
          refuse(respond);
          return true;
        },
      });
      const fanfare = await start(t, node);
      const batch = Array.from({ length: 11 }, (_, i) => ({
        jsonrpc: "2.0", id: `id-${i}`, method: "eth_getBalance", params: [`0x${(i + 1).toString(16).padStart(40, "0")}`, "latest"],
      }));
      const answers = await (await fetch(fanfare.http, { method: "POST", body: JSON.stringify(batch) })).json();
      assert.deepEqual(answers, batch.map(({ id }) => ({ jsonrpc: "2.0", id, result: "0x0" })));
      assert.ok(refused >= 1);
    });
  }
});
