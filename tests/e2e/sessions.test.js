// Sessions of unmodified clients: connections of ethers, viem and web3.js are reset, or deserted without the server's knowledge,
// while logs come from chains that reorganise. With a token in the URL nothing is lost.
//
//   FANFARE_SESSION_CLIENTS=1000 FANFARE_SESSION_CUTS=20 node --test sessions.test.js     (ethers and viem, half of each)

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { CuttingProxy } from "./support/cutting_proxy.js";
import { call, metric, metricIs, startDevChain, startFanfare, writeConfig } from "./support/fanfare.js";
import { Raw } from "./support/session_client.js";
import { Held, LIBRARIES } from "./support/stock_clients.js";
import { until } from "./support/waiting.js";

const CLIENTS = Number(process.env.FANFARE_SESSION_CLIENTS ?? 0);
const CUTS = Number(process.env.FANFARE_SESSION_CUTS ?? 3);
const REORG_DEPTH = 3;
const quantity = (number) => `0x${number.toString(16)}`;
const token = () => randomBytes(16).toString("hex");

// Clients behind one proxy; `name` says whose library and whether it has a session.
function start(t, proxy, names) {
  return names.map(([library, hasSession]) => {
    const held = new Held();
    // viem gives all clients of one URL one connection.
    const url = `${proxy.url}?${hasSession ? "session" : "client"}=${token()}`;
    const stop = LIBRARIES[library](url, held);
    atEnd(t, stop);
    return { name: `${library} ${hasSession ? "with" : "without"} a session`, hasSession, held };
  });
}

// Follows the development chain through cuts, and compares with it at the end.
async function follow(t, names, { cuts, isQuiet, blockTime = "40ms", loop = "auto" }) {
  const fanfare = await startDevChain(t, ["--loop", loop, "--dev-block-time", blockTime, "--dev-transactions", "3", "--dev-reorg-every", "7", "--dev-reorg-depth", String(REORG_DEPTH)]);
  const proxy = await CuttingProxy.start(t, fanfare.ws);
  const clients = start(t, proxy, names);
  const ask = (method, params) => call(fanfare.http, method, params);
  const head = async () => Number(await ask("eth_blockNumber", []));
  const deadline = { deadlineMs: 240_000 };
  const allHave = (block) =>
    until(`every client has logs past block ${block}`, () => clients.every(({ held }) => Math.max(...held.logs.values()) > block), deadline);
  await until("every client has logs", () => clients.every(({ held }) => held.received > 0), deadline);
  const first = (await head()) + 1;
  await allHave(first);
  for (let cut = 0; cut < cuts; ++cut) {
    proxy.hold();
    const end = (pair) => (cut % 2 ? proxy.desert(pair) : proxy.cut(pair));
    await (isQuiet ? proxy.eachQuietly(end) : proxy.each(end));
    const missed = (await head()) + REORG_DEPTH + 2; // the logs of blocks that a reorg replaces come again to everyone
    await until(`block ${missed}`, async () => (await head()) >= missed, deadline);
    proxy.release();
    await allHave(await head());
  }
  const last = (await head()) - REORG_DEPTH - 1;
  await allHave(last + REORG_DEPTH + 1);
  const chain = await ask("eth_getLogs", [{ fromBlock: quantity(first), toBlock: quantity(last) }]);
  return { fanfare, logs: chain.length, results: clients.map(({ name, hasSession, held }) => ({ name, hasSession, ...held.compare(chain, first, last) })) };
}

const configFor = (url, more = "") => `
logLevel: debug
server: { httpPort: 0 }
projects:
  - id: main
    networks:
      - architecture: evm
        evm: { chainId: 31337, pollIntervalMin: 50ms, pollIntervalMax: 100ms${more} }
    upstreams: [{ id: node, endpoint: "${url}" }]
`;

