// Streams that several instances share over NATS JetStream (docs/scaling.md): one polls, any serves, and a client goes on
// with another one when its own is killed. The broker is Debian's nats-server.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { BINARY, temporaryFolder, writeConfig } from "./support/fanfare.js";
import { startFor } from "./support/processes.js";
import { CountingNode, StreamClient } from "./support/streams.js";
import { until } from "./support/waiting.js";

const INTERVAL_MS = 100;

class Broker {
  constructor(t) {
    this.t = t;
    this.folder = temporaryFolder(t);
    this.port = -1;
  }
  async start() {
    const parameters = ["-a", "127.0.0.1", "-p", String(this.port), "-js", "-sd", this.folder, "--ports_file_dir", this.folder];
    this.program = startFor(this.t, "nats-server", process.env.NATS_SERVER ?? "/usr/sbin/nats-server", parameters);
    await this.program.line(/Server is ready/);
    const file = path.join(this.folder, `nats-server_${this.program.child.pid}.ports`);
    [this.url] = await until("the broker's ports", () => {
      try {
        return JSON.parse(readFileSync(file, "utf8")).nats;
      } catch {
        return null;
      }
    });
    this.port = Number(new URL(this.url).port);
    return this;
  }
}

// An instance. `entries` is a stream of new entries.
async function startInstance(t, broker, node) {
  const config = `
logLevel: info
server: { httpPort: 0, shutdownTimeout: 1s }
relay: { nats: { servers: ["${broker.url}"], heartbeat: 200ms, reconnectWait: 20ms } }
streams:
  upstreams: [{ id: node, endpoint: "${node.url}", timeout: 5s }]
  definitions:
    - name: entries
      interval: ${INTERVAL_MS}ms
      upstream: node
      calls: { r: m }
      fields: { list: { each: /r/list, fields: { id: /id } } }
      newOnly: { list: list, key: id }
`;
  const program = startFor(t, "fanfare", BINARY, ["serve", "--config", writeConfig(t, config)]);
  const [, base] = await program.line(/^ {2}Streams\s+ws:(\S+)\/streams$/);
  return { program, url: `ws:${base}/streams` };
}

// The node lists the last hundred of entries that are numbered from 1; each call adds one.
function listing(node) {
  node.result = (n) => ({ list: Array.from({ length: Math.min(n, 100) }, (_, i) => ({ id: n - i })).reverse() });
}

const ids = (messages) => messages.flatMap((message) => message.data.list.map((entry) => entry.id));

// Follows the entries at one instance after another, with the position of the last event.
class Follower {
  got = [];
  async follow(t, instance) {
    this.client = await StreamClient.open(t, instance.url);
    this.answer = await this.client.subscribe("entries", this.position ? { since: this.position } : { position: true });
    this.position = this.answer.position;
    assert.notEqual(this.answer.recovered, false, JSON.stringify(this.answer));
  }
  // Reads until an entry with at least this id has come.
  async readTo(id) {
    while (ids(this.got).every((one) => one < id)) {
      const message = await this.client.take("entries");
      assert.equal(message.offset, this.position.offset + 1);
      this.position = { ...this.position, offset: message.offset };
      this.got.push(message);
    }
  }
  // Every entry once, from the first that it saw.
  check() {
    const seen = ids(this.got);
    assert.deepEqual(seen, Array.from(seen, (_, i) => seen[0] + i));
  }
}

test("an instance is killed: another one polls, and a client goes on there; nothing is lost, nothing comes twice", async (t) => {
  const broker = await new Broker(t).start();
  const node = await CountingNode.start(t);
  listing(node);
  const [a, b, c] = await Promise.all([1, 2, 3].map(() => startInstance(t, broker, node)));
  const [atA, atB, moved] = [new Follower(), new Follower(), new Follower()];
  await moved.follow(t, a); // so A polls
  await moved.readTo(1);
  await atA.follow(t, a);
  await atB.follow(t, b);
  await atB.readTo(5);
  await moved.readTo(5);
  await a.program.stop("SIGKILL");
  await atB.readTo(15); // polled by B
  await moved.follow(t, c); // which has only listened
  await atB.readTo(25);
  await moved.readTo(25);
  atB.check();
  moved.check();
  assert.equal(moved.answer.recovered, true);
  const pollers = [b, c].filter(({ program }) => program.lines.items.some((line) => /lease_taken/.test(line)));
  assert.equal(pollers.length, 1);
});

test("a drained instance hands its streams over, and while the broker restarts clients are told and lose nothing", async (t) => {
  const broker = await new Broker(t).start();
  const node = await CountingNode.start(t);
  listing(node);
  const [a, b] = await Promise.all([1, 2].map(() => startInstance(t, broker, node)));
  const [atA, atB] = [new Follower(), new Follower()];
  await atA.follow(t, a);
  await atA.readTo(3);
  await atB.follow(t, b);
  await a.program.stop("SIGTERM");
  await atB.readTo(12);
  await broker.program.stop("SIGKILL");
  assert.equal((await atB.client.take("notice")).state, "interrupted");
  await broker.start();
  assert.equal((await atB.client.take("notice")).state, "restored");
  await atB.readTo(node.calls + 5);
  atB.check();
});
