// One call, followed from its client through the gateway to its node: traces, request ids and the access log.

import assert from "node:assert/strict";
import { readFileSync, renameSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { ethers } from "ethers";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { Collector } from "./support/collector.js";
import { metric, startFanfare, temporaryFolder, writeConfig } from "./support/fanfare.js";
import { NodeProxy } from "./support/node_proxy.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = `00-${TRACE}-00f067aa0ba902b7-01`;

// A node whose requests' headers are kept: {method, headers}.
async function watchedNode(t, target, answer) {
  const seen = [];
  const node = await NodeProxy.start(t, target, { answer });
  node.server.prependListener("request", (request) => {
    if (request.method !== "POST") return; // the gateway asks whether it serves WebSocket, too
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.once("end", () => {
      const asked = JSON.parse(Buffer.concat(parts));
      seen.push({ method: Array.isArray(asked) ? "batch" : asked.method, headers: request.headers });
    });
  });
  return { ...node, url: node.url, seen, of: (method) => seen.filter((one) => one.method === method && one.headers.traceparent) };
}

function configuration({ upstreams, log = "", hedge = "" }) {
  return `server:
  httpPort: 0
  threads: 1
${log}projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 31337${hedge} } }]
    upstreams:
${upstreams.map((url, i) => `      - { id: node${i}, endpoint: ${url}, evm: { chainId: 31337 } }`).join("\n")}
`;
}

async function start(t, options, env) {
  const flags = ["--config", writeConfig(t, configuration(options))];
  const fanfare = await startFanfare(t, flags, { env: { OTEL_BSP_SCHEDULE_DELAY: "20", ...env } });
  return fanfare;
}

function post(url, body, headers = {}) {
  return fetch(url, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });
}