// They mostly wait for blocks and processes.
describe("sessions of stock clients", { concurrency: 4 }, () => {
  test("stock clients with a session lose nothing, whenever their connections are cut", { skip: CLIENTS > 0 }, async (t) => {
    const names = [...Object.keys(LIBRARIES).map((library) => [library, true]), ["viem", false]];
    const { fanfare, results, logs } = await follow(t, names, { cuts: CUTS, isQuiet: false });
    t.diagnostic(`${logs} logs, ${CUTS} cuts: ${JSON.stringify(results)}`);
    for (const { name, hasSession, lost, stale } of results) {
      if (hasSession) assert.deepEqual({ lost, stale }, { lost: 0, stale: 0 }, name);
      else assert.ok(lost > 0, `${name} should have lost something: the cuts are no test`);
    }
    assert.ok((await metric(fanfare, "fanfare_session_outcomes_total", { outcome: "resumed" })) >= 3 * CUTS);
    assert.ok((await metric(fanfare, "fanfare_session_outcomes_total", { outcome: "taken_over" })) > 0);
    assert.equal(await metric(fanfare, "fanfare_resumes_total", { outcome: "notice" }), 0);
  });

  test("what was confirmed before the cut is not sent again", { skip: CLIENTS > 0 }, async (t) => {
    const names = Object.keys(LIBRARIES).map((library) => [library, true]);
    const { results } = await follow(t, names, { cuts: 2, isQuiet: true, blockTime: "100ms", loop: "epoll" });
    for (const { name, lost, stale, twice } of results) assert.deepEqual({ lost, stale, twice }, { lost: 0, stale: 0, twice: 0 }, name);
  });

  if (CLIENTS > 0) {
    test(`${CLIENTS} stock clients reconnect with and without sessions`, async (t) => {
      const ofEach = (hasSession) => Array.from({ length: CLIENTS }, (_, i) => [i % 2 ? "viem" : "ethers", hasSession]);
      for (const hasSession of [true, false]) {
        await t.test(hasSession ? "with sessions" : "without", async (t) => {
          const { results, logs } = await follow(t, ofEach(hasSession), { cuts: CUTS, isQuiet: false, blockTime: "1s" });
          const sum = (what) => results.reduce((all, result) => all + result[what], 0);
          t.diagnostic(`${CLIENTS} clients, ${logs} logs each, ${CUTS} cuts: ${sum("lost")} lost, ${sum("stale")} stale, ${sum("twice")} twice`);
          if (hasSession) assert.deepEqual([sum("lost"), sum("stale")], [0, 0]);
          else assert.ok(sum("lost") > 0);
        });
      }
    });
  }

  test("anvil: reorgs and a revert while the client is away, takeover, limits, the window", { skip: CLIENTS > 0 }, async (t) => {
    const anvil = await startAnvil(t, ["--no-mining"]);
    const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(anvil.url, ", resumeWindow: 5"))]);
    const secret = token();
    const url = `${fanfare.ws}?session=${secret}`;
    const mine = (blocks) => anvil.ask("anvil_mine", [quantity(blocks)]);

    const first = await Raw.open(t, url);
    assert.equal(await first.upgraded, "new");
    const id = (await first.ask("eth_subscribe", ["newHeads"])).result;
    await mine(1);
    const { params } = await first.head(1);
    assert.deepEqual(Object.keys(params), ["subscription", "result"]);

    // A second connection takes the session from the first.
    const second = await Raw.open(t, fanfare.ws, { headers: { "Fanfare-Session": secret } });
    assert.equal(await second.upgraded, "resumed");
    assert.deepEqual(await first.closed, { code: 1008, reason: "this session continues on another connection" });
    await mine(2);
    // web3.js unsubscribes first, with the id of the connection before: that is not the end of the subscription.
    assert.equal((await second.ask("eth_unsubscribe", [id])).result, true);
    assert.equal((await second.ask("eth_subscribe", ["newHeads"])).result, id);
    await second.head(2);
    await second.head(3);
    second.socket.terminate();
    await until("the server has noticed", async () => (await metric(fanfare, "fanfare_websocket_connections")) === 0);

    // A fork meanwhile.
    await anvil.ask("anvil_reorg", [2, []]);
    await mine(1);
    const replaced = await Promise.all([2, 3, 4].map((number) => anvil.ask("eth_getBlockByNumber", [quantity(number), false])));
    await until("the fork is followed", async () => Number(await call(fanfare.http, "eth_blockNumber")) === 4);
    const third = await Raw.open(t, url);
    await third.ask("eth_subscribe", ["newHeads"]);
    for (const block of replaced) {
      const { params } = await third.messages.take(`head ${block.hash}`, (message) => message.params?.result?.hash === block.hash);
      assert.equal(params.subscription, id);
    }
    third.socket.terminate();

    // Farther back than the window: the connection says so, once, and then the session goes on after the gap.
    await mine(10);
    await metricIs(14, fanfare, "fanfare_head_number"); // a node's answer to eth_blockNumber may be ahead of the events
    const fourth = await Raw.open(t, url);
    await fourth.ask("eth_subscribe", ["newHeads"]);
    const { code, reason } = await fourth.closed;
    assert.equal(code, 1013);
    const notice = JSON.parse(reason);
    assert.deepEqual([notice.type, notice.reason, notice.toBlock], ["missed", "window", "0xe"]);
    await mine(1);
    const fifth = await Raw.open(t, url);
    await fifth.ask("eth_subscribe", ["newHeads"]);
    await fifth.head(15);

    const refusal = async (query, options) => (await Raw.open(t, `${fanfare.ws}${query}`, options)).refused;
    assert.deepEqual(await refusal("?session=short"), { status: 400, text: "the session's token has 5 characters, expected 16 to 128, such as 32 random hexadecimal digits\n" });
    assert.equal((await refusal(`?session=${"x".repeat(129)}`)).status, 400);
    assert.match((await refusal("?session=0123456789abcde%2F")).text, /invalid character at position 16/);
    assert.match((await refusal(`?session=${token()}&session=${token()}`)).text, /several sessions/);
    assert.ok(!fanfare.program.text.includes(secret), "the log has the token");
  });
});
