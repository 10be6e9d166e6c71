// A node of one project floods the gateway. The other project continues, memory and log stay small, and SIGTERM
// ends the process in time.
// Runs alone: it measures how long answers take.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import net from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { atEnd } from "./support/cleanup.js";
import { call, metric, readiness, startFanfare, writeConfig } from "./support/fanfare.js";
import { Flooder } from "./support/flooder.js";
import { assertConsecutive } from "./support/heads.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const MiB = 1024 * 1024;
const PEAK_MAX = 128 * MiB; // 32 MiB for the process itself, plus what a node and a loop may hold briefly
const LOG_LINES_MAX = 60;
const LOG_BYTES_MAX = 32 * 1024;
const SHUTDOWN_S = 3;

const peakBytes = (fanfare) => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${fanfare.program.child.pid}/status`, "utf8"))[1]) * 1024;

// Projects a and b, each with one node.
async function startTwoProjects(t, urlOfA, urlOfB, { server = "" } = {}) {
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, `
logLevel: info
server: { httpPort: 0, shutdownTimeout: ${SHUTDOWN_S}s${server} }
projects:
  - id: a
    networks: [{ architecture: evm, evm: { chainId: 1001 } }]
    upstreams: [{ id: node-a, endpoint: "${urlOfA}" }]
  - id: b
    networks: [{ architecture: evm, evm: { chainId: 1002 } }]
    upstreams: [{ id: node-b, endpoint: "${urlOfB}" }]
`)], { ready: false });
  const { host } = new URL(fanfare.health);
  await until("b is ready", async () => (await fetch(`${fanfare.health}/readyz?network=b/1002`)).status === 200);
  return Object.assign(fanfare, { b: `http://${host}/b/evm/1002`, bWs: `ws://${host}/b/evm/1002` });
}

// b answers and gets its heads, regardless of a.
async function assertBGoesOn(t, fanfare, { calls = 50, heads = 5 } = {}) {
  const socket = await RawSocket.open(fanfare.bWs);
  atEnd(t, () => socket.destroy());
  const id = await socket.subscribe("newHeads");
  const latencies = [];
  for (let i = 0; i < calls; ++i) {
    const begun = performance.now();
    assert.match(await call(fanfare.b, "eth_blockNumber"), /^0x/);
    latencies.push(performance.now() - begun);
  }
  const seen = [];
  while (seen.length < heads) seen.push((await socket.json((message) => message.params?.subscription === id)).params.result);
  assertConsecutive(seen);
  await socket.close();
  latencies.sort((a, b) => a - b);
  t.diagnostic(`calls of b: median ${latencies[calls >> 1].toFixed(1)} ms, longest ${latencies.at(-1).toFixed(1)} ms`);
}

async function assertEndsInTime(t, fanfare) {
  const lines = fanfare.program.lines.items.length;
  const bytes = fanfare.program.text.length;
  t.diagnostic(`peak ${(peakBytes(fanfare) / MiB).toFixed(0)} MiB, ${lines} lines, ${bytes} bytes of log`);
  assert.ok(peakBytes(fanfare) < PEAK_MAX, `peak ${peakBytes(fanfare)}`);
  assert.ok(lines < LOG_LINES_MAX && bytes < LOG_BYTES_MAX, `${lines} lines, ${bytes} bytes`);
  // The shutdown deadline, one second for the forced end, and slack for a busy machine.
  const { code } = await fanfare.program.stop("SIGTERM", (SHUTDOWN_S + 10) * 1000);
  assert.equal(code, 0);
}

for (const kind of ["junk", "notifications", "answers", "heads", "branches", "huge"]) {
  test(`a node floods with ${kind}: it is put aside, and nobody else notices`, async (t) => {
    const a = await Flooder.start(t, 1001);
    const b = await Flooder.start(t, 1002);
    const fanfare = await startTwoProjects(t, a.url, b.url);
    await until("a is ready", async () => (await readiness(fanfare)).status === 200);
    await a.flood(kind);
    await assertBGoesOn(t, fanfare);
    await until("the node is put aside", async () => (await metric(fanfare, "fanfare_upstream_floods_total", { upstream: "node-a" })) >= 1);
    await fanfare.program.line(/ error upstream_flooding endpoint=node-a reason="it floods: .* next tried in \d+ s"/);
    await assertBGoesOn(t, fanfare);
    assert.equal((await fetch(`${fanfare.health}/readyz?network=b/1002`)).status, 200);
    await until("/readyz says so", async () => /a\/1001 .*node-a is not used: it floods: /.test((await readiness(fanfare)).text));

    // Once the node is honest again, the gateway retries it automatically.
    await a.flood("none");
    await until("a is ready again", async () => (await fetch(`${fanfare.health}/readyz?network=a/1001`)).status === 200);
    assert.match(await call(fanfare.b.replace("b/evm/1002", "a/evm/1001"), "eth_blockNumber"), /^0x/);
    await a.flood(kind);
    await assertEndsInTime(t, fanfare);
  });
}

test("each network has a thread of its own, up to the limit", async (t) => {
  const threads = (fanfare) => {
    const tasks = `/proc/${fanfare.program.child.pid}/task`;
    return readdirSync(tasks).filter((task) => readFileSync(`${tasks}/${task}/comm`, "utf8").startsWith("upstream-")).length;
  };
  const [a, b] = [await Flooder.start(t, 1001), await Flooder.start(t, 1002)];
  assert.equal(threads(await startTwoProjects(t, a.url, b.url)), 2);
  assert.equal(threads(await startTwoProjects(t, a.url, b.url, { server: ", upstreamThreads: 2" })), 2);
  const shared = await startTwoProjects(t, a.url, b.url, { server: ", upstreamThreads: 1" });
  assert.equal(threads(shared), 1);
  // The other project continues even on a shared thread.
  await a.flood("junk");
  await assertBGoesOn(t, shared);
  await assertEndsInTime(t, shared);
});

test("a message that never ends costs its connection", async (t) => {
  const a = await Flooder.start(t, 1001);
  const b = await Flooder.start(t, 1002);
  const fanfare = await startTwoProjects(t, a.url, b.url);
  await a.flood("endless");
  await assertBGoesOn(t, fanfare);
  await until("the connection was given up", async () => (await a.counts()).connections >= 2);
  await assertEndsInTime(t, fanfare);
});

test("nodes that accept and say nothing do not hold up the end", async (t) => {
  const silent = net.createServer((socket) => socket.on("error", () => {})).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const sockets = new Set();
  silent.on("connection", (socket) => sockets.add(socket));
  atEnd(t, () => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const b = await Flooder.start(t, 1002);
  for (const scheme of ["ws", "wss", "http", "https"]) {
    const fanfare = await startTwoProjects(t, `${scheme}://127.0.0.1:${silent.address().port}`, b.url);
    await until("it is connected", () => sockets.size > 0);
    await assertBGoesOn(t, fanfare, { calls: 5, heads: 2 });
    await assertEndsInTime(t, fanfare);
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  }
});
