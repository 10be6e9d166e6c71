// Instances that share the sessions of their clients over a broker, and clients of all libraries behind one proxy, who go from one
// instance to another.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { atEnd } from "./cleanup.js";
import { CuttingProxy } from "./cutting_proxy.js";
import { BINARY, call, metric, startDevChain, startFanfare, temporaryFolder } from "./fanfare.js";
import { run } from "./processes.js";
import { Broker } from "./relay.js";
import { Held, LIBRARIES } from "./stock_clients.js";
import { until } from "./waiting.js";

const REORG_DEPTH = 3;
const quantity = (number) => `0x${number.toString(16)}`;
export const token = () => randomBytes(16).toString("hex");
const deadline = { deadlineMs: 120_000 };

// `project`: its id; `relay`: what shares the sessions; `websocket` and `more`: more keys.
const configFor = (node, broker, folder, { websocket = "", more = "", project = "main", relay = true } = {}) => `
logLevel: debug
metrics: { port: 0 }
admin: { socket: ${folder}/admin.sock }
server: { httpPort: 0, shutdownTimeout: 3s, websocket: { relaySessions: ${relay} ${websocket} } }
${relay ? `relay: { nats: { servers: ["${broker.url}"], reconnectWait: 20ms } }` : ""}
${more}
projects:
  - id: ${project}
    networks: [{ architecture: evm, evm: { chainId: 1337, pollIntervalMin: 20ms, pollIntervalMax: 50ms } }]
    upstreams: [{ id: node, endpoint: "${node.ws}" }]
`;

// {program, http, ws, health, url, admin(...words), reload(options)}
export async function startInstance(t, node, broker, options) {
  const folder = temporaryFolder(t);
  const file = path.join(folder, "gateway.yaml");
  const write = (now) => writeFileSync(file, configFor(node, broker, folder, now));
  write(options);
  const instance = await startFanfare(t, ["--config", file], options);
  await until("the instance has the broker", async () => (await metric(instance, "fanfare_session_broker_up")) === 1);
  // With these options instead of those at the start.
  const reload = async (now) => {
    write(now);
    const before = instance.program.lines.items.length;
    instance.program.signal("SIGHUP");
    await instance.program.lines.when("the reload", (lines) => lines.slice(before).some((line) => /configuration_reloaded/.test(line)));
  };
  const admin = async (...words) => {
    const { code, stdout, stderr } = await run(BINARY, ["admin", ...words], { env: { FANFARE_ADMIN: path.join(folder, "admin.sock") } });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  return { ...instance, url: new URL(instance.ws), reload, admin };
}

export const moves = (instance, outcome) => metric(instance, "fanfare_session_moves_total", { outcome });

const BLOCKS_MIN = 30; // so that there is something to compare, however fast a test is

// Clients of all libraries behind one proxy, and the chain that they follow.
export class Fleet {
  // `options`: of all instances.
  static async start(t, { blockTime = "100ms", libraries = Object.keys(LIBRARIES), options } = {}) {
    const fleet = new Fleet();
    fleet.t = t;
    fleet.node = await startDevChain(t, ["--dev-block-time", blockTime, "--dev-transactions", "3", "--dev-reorg-every", "7", "--dev-reorg-depth", String(REORG_DEPTH)]);
    fleet.broker = await new Broker(t).start();
    fleet.instances = await Promise.all([1, 2, 3].map(() => startInstance(t, fleet.node, fleet.broker, options)));
    fleet.proxy = await CuttingProxy.start(t, fleet.instances[0].ws);
    fleet.clients = libraries.map((library) => {
      const held = new Held();
      atEnd(t, LIBRARIES[library](`${fleet.proxy.url}?session=${token()}`, held));
      return { library, held };
    });
    await until("every client has logs", () => fleet.clients.every(({ held }) => held.received > 0), deadline);
    await until("the copies know the subscriptions", async () => (await metric(fleet.instances[0], "fanfare_session_copies_total", { outcome: "written" })) >= libraries.length);
    fleet.first = (await fleet.head()) + 1;
    await fleet.allHave(fleet.first + REORG_DEPTH);
    return fleet;
  }
  async head() {
    return Number(await call(this.node.http, "eth_blockNumber", []));
  }
  allHave(block) {
    return until(`every client has logs past block ${block}`, () => this.clients.every(({ held }) => Math.max(...held.logs.values()) > block), deadline);
  }
  // New connections go to this instance. `end`: how the present ones end; they are away for some blocks.
  async move(to, end) {
    this.proxy.hold();
    await end();
    const missed = (await this.head()) + REORG_DEPTH + 2; // the logs of blocks that a reorg replaces come again to everyone
    await until(`block ${missed}`, async () => (await this.head()) >= missed, deadline);
    this.proxy.target = new URL(this.instances[to].ws);
    this.proxy.release();
    await this.allHave(await this.head());
  }
  cut() {
    this.proxy.each((pair) => this.proxy.cut(pair));
  }
  desert() {
    this.proxy.each((pair) => this.proxy.desert(pair));
  }
  async compare() {
    await this.allHave(this.first + BLOCKS_MIN);
    const last = (await this.head()) - REORG_DEPTH - 1;
    await this.allHave(last + REORG_DEPTH + 1);
    const chain = await call(this.node.http, "eth_getLogs", [{ fromBlock: quantity(this.first), toBlock: quantity(last) }]);
    assert.ok(chain.length > 20);
    const results = this.clients.map(({ library, held }) => ({ library, ...held.compare(chain, this.first, last) }));
    this.t.diagnostic(`${chain.length} logs: ${JSON.stringify(results)}`);
    for (const { library, lost, stale } of results) assert.deepEqual({ lost, stale }, { lost: 0, stale: 0 }, library);
  }
}
