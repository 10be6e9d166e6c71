// Pending transactions cannot be fetched again. A subscriber receives each of them, or is notified that some may
// be missing (decision 0015).

import assert from "node:assert/strict";
import { test } from "node:test";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { call, metric, metricIs, startFanfare } from "./support/fanfare.js";
import { NodeProxy } from "./support/node_proxy.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const FROM = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"; // anvil's first account
const FILTER = "eth_newPendingTransactionFilter";
const failed = ({ id }, message) => JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32000, message } });
const subscriptions = (fanfare) => metric(fanfare, "fanfare_subscriptions", { type: "newPendingTransactions" });

async function connect(t, fanfare) {
  const raw = await RawSocket.open(fanfare.ws);
  atEnd(t, () => raw.destroy());
  return raw;
}

const told = async (raw, id) => (await raw.json((message) => message.params?.subscription === id)).params.result;
const transfer = (anvil) => anvil.ask("eth_sendTransaction", [{ from: FROM, to: FROM, value: "0x1" }]);

test("the answer to eth_subscribe waits for the node to listen, and for nobody else", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  let held = null;
  const proxy = await NodeProxy.start(t, anvil.url, {
    answer: (request, respond) => {
      if (request.method !== FILTER || held) return false;
      held = () => respond(200, JSON.stringify({ jsonrpc: "2.0", id: request.id, result: proxy.filter }));
      return true;
    },
  });
  const fanfare = await startFanfare(t, ["--upstream", proxy.url, "--chain-id", "31337"]);
  const raw = await connect(t, fanfare);
  raw.sendJson([
    { jsonrpc: "2.0", id: "batch-1", method: "eth_subscribe", params: ["newPendingTransactions"] },
    { jsonrpc: "2.0", id: "batch-2", method: "eth_chainId" },
  ]);
  raw.sendJson({ jsonrpc: "2.0", id: "alone", method: "eth_subscribe", params: ["newPendingTransactions"] });
  await until("the node is asked for a filter", () => held);
  // After two answers of the node the pending subscriptions are still unanswered, though other calls are answered.
  for (let i = 0; i < 2; ++i) assert.equal((await raw.ask("eth_getBalance", [FROM, "latest"])).error, undefined);
  const heads = await raw.subscribe("newHeads");
  assert.equal(raw.frames.items.length, 0);

  proxy.filter = await anvil.ask(FILTER);
  const sent = [await transfer(anvil)]; // not subscribed yet as far as the client knows, but the filter has it
  held();
  const alone = (await raw.json(({ id }) => id === "alone")).result;
  const [first, second] = await raw.json((message) => Array.isArray(message));
  assert.deepEqual([first.id, second.id, second.result], ["batch-1", "batch-2", "0x7a69"]);
  assert.notEqual(first.result, alone);
  sent.push(await transfer(anvil));
  for (const id of [first.result, alone]) {
    // Everything sent after the answer must arrive; earlier transactions may arrive, too.
    let one = await told(raw, id);
    if (one === sent[0]) one = await told(raw, id);
    assert.equal(one, sent[1]);
  }
  assert.equal(await subscriptions(fanfare), 2);
  assert.equal((await raw.ask("eth_unsubscribe", [heads])).result, true);
});

test("a node without any way is no reason to be silent: eth_subscribe fails, with the node's words", async (t) => {
  const anvil = await startAnvil(t);
  const proxy = await NodeProxy.start(t, anvil.url, {
    answer: (request, respond) => {
      const pending = request.method === FILTER || request.method === "txpool_content" || request.params?.[0] === "pending";
      if (pending) respond(200, failed(request, "the method is not for you"));
      return pending;
    },
  });
  const fanfare = await startFanfare(t, ["--upstream", proxy.url, "--chain-id", "31337"]);
  const raw = await connect(t, fanfare);
  for (let i = 0; i < 2; ++i) {
    const { error } = await raw.ask("eth_subscribe", ["newPendingTransactions"]);
    assert.deepEqual(error, { code: -32603, message: "the upstream does not report pending transactions" });
  }
  assert.equal(await subscriptions(fanfare), 0);
  assert.equal(await metric(fanfare, "fanfare_pending_gaps_total"), 0);
  // In a batch, only this subscription fails.
  raw.sendJson(["newPendingTransactions", "newHeads"].map((type, id) => ({ jsonrpc: "2.0", id, method: "eth_subscribe", params: [type] })));
  const [pending, heads] = await raw.json((message) => Array.isArray(message));
  assert.equal(pending.error.code, -32603);
  await anvil.ask("evm_mine");
  assert.ok((await told(raw, heads.result)).hash);
});

