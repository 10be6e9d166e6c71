// Binary upgrades of a running gateway: nobody is refused, subscribers move over time and miss nothing, and a build that does not
// start changes nothing.
//
//   FANFARE_UPGRADE_CLIENTS=1000 FANFARE_UPGRADE_RATE=500 FANFARE_UPGRADE_LOOP=epoll node --test upgrade.test.js
//
// By hand: more clients, closes a second, on another loop; and the peak of handshakes is checked, too.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { test } from "node:test";
import { atEnd } from "./support/cleanup.js";
import { call, readiness, startDevChain } from "./support/fanfare.js";
import { assertConsecutive } from "./support/heads.js";
import { run } from "./support/processes.js";
import { RawSocket } from "./support/raw_socket.js";
import { configuration, follow, startTraffic, startUpgradable } from "./support/upgrades.js";
import { until } from "./support/waiting.js";

const CLIENTS = Number(process.env.FANFARE_UPGRADE_CLIENTS ?? 100);

// The greatest number of times within any half a second, a second.
function peak(times) {
  const sorted = times.toSorted((a, b) => a - b);
  let most = 0;
  for (let first = 0, last = 0; last < sorted.length; ++last) {
    while (sorted[last] - sorted[first] > 500) first++;
    most = Math.max(most, last - first + 1);
  }
  return most * 2;
}

// Nobody was refused, and nobody was left without an answer.
function expectServed(counts) {
  const { answered, moved, repeated, ...failed } = counts;
  assert.ok(answered > 0);
  assert.deepEqual(failed, {});
  return counts;
}

test(`${CLIENTS} subscribers move to a new build: nobody is refused, and no head is missed`, async (t) => {
  const rate = Number(process.env.FANFARE_UPGRADE_RATE ?? CLIENTS);
  const loop = process.env.FANFARE_UPGRADE_LOOP;
  const gateway = await startUpgradable(t, { blockMs: 100, server: `  shutdownClosesPerSecond: ${rate}\n`, loop });
  const clients = Array.from({ length: CLIENTS }, () => follow(t, gateway.url));
  await until("a head for each", () => clients.every(({ heads }) => heads.length > 0));
  const traffic = startTraffic(t, gateway.health);
  gateway.next();
  gateway.program.signal("SIGUSR2");
  const pid = await gateway.upgraded();
  assert.notEqual(pid, gateway.program.child.pid);
  await until("each has moved", () => clients.every(({ opens }) => opens.length === 2));
  const others = expectServed(await traffic.end());
  const head = Number(await call(gateway.rpc, "eth_blockNumber"));
  await until("each has the newest head", () => clients.every(({ heads }) => Number(heads.at(-1).number) > head));
  await gateway.log(/ stopped connections_dropped=0/);
  for (const { heads, notices, closes } of clients) {
    assert.deepEqual(closes.map(({ code, reason }) => ({ code, reason })),
      [{ code: 1012, reason: "the gateway is restarting, try again in 1 s" }]);
    assert.deepEqual(notices.filter(({ notice }) => notice?.type !== "live"), []);
    assertConsecutive(heads);
  }
  const closed = clients.map(({ closes }) => closes[0].at);
  const opened = clients.map(({ opens }) => opens[1]);
  t.diagnostic(`others: ${JSON.stringify(others)}; closes: ${rate} a second wanted, peak ${peak(closed)}; handshakes: peak ${peak(opened)}`);
  const [[, begun, spread], [, ended]] = [await gateway.log(/^(\S+) .* stopping .*spread_ms=(\d+)/), await gateway.log(/^(\S+) .* stopped /)];
  // The last one is due just before the end of it. What the clients see depends on their speed, too.
  assert.ok(Number(spread) >= (CLIENTS / rate) * 1000 && Date.parse(ended) - Date.parse(begun) >= 0.9 * spread);
  if (process.env.FANFARE_UPGRADE_RATE) assert.ok(peak(opened) <= 1.5 * rate);
});

