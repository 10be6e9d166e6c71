// Streams (docs/streams.md): the default ones on the development chain, field by field, and streams of nodes that count
// their calls, die and come back. Clients: npm ws, raw bytes, and a reader of Server-Sent Events.

import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket } from "ws";
import { BINARY, call, metric, metricIs, startDevChain, writeConfig } from "./support/fanfare.js";
import { startFor } from "./support/processes.js";
import { frame, Opcode, RawSocket } from "./support/raw_socket.js";
import { checksum, CountingNode, EventReader, mergePatch, StreamClient } from "./support/streams.js";
import { until, within } from "./support/waiting.js";

const NAMES = ["network_metrics", "markets_health", "receipts", "peers"];
const keys = (object) => Object.keys(object).sort();

// Starts `fanfare serve` with streams of the node. Returns {program, streams, sse, health}. `more` goes into the definition.
async function startStreams(t, node, { more = "", limits = "", http = 0 } = {}) {
  const config = `
logLevel: info
server: { httpPort: ${http}, websocket: { compression: { enabled: true, minBytes: 16 } } }
streams:
  limits: { ${limits} }
  upstreams: [{ id: node, endpoint: "${node.url}", timeout: 5s }]
  definitions:
    - { name: counter, interval: 30ms, upstream: node, calls: { r: m }, fields: { n: /r/n }${more} }
    - { name: clock, interval: 30ms, upstream: node, calls: { r: m }, fields: { n: { const: 1 } } }
    - { name: broken, interval: 50ms, upstream: node, calls: { r: unknown }, fields: { n: /r } }
`;
  const program = startFor(t, "fanfare", BINARY, ["serve", "--config", writeConfig(t, config)]);
  const [, base] = await program.line(/^ {2}Streams\s+ws:(\S+)\/streams$/);
  return { program, streams: `ws:${base}/streams`, sse: `http:${base}/streams/sse`, health: `http:${base}` };
}

test("the four streams of the development chain have exactly their fields", async (t) => {
  const fanfare = await startDevChain(t, ["--dev-block-time", "200ms"]);
  const url = `${fanfare.ws.replace(/\/$/, "")}/streams`.replace(/:\d+\/streams/, `:${new URL(fanfare.http).port}/streams`);
  const client = await StreamClient.open(t, url);

  const welcome = await client.next();
  assert.deepEqual(keys(welcome), ["available_streams", "message", "timestamp", "type"]);
  assert.equal(welcome.type, "welcome");
  assert.deepEqual(welcome.available_streams, NAMES);
  assert.ok(Math.abs(welcome.timestamp - Date.now() / 1000) < 120);

  for (const stream of NAMES) assert.deepEqual(await client.subscribe(stream), { type: "subscribed", stream });
  const values = {};
  for (const stream of NAMES) {
    const value = await client.take(stream);
    assert.deepEqual(keys(value), ["data", "timestamp", "type"]);
    assert.ok(Number.isInteger(value.timestamp));
    values[stream] = value.data;
  }

  const { network_metrics: network, markets_health: health, peers } = values;
  assert.deepEqual(keys(network), ["active_connections", "bandwidth_in", "bandwidth_out", "block_height", "finality_time", "network_strength",
    "peer_count", "tps"]);
  for (const value of Object.values(network)) assert.equal(typeof value, "number");
  assert.ok(network.network_strength >= 0 && network.network_strength <= 100);
  assert.deepEqual(keys(health), ["healthy_markets", "markets", "overall_status", "total_markets"]);
  assert.deepEqual(keys(health.markets), ["ads", "compute", "energy", "storage"]);
  for (const market of Object.values(health.markets)) assert.equal(typeof market.status, "string");
  const healthy = Object.values(health.markets).filter((market) => market.status === "healthy").length;
  assert.deepEqual([health.healthy_markets, health.total_markets], [healthy, 4]);
  assert.deepEqual(keys(peers), ["peers", "total"]);
  assert.equal(peers.total, peers.peers.length);
  for (const peer of peers.peers) assert.deepEqual(keys(peer), ["address", "id", "is_validator", "latency_ms"]);

  // Heights are those of the node: the value is between the heads before and after it.
  const before = Number(await call(fanfare.http, "eth_blockNumber"));
  const later = await client.take("network_metrics");
  assert.ok(later.data.block_height >= before - 1 && later.data.block_height <= Number(await call(fanfare.http, "eth_blockNumber")));

  // Receipts come once each.
  const seen = new Set();
  let receipts = values.receipts;
  for (let rounds = 0; rounds < 2; ++rounds) {
    assert.deepEqual(keys(receipts), ["count", "receipts"]);
    assert.equal(receipts.count, receipts.receipts.length);
    for (const receipt of receipts.receipts) {
      assert.deepEqual(keys(receipt), ["amount", "block_height", "consumer", "id", "market", "provider", "timestamp"]);
      assert.ok(!seen.has(receipt.id), `${receipt.id} came twice`);
      seen.add(receipt.id);
    }
    if (rounds === 0) receipts = (await client.take("receipts")).data;
  }
  assert.ok(seen.size > 0);

  client.send({ type: "ping" });
  assert.deepEqual(await client.take("pong"), { type: "pong" });
  client.send({ type: "unsubscribe", stream: "peers" });
  assert.deepEqual(await client.take("unsubscribed"), { type: "unsubscribed", stream: "peers" });

  const plain = await fetch(url.replace("ws:", "http:"));
  assert.equal(plain.status, 426);
  assert.equal((await plain.text()).trim(), "upgrade required");
});

