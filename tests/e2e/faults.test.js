// Two misbehaving nodes on real sockets, in front of a chain that reorganises. The notifications of every subscriber
// must add up to the state of the chain. ./dev sim runs thousands of such cases on simulated time.
//
//   FANFARE_FAULTS_SEED=7 node --test faults.test.js

import assert from "node:assert/strict";
import { test } from "node:test";
import { atEnd } from "./support/cleanup.js";
import { call, metric, startDevChain, startFanfare, writeConfig } from "./support/fanfare.js";
import { FaultyNode, seeded } from "./support/faulty_node.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const SEED = Number(process.env.FANFARE_FAULTS_SEED ?? 1);
const BLOCKS = 30;
const quantity = (number) => `0x${number.toString(16)}`;

// Applies heads or logs as they arrive. A notification that contradicts earlier ones is a fault.
class Ledger {
  static async of(t, url, ...params) {
    const ledger = new Ledger();
    Object.assign(ledger, { held: [], faults: [], isHeads: params[0] === "newHeads" });
    ledger.raw = await RawSocket.open(url);
    atEnd(t, () => ledger.raw.destroy());
    ledger.id = await ledger.raw.subscribe(...params);
    ledger.done = ledger.#follow();
    return ledger;
  }

  async #follow() {
    for (;;) {
      const message = await this.raw.json((one) => one.params?.subscription === this.id).catch(() => null);
      if (!message) return;
      if (this.isHeads) this.#head(message.params.result);
      else this.#log(message.params.result);
    }
  }

  #head(head) {
    const number = Number(head.number);
    this.first ??= number;
    this.lowest = Math.min(this.lowest ?? number, number);
    while (this.held.length && this.held.at(-1).hash !== head.parentHash) this.held.pop();
    if (!this.held.length && number > this.first) this.faults.push(`a gap before ${number}`);
    this.held.push(head);
  }

  #log(log) {
    const last = this.held.at(-1);
    if (!log.removed) this.held.push(log);
    else if (!last) return; // its block is older than the subscription
    else if (last.blockHash !== log.blockHash || last.logIndex !== log.logIndex) this.faults.push(`removed ${log.blockNumber}, which is not the last`);
    else this.held.pop();
  }

  head() {
    return Number(this.held.at(-1)?.number ?? -1);
  }
}

test(`two faulty nodes, seed ${SEED}: nothing missing, nothing twice`, async (t) => {
  const chain = await startDevChain(t, ["--dev-block-time", "150ms", "--dev-reorg-every", "9", "--dev-reorg-depth", "3"]);
  const random = seeded(SEED);
  const nodes = [await FaultyNode.start(t, chain.http, { random, rate: 0 }), await FaultyNode.start(t, chain.http, { random, rate: 0 })];
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, `
logLevel: info
server: { httpPort: 0 }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1337, pollIntervalMin: 50ms, pollIntervalMax: 100ms, hedgeAfter: 200ms } }]
    upstreams:
${nodes.map(({ url }, i) => `      - { id: node-${i + 1}, endpoint: "${url}", timeout: 1s }\n`).join("")}`)]);
  const heads = await Ledger.of(t, fanfare.ws, "newHeads");
  const logs = await Ledger.of(t, fanfare.ws, "logs", {});
  await until("the first head", () => heads.held.length > 0);
  for (const node of nodes) node.rate = 0.1;
  const from = heads.head();
  await until(`${BLOCKS} blocks`, () => heads.head() >= from + BLOCKS);
  for (const node of nodes) node.heal();
  // No reorg reaches that deep, so the compared blocks no longer change.
  const last = heads.head();
  await until("what follows", () => heads.head() >= last + 12);

  const ask = (method, ...params) => call(chain.http, method, params);
  assert.deepEqual([...heads.faults, ...logs.faults], []);
  const told = heads.held.filter(({ number }) => Number(number) >= heads.lowest && Number(number) <= last);
  assert.equal(told.length, last - heads.lowest + 1);
  for (const head of told) assert.equal(head.hash, (await ask("eth_getBlockByNumber", head.number, false)).hash);
  // The log subscription started at its own head. Compare only blocks after the start of both subscriptions.
  const first = Math.max(heads.first, Number(logs.held[0].blockNumber)) + 1;
  const within = logs.held.filter(({ blockNumber }) => Number(blockNumber) >= first && Number(blockNumber) <= last);
  assert.deepEqual(within, await ask("eth_getLogs", { fromBlock: quantity(first), toBlock: quantity(last) }));
  assert.ok(within.length > BLOCKS);
  assert.equal(await metric(fanfare, "fanfare_head_gaps_total"), 0);
  const bad = nodes.map(({ counts }) => Object.values(counts).reduce((sum, count) => sum + count, 0) - (counts.none ?? 0));
  t.diagnostic(`${bad.join(" and ")} bad answers, ${await metric(fanfare, "fanfare_reorgs_total")} reorgs, ${within.length} logs`);
});
