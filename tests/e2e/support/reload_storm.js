// Reloads one after another, a third of them of a broken file, while subscribers of newHeads watch: nobody is dropped, no head is
// lost, and each error is reported with its line and column.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import WebSocket from "ws";
import { atEnd } from "./cleanup.js";
import { startDevChain, startFanfare, temporaryFolder } from "./fanfare.js";
import { replaceFile } from "./files.js";
import { assertConsecutive } from "./heads.js";
import { until } from "./waiting.js";
import path from "node:path";

export const CHAIN = 1337;

// `main`: lines of the project main below its id.
export function configuration(nodeUrl, { head = "", main = "", more = "", timeout = "10s", id = "node" } = {}) {
  return `logLevel: info
server:
  httpPort: 0
  threads: 2
${head}projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: ${CHAIN}, pollIntervalMin: 20ms, pollIntervalMax: 200ms } }]
    upstreams: [{ id: ${id}, endpoint: "${nodeUrl}", timeout: ${timeout} }]
${main}${more}`;
}

export const otherProject = (nodeUrl, id = "side") => `  - id: ${id}
    networks: [{ architecture: evm, evm: { chainId: ${CHAIN} } }]
    upstreams: [{ id: node, endpoint: "${nodeUrl}" }]
`;

// {node, gateway, write(text), reload(pattern)}: reload() sends SIGHUP and waits for a line of the log that comes after it.
export async function startReloadable(t, { blockTime = "50ms", text = configuration } = {}) {
  const node = await startDevChain(t, ["--dev-block-time", blockTime, "--log-level", "error"]);
  const file = path.join(temporaryFolder(t), "gateway.yaml");
  const write = (content) => replaceFile(file, content);
  write(text(node.http));
  const gateway = await startFanfare(t, ["--config", file]);
  const reload = async (pattern = /configuration_reloaded/) => {
    const lines = gateway.program.lines;
    const before = lines.items.length;
    gateway.program.signal("SIGHUP");
    return lines.when(pattern.source, (all) => all.slice(before).find((line) => pattern.test(line)));
  };
  return { node, gateway, file, write, reload, url: gateway.health.replace("http:", "ws:") };
}

// A subscriber of newHeads: {heads, closed}.
export async function subscribeHeads(t, url) {
  const socket = new WebSocket(url);
  atEnd(t, () => socket.terminate());
  const subscriber = { socket, heads: [], closed: null, call: (text) => socket.send(text) };
  const ready = new Promise((resolve, reject) => {
    socket.on("open", () => socket.send('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'));
    socket.on("error", reject);
    socket.on("message", (data) => {
      const message = JSON.parse(data);
      if (message.id === 1) return message.result ? resolve() : reject(new Error(String(data)));
      if (message.method === "eth_subscription") {
        const { number, hash, parentHash } = message.params.result;
        subscriber.heads.push({ number, hash, parentHash });
      }
    });
    socket.on("close", (code, reason) => (subscriber.closed = { code, reason: String(reason) }));
  });
  await ready;
  return subscriber;
}

// Each with the position and a part of the text of each error.
const BROKEN = [
  { make: (url) => configuration(url, { timeout: "10" }), errors: [/gateway\.yaml:8:\d+: .*timeout is a number without a unit/] },
  { make: (url) => configuration(url, { head: "  shutdownTimeout: 5x\n  maxBodyBytes: 1\n" }),
    errors: [/gateway\.yaml:5:20: server\.shutdownTimeout/, /gateway\.yaml:6:17: server\.maxBodyBytes is out of range/] },
  { make: (url) => configuration(url).replace("projects:", "projects: ["), errors: [/gateway\.yaml:\d+:\d+: /] },
  { make: (url) => configuration(url, { main: "    unknown: 1\n" }), errors: [/gateway\.yaml:9:5: .*unknown key/] },
];

// Every reload of the storm differs from the one before.
function variation(url, i) {
  return configuration(url, {
    head: `  shutdownSpread: ${i % 4}s\n  websocket: { pingInterval: ${20 + (i % 9)}s, maxConnectionsPerNetwork: ${10_000 + (i % 7)} }\n`,
    main: i % 5 === 0 ? "    methods: { deny: [eth_mining] }\n" : "",
    timeout: `${5 + (i % 3)}s`,
    id: `node${i % 4}`,
    more: i % 2 === 0 ? otherProject(url, `side${i % 3}`) : "",
  });
}

// Returns what was counted.
export async function reloadStorm(t, { subscribers, reloads, seconds, blockTime = "50ms" }) {
  const { node, gateway, write, reload, url } = await startReloadable(t, { blockTime });
  const all = [];
  while (all.length < subscribers) {
    const some = Math.min(100, subscribers - all.length);
    all.push(...await Promise.all(Array.from({ length: some }, () => subscribeHeads(t, `${url}/main/evm/${CHAIN}`))));
  }
  await until("a head for each", () => all.every(({ heads }) => heads.length > 0));
  const counted = { subscribers, reloads: 0, broken: 0, errors: 0 };
  const begun = Date.now();
  for (let i = 0; i < reloads; ++i) {
    if (i % 3 === 2) {
      const { make, errors } = BROKEN[counted.broken++ % BROKEN.length];
      write(make(node.http));
      const before = gateway.program.lines.items.length;
      await reload(/configuration_reload_failed/);
      for (const error of errors) {
        await gateway.program.lines.when(error.source, (lines) =>
          lines.slice(before).some((line) => /configuration_reload_failed/.test(line) && error.test(line)));
        ++counted.errors;
      }
    } else {
      write(variation(node.http, i));
      const line = await reload();
      assert.match(line, /need_restart=0/);
      ++counted.reloads;
    }
    const due = begun + ((i + 1) * seconds * 1000) / reloads;
    if (due > Date.now()) await pause(due - Date.now());
  }
  counted.seconds = (Date.now() - begun) / 1000;
  // The same number of blocks for all, after the last reload.
  const last = Math.max(...all.map(({ heads }) => Number(heads.at(-1).number))) + 5;
  await until("the last heads", () => all.every(({ heads, closed }) => closed || Number(heads.at(-1).number) >= last));
  for (const { heads, closed } of all) {
    assert.equal(closed, null);
    assertConsecutive(heads);
  }
  counted.heads = all.reduce((sum, { heads }) => sum + heads.length, 0);
  return counted;
}