test("every mistake of a client has its error, and the connection stays", async (t) => {
  const fanfare = await startStreams(t, await CountingNode.start(t), { limits: "messagesPerSecond: 1000, subscriptionsPerConnectionMax: 2" });
  const client = await StreamClient.open(t, fanfare.streams);
  assert.match(await client.refused("{"), /not JSON/);
  assert.match(await client.refused("[]"), /must be an object/);
  assert.match(await client.refused({}), /"type" must be a string/);
  assert.match(await client.refused({ type: "dance" }), /unknown type: expected subscribe, unsubscribe, ping, hello and authenticate/);
  assert.match(await client.refused({ type: "subscribe" }), /"stream" must be a string/);
  assert.match(await client.refused({ type: "subscribe", stream: "x" }), /unknown stream: available are counter, clock, broken/);
  assert.match(await client.refused({ type: "unsubscribe", stream: "counter" }), /not subscribed/);
  await client.subscribe("counter");
  assert.match(await client.refused({ type: "subscribe", stream: "counter" }), /already subscribed/);
  await client.subscribe("clock");
  assert.match(await client.refused({ type: "subscribe", stream: "broken" }), /too many subscriptions: at most 2/);
  assert.match(await client.refused({ type: "ping", filler: "x".repeat(4096) }), /too big: at most 4096 bytes/);
  client.socket.send(Buffer.from("{}"));
  assert.match((await client.take("error")).message, /must be text/);
  client.send({ type: "hello", id: 7 });
  const hello = await client.take("hello");
  assert.equal(hello.id, 7);
  assert.deepEqual(hello.limits, { subscriptions: 2, message_bytes: 4096, messages_per_second: 1000 });
  assert.ok(hello.reconnect.min_ms > 0 && hello.reconnect.max_ms >= hello.reconnect.min_ms);
  client.send({ type: "subscribe", stream: "x", id: "a" });
  const { code, stream, id } = await client.take("error");
  assert.deepEqual({ code, stream, id }, { code: "unknown_stream", stream: "x", id: "a" });
  await client.take("counter");

  client.socket.send("x".repeat(16 * 4096 + 1));
  const [closed] = await within("the close", new Promise((resolve) => client.socket.once("close", (...of) => resolve(of))));
  assert.equal(closed, 1009);
});

