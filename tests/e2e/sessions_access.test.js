// Sessions of clients with credentials: whose they are, what a reload, an upgrade and a stop end, what a refused reconnect leaves,
// and that no log and no trace has a token.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";
import { key } from "./support/access.js";
import { startAnvil } from "./support/anvil.js";
import { Collector } from "./support/collector.js";
import { metric, metricIs, startFanfare, temporaryFolder } from "./support/fanfare.js";
import { Raw } from "./support/session_client.js";
import { startUpgradable } from "./support/upgrades.js";
import { until } from "./support/waiting.js";

const ANN = "ann-key-0123456789";
const BOB = "bob-key-0123456789";
const TAKEN = { code: 1008, reason: "this session continues on another connection" };
const token = () => randomBytes(16).toString("hex");

async function start(t, { websocket = "", access = "", loop = "auto", env } = {}) {
  const anvil = await startAnvil(t, ["--no-mining"]);
  const folder = temporaryFolder(t);
  const file = path.join(folder, "gateway.yaml");
  const log = path.join(folder, "access.log");
  const write = (keys) =>
    writeFileSync(file, `logLevel: debug
metrics: { port: 0 }
server: { httpPort: 0, threads: 2, accessLog: { path: ${log} }, websocket: { ${websocket} } }
${access && `access:
  checkFilesEvery: 0s
${access}  roles: [{ id: reader, projects: [main], methods: ["eth_*"], topics: [newHeads] }]
  keys: [${keys.map(([id, value]) => `{ id: ${id}, roles: [reader], key: ${value} }`).join(", ")}]
`}projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 31337, pollIntervalMin: 50ms, pollIntervalMax: 100ms } }]
    upstreams: [{ id: node, endpoint: "${anvil.url}" }]
`);
  write([["ann", ANN], ["bob", BOB]]);
  const fanfare = await startFanfare(t, ["--config", file, "--loop", loop], { env });
  const reload = async (keys) => {
    write(keys);
    const before = fanfare.program.lines.items.length;
    fanfare.program.signal("SIGHUP");
    await fanfare.program.lines.when("the reload", (lines) => lines.slice(before).some((line) => /access_reloaded/.test(line)));
  };
  const open = (secret, headers = {}) => Raw.open(t, `${fanfare.ws}?session=${secret}`, { headers });
  const mine = (blocks) => anvil.ask("anvil_mine", [`0x${blocks.toString(16)}`]);
  return { fanfare, reload, open, mine, log };
}

