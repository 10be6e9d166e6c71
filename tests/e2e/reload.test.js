// The configuration is changed while clients use the gateway: SIGHUP, each kind of change, files with errors, and a storm of
// reloads.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";
import { ethers } from "ethers";
import { post } from "./support/access.js";
import { atEnd } from "./support/cleanup.js";
import { JsonClient } from "./support/canvas.js";
import { temporaryFolder } from "./support/fanfare.js";
import { CHAIN, configuration, otherProject, reloadStorm, startReloadable, subscribeHeads } from "./support/reload_storm.js";
import { assertConsecutive } from "./support/heads.js";
import { StreamClient } from "./support/streams.js";
import { until } from "./support/waiting.js";

const chainId = { jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] };
// With one thread, what one connection sees applies to the next one.
const oneThread = (nodeUrl, options) => configuration(nodeUrl, options).replace("threads: 2", "threads: 1");
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
  write(configuration(node.http, { head: "  compression: { minBytes: 4096 }\n", main: "    methods: { deny: [eth_chainId] }\n" })
    .replace("threads: 2", "threads: 3"));
  assert.match(await reload(), /changes=1 need_restart=2/);
  await gateway.program.line(/setting_needs_restart .*server\.threads: 2 -> 3/);
  await gateway.program.line(/setting_needs_restart .*server\.compression\.minBytes: 2048 -> 4096/);
  await until("the rule", async () => (await post(at(gateway.health, "main"), chainId)).json.error?.code === -32601);
  // It is reported again until the restart.
  assert.match(await reload(), /changes=0 need_restart=2/);
  assert.ok(url);
});

test("limits: open connections stay, and new ones are judged by the new limits", async (t) => {
  const { node, gateway, write, reload, url } = await startReloadable(t);
  const client = await subscribeHeads(t, at(url, "main"));
  write(configuration(node.http, { head: "  limits: { connectionsMax: 1, batchItemsMax: 2 }\n" }));
  assert.match(await reload(), /changes=2 need_restart=0/);
  await gateway.program.line(/setting_changed .*server\.limits\.connectionsMax: 0 -> 1/);
  await assert.rejects(subscribeHeads(t, at(url, "main")));
  const seen = client.heads.length;
  await until("more heads", () => client.heads.length > seen + 2);
  write(configuration(node.http, { head: "  limits: { connectionsMax: 100, batchItemsMax: 2 }\n" }));
  assert.match(await reload(), /changes=1 need_restart=0/);
  const batch = await post(at(gateway.health, "main"), [chainId, chainId, chainId]);
  assert.equal(batch.json.error.code, -32600);
});

test("streams come and go: readers of others notice nothing", async (t) => {
  const streams = (...names) => `streams:
  definitions:
${names.map((name) => `    - { name: ${name}, interval: 30ms, network: main/${CHAIN}, calls: { b: eth_blockNumber }, fields: { n: /b } }\n`).join("")}`;
  const { node, gateway, write, reload, url } = await startReloadable(t, { text: (http) => configuration(http, { more: streams("heads", "goes") }) });
  const client = await StreamClient.open(t, `${url}/streams`);
  await client.subscribe("heads", { position: true });
  await client.subscribe("goes");
  const before = await client.take("heads");
  write(configuration(node.http, { more: streams("heads", "new") }));
  assert.match(await reload(), /changes=2 need_restart=0/);
  await gateway.program.line(/setting_changed .*- stream goes/);
  const end = await client.take("unsubscribed");
  assert.deepEqual([end.stream, end.reason], ["goes", "the server has ended the stream"]);
  await client.subscribe("new");
  await client.take("new");
  const next = await client.take("heads");
  assert.equal(next.offset, before.offset + 1);
});

test("all streams come and go: their clients are closed with 1012", async (t) => {
  const streams = `streams:
  definitions:
    - { name: heads, interval: 30ms, network: main/${CHAIN}, calls: { b: eth_blockNumber }, fields: { n: /b } }
`;
  const { node, gateway, write, reload, url } = await startReloadable(t, { text: oneThread });
  const stays = await subscribeHeads(t, at(url, "main"));
  write(oneThread(node.http, { more: streams }));
  assert.match(await reload(), /changes=2 need_restart=0/);
  await until("the streams are served", async () => (await fetch(`${gateway.health}/streams`)).status === 426);
  const client = await StreamClient.open(t, `${url}/streams`);
  await client.subscribe("heads");
  await client.take("heads");
  write(oneThread(node.http));
  assert.match(await reload(), /changes=2 need_restart=0/);
  await assert.rejects(client.take("more"), /closed with 1012 streams were removed from the configuration/);
  await until("404", async () => (await fetch(`${gateway.health}/streams`)).status === 404);
  assert.equal(stays.closed, null);
});