test("a flood is answered once, ignored, and ended with 1008, and others do not notice", async (t) => {
  const fanfare = await startStreams(t, await CountingNode.start(t));
  const other = await StreamClient.open(t, fanfare.streams);
  await other.subscribe("counter");
  const flooder = await RawSocket.open(fanfare.streams);
  t.after(() => flooder.destroy());
  const ping = frame(Opcode.text, JSON.stringify({ type: "ping" }));
  flooder.socket.write(Buffer.concat(new Array(250).fill(ping)));
  const close = await flooder.frames.take("a close", (item) => item.close !== undefined);
  assert.equal(close.close, 1008);
  const texts = flooder.frames.items.map(({ text }) => text && JSON.parse(text));
  // The rate is 20 a second, and a slow machine may need more than one.
  const pongs = texts.filter((message) => message?.type === "pong").length;
  assert.ok(pongs >= 20 && pongs < 100, `${pongs} pongs`);
  const errors = texts.filter((message) => message?.type === "error");
  assert.ok(errors.length > 0 && errors.length < 5, `${errors.length} errors`);
  assert.match(errors[0].message, /too many messages: at most 20/);
  other.messages.items.length = 0;
  await other.take("counter");
});

test("one poll serves every subscriber, and nobody is polled for", async (t) => {
  const node = await CountingNode.start(t);
  const fanfare = await startStreams(t, node);
  assert.equal(node.calls, 0);
  const clients = [];
  for (let i = 0; i < 200; ++i) clients.push(StreamClient.open(t, fanfare.streams));
  const opened = await Promise.all(clients);
  await Promise.all(opened.map((client) => client.subscribe("counter")));
  await Promise.all(opened.map((client) => client.messages.when("ten values", (items) => items.filter(({ type }) => type === "counter").length >= 10)));
  // The node counts its calls, so each value's number shows that no other poll was made.
  for (const client of opened) {
    const numbers = client.messages.items.filter(({ type }) => type === "counter").map(({ data }) => data.n);
    numbers.forEach((n, i) => assert.equal(n, numbers[0] + i));
  }

  for (const client of opened) client.socket.terminate();
  await until("nobody watches", async () => (await metric(fanfare, "fanfare_stream_subscribers", { stream: "counter" })) === 0);
  // The clock is polled as often as the counter was.
  const watcher = await StreamClient.open(t, fanfare.streams);
  await watcher.subscribe("clock");
  await watcher.take("clock");
  await watcher.take("clock");
  const polls = await metric(fanfare, "fanfare_stream_polls_total", { stream: "counter", outcome: "ok" });
  for (let i = 0; i < 10; ++i) await watcher.take("clock");
  await metricIs(polls, fanfare, "fanfare_stream_polls_total", { stream: "counter", outcome: "ok" });

  // The last value is there at once.
  const late = await StreamClient.open(t, fanfare.streams);
  await late.subscribe("counter");
  const first = await late.take("counter");
  assert.ok(first.data.n > 0);
});

test("subscribers hear of a node that dies and of its return, in words of ours", async (t) => {
  const node = await CountingNode.start(t);
  const fanfare = await startStreams(t, node);
  const client = await StreamClient.open(t, fanfare.streams);
  await client.subscribe("counter");
  await client.take("counter");
  await node.stop();
  const interrupted = await client.take("notice");
  assert.deepEqual(keys(interrupted), ["reason", "state", "stream", "timestamp", "type"]);
  assert.equal(interrupted.state, "interrupted");
  assert.ok(!interrupted.reason.includes(String(node.port)), interrupted.reason);
  await metricIs(1, fanfare, "fanfare_stream_interrupted", { stream: "counter" });
  // A new subscriber gets the last value and the notice.
  const late = await StreamClient.open(t, fanfare.streams);
  await late.next();
  await late.subscribe("counter");
  assert.equal((await late.next()).type, "counter");
  assert.equal((await late.next()).state, "interrupted");

  client.messages.items.length = 0;
  await node.listen();
  assert.equal((await client.next()).state, "restored");
  assert.equal((await client.next()).type, "counter");

  await client.subscribe("broken");
  const refused = await client.take("notice", ({ stream }) => stream === "broken");
  assert.equal(refused.reason, "the node answered with error -32601");
});

