// The access log, the form of the log, traces and the admin socket change while requests run: every request is in one of the two
// logs, and a reload that cannot be done changes nothing.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { test } from "node:test";
import { atEnd } from "./support/cleanup.js";
import { Collector } from "./support/collector.js";
import { temporaryFolder } from "./support/fanfare.js";
import { CHAIN, configuration, startReloadable, subscribeHeads } from "./support/reload_storm.js";
import { assertConsecutive } from "./support/heads.js";
import { until } from "./support/waiting.js";

const CALL = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}';

async function reloadBy(socketPath) {
  const request = http.request({ socketPath, method: "POST", path: "/v1/reload" });
  request.end();
  const [response] = await once(request, "response");
  let text = "";
  for await (const piece of response) text += piece;
  return { status: response.statusCode, headers: response.headers, json: JSON.parse(text) };
}

// Requests one after another on a kept connection: {ids, stop()}, the ids of those that were answered.
function traffic(t, url, name) {
  const ids = [];
  let going = true;
  const done = (async () => {
    for (let i = 0; going; ++i) {
      const id = `${name}-${i}`;
      const answer = await fetch(url, { method: "POST", body: CALL, headers: { "content-type": "application/json", "x-request-id": id } });
      assert.equal((await answer.json()).result, `0x${CHAIN.toString(16)}`);
      ids.push(id);
    }
  })();
  const stop = () => ((going = false), done);
  atEnd(t, stop);
  return { ids, stop };
}

const idsIn = (file, kind) => readFileSync(file, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line))
  .filter((line) => line.kind === kind).map((line) => line.request_id);

test("log, traces and admin socket change under traffic: each request is in one of the logs", async (t) => {
  const folder = temporaryFolder(t);
  const at = (name) => path.join(folder, name);
  const collector = await Collector.start(t);
  const text = (log, admin, more = "") => (node) => configuration(node, {
    head: `  accessLog: { path: ${at(log)} }\n`, more: `admin: { socket: ${at(admin)} }\n${more}` });
  const { node, gateway, write } = await startReloadable(t, { text: text("a.log", "a.sock") });
  const url = `${gateway.health}/main/evm/${CHAIN}`;
  const client = await subscribeHeads(t, url.replace("http:", "ws:"));
  const requests = ["x", "y"].map((name) => traffic(t, url, name));
  const further = async (count) => {
    const wanted = requests.map(({ ids }) => ids.length + count);
    await until("further requests", () => requests.every(({ ids }, i) => ids.length >= wanted[i]));
  };
  await further(20);

  write(text("b.log", "b.sock", `logFormat: json\ntracing: { endpoint: "${collector.url}/v1/traces", interval: 50ms }\n`)(node.http));
  const moved = await reloadBy(at("a.sock"));
  assert.equal(moved.status, 200);
  assert.deepEqual(moved.json.needs_restart, []);
  assert.deepEqual(moved.json.changes, [
    `- admin listener unix:${at("a.sock")}`, `+ admin listener unix:${at("b.sock")}`,
    `~ server.accessLog.path: ${at("a.log")} -> ${at("b.log")}`, `+ tracing: ${collector.url}/v1/***`, "~ logFormat: text -> json",
  ]);
  assert.equal(moved.headers.connection, "close");
  assert.ok(!existsSync(at("a.sock")));
  await gateway.program.line(/^\{"ts":.*"event":"configuration_reloaded"/);
  await further(20);
  await until("spans", () => collector.spans.length > 0);

  // What cannot be done changes nothing, and says why.
  write(text("none/c.log", "c.sock")(node.http));
  const bad = await reloadBy(at("b.sock"));
  assert.equal(bad.status, 422);
  assert.match(JSON.stringify(bad.json), /server\.accessLog\.path: the directory of .*none\/c\.log.* does not exist/);
  write(text("b.log", "b.sock", 'tracing: { endpoint: "collector:4318" }\n')(node.http));
  assert.match(JSON.stringify((await reloadBy(at("b.sock"))).json), /gateway\.yaml:\d+:\d+: tracing\.endpoint is no URL of a collector/);
  assert.ok(!existsSync(at("c.sock")));

  await Promise.all(requests.map(({ stop }) => stop()));
  assert.equal(client.closed, null);
  assertConsecutive(client.heads);
  assert.equal((await gateway.program.stop()).code, 0);
  const [first, second] = ["a.log", "b.log"].map((log) => ({ requests: idsIn(at(log), "request"), calls: idsIn(at(log), "call") }));
  const answered = requests.flatMap(({ ids }) => ids).sort();
  const logged = [...first.requests, ...second.requests].filter((id) => /^[xy]-/.test(id));
  assert.deepEqual(logged.sort(), answered);
  for (const { requests: ids, calls } of [first, second]) {
    assert.ok(ids.length >= 20, `${ids.length} requests`);
    const called = new Set(calls);
    assert.ok(ids.filter((id) => /^[xy]-/.test(id)).every((id) => called.has(id)), "a request and its call are in one log");
  }
});