test("rooms of the canvas come and go: a room that returns has its pixels, and others notice nothing", async (t) => {
  const file = path.join(temporaryFolder(t), "kept.canvas");
  const canvas = (...rooms) => `canvas: { rooms: [${rooms.join(", ")}] }\n`;
  const kept = `{ name: kept, width: 20, height: 20, file: "${file}" }`;
  const main = (more = "", width = 20) => `{ name: main, width: ${width}, height: 20${more} }`;
  const { node, gateway, write, reload, url } = await startReloadable(t, { text: oneThread });
  const apply = (more) => (write(oneThread(node.http, { more })), reload());
  const room = (name) => `${url}/canvas/${name}`;
  const image = async () => (await fetch(`${gateway.health}/canvas/kept/image.png`)).status;

  // The whole canvas is added.
  assert.match(await apply(canvas(main(", cooldown: 1h"), kept)), /changes=3 need_restart=0/);
  await until("the canvas is served", async () => (await image()) === 200);
  const stays = await JsonClient.open(t, room("main"));
  assert.equal((await stays.draw(1, 1, "#ff0000")).type, "ok");
  assert.equal((await stays.draw(2, 2, "#ff0000")).code, "too_many_pixels");
  const goes = await JsonClient.open(t, room("kept"));
  assert.equal((await goes.draw(3, 4, "#0000ff")).type, "ok");

  // One is removed, and the other gets another cooldown.
  assert.match(await apply(canvas(main())), /changes=2 need_restart=0/);
  assert.deepEqual(await goes.closed, { code: 1012, reason: "this room was removed from the configuration" });
  assert.equal(await image(), 404);
  await gateway.program.line(/canvas_room_ended room=kept/);
  assert.equal((await stays.draw(2, 2, "#ff0000")).type, "ok");

  // It returns; a file that cannot be opened changes nothing.
  const damaged = path.join(temporaryFolder(t), "damaged");
  writeFileSync(damaged, "SQLite format 3\0 and nothing of it");
  write(oneThread(node.http, { more: canvas(kept, `{ name: bad, file: "${damaged}" }`) }));
  await reload(/configuration_reload_failed .*cannot open the canvas: room bad: /);
  assert.equal(await image(), 404);
  assert.match(await apply(canvas(main("", 30), kept)), /changes=1 need_restart=1/);
  await gateway.program.line(/setting_needs_restart .*room main width: 20 -> 30/);
  assert.deepEqual(await (await JsonClient.open(t, room("kept"))).state(), { "3,4": "#0000ff" });
  assert.equal((await stays.draw(3, 3, "#ff0000")).type, "ok");
});

test("a listener comes and goes: its WebSockets stay, and an address in use changes nothing", async (t) => {
  const { node, gateway, write, reload, url } = await startReloadable(t);
  const folder = temporaryFolder(t);
  const socketPath = path.join(folder, "fanfare.sock");
  const client = await subscribeHeads(t, at(url, "main"));
  write(configuration(node.http, { head: `  unixSocket: { path: "${socketPath}" }\n` }));
  assert.match(await reload(), /changes=1 need_restart=0/);
  const added = await subscribeHeads(t, `ws+unix:${socketPath}:/main/evm/${CHAIN}`);
  await until("its heads", () => added.heads.length > 1);

  const taken = path.join(folder, "taken.sock");
  const other = net.createServer().listen(taken);
  t.after(() => other.close());
  await once(other, "listening");
  write(configuration(node.http, { main: "    methods: { deny: [eth_chainId] }\n", head: `  unixSocket: { path: "${taken}" }\n` }));
  await reload(/configuration_reload_failed .*cannot listen: bind unix:/);
  assert.equal((await post(at(gateway.health, "main"), chainId)).json.result, "0x539");

  write(configuration(node.http));
  assert.match(await reload(), /changes=1 need_restart=0/);
  assert.ok(!existsSync(socketPath));
  const seen = added.heads.length;
  await until("more heads", () => added.heads.length > seen + 2);
  assertConsecutive(added.heads);
  assertConsecutive(client.heads);
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