test("a client that was killed resumes without a loss; what is gone is said, with its range", async (t) => {
  const fanfare = await startStreams(t, await CountingNode.start(t), { more: ", history: 1000" });
  const first = await StreamClient.open(t, fanfare.streams);
  const { position } = await first.subscribe("counter", { position: true });
  assert.ok(position.epoch > 0);
  let last;
  for (let i = 0; i < 3; ++i) last = await first.take("counter");
  first.socket.terminate();
  const keeper = await StreamClient.open(t, fanfare.streams); // keeps the stream alive
  await keeper.subscribe("counter");
  for (let i = 0; i < 5; ++i) await keeper.take("counter");

  const second = await StreamClient.open(t, fanfare.streams);
  const answer = await second.subscribe("counter", { since: { epoch: position.epoch, offset: last.offset } });
  assert.equal(answer.recovered, true);
  assert.deepEqual(answer.position, { epoch: position.epoch, offset: last.offset });
  for (let i = 1; i <= 8; ++i) {
    const value = await second.take("counter");
    assert.equal(value.offset, last.offset + i);
    assert.equal(value.data.n, last.data.n + i);
  }

  // Of another server.
  const other = await StreamClient.open(t, fanfare.streams);
  const lost = await other.subscribe("counter", { since: { epoch: 1, offset: 5 } });
  assert.equal(lost.recovered, false);
  assert.deepEqual(lost.missing.after, { epoch: 1, offset: 5 });
  assert.equal(lost.missing.until.epoch, position.epoch);

  const chart = await StreamClient.open(t, fanfare.streams);
  const { history } = await chart.subscribe("counter", { history: 4 });
  assert.equal(history.length, 4);
  history.forEach((value, i) => assert.equal(value.offset, history[0].offset + i));
  assert.equal((await chart.take("counter")).offset, history[3].offset + 1);
});

test("a partial replay says recovered:false and the range that is gone", async (t) => {
  const fanfare = await startStreams(t, await CountingNode.start(t), { more: ", history: 3" });
  const client = await StreamClient.open(t, fanfare.streams);
  const { position } = await client.subscribe("counter", { position: true });
  let last;
  for (let i = 0; i < 8; ++i) last = await client.take("counter");
  const late = await StreamClient.open(t, fanfare.streams);
  const { recovered, missing } = await late.subscribe("counter", { since: position });
  assert.equal(recovered, false);
  assert.deepEqual(missing.after, position);
  assert.equal(missing.count, missing.until.offset - position.offset);
  assert.ok(missing.until.offset >= last.offset - 3);
  assert.equal((await late.take("counter")).offset, missing.until.offset + 1);
});

test("merge patches lead to the same values as whole ones, and their checksums fit", async (t) => {
  const node = await CountingNode.start(t);
  // Members come, change, vanish and become null.
  node.result = (n) => ({ n: { n, text: "é€😀 \u2028 same", list: [1, n % 4], [`only${n % 3}`]: { deep: true, none: n % 5 ? 1 : null }, pi: 1e21 } });
  const fanfare = await startStreams(t, node);
  const whole = await StreamClient.open(t, fanfare.streams, { perMessageDeflate: true });
  const delta = await StreamClient.open(t, fanfare.streams, { perMessageDeflate: true });
  assert.equal(whole.socket.extensions.includes("permessage-deflate"), true);
  await whole.subscribe("counter", { position: true });
  await delta.subscribe("counter", { delta: "merge" });
  const values = new Map();
  let value;
  let patches = 0;
  let checked = 0;
  for (let i = 0; i < 40; ++i) {
    const message = await delta.take("counter");
    if (message.patch) ++patches;
    value = message.patch ? mergePatch(value, message.patch) : message.data;
    values.set(message.offset, value);
    if (message.offset % 8 === 0) assert.equal(message.checksum, checksum(value)), ++checked;
    else assert.equal(message.checksum, undefined);
  }
  assert.ok(patches > 10, `${patches} patches`);
  assert.ok(checked >= 4);
  for (let i = 0; i < 30; ++i) {
    const message = await whole.take("counter");
    if (values.has(message.offset)) assert.deepEqual(values.get(message.offset), message.data);
  }
});