const linesOf = (file) => readFileSync(file, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
const ask = (method, params = [], id = 1) => ({ jsonrpc: "2.0", id, method, params });

test("one trace from an ethers client to anvil, and the same ids in the access log", async (t) => {
  const anvil = await startAnvil(t);
  const node = await watchedNode(t, anvil.url);
  const collector = await Collector.start(t, { refusals: 1 });
  const file = path.join(temporaryFolder(t), "access.log");
  const fanfare = await start(t, { upstreams: [node.url], log: `  accessLog: { path: ${file} }\n` },
    { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SERVICE_NAME: "edge", OTEL_EXPORTER_OTLP_HEADERS: "x-key=hush" });

  const request = new ethers.FetchRequest(fanfare.http);
  request.setHeader("traceparent", PARENT);
  request.setHeader("X-Request-Id", "order-7");
  const provider = new ethers.JsonRpcProvider(request, 31337, { staticNetwork: true });
  assert.equal(await provider.getBalance("0x0000000000000000000000000000000000000001", "latest"), 0n);
  provider.destroy();

  const [call, attempt] = await until("both spans have come", () => {
    const spans = collector.of(TRACE);
    return spans.length >= 2 && [spans.find((one) => one.kind === "server"), spans.find((one) => one.kind === "client")];
  });
  assert.equal(call.parent, "00f067aa0ba902b7");
  assert.equal(call.name, "eth_getBalance");
  assert.equal(call.attributes["rpc.system"], "jsonrpc");
  assert.equal(call.resource["service.name"], "edge");
  assert.equal(attempt.parent, call.id);
  assert.equal(attempt.attributes["server.address"], "127.0.0.1");
  assert.equal(attempt.attributes["peer.service"], "node0");
  const [sent] = node.of("eth_getBalance");
  assert.equal(sent.headers.traceparent, `00-${TRACE}-${attempt.id}-01`);
  assert.equal(sent.headers["x-request-id"], "order-7");
  assert.equal(collector.headers[0]["x-key"], "hush");

  const lines = await until("both lines are written", () => {
    const written = linesOf(file).filter((line) => line.request_id === "order-7");
    return written.length >= 2 && written;
  });
  const line = lines.find((one) => one.kind === "call");
  assert.equal(line.trace_id, TRACE);
  assert.equal(line.upstream, "node0");
  assert.equal(lines.find((one) => one.kind === "request").status, 200);
});

test("a batch, a shared read, a WebSocket call, and a node that fails", async (t) => {
  const anvil = await startAnvil(t);
  const held = [];
  const node = await watchedNode(t, anvil.url, (asked, respond) => {
    if (asked.method === "eth_gasPrice") return respond(500, "no"), true;
    if (asked.method !== "eth_getCode") return false;
    held.push(() => respond(200, JSON.stringify({ jsonrpc: "2.0", id: asked.id, result: "0x" })));
    return true;
  });
  const collector = await Collector.start(t);
  const fanfare = await start(t, { upstreams: [node.url, anvil.url] }, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  const traced = (last) => ({ traceparent: `00-${TRACE.slice(0, 31)}${last}-00f067aa0ba902b7-01` });
  const spans = (last, count) => until(`${count} spans of ${last}`, () => {
    const found = collector.of(`${TRACE.slice(0, 31)}${last}`);
    return found.length >= count && found;
  });

  await post(fanfare.http, [ask("eth_getBalance", ["0x0000000000000000000000000000000000000001", "latest"], 1),
    ask("eth_getTransactionCount", ["0x0000000000000000000000000000000000000001", "latest"], 2)], traced("1"));
  const batch = await spans("1", 3);
  const calls = batch.filter((one) => one.kind === "server");
  const [whole] = batch.filter((one) => one.kind === "client");
  assert.equal(calls.length, 2);
  assert.ok(calls.some((one) => one.id === whole.parent));
  assert.deepEqual(whole.links, calls.map((one) => one.id).filter((id) => id !== whole.parent));

  const code = ask("eth_getCode", ["0x0000000000000000000000000000000000000001", "latest"]);
  const first = post(fanfare.http, code, traced("2"));
  await until("the node has the read", () => held.length === 1);
  const second = post(fanfare.http, code, traced("3"));
  await until("it is shared", async () => (await metric(fanfare, "fanfare_reads_shared_total")) >= 1);
  held.pop()();
  await Promise.all([first, second]);
  const [maker] = (await spans("2", 2)).filter((one) => one.kind === "server");
  const [waiter] = await spans("3", 1);
  assert.equal(waiter.attributes["fanfare.cache"], "shared");
  assert.deepEqual(waiter.links, [maker.id]);

  const failed = await post(fanfare.http, ask("eth_gasPrice"), traced("4"));
  assert.ok((await failed.json()).result, "the other node answers");
  const attempts = (await spans("4", 3)).filter((one) => one.kind === "client");
  assert.deepEqual(attempts.map((one) => [one.attributes["peer.service"], one.error]).sort(), [["node0", true], ["node1", false]]);

  const socket = await RawSocket.open(fanfare.ws, { headers: traced("5") });
  atEnd(t, () => socket.destroy());
  socket.sendJson(ask("eth_chainId"));
  const [spoken] = (await spans("5", 2)).filter((one) => one.kind === "server");
  assert.equal(spoken.attributes["network.protocol.name"], "websocket");
});

test("the access log follows a rename, and survives a disk that is full", async (t) => {
  const anvil = await startAnvil(t);
  const file = path.join(temporaryFolder(t), "access.log");
  const fanfare = await start(t, { upstreams: [anvil.url], log: `  accessLog: { path: ${file} }\n` });
  await post(fanfare.http, ask("eth_chainId"), { "X-Request-Id": "before" });
  await until("it is written", () => linesOf(file).some((line) => line.request_id === "before"));
  renameSync(file, `${file}.1`);
  fanfare.program.child.kill("SIGHUP");
  await fanfare.program.line(/access_log_reopened/);
  const answer = await post(fanfare.http, ask("eth_chainId"), { "X-Request-Id": "after" });
  assert.equal(answer.headers.get("x-request-id"), "after");
  await until("the new file has the new line", () => linesOf(file).some((line) => line.request_id === "after"));
  assert.ok(!linesOf(`${file}.1`).some((line) => line.request_id === "after"));

  const full = await start(t, { upstreams: [anvil.url], log: "  accessLog: { path: /dev/full }\n" });
  assert.equal((await post(full.http, ask("eth_chainId"))).status, 200);
  await until("the loss is counted", async () => (await metric(full, "fanfare_access_log_dropped_total", { reason: "failed" })) >= 2);
});
