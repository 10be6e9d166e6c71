// What a process with too little memory or too much work refuses, closes and keeps: the real program, a node with large answers,
// clients that read nothing, and ethers, viem and ws beside them (docs/defence.md).
// Runs alone: it measures memory and delays.

import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import { createPublicClient, webSocket } from "viem";
import { WebSocketProvider } from "ethers";
import { WebSocket } from "ws";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { BINARY, metric, startDevChain, startFanfare, writeConfig } from "./support/fanfare.js";
import { NodeProxy } from "./support/node_proxy.js";
import { run } from "./support/processes.js";
import { RawSocket } from "./support/raw_socket.js";
import { until, within } from "./support/waiting.js";

const MiB = 1024 * 1024;
const LARGE = `"0x${"00".repeat(MiB / 2)}"`;

// A node whose debug_getRawBlock answers 1 MiB.
async function startLargeNode(t) {
  const anvil = await startAnvil(t, ["--block-time", "1"]);
  return NodeProxy.start(t, anvil.url, {
    answer: (asked, respond) => {
      if (asked.method !== "debug_getRawBlock") return false;
      respond(200, `{"jsonrpc":"2.0","id":${JSON.stringify(asked.id)},"result":${LARGE}}`);
      return true;
    },
  });
}

const config = (server, node, chain) => `
logLevel: info
server:
  httpPort: 0
  ${server}
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: ${chain} } }]
    upstreams: [{ id: node, endpoint: "${node}" }]
`;

// Subscribes to heads; `numbers` has those that came, in order.
async function subscriber(t, url) {
  const socket = await RawSocket.open(url);
  atEnd(t, () => socket.socket.destroy());
  const id = await socket.subscribe("newHeads");
  const numbers = () => socket.frames.items.filter(({ text }) => text?.includes(id)).map(({ text }) => Number(JSON.parse(text).params.result.number));
  return { socket, numbers };
}

function assertConsecutive(numbers) {
  numbers.forEach((number, i) => i === 0 || assert.equal(number, numbers[i - 1] + 1, `${numbers}`));
}

// The outcome of a new WebSocket: {status, retryAfter}, or {code, reason} of its Close, or {open: true}.
function tryWebSocket(url, options) {
  return within("an outcome", new Promise((resolve) => {
    const socket = new WebSocket(url, options);
    let timer;
    socket.once("unexpected-response", (_, response) => resolve({ status: response.statusCode, retryAfter: Number(response.headers["retry-after"]) }));
    socket.once("close", (code, reason) => resolve({ code, reason: String(reason) }));
    socket.once("error", () => {});
    socket.once("open", () => socket.send('{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'));
    socket.once("message", () => {
      clearTimeout(timer);
      socket.terminate();
      resolve({ open: true });
    });
  }));
}

const post = (url, method) => fetch(url, { method: "POST", headers: { "content-type": "application/json" },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: [] }) });

test("a process with 128 MiB: new clients are refused at the soft mark, the slowest are closed at the hard mark, and it recovers", async (t) => {
  const node = await startLargeNode(t);
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, config(
    `memory: { maxBytes: ${128 * MiB}, softPercent: 36, hardPercent: 41 }\n  websocket: { slowTimeout: 10m }\n  threads: 2`, node.url, 31337))]);
  await fanfare.program.line(/memory_ceiling bytes=134217728 source=configured/);
  const level = () => metric(fanfare, "fanfare_memory_level");
  const before = await subscriber(t, fanfare.ws);
  const viem = createPublicClient({ transport: webSocket(fanfare.ws) });
  atEnd(t, async () => (await viem.transport.getRpcClient()).close());
  const ethers = new WebSocketProvider(fanfare.ws, 31337, { staticNetwork: true });
  atEnd(t, () => ethers.destroy());
  assert.equal(Number(await ethers.send("eth_chainId", [])), 31337);
  const seen = { viem: 0, ethers: 0 };
  viem.watchBlockNumber({ onBlockNumber: () => ++seen.viem });
  ethers.on("block", () => ++seen.ethers);

  // Clients that ask and do not read, one after the other.
  const slow = Array.from({ length: 24 }, () => RawSocket.open(fanfare.ws, { reading: false, answerPings: false }));
  const sockets = await Promise.all(slow);
  atEnd(t, () => sockets.forEach((one) => one.socket.destroy()));
  let asked = 0;
  const ask = async () => {
    const socket = sockets[asked++ % sockets.length];
    socket.sendJson({ jsonrpc: "2.0", id: asked, method: "debug_getRawBlock", params: [`0x${asked.toString(16)}`] });
    const used = await metric(fanfare, "fanfare_memory_used_bytes");
    await until("its answer has come", async () => (await metric(fanfare, "fanfare_memory_used_bytes")) !== used || (await level()) > 0, { deadlineMs: 250 }).catch(() => {});
  };
  while ((await level()) === 0 && asked < 400) await ask();
  await until("the soft mark", async () => (await level()) === 1);

  const refused = await tryWebSocket(fanfare.ws);
  assert.equal(refused.status, 503);
  assert.ok(refused.retryAfter >= 5 && refused.retryAfter <= 10, `${refused.retryAfter}`);
  const page = await tryWebSocket(fanfare.ws, { origin: "http://127.0.0.1:3000" });
  assert.equal(page.code, 1013);
  assert.match(page.reason, /^the server has too much to do, try again in \d+ s$/);
  assert.equal((await post(fanfare.http, "eth_chainId")).status, 200);
  assert.equal((await fetch(`${fanfare.health}/healthz`)).status, 200);

  const shed = () => metric(fanfare, "fanfare_memory_shed_connections_total");
  while ((await shed()) === 0 && asked < 800) await ask();
  // On a busy machine the answers are still on their way.
  await until("the slowest are closed", async () => (await shed()) > 0);
  await fanfare.program.line(/memory_level level=hard before=soft/);
  await fanfare.program.line(/memory_shed connections=\d+ backlog_bytes=\d+/);
  await until("their end is counted with its reason", async () => (await metric(fanfare, "fanfare_websocket_connections_closed_total", { reason: "memory" })) > 0);
  assert.ok((await metric(fanfare, "fanfare_memory_shed_bytes_total")) > MiB);
  assert.ok((await metric(fanfare, "fanfare_memory_used_bytes")) < 128 * MiB);

  // The slow ones that are left go away: it recovers by itself.
  for (const one of sockets) one.socket.destroy();
  await until("the level is normal", async () => (await level()) === 0);
  assert.deepEqual(await tryWebSocket(fanfare.ws), { open: true });
  const last = before.numbers().at(-1) ?? 0;
  await until("the subscriber from before gets heads", () => before.numbers().at(-1) > last);
  assertConsecutive(before.numbers());
  const { viem: viemSeen, ethers: ethersSeen } = seen;
  await until("so do viem and ethers", () => seen.viem > viemSeen && seen.ethers > ethersSeen);
});