test("who asked for notices is told of a hole by one, and loses only that subscription", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  let forgets = false;
  const proxy = await NodeProxy.start(t, anvil.url, {
    answer: (request, respond) => {
      if (request.method !== "eth_getFilterChanges" || !forgets) return false;
      forgets = false;
      respond(200, failed(request, "filter not found"));
      return true;
    },
  });
  const fanfare = await startFanfare(t, ["--upstream", proxy.url, "--chain-id", "31337"]);
  const [knows, plain] = [await connect(t, fanfare), await connect(t, fanfare)];
  const refused = await knows.ask("eth_subscribe", ["newPendingTransactions", false, { cursor: "AQAA" }]);
  assert.equal(refused.error.code, -32602);
  const id = await knows.subscribe("newPendingTransactions", false, { cursor: true });
  const heads = await knows.subscribe("newHeads");
  await plain.subscribe("newPendingTransactions");
  const first = await transfer(anvil);
  assert.equal(await told(knows, id), first);
  forgets = true;
  const { params } = await knows.json((message) => message.params?.notice, "a notice");
  assert.deepEqual(params, { subscription: id, notice: { type: "ended", reason: "missed", message: "pending transactions may have been missed: the node forgot its filter" } });
  assert.equal((await plain.closed()).close, 1013);
  await metricIs(1, fanfare, "fanfare_subscriptions_ended_total", { type: "newPendingTransactions" });
  await metricIs(1, fanfare, "fanfare_websocket_connections_closed_total", { reason: "missed" });
  assert.equal(await metric(fanfare, "fanfare_websocket_connections_closed_total", { reason: "policy" }), 0);
  assert.equal(await subscriptions(fanfare), 0);
  assert.equal((await knows.ask("eth_unsubscribe", [id])).error.code, -32000);

  await anvil.ask("evm_mine");
  assert.ok((await told(knows, heads)).hash); // the other subscription continues
  const anew = await knows.subscribe("newPendingTransactions", false, { cursor: true });
  const second = await transfer(anvil);
  assert.equal(await told(knows, anew), second);
});

test("a node that forgets its filter: the streams end with the reason, and begin anew without a hole", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  let forgets = false;
  const proxy = await NodeProxy.start(t, anvil.url, {
    answer: (request, respond) => {
      if (request.method !== "eth_getFilterChanges" || !forgets) return false;
      forgets = false;
      respond(200, failed(request, "filter not found"));
      return true;
    },
  });
  const fanfare = await startFanfare(t, ["--upstream", proxy.url, "--chain-id", "31337"]);
  const [pending, heads] = [await connect(t, fanfare), await connect(t, fanfare)];
  const id = await pending.subscribe("newPendingTransactions");
  await heads.subscribe("newHeads");
  const first = await transfer(anvil);
  assert.equal(await told(pending, id), first);
  forgets = true;
  const { close, reason } = await pending.closed();
  assert.deepEqual([close, reason], [1013, "pending transactions may have been missed: the node forgot its filter"]);
  await metricIs(1, fanfare, "fanfare_pending_gaps_total");
  await fanfare.program.line(/pending_transactions_missed .*"the node forgot its filter" detail="filter not found"/);

  const again = await connect(t, fanfare);
  const anew = await again.subscribe("newPendingTransactions");
  const second = await transfer(anvil);
  assert.equal(await told(again, anew), second);
  assert.equal((await heads.ask("eth_blockNumber")).error, undefined); // other connections are not affected
});

test("whole transactions that the node does not show: who wants them is closed, or told by the counter", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  let answer = null;
  const proxy = await NodeProxy.start(t, anvil.url, {
    answer: (request, respond) => {
      if (request.method !== "eth_getTransactionByHash") return false;
      respond(200, answer(request));
      return true;
    },
  });
  const fanfare = await startFanfare(t, ["--upstream", proxy.url, "--chain-id", "31337"]);
  const [bodies, hashes] = [await connect(t, fanfare), await connect(t, fanfare)];
  await bodies.subscribe("newPendingTransactions", true);
  const id = await hashes.subscribe("newPendingTransactions");
  const heard = async () => {
    const hash = await transfer(anvil);
    assert.equal(await told(hashes, id), hash);
  };
  // The transaction disappeared before it could be read, so there is nothing to report.
  answer = (request) => JSON.stringify({ jsonrpc: "2.0", id: request.id, result: null });
  await heard();
  await until("it is counted", async () => (await metric(fanfare, "fanfare_pending_bodies_lost_total")) === 1);
  assert.equal(bodies.isEnded, undefined);
  // The transaction exists, but the node does not return it.
  answer = (request) => failed(request, "in trouble");
  await heard();
  const { close, reason } = await bodies.closed();
  assert.deepEqual([close, reason], [1013, "pending transactions may have been missed: the node did not show one"]);
  await metricIs(2, fanfare, "fanfare_pending_bodies_lost_total");
  await heard();
});