test("a build or a configuration that does not start changes nothing", async (t) => {
  const gateway = await startUpgradable(t, { loop: "epoll" });
  const client = follow(t, gateway.url);
  const traffic = startTraffic(t, gateway.health);
  const failure = async (pattern, meanwhile = async () => {}) => {
    await gateway.ready(); // only what is ready must be ready in the successor
    const from = gateway.position();
    gateway.program.signal("SIGUSR2");
    await meanwhile(from);
    await gateway.log(pattern, from);
  };
  gateway.next("#!/bin/sh\necho 'error while loading shared libraries' >&2\nexit 127\n");
  await failure(/upgrade_failed error="it ended with status 127\. Its last line: error while loading shared libraries"/);
  gateway.next("no program\n");
  await failure(/upgrade_failed error="(cannot start .*Exec format error|it ended with status 127.*)"/);
  gateway.next();
  gateway.write("server: { htpPort: 1 }\n");
  await failure(/upgrade_failed error="it ended with status 2\. Its last line: .*gateway\.yaml:1:\d+: .*"/);
  // Its node does not answer, so it is not ready.
  gateway.config("", "http://127.0.0.1:9");
  await failure(/upgrade_failed error="it was ended by SIGKILL/, async (from) => {
    const [, pid] = await gateway.log(/upgrade_begun pid=(\d+)/, from);
    await gateway.log(/ listening /, from);
    gateway.program.signal("SIGUSR2");
    await gateway.log(/upgrade_under_way/, from);
    process.kill(Number(pid), "SIGKILL");
  });
  gateway.config("  upgradeTimeout: 1s\n");
  gateway.program.signal("SIGHUP");
  await gateway.log(/configuration_reloaded changes=1/);
  gateway.config("", "http://127.0.0.1:9");
  await failure(/upgrade_failed error="it was not ready within 1000 ms \(server\.upgradeTimeout\)/);
  await gateway.ready();
  const seen = client.heads.length;
  await until("further heads", () => client.heads.length > seen + 2);
  assertConsecutive(client.heads);
  assert.equal(client.opens.length, 1);
  const { moved, repeated } = expectServed(await traffic.end());
  assert.equal(moved + repeated, 0);
  assert.ok(existsSync(path.join(gateway.folder, "admin.sock")));
});

test("'fanfare upgrade' waits for the successor, which is upgraded and stopped like its predecessor", async (t) => {
  const gateway = await startUpgradable(t);
  const admin = path.join(gateway.folder, "admin.sock");
  const socket = path.join(gateway.folder, "gateway.sock");
  const upgrade = () => run(gateway.file, ["upgrade"], { env: { FANFARE_ADMIN: admin } });
  const over = async (socketPath) => {
    const [response] = await once(http.get({ socketPath, path: "/healthz", agent: false }), "response");
    response.resume();
    return response.statusCode;
  };
  const idle = await RawSocket.open(gateway.url); // keeps the first process for a moment
  atEnd(t, () => idle.destroy());
  for (let i = 0; i < 2; ++i) {
    const before = gateway.pid();
    const from = gateway.position();
    const { code, stdout, stderr } = await upgrade();
    assert.equal(code, 0, stderr);
    const pid = await gateway.upgraded(from);
    assert.equal(stdout, `process ${pid} has taken over\n`);
    await until("the predecessor has ended", () => !gateway.isRunning(before));
    assert.equal(await over(socket), 200);
    assert.equal(await call(gateway.rpc, "eth_chainId"), "0x539");
  }
  const from = gateway.position();
  process.kill(gateway.pid(), "SIGHUP");
  await gateway.log(/configuration_reloaded .*need_restart=0/, from);
  gateway.write(configuration(gateway.folder, gateway.endpoint) + "canvas: { rooms: [{ name: sketch }] }\n" + "wrong: 1\n");
  const refused = await upgrade();
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^fanfare upgrade: the server goes on as before: it ended with status 2\. Its last line: .*wrong/);
  process.kill(gateway.pid(), "SIGTERM");
  await until("the last process has ended", () => !gateway.isRunning(gateway.pid()));
  await assert.rejects(RawSocket.connect(gateway.url), { code: "ECONNREFUSED" });
  assert.ok(!existsSync(socket) && !existsSync(admin));
});

test("what cannot be handed over is not upgraded", async (t) => {
  const gateway = await startUpgradable(t);
  const from = gateway.position();
  const chain = await startDevChain(t, ["--dev-block-time", "1s"]);
  chain.program.signal("SIGUSR2");
  await chain.program.line(/upgrade_failed error="the built-in chain is in the memory of this process; restart it"/);
  const admin = path.join(gateway.folder, "admin.sock");
  const command = (...words) => run(gateway.file, words, { env: { FANFARE_ADMIN: admin } });
  assert.equal((await command("drain", "--spread", "0s")).code, 0);
  assert.equal((await readiness(gateway)).status, 503);
  assert.match((await command("upgrade")).stderr, /the server drains/);
  assert.equal((await command("admin", "undrain")).code, 0);
  const unknown = await command("upgrade", "--pid", String(process.pid));
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /is no 'fanfare serve' that can be upgraded/);
  assert.equal((await command("upgrade", "--pid", String(gateway.pid()))).code, 0);
  await gateway.upgraded(from);
});
