// Streams that two instances share over NATS JetStream (docs/relay.md): one polls, both serve, and a client goes on with the other one
// when its own ends. Instances and the broker are killed, stopped and started; each client counts what it gets. The broker is Debian's
// nats-server.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { metricIs } from "./support/fanfare.js";
import { Broker, ids, listing, startInstance } from "./support/relay.js";
import { CountingNode, StreamClient } from "./support/streams.js";

// Follows the entries at one instance after another, with the position of the last event.
class Follower {
  got = [];
  async follow(t, instance) {
    this.client = await StreamClient.open(t, instance.url);
    this.answer = await this.client.subscribe("entries", this.position ? { since: this.position } : { position: true });
    this.position = this.answer.position;
    assert.notEqual(this.answer.recovered, false, JSON.stringify(this.answer));
    return this;
  }
  // Reads until an entry with at least this id has come.
  async readTo(id) {
    // An instance that does not know the stream's end at once tells it in a second answer (docs/streams.md).
    this.position ??= (await this.client.take("subscribed")).position;
    while (ids(this.got).every((one) => one < id)) {
      // On a slow machine, a notice may say that nobody polled for a while.
      const message = await this.client.messages.take("an event", (one) => one.offset !== undefined);
      assert.equal(message.offset, this.position.offset + 1);
      this.position = { ...this.position, offset: message.offset };
      if (message.type === "entries") this.got.push(message);
    }
    return this;
  }
  // Every entry once, from the first that it saw.
  check() {
    const seen = ids(this.got);
    assert.deepEqual(seen, Array.from(seen, (_, i) => seen[0] + i));
    assert.equal(this.client.messages.items.filter((message) => message.type === "notice" && message.state === "missed").length, 0);
  }
}

const allAt = (t, instance, count) => Promise.all(Array.from({ length: count }, () => new Follower().follow(t, instance)));
const allTo = (followers, id) => Promise.all(followers.map((one) => one.readTo(id)));

// They wait most of the time.
describe("instances that share streams", { concurrency: true }, () => {
  test("instances are killed, started and stopped: another one polls, clients go on there; nothing is lost, nothing comes twice", async (t) => {
    const broker = await new Broker(t).start();
    const node = await CountingNode.start(t);
    listing(node);
    let [a, b] = await Promise.all([1, 2].map(() => startInstance(t, broker, node)));
    await metricIs(0, b, "fanfare_relay_topics"); // nobody subscribes there
    const [atA, early] = [await allAt(t, a, 3), await allAt(t, a, 1)];
    await allTo([...atA, ...early], 3);
    await metricIs(1, a, "fanfare_relay_topics");
    await metricIs(1, a, "fanfare_relay_leases_held");
    await a.program.stop("SIGKILL");
    await Promise.all(atA.map((one) => one.follow(t, b))); // which has read nothing so far
    await allTo(atA, 12);
    await metricIs(1, b, "fanfare_relay_leases_held");
    a = await startInstance(t, broker, node);
    const atB = atA.splice(1);
    await Promise.all(atA.map((one) => one.follow(t, a)));
    await allTo([...atA, ...atB], 20);
    b.program.signal("SIGSTOP"); // it polled, and believes that it does
    await allTo(atA, 32);
    b.program.signal("SIGCONT");
    await allTo([...atA, ...atB], node.calls + 3);
    // Only the broker has what this one lacks.
    await Promise.all(early.map((one) => one.follow(t, a)));
    await allTo(early, node.calls);
    for (const one of [...atA, ...atB, ...early]) one.check();
  });

  test("a drained instance hands its streams over, and while the broker is away clients are told and lose nothing", async (t) => {
    const broker = await new Broker(t).start();
    const node = await CountingNode.start(t);
    listing(node);
    const [a, b] = await Promise.all([1, 2].map(() => startInstance(t, broker, node)));
    const [atA, atB] = [await allAt(t, a, 2), await allAt(t, b, 2)];
    await allTo([...atA, ...atB], 3);
    await a.program.stop("SIGTERM");
    await Promise.all(atA.map((one) => one.follow(t, b)));
    const all = [...atA, ...atB];
    await allTo(all, 12);
    const told = (state) => Promise.all(all.map((one) => one.client.take("notice", (notice) => notice.state === state)));
    await broker.program.stop("SIGKILL");
    await told("interrupted");
    await metricIs(0, b, "fanfare_relay_up");
    // Whoever comes meanwhile is answered, and told.
    const late = await new Follower().follow(t, b);
    await late.client.take("notice", (notice) => notice.state === "interrupted");
    await broker.start();
    await told("restored");
    await allTo(all, node.calls + 3);
    broker.program.signal("SIGSTOP");
    await told("interrupted");
    broker.program.signal("SIGCONT");
    await told("restored");
    await allTo([...all, late], node.calls + 3);
    for (const one of [...all, late]) one.check();
  });
});
