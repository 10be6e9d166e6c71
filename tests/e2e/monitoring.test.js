// The shipped alert rules in a real Prometheus that scrapes a real gateway: each alert fires when its fault is made, and none before.
// The rules are the installed ones with short times. Needs the Debian package prometheus. Other faults: monitoring_faults.test.js.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import net from "node:net";
import { test } from "node:test";
import { atEnd } from "./support/cleanup.js";
import { BINARY, call, startDevChain, startFanfare, writeConfig } from "./support/fanfare.js";
import { run } from "./support/processes.js";
import { namesOf, needsPrometheus as needs, startPrometheus, untilFiring } from "./support/prometheus.js";
import { until } from "./support/waiting.js";

const CONNECTIONS_MAX = 40;

async function startGateway(t, node) {
  const config = writeConfig(t, `
server: { httpPort: 0, limits: { connectionsMax: ${CONNECTIONS_MAX}, connectionsPerSecondPerAddress: 0 } }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1337 } }]
    upstreams: [{ id: good, endpoint: "${node.http}" }]
`);
  return startFanfare(t, ["--config", config]);
}

// Opens more connections than the server takes; when it drops one, closes them all, and begins again until stop().
function floodInBursts(port) {
  let sockets = [];
  let timer;
  const close = () => sockets.splice(0).forEach((socket) => socket.removeAllListeners("close").destroy());
  const burst = () => {
    const dropped = () => {
      close();
      timer = setTimeout(burst, 100);
    };
    sockets = Array.from({ length: CONNECTIONS_MAX + 10 }, () => net.connect(port, "127.0.0.1").on("error", () => {}).on("close", dropped).resume());
  };
  burst();
  return {
    stop() {
      clearTimeout(timer);
      close();
    },
  };
}

test("alerts of the shipped rules fire when their faults are made", needs, async (t) => {
  const node = await startDevChain(t, ["--dev-block-time", "100ms"]);
  const fanfare = await startGateway(t, node);
  const url = fanfare.http.replace("{project}", "main").replace("{chainId}", "1337");
  for (let i = 0; i < 20; ++i) await call(url, "eth_getBalance", [`0x${String(i).padStart(40, "1")}`, "latest"]);
  const prometheus = await startPrometheus(t, [fanfare]);

  // Traffic without a fault: all rules have looked at it, for longer than their times.
  const since = new Date(Date.now() + 1500);
  const evaluated = await until("each rule was evaluated", async () => {
    const rules = await prometheus.rules();
    return rules.every(({ lastEvaluation }) => new Date(lastEvaluation) > since) && rules;
  });
  assert.ok(evaluated.length > 15);
  assert.deepEqual(evaluated.filter(({ health }) => health !== "ok"), []);
  assert.deepEqual(namesOf(await prometheus.firing()), []);

  // Bursts of more connections than the server takes. Between them Prometheus can connect, too.
  const port = Number(new URL(fanfare.health).port);
  const flood = floodInBursts(port);
  atEnd(t, () => flood.stop());
  await untilFiring(prometheus, "FanfareConnectionsRefused", { reason: "server_connections" });
  flood.stop();
  await until("it is quiet again", async () => namesOf(await prometheus.firing()).length === 0);

  // The node goes.
  await node.program.stop("SIGKILL");
  await untilFiring(prometheus, "FanfareUpstreamErrors", { upstream: "good" });
  await untilFiring(prometheus, "FanfareUpstreamSuspended", { upstream: "good", project: "main", chain_id: "1337" });
  await untilFiring(prometheus, "FanfareNoUpstream", { project: "main", chain_id: "1337" });
  await untilFiring(prometheus, "FanfareHeadStale", { chain_id: "1337" });

  // The gateway goes.
  await fanfare.program.stop();
  await untilFiring(prometheus, "FanfareDown", { job: "fanfare" });
});

test("a node of another chain fires its alert", needs, async (t) => {
  const node = await startDevChain(t, ["--dev-block-time", "100ms", "--chain-id", "999"]);
  const config = writeConfig(t, `
server: { httpPort: 0 }
projects: [{ id: main, networks: [{ architecture: evm, evm: { chainId: 1337 } }], upstreams: [{ id: other, endpoint: "${node.http}" }] }]
`);
  const prometheus = await startPrometheus(t, [await startFanfare(t, ["--config", config], { ready: false })]);
  await untilFiring(prometheus, "FanfareUpstreamWrongChain", { upstream: "other" });
  await untilFiring(prometheus, "FanfareNoUpstream", { project: "main" });
  await untilFiring(prometheus, "FanfareNetworkNotReady", { project: "main" });
});

test("promtool has nothing to say about the metrics", needs, async (t) => {
  const fanfare = await startDevChain(t);
  await call(fanfare.http, "eth_blockNumber");
  const text = await (await fetch(`${fanfare.health}/metrics`)).text();
  assert.match(text, /^fanfare_connections \d+$/m);
  const said = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
  assert.deepEqual([said.status, said.stdout, said.stderr], [0, "", ""]);
});

test("the log of serve is JSON, one object a line, if asked", async (t) => {
  const fanfare = await startDevChain(t, ["--log-format", "json", "--log-level", "info"]);
  await fanfare.program.stop();
  const objects = fanfare.program.lines.items.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  assert.ok(objects.some(({ event }) => event === "stopped"), fanfare.program.text);
  for (const one of objects) {
    assert.deepEqual(Object.keys(one), ["ts", "level", "event", "fields"]);
    assert.match(one.ts, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    for (const value of Object.values(one.fields)) assert.equal(typeof value, "string");
  }
  assert.ok(!/^\d{4}-\d\d-\d\dT/m.test(fanfare.program.text), fanfare.program.text);

  const wrong = await run(BINARY, ["serve", "--dev", "--http-port", "0", "--ws-port", "0"], { env: { FANFARE_LOG_FORMAT: "xml" } });
  assert.deepEqual([wrong.code, wrong.stderr], [2, 'fanfare serve: FANFARE_LOG_FORMAT is unknown ("xml"), expected text or json\n']);
});
