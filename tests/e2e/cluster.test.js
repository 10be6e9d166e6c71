// ./dev cluster: a broker, three instances and HAProxy. A client that reads through HAProxy loses its instance, goes on at another one
// from where it was, and misses nothing.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { BINARY, metric } from "./support/fanfare.js";
import { ROOT, startFor } from "./support/processes.js";
import { StreamClient } from "./support/streams.js";
import { until } from "./support/waiting.js";

const isRunning = (pid) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

// Reads so many values, each directly behind the last one; returns the position of the last.
async function read(client, position, count) {
  for (let i = 0; i < count; i++) {
    const { offset } = await client.take("network_metrics");
    assert.equal(offset, position.offset + 1);
    position = { ...position, offset };
  }
  return position;
}

test("a client goes on through HAProxy when its instance is killed, and Ctrl-C ends all of them", async (t) => {
  const cluster = startFor(t, "cluster", "python3", [path.join(ROOT, "tools/cluster.py"), "--interval", "100ms"], { env: { FANFARE_BIN: BINARY } });
  const [, front] = await cluster.line(/^ {2}HAProxy +(ws:\S+)$/);
  await cluster.line(/Ctrl-C stops all of it/);
  const parts = [...cluster.text.matchAll(/^ {2}(\w+) +\w+:\/\/(127\.0\.0\.1:\d+)\S* +pid (\d+)$/gm)].map(([, name, at, pid]) => ({ name, health: `http://${at}`, pid: Number(pid) }));
  assert.deepEqual(parts.map((part) => part.name), ["i1", "i2", "i3", "broker", "node"]);
  const first = await StreamClient.open(t, front);
  const { position: begin } = await first.subscribe("network_metrics", { position: true });
  let position = await read(first, begin, 3);
  const connected = await Promise.all(parts.slice(0, 3).map((part) => metric(part, "fanfare_stream_subscribers", { stream: "network_metrics" })));
  const its = parts[connected.indexOf(1)];
  process.kill(its.pid, "SIGKILL");
  await assert.rejects(() => first.messages.take("a message that does not come", () => false), /closed with 1006/);
  // What it got before it noticed.
  for (const message of first.messages.items.filter((one) => one.type === "network_metrics")) position = { ...position, offset: message.offset };
  const second = await until("another instance takes it", () => StreamClient.open(t, front));
  const answer = await second.subscribe("network_metrics", { since: position });
  assert.equal(answer.recovered, true);
  position = await read(second, position, 12); // the killed one polled
  await cluster.line(new RegExp(`^${its.name} ended with SIGKILL`));
  cluster.signal("SIGINT");
  assert.equal((await cluster.exit).code, 0);
  assert.deepEqual(parts.filter((part) => isRunning(part.pid)), []);
});

test("what it needs is named", async (t) => {
  const cluster = startFor(t, "cluster", "python3", [path.join(ROOT, "tools/cluster.py")], { env: { FANFARE_BIN: "/no/such/program" } });
  await cluster.line(/^cluster: the program is not built: \.\/dev build$/);
  assert.equal((await cluster.exit).code, 1);
});