// Takes the answer without looking at it.
function postUnread(agent, url, body) {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": body.length };
    const request = http.request(url, { method: "POST", agent, headers }, (response) => {
      response.on("end", () => resolve(response)).resume();
    });
    request.on("error", reject).end(body);
  });
}

test("overload: a share of new work is refused with a hint, subscribers lose nothing, and it ends by itself", async (t) => {
  const node = await startDevChain(t, ["--dev-block-time", "200ms", "--no-web"]);
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, config(
    "overload: { delayTarget: 1ms, delayInterval: 50ms, retryAfter: 1s }\n  threads: 1", node.http, 1337))]);
  const before = await subscriber(t, fanfare.ws);
  const admitted = async () => Math.min(await metric(fanfare, "fanfare_overload_admitted_ratio", { thread: "loop" }),
    await metric(fanfare, "fanfare_overload_admitted_ratio", { thread: "upstream" }));

  // Many calls of many clients, always some in flight. These clients read no answer, so that they are never slower than the gateway.
  const item = (id) => ({ jsonrpc: "2.0", id, method: "eth_getBlockByNumber", params: ["latest", true] });
  const batch = JSON.stringify(Array.from({ length: 200 }, (_, id) => item(id)));
  const outcomes = { statuses: new Set(), codes: new Set(), hints: new Set(), connection: null };
  let over = false;
  const agent = new http.Agent({ keepAlive: true });
  atEnd(t, () => agent.destroy());
  const flood = Array.from({ length: 16 }, async () => {
    while (!over) {
      const { statusCode, headers } = await postUnread(agent, fanfare.http, batch);
      outcomes.statuses.add(statusCode);
      if (statusCode === 503) outcomes.hints.add(headers["retry-after"]);
    }
  });
  const calls = await RawSocket.open(fanfare.ws);
  atEnd(t, () => calls.socket.destroy());
  const asking = (async () => {
    while (!over) {
      const { error } = await calls.ask("eth_gasPrice", []);
      if (!error) continue;
      outcomes.codes.add(error.code);
      assert.match(error.message, /too much to do/);
      assert.ok(error.data.retry_after_ms >= 1000 && error.data.retry_after_ms < 2000);
    }
  })();
  await until("requests and calls are refused", async () => {
    if ((await admitted()) < 1) outcomes.connection = (await tryWebSocket(fanfare.ws)).status ?? outcomes.connection;
    return outcomes.statuses.has(503) && outcomes.codes.has(-32005) && outcomes.connection === 503;
  });
  over = true;
  await Promise.all([...flood, asking]);
  assert.ok(outcomes.statuses.has(200), "and others are served");
  assert.ok([...outcomes.hints].every((hint) => Number(hint) >= 1 && Number(hint) <= 2), `${[...outcomes.hints]}`);

  await until("it has ended", async () => (await admitted()) === 1, { deadlineMs: 5000 });
  assert.deepEqual(await tryWebSocket(fanfare.ws), { open: true });
  await fanfare.program.line(/overload_began thread=(loop|upstream)-0 delay_ms=/);
  await fanfare.program.line(/overload_ended thread=(loop|upstream)-0/);
  const last = before.numbers().at(-1) ?? 0;
  await until("the subscriber gets heads", () => before.numbers().at(-1) > last + 2);
  assertConsecutive(before.numbers());
  assert.ok((await metric(fanfare, "fanfare_overload_refused_total")) > 0);
});

test("fanfare check --system names limits of the kernel, and so does the start", async (t) => {
  const file = writeConfig(t, config("websocket: { maxConnectionsPerNetwork: 10000000 }", "http://127.0.0.1:1", 1));
  const checked = await run(BINARY, ["check", file, "--system"]);
  assert.equal(checked.code, 1);
  assert.match(checked.stdout, /^LOW {2}nofile \d+, needed 10000176\n {5}effect: .*\n {5}raise: {2}.*LimitNOFILE=10000176/m);
  assert.match(checked.stdout, /^(ok {3}|LOW {2})net\.ipv4\.ip_local_port_range /m);
  const fanfare = await startFanfare(t, ["--config", file], { ready: false });
  await fanfare.program.line(/system_limit_low name=nofile value=\d+ needed=10000176 effect=.*LimitNOFILE=10000176/);
  await fanfare.program.line(/system_limits values="nofile \d+, .*net\.core\.somaxconn \d+/);
});
