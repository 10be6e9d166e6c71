// Thousands of subscribers cause no additional load on the node, and one that does not read does not affect others.
// Runs alone: it measures how long answers take.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { metric, metricIs, startFanfare, writeConfig } from "./support/fanfare.js";
import { assertConsecutive } from "./support/heads.js";
import { NodeProxy } from "./support/node_proxy.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const SUBSCRIBERS = 2000;
const POLL_MS = 500;

const configFor = (url, outboxBytesMax, { notificationsBehindMax = 16384, threads = 0, slowTimeout = "2s" } = {}) => `
logLevel: info
server:
  httpPort: 0
  threads: ${threads}
  websocket:
    enabled: true
    outboxBytesMax: ${outboxBytesMax}
    notificationsBehindMax: ${notificationsBehindMax}
    slowTimeout: ${slowTimeout}
projects:
  - id: main
    networks:
      - architecture: evm
        evm: { chainId: 31337, pollIntervalMin: ${POLL_MS}ms, pollIntervalMax: ${POLL_MS}ms }
    upstreams:
      - id: node
        endpoint: ${url}
`;

// A reader that only counts heads: thousands of readers must not keep their frames.
class CountingSubscriber {
  static async open(url) {
    const subscriber = new CountingSubscriber();
    subscriber.raw = await RawSocket.open(url);
    await subscriber.raw.subscribe("newHeads");
    subscriber.numbers = [];
    subscriber.raw.frames.push = ({ text }) => {
      if (text) subscriber.numbers.push(Number(JSON.parse(text).params.result.number));
    };
    return subscriber;
  }
}

async function openSubscribers(t, url, count) {
  const all = [];
  atEnd(t, () => all.forEach(({ raw }) => raw.destroy()));
  while (all.length < count) {
    const some = Math.min(100, count - all.length);
    all.push(...(await Promise.all(Array.from({ length: some }, () => CountingSubscriber.open(url)))));
  }
  return all;
}

// The number of calls to the node while `blocks` blocks are mined one by one and seen by all readers.
async function rateOfPolls(anvil, proxy, subscribers, blocks) {
  const methods = () => [...proxy.calls.values()].reduce((sum, count) => sum + count, 0);
  const [before, from] = [methods(), performance.now()];
  const took = [];
  for (let i = 0; i < blocks; ++i) {
    const number = Number(await anvil.ask("eth_blockNumber")) + 1;
    await anvil.ask("anvil_mine", ["0x1"]);
    await until(`head ${number} at the first`, () => subscribers.some(({ numbers }) => numbers.at(-1) === number), { everyMs: 1 });
    const first = performance.now();
    await until(`head ${number} at all`, () => subscribers.every(({ numbers }) => numbers.at(-1) === number), { everyMs: 1 });
    took.push(performance.now() - first);
  }
  return { calls: methods() - before, elapsedMs: performance.now() - from, took };
}

const words = (took) => `${took.map((ms) => ms.toFixed(0)).join(", ")} ms`;

