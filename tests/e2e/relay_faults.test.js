// What clients of relayed streams are told when something is lost, too big, or slow (docs/relay.md). The broker is Debian's nats-server.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { metric, metricIs } from "./support/fanfare.js";
import { Broker, ids, listing, startInstance } from "./support/relay.js";
import { CountingNode, EventReader, StreamClient, mergePatch } from "./support/streams.js";
import { until } from "./support/waiting.js";

const stream = (name, more) => `
    - name: ${name}
      relay: true
      interval: 100ms
      upstream: node
      calls: { r: m }
      ${more}`;

const two = (t, broker, node, options) => Promise.all([1, 2].map(() => startInstance(t, broker, node, options)));
const notice = (client, state) => client.take("notice", (one) => one.state === state);
const open = async (t, instance, name, more = { position: true }) => {
  const client = await StreamClient.open(t, instance.url);
  client.answer = await client.subscribe(name, more);
  return client;
};

// An instance that does not know the stream's end at once tells it in a second answer (docs/streams.md).
const positionOf = async (client) => (client.answer.position ??= (await client.take("subscribed")).position);

// What follows must follow: each event stands behind the last one, or behind what a notice says is missing.
async function readWhole(client, position, isEnd) {
  for (;;) {
    const message = await client.next();
    if (message.type === "notice" && message.state === "missed") {
      assert.deepEqual(message.missing.after, position);
      position = message.missing.until;
    } else if (message.offset !== undefined) {
      assert.equal(message.offset, position.offset + 1);
      position = { ...position, offset: message.offset };
      if (isEnd(message)) return position;
    }
  }
}

