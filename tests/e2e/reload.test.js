// The configuration is changed while clients use the gateway: SIGHUP, each kind of change, files with errors, and a storm of
// reloads.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ethers } from "ethers";
import { post } from "./support/access.js";
import { atEnd } from "./support/cleanup.js";
import { CHAIN, configuration, otherProject, reloadStorm, startReloadable, subscribeHeads } from "./support/reload_storm.js";
import { assertConsecutive } from "./support/heads.js";
import { until } from "./support/waiting.js";

const chainId = { jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] };
const at = (url, project) => `${url}/${project}/evm/${CHAIN}`;
const lastLines = (gateway, pattern) => gateway.program.lines.items.filter((line) => pattern.test(line)).length;

test("a project comes and goes: its clients are closed with 1012, others notice nothing", async (t) => {
  const { node, gateway, write, reload, url } = await startReloadable(t);
  const stays = await subscribeHeads(t, at(url, "main"));
  const provider = new ethers.WebSocketProvider(at(url, "main"));
  atEnd(t, () => provider.destroy());
  assert.equal((await provider.getNetwork()).chainId, BigInt(CHAIN));
  assert.equal((await post(at(gateway.health, "side"), chainId)).status, 404);

  write(configuration(node.http, { more: otherProject(node.http) }));
  assert.match(await reload(), /changes=1 need_restart=0/);
  await gateway.program.line(/setting_changed .*\+ network side\/1337/);
  await until("the project is served", async () => (await post(at(gateway.health, "side"), chainId)).status === 200);
  const goes = await subscribeHeads(t, at(url, "side"));
  await until("its heads", () => goes.heads.length > 2);
  assert.match(await (await fetch(`${gateway.health}/readyz`)).text(), /side\/1337 ready/);

  write(configuration(node.http));
  await reload();
  await until("the Close", () => goes.closed);
  assert.deepEqual(goes.closed, { code: 1012, reason: "this network was removed from the configuration" });
  await until("404", async () => (await post(at(gateway.health, "side"), chainId)).status === 404);
  assert.doesNotMatch(await (await fetch(`${gateway.health}/readyz`)).text(), /side/);
  await until("no metrics of it", async () => !/project="side"/.test(await (await fetch(`${gateway.health}/metrics`)).text()));

  assert.equal(stays.closed, null);
  assertConsecutive(stays.heads);
  assert.ok(await provider.getBlockNumber() > 0);
});

test("another node, other limits and rules: open connections stay, and the rules apply to them", async (t) => {
  const { node, gateway, write, reload, url } = await startReloadable(t);
  const client = await subscribeHeads(t, at(url, "main"));
  write(configuration(node.http, { id: "other", timeout: "3s", main: "    methods: { deny: [eth_chainId] }\n",
    head: "  websocket: { maxConnectionsPerNetwork: 1 }\n" }));
  assert.match(await reload(), /changes=4 need_restart=0/);
  const refused = new Promise((resolve) => client.socket.on("message", (data) => {
    const message = JSON.parse(data);
    if (message.id === 7 && message.error) resolve(message.error.code);
  }));
  await until("the rule", async () => (await post(at(gateway.health, "main"), chainId)).json.error?.code === -32601);
  client.call('{"jsonrpc":"2.0","id":7,"method":"eth_chainId","params":[]}');
  assert.equal(await refused, -32601);
  await assert.rejects(subscribeHeads(t, at(url, "main")), /503/);
  const seen = client.heads.length;
  await until("more heads", () => client.heads.length > seen + 5);
  assertConsecutive(client.heads);
  assert.match(await (await fetch(`${gateway.health}/metrics`)).text(), /upstream="other"/);
});

test("what needs a restart is named with both values, and the rest is applied", async (t) => {
  const { node, gateway, write, reload, url } = await startReloadable(t);
  write(configuration(node.http, { head: "  maxBodyBytes: 4096\n", main: "    methods: { deny: [eth_chainId] }\n" })
    .replace("threads: 2", "threads: 3"));
  assert.match(await reload(), /changes=1 need_restart=2/);
  await gateway.program.line(/setting_needs_restart .*server\.threads: 2 -> 3/);
  await gateway.program.line(/setting_needs_restart .*server\.maxBodyBytes: 16777216 -> 4096/);
  await until("the rule", async () => (await post(at(gateway.health, "main"), chainId)).json.error?.code === -32601);
  // It is reported again until the restart.
  assert.match(await reload(), /changes=0 need_restart=2/);
  assert.ok(url);
});

test("a file with errors changes nothing, and all errors are reported with line and column", async (t) => {
  const { node, gateway, write, reload, url } = await startReloadable(t);
  const client = await subscribeHeads(t, at(url, "main"));
  write(configuration(node.http, { timeout: "10", head: "  shutdownTimeout: 5x\n", main: "    methods: { deny: [eth_chainId] }\n    more: 1\n" }));
  await reload(/configuration_reload_failed .*gateway\.yaml:5:20: server\.shutdownTimeout .*still_used="the one before"/);
  await gateway.program.line(/configuration_reload_failed .*gateway\.yaml:9:\d+: .*timeout is a number without a unit/);
  await gateway.program.line(/configuration_reload_failed .*gateway\.yaml:11:5: .*more/);
  assert.equal(lastLines(gateway, /configuration_reloaded|setting_/), 0);
  assert.equal((await post(at(gateway.health, "main"), chainId)).json.result, "0x539");
  // The next good file is applied.
  write(configuration(node.http, { timeout: "4s" }));
  assert.match(await reload(), /changes=1 need_restart=0/);
  await gateway.program.line(/setting_changed .*~ upstream main\/1337\/node timeout: 10s -> 4s/);
  assert.equal(client.closed, null);
});

test("a storm of reloads, a third of them broken: nothing is lost, nobody is dropped", async (t) => {
  const counted = await reloadStorm(t, { subscribers: 50, reloads: 30, seconds: 2 });
  assert.equal(counted.broken, 10);
  assert.ok(counted.heads >= 50 * 5, `${counted.heads} heads`);
});