test("polls do not grow with subscribers, and one that never reads delays nobody", async (t) => {
  const anvil = await startAnvil(t);
  const proxy = await NodeProxy.start(t, anvil.url);
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(proxy.url, 65536))]);

  const one = await openSubscribers(t, fanfare.ws, 1);
  const alone = await rateOfPolls(anvil, proxy, one, 6);
  const many = one.concat(await openSubscribers(t, fanfare.ws, SUBSCRIBERS - 1));
  await metricIs(SUBSCRIBERS, fanfare, "fanfare_subscriptions", { type: "newHeads" });
  const crowded = await rateOfPolls(anvil, proxy, many, 6);
  t.diagnostic(`1 subscriber: ${alone.calls} calls in ${alone.elapsedMs.toFixed(0)} ms; ` +
    `${SUBSCRIBERS}: ${crowded.calls} in ${crowded.elapsedMs.toFixed(0)} ms; first to last ${words(crowded.took)}`);
  for (const { calls, elapsedMs } of [alone, crowded]) {
    // One poll per interval, a quarter more for its jitter, and one at each end.
    assert.ok(calls <= (elapsedMs / POLL_MS) * 1.25 + 2, `${calls} calls in ${elapsedMs} ms`);
  }

  // Megabyte answers to a client that does not read: they fill the kernel's buffers first, then the outbox.
  const contract = `0x${"c0de".repeat(10)}`;
  await anvil.ask("anvil_setCode", [contract, `0x${"5b".repeat(512 * 1024)}`]);
  const stuck = await RawSocket.open(fanfare.ws);
  atEnd(t, () => stuck.destroy());
  await stuck.subscribe("newHeads");
  stuck.stopReading();
  for (let id = 0; id < 40; ++id) stuck.sendJson({ jsonrpc: "2.0", id, method: "eth_getCode", params: [contract, "latest"] });
  const closes = () => metric(fanfare, "fanfare_slow_consumer_closes_total");
  const beside = await rateOfPolls(anvil, proxy, many, 1);
  // Nobody waited for its end, or a slow machine needed as long without it.
  const cameBefore = (await closes()) === 0;
  const rest = await rateOfPolls(anvil, proxy, many, 5);
  beside.took.push(...rest.took);
  await until("the reader that does not read is closed by policy", async () =>
    (await closes()) === 1);
  await metricIs(1, fanfare, "fanfare_websocket_connections_closed_total", { reason: "slow_consumer" });
  await fanfare.program.line(/slow_consumer_closed network=main\/31337/);
  t.diagnostic(`beside one that does not read: first to last ${words(beside.took)}`);
  const slowest = Math.max(...beside.took);
  assert.ok(cameBefore || slowest < Math.max(...crowded.took) * 5 + 1000, `${slowest} ms beside a reader that does not read`);

  stuck.readAgain();
  const close = await stuck.closed();
  assert.ok(close === null || close.close === 1013, JSON.stringify(close));
  // All other connections are still open, and each received each head once.
  await metricIs(SUBSCRIBERS, fanfare, "fanfare_websocket_connections");
  for (const { numbers } of many.slice(1)) assert.deepEqual(numbers, [7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);
});

test("heads alone end a subscriber that never reads, and the others get them all", async (t) => {
  const anvil = await startAnvil(t);
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(anvil.url, 4 << 20))]);
  const readers = await openSubscribers(t, fanfare.ws, 5);
  const stuck = await RawSocket.open(fanfare.ws);
  atEnd(t, () => stuck.destroy());
  for (let i = 0; i < 20; ++i) await stuck.subscribe("newHeads");
  stuck.stopReading();
  await anvil.ask("anvil_mine", ["0x3e8"]);
  const all = Array.from({ length: 1000 }, (_, i) => i + 1);
  for (const reader of readers) {
    await until("1,000 heads", () => reader.numbers.length >= 1000);
    assert.deepEqual(reader.numbers, all);
  }
  await until("it is closed by policy", async () => (await metric(fanfare, "fanfare_slow_consumer_closes_total")) === 1);
  // The messages it received before the close have no gap either.
  stuck.readAgain();
  await stuck.closed();
  const heads = new Map();
  for (const { text } of stuck.frames.items) {
    const { params } = text ? JSON.parse(text) : {};
    if (params) heads.set(params.subscription, [...(heads.get(params.subscription) ?? []), params.result]);
  }
  assert.equal(heads.size, 20);
  for (const its of heads.values()) {
    assert.equal(Number(its[0].number), 1);
    assertConsecutive(its);
  }
});