describe("faults of relayed streams", { concurrency: true }, () => {
  test("a value that the broker does not take is told at every instance, and named in the log", async (t) => {
    const broker = await new Broker(t, "max_payload: 8192").start();
    const node = await CountingNode.start(t);
    let length = 10;
    node.result = (n) => ({ n, text: "x".repeat(length) });
    const instances = await two(t, broker, node, { definitions: stream("texts", "fields: { n: /r/n, text: /r/text }") });
    const clients = await Promise.all(instances.map((one) => open(t, one, "texts")));
    await Promise.all(clients.map((one) => one.take("texts")));
    length = 9000;
    const told = await Promise.all(clients.map((one) => notice(one, "interrupted")));
    assert.match(told[0].reason, /^the value has 90\d\d bytes, and the broker between the servers takes 7616: its max_payload is too low$/);
    assert.equal(told[0].offset, told[1].offset);
    await Promise.race(instances.map((one) => one.program.line(/stream_interrupted stream=texts reason="the value has 90/)));
    length = 10;
    await Promise.all(clients.map((one) => notice(one, "restored")));
    for (const client of clients) assert.equal((await client.take("texts", (one) => one.offset > told[0].offset)).data.text, "x".repeat(10));
  });

  test("where the broker stores nothing, subscribers of every instance are told until it does", async (t) => {
    const broker = await new Broker(t).start();
    const node = await CountingNode.start(t);
    node.result = (n) => ({ n });
    const instances = await two(t, broker, node, { definitions: stream("values", "fields: { n: /r/n }") });
    const clients = await Promise.all(instances.map((one) => open(t, one, "values")));
    await Promise.all(clients.map((one) => one.take("values")));
    await broker.changeStream("fanfare_stream=3Avalues", { max_msg_size: 1 });
    // Also those of the instance that did not poll: it finds out when it may.
    await Promise.all(clients.map((one) => notice(one, "interrupted")));
    for (const one of instances) await one.program.line(/relay_topic_hindered topic=stream:values reason="message size exceeds maximum allowed"/);
    await broker.changeStream("fanfare_stream=3Avalues", { max_msg_size: -1 });
    await Promise.all(clients.map((one) => notice(one, "restored")));
    const polled = node.calls;
    for (const one of clients) await one.take("values", (message) => message.data.n > polled);
  });

  test("a value that was refused and is gone again does not leave its subscribers interrupted", async (t) => {
    const broker = await new Broker(t).start();
    const node = await CountingNode.start(t);
    let value = 1;
    node.result = () => ({ n: value });
    const instances = await two(t, broker, node, { definitions: stream("values", "fields: { n: /r/n }\n      onChange: true") });
    const clients = await Promise.all(instances.map((one) => open(t, one, "values")));
    await Promise.all(clients.map((one) => one.take("values")));
    await broker.changeStream("fanfare_stream=3Avalues", { max_msg_size: 1 });
    value = 2;
    await Promise.all(clients.map((one) => notice(one, "interrupted")));
    value = 1;
    const { calls } = node;
    await until("polls", () => node.calls > calls + 3);
    await broker.changeStream("fanfare_stream=3Avalues", { max_msg_size: -1 });
    await Promise.all(clients.map((one) => notice(one, "restored")));
  });

  test("what may be lost while the broker is away is told once, at every instance", async (t) => {
    const broker = await new Broker(t).start();
    const node = await CountingNode.start(t);
    listing(node);
    const instances = await two(t, broker, node);
    const clients = await Promise.all(instances.map((one) => open(t, one, "entries")));
    await Promise.all(clients.map((one) => one.take("entries", (message) => ids([message]).includes(3))));
    await broker.program.stop("SIGKILL");
    const away = Date.now();
    await Promise.all(clients.map((one) => notice(one, "interrupted")));
    // Entries that come and go meanwhile.
    node.calls += 1000;
    await until("a pause is long", () => Date.now() - away > 3000);
    await broker.start();
    await Promise.all(clients.map((one) => notice(one, "restored")));
    const told = await Promise.all(clients.map((one) => notice(one, "paused")));
    assert.equal(told[0].offset, told[1].offset);
    for (const client of clients) {
      await client.take("entries", (message) => ids([message]).includes(node.calls));
      assert.equal(client.messages.items.filter((one) => one.state === "paused").length, 0);
    }
    const counted = await Promise.all(instances.map((one) => metric(one, "fanfare_stream_pauses_total", { stream: "entries" })));
    assert.equal(counted[0] + counted[1], 1);
    // Silence with polls is none, whoever polls.
    const list = node.result(node.calls);
    node.result = () => list;
    const before = node.calls;
    await until("some polls", () => node.calls > before + 30);
    const holder = (await metric(instances[0], "fanfare_relay_leases_held")) === 1 ? 0 : 1;
    await instances[holder].program.stop("SIGTERM");
    const at = node.calls;
    await until("polls of the other one", () => node.calls > at + 3);
    assert.equal(clients[1 - holder].messages.items.filter((one) => one.state === "paused").length, 0);
  });

  test("history, patches, Server-Sent Events and old positions are the same at every instance", async (t) => {
    const broker = await new Broker(t).start();
    const node = await CountingNode.start(t);
    node.result = (n) => ({ n, same: "x".repeat(200) });
    const definitions = stream("values", "fields: { n: /r/n, same: /r/same }\n      history: 5");
    const instances = await two(t, broker, node, { definitions, relay: ", keptMessagesMax: 20" });
    const first = await open(t, instances[0], "values", { delta: "merge" });
    let value;
    let patches = 0;
    const { epoch } = await positionOf(first);
    await readWhole(first, first.answer.position, (message) => {
      if (message.patch) ++patches;
      value = message.data ?? mergePatch(value, message.patch);
      assert.equal(value.same, "x".repeat(200));
      return message.offset >= 40;
    });
    assert.ok(patches > 10);
    for (const instance of instances) {
      const late = await open(t, instance, "values", { since: { epoch, offset: 3 } });
      assert.equal(late.answer.recovered, true); // the broker says what is missing, while the client reads
      const missed = await notice(late, "missed");
      assert.deepEqual(missed.missing.after, { epoch, offset: 3 });
      assert.ok(missed.missing.until.offset >= 20, JSON.stringify(missed));
      await readWhole(late, missed.missing.until, (message) => message.offset > 41);
      const { answer } = await open(t, instance, "values", { history: 4 });
      assert.equal(answer.history.length, 4);
      assert.equal(answer.history[3].offset, answer.position.offset);
      const reader = await EventReader.open(t, `${instance.health}/streams/sse?stream=values`, { "last-event-id": `${epoch}-${answer.position.offset - 8}` });
      assert.equal((await reader.take("subscribed")).data.recovered, true);
      for (let i = 7; i > 0; --i) assert.equal((await reader.take("values")).id, `${epoch}-${answer.position.offset - i}`);
    }
  });

  test("a reader that is slow is told what it missed; one of new entries goes on at another instance", async (t) => {
    const broker = await new Broker(t).start();
    const node = await CountingNode.start(t);
    node.result = (n) => ({ n, list: [{ id: n, text: "x".repeat(300_000) }] });
    const definitions =
      stream("values", "fields: { n: /r/n, list: /r/list }").replace("100ms", "20ms") +
      stream("each", "fields: { list: { each: /r/list, fields: { id: /id, text: /text } } }\n      newOnly: { list: list, key: id }").replace("100ms", "20ms");
    // However slow this machine is, the reader is not closed for taking no byte.
    const [a, b] = await two(t, broker, node, { definitions, server: ", websocket: { slowTimeout: 10m }" });
    const quick = await open(t, b, "values");
    const slow = await open(t, a, "values");
    const { offset } = await positionOf(slow);
    slow.socket.pause();
    // 30 MB: more than the kernel and its outbox take.
    await quick.messages.when("100 values", (messages) => messages.some((one) => one.offset >= offset + 100));
    slow.socket.resume();
    const missed = await slow.take("notice", (one) => one.state === "missed");
    await slow.take("values", (one) => one.offset === missed.missing.until.offset + 1);
    await quick.take("values", (one) => one.offset === missed.missing.until.offset + 1);
    const all = await open(t, a, "each");
    let position = await readWhole(all, await positionOf(all), () => true);
    all.socket.pause();
    await until("it is closed", async () => (await metric(a, "fanfare_stream_subscribers", { stream: "each" })) === 0);
    all.socket.terminate();
    const again = await open(t, b, "each", { since: position });
    assert.equal(again.answer.recovered, true);
    position = await readWhole(again, position, (message) => message.offset > position.offset + 20);
  });

  test("an instance ends in time while the broker hangs", async (t) => {
    const broker = await new Broker(t).start();
    const node = await CountingNode.start(t);
    listing(node);
    const more = Array.from({ length: 8 }, (_, i) => stream(`more${i}`, "fields: { list: /r/list }")).join("");
    const instance = await startInstance(t, broker, node, { definitions: more });
    const client = await open(t, instance, "entries");
    for (let i = 0; i < 8; ++i) await client.subscribe(`more${i}`);
    await metricIs(9, instance, "fanfare_relay_leases_held");
    broker.program.signal("SIGSTOP");
    const began = Date.now();
    const { code } = await instance.program.stop("SIGTERM");
    t.diagnostic(`ended after ${Date.now() - began} ms`);
    assert.equal(code, 0);
    broker.program.signal("SIGCONT");
  });
});