// They mostly wait for blocks and processes.
describe("sessions with credentials", { concurrency: 4 }, () => {
  test("a session belongs to its identity, also of a first message, and ends with its credentials", async (t) => {
    const collector = await Collector.start(t);
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: "20" };
    const { fanfare, reload, open, mine, log } = await start(t, { access: "  firstMessageWithin: 10s\n", loop: "epoll", env });
    const [secret, other] = [token(), token()];
    const ann = await open(secret, key(ANN));
    assert.equal(await ann.upgraded, "new");
    await ann.ask("eth_subscribe", ["newHeads"]);
    await mine(1);
    await ann.head(1);
    // The same token of another identity is another session.
    const bob = await open(secret, key(BOB));
    assert.equal(await bob.upgraded, "new");
    await bob.ask("eth_subscribe", ["newHeads"]);

    // By its first message: nothing is taken before that.
    const late = await open(secret);
    assert.equal(await late.upgraded, undefined);
    assert.equal((await late.ask("eth_subscribe", ["newHeads"])).error.code, -32001);
    assert.equal(ann.socket.readyState, ann.socket.constructor.OPEN);
    assert.equal((await late.ask("fanfare_session")).error.code, -32001);
    assert.equal((await late.ask("fanfare_authenticate", [ANN])).result, true);
    assert.equal((await late.ask("fanfare_session")).result, "resumed");
    assert.deepEqual(await ann.closed, TAKEN);
    await mine(2);
    await late.ask("eth_subscribe", ["newHeads"]);
    await late.head(2);
    await late.head(3);

    // A stored session and an open one; bob keeps his.
    const stored = await open(other, key(ANN));
    await stored.ask("eth_subscribe", ["newHeads"]);
    await mine(1);
    await stored.head(4);
    stored.socket.terminate();
    await metricIs(2, fanfare, "fanfare_websocket_connections");
    assert.equal(await metric(fanfare, "fanfare_sessions"), 3);
    await reload([["bob", BOB]]);
    assert.equal((await late.closed).code, 1008);
    await metricIs(1, fanfare, "fanfare_sessions");
    assert.equal(await metric(fanfare, "fanfare_session_outcomes_total", { outcome: "revoked" }), 2);
    await reload([["ann", ANN], ["bob", BOB]]);
    for (const one of [secret, other]) assert.equal(await (await open(one, key(ANN))).upgraded, "new");
    await mine(1);
    await bob.head(5);
    bob.socket.terminate();

    await until("the access log has the sessions", () => /"session"/.test(readFileSync(log, "utf8")));
    await until("spans were sent", () => collector.spans.length > 0);
    const texts = [fanfare.program.text, readFileSync(log, "utf8"), JSON.stringify(collector.spans)];
    for (const text of texts) for (const one of [secret, other]) assert.ok(!text.includes(one), "a log or a trace has a token");
  });

  test("an upgrade and a stop close sessions with 1012, and the next process says that they are new", async (t) => {
    const gateway = await startUpgradable(t);
    const secret = token();
    const open = async (query = `?session=${secret}`) => Raw.open(t, `${gateway.url}${query}`);
    const state = async (client) => [await client.upgraded, (await client.ask("fanfare_session")).result];
    const first = await open();
    assert.deepEqual(await state(first), ["new", "new"]);
    assert.deepEqual(await state(await open("")), [undefined, null]);
    await first.ask("eth_subscribe", ["newHeads"]);
    await first.messages.when("a head", (messages) => messages.some(({ params }) => params));
    const from = gateway.position();
    process.kill(gateway.pid(), "SIGUSR2");
    const pid = await gateway.upgraded(from);
    assert.equal((await first.closed).code, 1012);
    const second = await open();
    assert.deepEqual(await state(second), ["new", "new"]);
    await second.ask("eth_subscribe", ["newHeads"]);
    const third = await open();
    assert.deepEqual(await state(third), ["resumed", "resumed"]);
    process.kill(pid, "SIGTERM");
    assert.equal((await third.closed).code, 1012);
  });

  test("a refused reconnect leaves the session as it was", async (t) => {
    const { fanfare, open, mine } = await start(t, {
      websocket: "maxConnectionsPerNetwork: 3, sessionsMax: 3, sessionsPerAddressMax: 2, sessionBytesPerAddressMax: 111936",
      access: "  firstMessageWithin: 10s\n",
    });
    const refusal = async (...of) => (await (await open(...of)).refused).status;
    const [secret, second] = [token(), token()];
    const ann = await open(secret, key(ANN));
    await ann.ask("eth_subscribe", ["newHeads"]);
    await mine(1);
    await ann.head(1);
    const more = await open(second, key(ANN));
    assert.equal(await more.upgraded, "new");
    assert.equal(await refusal(token(), key(ANN)), 429);
    // Her two sessions with 25 subscriptions take exactly the memory that she may have; Bob has his own.
    for (let i = 0; i < 24; ++i) assert.equal(typeof (await ann.ask("eth_subscribe", ["newHeads"])).result, "string");
    const { error } = await ann.ask("eth_subscribe", ["newHeads"]);
    assert.deepEqual(error, { code: -32005, message: "no memory is left for this client's sessions; subscribe on a connection without one" });
    // A first message cannot be answered with a status.
    const late = await open(token());
    late.socket.once("open", () => late.socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "fanfare_authenticate", params: [ANN] })));
    assert.deepEqual(await late.closed, { code: 1013, reason: "this client has reached its limit of sessions" });
    await metricIs(2, fanfare, "fanfare_websocket_connections");
    const bob = await open(token(), key(BOB));
    assert.equal(await bob.upgraded, "new");
    assert.equal(typeof (await bob.ask("eth_subscribe", ["newHeads"])).result, "string");
    // All three connections are open: a known session, too, must wait for one to end, and loses nothing.
    assert.equal(await refusal(secret, key(ANN)), 503);
    assert.equal(ann.socket.readyState, ann.socket.constructor.OPEN);
    more.socket.terminate();
    await metricIs(2, fanfare, "fanfare_websocket_connections");
    await metricIs(2, fanfare, "fanfare_sessions"); // one without subscriptions is not kept
    const third = await open(token(), key(BOB));
    assert.equal(await third.upgraded, "new");
    third.socket.terminate();
    await metricIs(2, fanfare, "fanfare_websocket_connections");
    await mine(2);
    const back = await open(secret, key(ANN));
    assert.equal(await back.upgraded, "resumed");
    await back.ask("eth_subscribe", ["newHeads"]);
    await mine(1);
    await back.head(4);
    assert.deepEqual(await ann.closed, TAKEN);
    // Heads 2 and 3 came to whichever of her connections was hers at that moment.
    const came = [ann, back].flatMap(({ messages }) => messages.items.filter(({ params }) => params).map(({ params }) => Number(params.result.number)));
    for (const number of [2, 3]) assert.ok(came.includes(number), `head ${number} came to neither connection: ${came}`);
  });

  test("60 clients that are cut at once and reconnect at once lose nothing", async (t) => {
    // They share an identity, and no limit: each counts for its address, and this machine is exempt.
    const { fanfare, open, mine } = await start(t, { websocket: "sessionsPerAddressMax: 5", access: "  anonymousRoles: [reader]\n", loop: "epoll" });
    const secrets = Array.from({ length: 60 }, token);
    const all = async () => {
      const clients = await Promise.all(secrets.map((secret) => open(secret)));
      await Promise.all(clients.map((client) => client.ask("eth_subscribe", ["newHeads"])));
      return clients;
    };
    const numbers = ({ messages }) => messages.items.filter(({ params }) => params).map(({ params }) => Number(params.result.number));
    const first = await all();
    await mine(2);
    await Promise.all(first.map((client) => client.head(2)));
    for (const client of first) client.socket.terminate();
    await metricIs(0, fanfare, "fanfare_websocket_connections");
    await mine(3);
    const again = await all();
    await mine(2);
    await Promise.all(again.map((client) => client.messages.when("head 7", () => numbers(client).includes(7))));
    // What was not confirmed before the cut may come again; what was missed comes once and in order, then what is live.
    for (const client of again) {
      const seen = numbers(client);
      assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7].slice(7 - seen.length));
      assert.ok(seen.length >= 5, `a client lost heads: ${seen}`);
    }
    assert.equal(await metric(fanfare, "fanfare_session_outcomes_total", { outcome: "resumed" }), 60);
    assert.equal(await (await open(secrets[0], key(ANN))).upgraded, "new"); // her token is not theirs
  });
});
