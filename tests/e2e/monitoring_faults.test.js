// Alerts for other faults than those of monitoring.test.js: a full disk, too little memory, too much work, clients without credentials or
// that do not read, a stream's node that ends, logs that no node has, a process that starts again and again. One Prometheus scrapes a
// gateway for each fault; all faults are made at the same time.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";
import { BinaryClient, startCanvas } from "./support/canvas.js";
import { atEnd } from "./support/cleanup.js";
import { BINARY, startDevChain, startFanfare, temporaryFolder, writeConfig } from "./support/fanfare.js";
import { NodeProxy } from "./support/node_proxy.js";
import { namesOf, needsPrometheus as needs, startPrometheus, untilFiring } from "./support/prometheus.js";
import { startFor } from "./support/processes.js";
import { RawSocket } from "./support/raw_socket.js";
import { CountingNode, StreamClient } from "./support/streams.js";
import { until } from "./support/waiting.js";

const MiB = 1024 * 1024;
const READER = "{ id: reader, projects: [main], networks: ['*'], methods: ['*'], topics: ['*'] }";

// A node with answers of 2 MiB, and without logs.
async function startNode(t) {
  const chain = await startDevChain(t, ["--dev-block-time", "200ms"]);
  return NodeProxy.start(t, chain.http, {
    answer: ({ id, method }, respond) => {
      const answer = (member) => respond(200, `{"jsonrpc":"2.0","id":${JSON.stringify(id)},${member}}`);
      if (method === "debug_getRawBlock") answer(`"result":"0x${"00".repeat(MiB)}"`);
      else if (["eth_getLogs", "eth_getBlockReceipts", "eth_getTransactionReceipt"].includes(method)) answer('"error":{"code":-32602,"message":"not supported"}');
      else return false;
      return true;
    },
  });
}

const startGateway = async (t, node, server, more = "", port = 0) => {
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, `
server: { httpPort: ${port}, threads: 1${server} }
${more}
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1337, pollIntervalMin: 50ms, pollIntervalMax: 100ms } }]
    upstreams: [{ id: node, endpoint: "${node.url}" }]
`)]);
  return { ...fanfare, url: fanfare.http.replace("{project}", "main").replace("{chainId}", "1337") };
};

async function startStream(t) {
  const node = await CountingNode.start(t);
  const config = writeConfig(t, `
server: { httpPort: 0 }
streams:
  upstreams: [{ id: node, endpoint: "${node.url}", timeout: 5s }]
  definitions: [{ name: counter, interval: 30ms, upstream: node, calls: { r: m }, fields: { n: /r/n } }]
`);
  const program = startFor(t, "fanfare", BINARY, ["serve", "--config", config]);
  const [, host] = await program.line(/^ {2}Streams\s+ws:\/\/(\S+)\/streams$/);
  const client = await StreamClient.open(t, `ws://${host}/streams`);
  await client.subscribe("counter");
  await client.take("counter");
  return { program, health: `http://${host}`, fault: () => node.stop() };
}

async function startFullDisk(t) {
  const file = path.join(temporaryFolder(t), "main.canvas");
  const canvas = await startCanvas(t, `{ name: main, width: 300, height: 300, file: "${file}", sync: full, pixelsPerSecond: 100000, pixelsPerSecondPerAddress: 100000 }`,
    { through: ["bash", "-c", 'trap "" XFSZ; exec "$0" "$@"'] });
  const client = await BinaryClient.open(t, `${canvas.base}/main`);
  client.watch();
  await client.watched();
  const fault = async () => {
    execFileSync("prlimit", ["--pid", String(canvas.program.child.pid), "--fsize=4096:unlimited"]);
    let request = 0;
    await until("drawing is refused", () => {
      client.pixels(++request, [[1, 1, request % 2]]);
      return client.inbox.items.some(({ status }) => status === 5);
    });
  };
  return { ...canvas, fault };
}

const post = (url, body) => fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body }).then((answer) => answer.arrayBuffer());

// Calls `act` again and again, several at a time, until the test ends.
function keep(t, act, width) {
  let stopped = false;
  const worker = async () => {
    while (!stopped) await act().catch(() => {});
  };
  const workers = Array.from({ length: width }, worker);
  atEnd(t, () => {
    stopped = true;
    return Promise.all(workers);
  });
}