test("a reader behind is closed with one notification more than notificationsBehindMax", async (t) => {
  const MOST = 5;
  const MEGABYTE = 1 << 20;
  const anvil = await startAnvil(t);
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(anvil.url, 32 * MEGABYTE, { notificationsBehindMax: MOST, threads: 1, slowTimeout: "1h" }))]);
  const [reader] = await openSubscribers(t, fanfare.ws, 1);
  const contract = `0x${"c0de".repeat(10)}`;
  await anvil.ask("anvil_setCode", [contract, `0x${"5b".repeat(MEGABYTE / 2)}`]);
  // More than the kernel buffers, so the rest waits in the gateway.
  const REPLIES = 24;
  const openBehind = async () => {
    const raw = await RawSocket.open(fanfare.ws);
    atEnd(t, () => raw.destroy());
    await raw.subscribe("newHeads");
    raw.stopReading();
    const before = await metric(fanfare, "fanfare_held_bytes");
    for (let id = 0; id < REPLIES; ++id) raw.sendJson({ jsonrpc: "2.0", id, method: "eth_getCode", params: [contract, "latest"] });
    await until("the replies have come and wait", async () => (await metric(fanfare, "fanfare_held_bytes")) > before + 4 * MEGABYTE);
    return raw;
  };
  const [stuck, late] = [await openBehind(), await openBehind()];
  const mineOne = async () => {
    const wanted = reader.numbers.length + 1;
    await anvil.ask("evm_mine");
    await until("the block is told", () => reader.numbers.length >= wanted);
  };
  const closes = () => metric(fanfare, "fanfare_slow_consumer_closes_total");
  for (let i = 0; i < MOST; ++i) await mineOne();
  assert.equal(await closes(), 0);
  await metricIs(3, fanfare, "fanfare_websocket_connections");
  // For a client that has caught up, counting starts again.
  late.readAgain();
  const numbers = [];
  const takeHeads = async (count) => {
    while (numbers.length < count) numbers.push(Number((await late.json(({ params }) => params)).params.result.number));
  };
  await takeHeads(MOST);
  await mineOne();
  // With one loop, the close was decided before any notification was sent.
  stuck.readAgain();
  const close = await stuck.closed();
  await fanfare.program.line(new RegExp(`slow_consumer_closed .*notifications_behind=${MOST + 1}`));
  assert.ok(close === null || close.close === 1013, JSON.stringify(close)); // null: it read too late to receive the close
  await takeHeads(MOST + 1);
  assert.deepEqual(numbers, reader.numbers);
  await metricIs(2, fanfare, "fanfare_websocket_connections");
  assert.equal(await closes(), 1);
});

test("who asks for the latest head only is told what it missed, and stays", async (t) => {
  const anvil = await startAnvil(t);
  // It reads nothing until all heads are there, however long a slow machine takes for them.
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(anvil.url, 1 << 20, { slowTimeout: "1h" }))]);
  const slow = await RawSocket.open(fanfare.ws);
  atEnd(t, () => slow.destroy());
  const ids = [];
  for (let i = 0; i < 30; ++i) ids.push(await slow.subscribe("newHeads", { slow: "latest" }));
  slow.stopReading();
  await anvil.ask("anvil_mine", ["0x3e8"]);
  await until("the last head is published", async () => (await metric(fanfare, "fanfare_head_number")) === 1000);
  slow.readAgain();
  const all = Array.from({ length: 1000 }, (_, i) => i + 1);
  let missed = 0;
  for (const id of ids) {
    const got = [];
    while (got.at(-1) !== 1000) {
      const { result, notice } = (await slow.json((message) => message.params?.subscription === id)).params;
      if (result) got.push(Number(result.number));
      if (!notice) continue;
      assert.equal(notice.reason, "slow");
      for (let number = Number(notice.fromBlock); number <= Number(notice.toBlock); ++number, ++missed) got.push(number);
    }
    assert.deepEqual(got, all);
  }
  t.diagnostic(`${missed} of ${ids.length * 1000} heads were not sent`);
  assert.ok(missed > 0);
  await metricIs(missed, fanfare, "fanfare_slow_subscriber_drops_total", { policy: "latest" });
  assert.equal(await metric(fanfare, "fanfare_slow_consumer_closes_total"), 0);
});
