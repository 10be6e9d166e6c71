// The gateway is killed under load and restarted repeatedly, while the chain continues and reorganises. Every
// client that resumes with its cursor ends up with exactly the chain's data.
//
//   FANFARE_RESUME_CLIENTS=1000 node --test resume.test.js

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import WebSocket from "ws";
import { follow } from "../../examples/resume/resume.mjs";
import { atEnd } from "./support/cleanup.js";
import { BINARY, call, metric, startDevChain, startFanfare, writeConfig } from "./support/fanfare.js";
import { startFor } from "./support/processes.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const CLIENTS = Number(process.env.FANFARE_RESUME_CLIENTS ?? 100);
const KILLS = 3;
const REORG_DEPTH = 3;
const TOKENS = [1, 2, 3].map((last) => `0xfa4fa4e00000000000000000000000000000000${last}`);
const FILTERS = [{}, { address: TOKENS[0] }, { address: [TOKENS[1], TOKENS[2]] }, { topics: [null, [], []] }];
const EXAMPLE = path.join(path.dirname(BINARY), "../../examples/resume");

const configFor = (url, port) => `
logLevel: info
server: { httpPort: ${port} }
projects:
  - id: main
    networks:
      - architecture: evm
        evm: { chainId: 1337, pollIntervalMin: 50ms, pollIntervalMax: 100ms }
    upstreams:
      - { id: node, endpoint: "${url}" }
`;

const quantity = (number) => `0x${number.toString(16)}`;
// The block number is bytes 1 to 8 of a cursor.
const blockOf = (cursor) => (typeof cursor === "string" ? Number(Buffer.from(cursor, "base64url").readBigUInt64BE(1)) : -1);

// The state of a careful client: it applies each message, and no message may contradict that state.
class Client {
  constructor(url, params) {
    this.params = params;
    this.held = []; // heads or logs, oldest first
    this.told = 0;
    this.notices = [];
    this.faults = [];
    if (url) this.stream = follow(url, params, (told) => this.take(told), { WebSocket });
  }

  get isHeads() {
    return this.params[0] === "newHeads";
  }

  take({ result, notice, cursor }) {
    this.cursor = cursor ?? this.cursor;
    if (notice) return this.takeNotice(notice);
    ++this.told;
    if (this.isHeads) return this.takeHead(result);
    const last = this.held.at(-1);
    if (!result.removed) {
      const order = (log) => Number(log.blockNumber) * 1e6 + Number(log.logIndex);
      if (last && order(last) >= order(result)) this.faults.push(`${result.blockNumber}/${result.logIndex} after ${last.blockNumber}/${last.logIndex}`);
      this.held.push(result);
    } else if (last?.blockHash !== result.blockHash || last.logIndex !== result.logIndex) {
      // A removed log may have been sent before this subscription began.
      if (Number(result.blockNumber) > this.from) this.faults.push(`removed ${result.blockNumber}, which is not the last`);
    } else {
      this.held.pop();
    }
  }

  takeHead(head) {
    const repeated = this.held.some(({ hash }) => hash === head.hash);
    if (repeated) this.faults.push(`head ${head.number} twice`);
    while (this.held.length && Number(this.held.at(-1).number) >= Number(head.number)) this.held.pop();
    if (this.held.length && this.held.at(-1).hash !== head.parentHash) this.faults.push(`a gap before ${head.number}`);
    this.held.push(head);
  }

  takeNotice(notice) {
    this.notices.push(notice);
    this.from ??= Number(notice.block);
    if (notice.type === "missed") this.faults.push(JSON.stringify(notice));
    if (notice.type !== "reorged") return;
    while (this.held.length && Number(this.held.at(-1).blockNumber) >= Number(notice.fromBlock)) this.held.pop();
  }

  hasReached(block) {
    return blockOf(this.cursor) > block;
  }

  // Compares from the start up to `last`, which no reorg can reach any more.
  async check(ask, last) {
    assert.deepEqual(this.faults, [], JSON.stringify(this.params));
    const number = (event) => Number(event.number ?? event.blockNumber);
    const held = this.held.filter((event) => number(event) > this.from && number(event) <= last);
    if (this.isHeads) {
      assert.deepEqual(held.map(number), Array.from({ length: last - this.from }, (_, i) => this.from + 1 + i));
      assert.equal(held.at(-1).hash, (await ask("eth_getBlockByNumber", [quantity(last), false])).hash);
      return held.length;
    }
    const range = { fromBlock: quantity(this.from + 1), toBlock: quantity(last) };
    assert.deepEqual(held, await ask("eth_getLogs", [{ ...this.params[1], ...range }]));
    return held.length;
  }
}