test("listening that ends while the rest of a batch is on its way is not promised", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  const held = new Map(); // method -> releases the request
  let forgets = false;
  const hold = new Set(["eth_call"]);
  const proxy = await NodeProxy.start(t, anvil.url, {
    answer: (request, respond) => {
      if (forgets && request.method === "eth_getFilterChanges") {
        respond(200, failed(request, "filter not found"));
      } else if (hold.has(request.method)) {
        held.set(request.method, () => respond(200, JSON.stringify({ jsonrpc: "2.0", id: request.id, result: proxy.result })));
      } else {
        return false;
      }
      return true;
    },
  });
  const fanfare = await startFanfare(t, ["--upstream", proxy.url, "--chain-id", "31337"]);
  const [early, raw] = [await connect(t, fanfare), await connect(t, fanfare)];
  await early.subscribe("newPendingTransactions");
  raw.sendJson([
    { jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newPendingTransactions"] },
    { jsonrpc: "2.0", id: 2, method: "eth_call", params: [{ to: FROM }, "latest"] },
  ]);
  await until("the call is on its way", () => held.has("eth_call"));
  hold.add(FILTER);
  forgets = true;
  assert.equal((await early.closed()).close, 1013);
  await until("a new filter is asked for", () => held.has(FILTER));
  proxy.result = "0x";
  held.get("eth_call")();
  await until("the call has ended", () => metric(fanfare, "fanfare_upstream_calls_total", { method: "eth_call" }));
  await raw.ask("eth_getBalance", [FROM, "latest"]);
  assert.equal(raw.frames.items.length, 0); // no source is listening, so there is no answer yet
  forgets = false;
  proxy.result = await anvil.ask(FILTER);
  held.get(FILTER)();
  const [{ result: id }] = await raw.json((message) => Array.isArray(message));
  const hash = await transfer(anvil);
  assert.equal(await told(raw, id), hash);
});

test("a node behind WebSocket that goes away ends the streams it fed", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  const fanfare = await startFanfare(t, ["--upstream", anvil.url.replace("http", "ws"), "--chain-id", "31337"]);
  const raw = await connect(t, fanfare);
  const id = await raw.subscribe("newPendingTransactions");
  const sent = [];
  for (let i = 0; i < 20; ++i) sent.push(await transfer(anvil)); // while the source switches from polling to notifications
  for (const hash of sent) assert.equal(await told(raw, id), hash);
  // The last poll may still be under way.
  await anvil.program.stop("SIGKILL");
  const { close, reason } = await raw.closed();
  assert.equal(close, 1013);
  assert.match(reason, /^pending transactions may have been missed: (the node|an answer of the node) /);
  // A subscription without an available node waits for one until its deadline.
  const waiting = await connect(t, fanfare);
  const subscribed = until("a subscription", async () => (await waiting.ask("eth_subscribe", ["newPendingTransactions"])).result);
  const back = await startAnvil(t, ["--no-mining"], { port: anvil.port });
  const anew = await subscribed;
  const hash = await transfer(back);
  assert.equal(hash, sent[0]); // the new chain begins like the old one, and its first hash is reported again
  assert.equal(await told(waiting, anew), hash);
});

test("whole transactions have no block, and come in order, also from a node that mines at once", async (t) => {
  const anvil = await startAnvil(t); // automine
  const fanfare = await startFanfare(t, ["--upstream", anvil.url]);
  const raw = await connect(t, fanfare);
  const hashes = await raw.subscribe("newPendingTransactions");
  const bodies = await raw.subscribe("newPendingTransactions", true);
  const told = new Map([[hashes, []], [bodies, []]]);
  const sent = [];
  for (let i = 0; i < 8; ++i) sent.push(await transfer(anvil));
  while (told.get(bodies).length < sent.length || told.get(hashes).length < sent.length) {
    const { params } = await raw.json(({ method }) => method === "eth_subscription");
    told.get(params.subscription).push(params.result);
  }
  assert.deepEqual(told.get(bodies).map(({ hash }) => hash), told.get(hashes));
  assert.deepEqual([...told.get(hashes)].sort(), [...sent].sort());
  for (const body of told.get(bodies)) {
    assert.deepEqual([body.blockHash, body.blockNumber, body.transactionIndex], [null, null, null]);
    assert.equal(body.from, FROM);
  }
});

test("what a development node is told to rewrite is not answered from memory", async (t) => {
  const anvil = await startAnvil(t);
  const fanfare = await startFanfare(t, ["--upstream", anvil.url]);
  const account = `0x${"34".repeat(20)}`;
  for (const balance of ["0x1", "0x2", "0x3"]) {
    await call(fanfare.http, "anvil_setBalance", [account, balance]);
    for (let i = 0; i < 2; ++i) assert.equal(await call(fanfare.http, "eth_getBalance", [account, "0x0"]), balance);
  }
});