// Batches that the gateway answers itself, written as fast as it reads them, on many connections. Nobody looks at the answers. So the
// gateway has more to do than this process, and more waits than it can do in time, however fast the machine is.
function floodWithBatches(t, url, connections) {
  const { host, hostname, port, pathname } = new URL(url);
  const batch = JSON.stringify(Array.from({ length: 400 }, (_, id) => ({ jsonrpc: "2.0", id, method: "eth_chainId" })));
  const request = `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${batch.length}\r\n\r\n${batch}`;
  const requests = Buffer.from(request.repeat(8));
  const sockets = Array.from({ length: connections }, () => {
    const socket = net.connect(Number(port), hostname).resume();
    socket.on("error", () => {});
    const writeMore = () => socket.write(requests, (error) => error || writeMore());
    writeMore();
    return socket;
  });
  const stop = () => sockets.forEach((socket) => socket.destroy());
  atEnd(t, stop);
  return stop;
}

// Clients that ask for 2 MiB each time and read nothing. All are connected before the first asks: then memory may be short.
async function stuckClients(t, url, count, asks) {
  const open = () => RawSocket.open(url.replace("http", "ws"), { reading: false, answerPings: false });
  const sockets = await Promise.all(Array.from({ length: count }, open));
  atEnd(t, () => sockets.forEach((socket) => socket.destroy()));
  let block = 0;
  for (const socket of sockets) {
    for (let id = 0; id < asks; ++id) socket.sendJson({ jsonrpc: "2.0", id, method: "debug_getRawBlock", params: [`0x${(++block).toString(16)}`] });
  }
}

test("faults of the machine, of nodes and of clients fire their alerts", needs, async (t) => {
  const node = await startNode(t);
  const [denied, small, busy, slow, gaps, first, stream, disk] = await Promise.all([
    startGateway(t, node, "", `access: { roles: [${READER}], keys: [{ id: one, roles: [reader], key: key-0123456789abcdef }] }\nmetrics: { port: 0 }`),
    startGateway(t, node, `, memory: { maxBytes: ${128 * MiB}, softPercent: 50, hardPercent: 95 }, websocket: { slowTimeout: 10m }`),
    startGateway(t, node, ", overload: { delayTarget: 1ms, delayInterval: 100ms }"),
    startGateway(t, node, ", websocket: { slowTimeout: 100ms }"),
    startGateway(t, node, ""),
    startGateway(t, node, ""),
    startStream(t),
    startFullDisk(t),
  ]);
  const gateways = [denied, small, busy, slow, gaps, first, stream, disk];
  const prometheus = await startPrometheus(t, gateways, "20s");
  await until("all are scraped", async () => (await prometheus.query("count(process_start_time_seconds)"))[0]?.value[1] === String(gateways.length));
  assert.deepEqual(namesOf(await prometheus.firing()), []);
  const fires = (alert, fanfare, labels = {}) => untilFiring(prometheus, alert, { instance: new URL(fanfare.health).host, ...labels });

  const call = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}';
  keep(t, () => post(denied.url, call), 2);
  const logs = await RawSocket.open(gaps.url.replace("http", "ws"));
  atEnd(t, () => logs.destroy());
  await Promise.all([logs.subscribe("logs", {}), stuckClients(t, small.url, 15, 4), stuckClients(t, slow.url, 8, 4), stream.fault(), disk.fault()]);

  await fires("FanfareAccessDenied", denied);
  await fires("FanfareMemoryShort", small);
  await fires("FanfareSlowClients", slow, { project: "main" });
  await fires("FanfareEventsMissed", gaps, { chain_id: "1337" });
  await fires("FanfareStreamInterrupted", stream, { stream: "counter" });
  await fires("FanfareCanvasStorageFailing", disk, { room: "main" });
  // Last: the others have the machine to themselves before.
  const stopFlood = floodWithBatches(t, busy.url, 64);
  await fires("FanfareOverloaded", busy);
  stopFlood();

  // The same address, three times in a row; each start is scraped.
  const port = new URL(first.health).port;
  let last = first;
  const instance = `${new URL(first.health).host}`;
  for (let i = 0; i < 3; ++i) {
    const before = (await prometheus.query(`process_start_time_seconds{instance="${instance}"}`))[0].value[1];
    await last.program.stop();
    await until("the metric, in whole seconds, will be another one", () => Math.floor(Date.now() / 1000) > Number(before));
    last = await startGateway(t, node, "", "", port);
    await until("the new process was scraped", async () => {
      const [seen] = await prometheus.query(`process_start_time_seconds{instance="${instance}"}`);
      return seen && seen.value[1] !== before;
    });
  }
  await fires("FanfareRestarting", first);
});