// The C++ example, which prints the messages it receives.
function startExample(t, url) {
  const client = new Client(null, ["newHeads"]);
  const program = startFor(t, "resume", EXAMPLE, [url, '"newHeads"']);
  const push = program.lines.push.bind(program.lines);
  program.lines.push = (line) => {
    push(line);
    if (!line.startsWith("{")) return; // an error of the connection, not a message
    const { params } = JSON.parse(line);
    if (params) client.take(params);
  };
  return client;
}

test(`${CLIENTS} clients resume after each of ${KILLS} kills`, async (t) => {
  const node = await startDevChain(t, ["--dev-block-time", "150ms", "--dev-reorg-every", "8", "--dev-reorg-depth", String(REORG_DEPTH)]);
  const ask = (method, params) => call(node.http, method, params);
  let gateway = await startFanfare(t, ["--config", writeConfig(t, configFor(node.http, 0))]);
  const port = new URL(gateway.ws).port;
  const clients = [startExample(t, gateway.ws)];
  while (clients.length < CLIENTS) {
    const filter = FILTERS[(clients.length >> 1) % FILTERS.length];
    clients.push(new Client(gateway.ws, clients.length & 1 ? ["logs", filter] : ["newHeads"]));
  }
  atEnd(t, () => clients.forEach(({ stream }) => stream?.stop()));
  const allPast = async (block) => {
    const behind = () => clients.filter((client) => !client.hasReached(block));
    await until(`every client past block ${block}`, () => behind().length === 0, { deadlineMs: 120_000 }).catch((error) => {
      const where = behind().map((client) => `${clients.indexOf(client)} (${client.stream ? "follow" : "example"}, ${client.told} told, at ${client.cursor})`);
      throw new Error(`${error.message}; not: ${where.join(", ")}`);
    });
  };
  const head = async () => Number(await ask("eth_blockNumber", []));

  await allPast(0);
  const before = () => clients.reduce((sum, { told }) => sum + told, 0);
  const told = [before()];
  for (let kill = 0; kill < KILLS; ++kill) {
    await gateway.program.stop("SIGKILL");
    const missed = (await head()) + 3;
    await until(`block ${missed}`, async () => (await head()) >= missed);
    gateway = await startFanfare(t, ["--config", writeConfig(t, configFor(node.http, port))]);
    await allPast(await head());
    told.push(before());
  }
  const last = (await head()) - REORG_DEPTH - 1;
  await allPast(last + REORG_DEPTH + 1);
  let compared = 0;
  for (const client of clients) compared += await client.check(ask, last);
  const reorged = clients.reduce((sum, { notices }) => sum + notices.filter(({ type }) => type === "reorged").length, 0);
  t.diagnostic(`${clients.length} clients, ${KILLS} kills; told in all after each: ${told.join(", ")}; compared ${compared}; reorged notices ${reorged}`);
  assert.equal(await metric(gateway, "fanfare_slow_consumer_closes_total"), 0);
  const outcome = (name) => metric(gateway, "fanfare_resumes_total", { outcome: name });
  assert.ok((await outcome("complete")) + (await outcome("notice")) >= clients.length);
});

test("what cannot be resumed is said", async (t) => {
  const node = await startDevChain(t, ["--dev-block-time", "100ms", "--dev-transactions", "0"]);
  const raw = await RawSocket.open(node.ws);
  atEnd(t, () => raw.destroy());
  const refused = async (...params) => (await raw.ask("eth_subscribe", params)).error;
  assert.deepEqual(await refused("newHeads", { cursor: "nonsense" }), { code: -32602, message: 'invalid cursor: "nonsense"' });
  assert.equal((await refused("newPendingTransactions", false, { cursor: "AQAA" })).code, -32602);
  assert.equal((await refused("syncing", { cursor: true })).code, -32602);
  assert.equal((await refused("newHeads", { resume: true })).code, -32602);
  // Without a request for cursors, none are sent.
  const plain = await raw.subscribe("newHeads");
  const { params } = await raw.json((message) => message.params?.subscription === plain);
  assert.deepEqual(Object.keys(params), ["subscription", "result"]);
});