test("Server-Sent Events: one stream a request, ids, resuming, and errors as HTTP statuses", async (t) => {
  const fanfare = await startStreams(t, await CountingNode.start(t), { more: ", history: 1000", limits: "heartbeat: 100ms, connectionsMax: 3" });
  const reader = await EventReader.open(t, `${fanfare.sse}?stream=counter`);
  assert.equal(reader.response.statusCode, 200);
  assert.match(reader.response.headers["content-type"], /^text\/event-stream/);
  assert.equal((await reader.events.take("the first event")).retry, "500");
  const { position } = (await reader.take("subscribed")).data;
  const value = await reader.take("counter");
  assert.equal(value.id, `${position.epoch}-${value.data.offset}`);
  await reader.events.take("a heartbeat", ({ comment }) => comment === "heartbeat");
  reader.request.destroy();

  const again = await EventReader.open(t, `${fanfare.sse}?stream=counter&history=3`, { "Last-Event-ID": value.id });
  const answer = (await again.take("subscribed")).data;
  assert.equal(answer.recovered, true);
  assert.equal((await again.take("counter")).data.offset, value.data.offset + 1);
  const byUrl = await EventReader.open(t, `${fanfare.sse}?stream=counter&lastEventId=1-5`);
  assert.equal((await byUrl.take("subscribed")).data.recovered, false);

  const status = async (query) => {
    const response = await fetch(`${fanfare.sse}${query}`);
    const text = await response.text();
    return [response.status, response.headers.get("retry-after"), text];
  };
  const [unknown, , text] = await status("?stream=x");
  assert.equal(unknown, 404);
  assert.match(JSON.parse(text).message, /counter, clock, broken/);
  assert.equal((await status(""))[0], 400);
  assert.equal((await status("?stream=counter&history=-1"))[0], 400);
  await until("the first reader's place is free", async () => (await metric(fanfare, "fanfare_stream_connections")) === 2);
  await StreamClient.open(t, fanfare.streams);
  const [full, wait] = await status("?stream=counter");
  assert.equal(full, 503);
  assert.equal(wait, "1");
  const refused = new WebSocket(fanfare.streams);
  const [response] = await new Promise((resolve) => refused.once("unexpected-response", (request, ...rest) => resolve(rest)));
  assert.deepEqual([response.statusCode, response.headers["retry-after"]], [503, "1"]);
  refused.on("error", () => {}); // terminate() reports that it never opened
  refused.terminate();
});

test("a server that stops closes with 1012, and the next one counts from a new epoch", async (t) => {
  const node = await CountingNode.start(t);
  const fanfare = await startStreams(t, node);
  const client = await StreamClient.open(t, fanfare.streams);
  const { position } = await client.subscribe("counter", { position: true });
  await client.take("counter");
  const closed = new Promise((resolve) => client.socket.once("close", resolve));
  const reader = await EventReader.open(t, `${fanfare.sse}?stream=counter`);
  await reader.take("counter");
  assert.deepEqual(await fanfare.program.stop(), { code: 0, signal: null });
  assert.equal(await closed, 1012);
  assert.equal(reader.response.complete, true);

  const next = await startStreams(t, node, { http: new URL(fanfare.sse).port });
  const again = await StreamClient.open(t, next.streams);
  const answer = await again.subscribe("counter", { since: position });
  assert.equal(answer.recovered, false);
  assert.notEqual(answer.position.epoch, position.epoch);
});
