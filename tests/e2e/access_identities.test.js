// What belongs to an identity, whatever its addresses and connections: its share of a node, its filters, its subscriptions and
// the way to prolong its credentials. All callers of these tests have the address of a proxy on this machine.

import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { JWT_SECRET, basic, bearer, inSeconds, key, post, rpc, token } from "./support/access.js";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { metric, startFanfare, temporaryFolder, writeConfig } from "./support/fanfare.js";
import { NodeProxy } from "./support/node_proxy.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const GREEDY = "greedy-key-0123456789";
const MODEST = "modest-key-0123456789";

async function start(t, { access = "", roles = "", network = "", upstream = "", answer, folder = temporaryFolder(t), flags = [] } = {}) {
  const anvil = await startAnvil(t);
  const proxy = await NodeProxy.start(t, anvil.url, { answer });
  writeFileSync(path.join(folder, "jwt"), JWT_SECRET);
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, `
logLevel: info
server: { httpPort: 0, threads: 2 }
metrics: { port: 0 }
access:
  firstMessageWithin: 60s
  roles:
    - { id: greedy, projects: [main], methods: ["*"], topics: ["*"]${roles} }
    - { id: modest, projects: [main], methods: ["*"], topics: ["*"] }
  keys:
    - { id: greedy, roles: [greedy], key: ${GREEDY} }
    - { id: modest, roles: [modest], key: ${MODEST} }
  jwt: { secretFile: ${path.join(folder, "jwt")}, leeway: 0s }
${access}
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 31337, hedgeAfter: 0s${network} } }]
    upstreams: [{ id: anvil, endpoint: "${proxy.url}"${upstream} }]
`), ...flags]);
  const open = async (headers = {}) => {
    const raw = await RawSocket.open(fanfare.ws, { headers });
    atEnd(t, () => raw.destroy());
    return raw;
  };
  return { fanfare, open };
}

for (const transport of ["HTTP", "WebSocket"]) {
  test(`a key with many connections has one share of a node: ${transport}`, async (t) => {
    const held = [];
    const { fanfare, open } = await start(t, {
      upstream: ", connectionsMax: 2, timeout: 60s",
      answer: (request, respond) => request.method === "eth_getBalance" && held.push({ request, respond }) > 0,
    });
    const balance = (number) => rpc("eth_getBalance", [`0x${String(number).padStart(40, "0")}`, "latest"], number);
    // Each call has a connection of its own.
    const ask = async (number, value) => {
      if (transport === "HTTP") return (await post(fanfare.http, balance(number), key(value))).json;
      const { method, params } = balance(number);
      return (await open(key(value))).ask(method, params);
    };
    const calls = (role) => metric(fanfare, "fanfare_access_calls_total", { role });
    const many = Array.from({ length: 30 }, (_, i) => ask(i, GREEDY));
    await until("all calls of one key wait", async () => (await calls("greedy")) === 30 && held.length === 2);
    const one = ask(99, MODEST);
    await until("and one of the other", async () => (await calls("modest")) === 1);
    const answered = [];
    let atNode = null; // how many calls were at the node before that of the other key was
    while (answered.length < 31) {
      await until("a call at the node", () => held.length > 0);
      const { request, respond } = held.shift();
      const number = parseInt(request.params[0].slice(2), 10);
      if (number === 99) atNode = answered.length;
      answered.push(number);
      respond(200, JSON.stringify({ jsonrpc: "2.0", id: request.id, result: "0x1" }));
    }
    // Two were there before it came, and at most one or two had the turn before it.
    assert.ok(atNode !== null && atNode <= 4, `after ${atNode} calls: ${answered}`);
    for (const answer of [...(await Promise.all(many)), await one]) assert.equal(answer.result, "0x1");
  });
}

test("filters are counted by identity, and one does not use up those of another", async (t) => {
  const { fanfare, open } = await start(t, { network: ", filtersPerAddressMax: 3, filtersMax: 10" });
  const create = async (value) => (await post(fanfare.http, rpc("eth_newBlockFilter"), key(value))).json;
  const ids = [];
  for (let i = 0; i < 3; ++i) ids.push((await create(GREEDY)).result);
  for (const id of ids) assert.match(id, /^0x/);
  assert.equal((await create(GREEDY)).error.code, -32005);
  const raw = await open(key(GREEDY));
  assert.equal((await raw.ask("eth_newBlockFilter")).error.code, -32005, "over WebSocket, too");
  for (let i = 0; i < 3; ++i) assert.match((await create(MODEST)).result, /^0x/);
  assert.equal((await create(MODEST)).error.code, -32005);
  assert.equal((await raw.ask("eth_uninstallFilter", [ids[0]])).result, true);
  assert.match((await create(GREEDY)).result, /^0x/);
});

test("what was subscribed to before the credentials counts for the identity", async (t) => {
  const { open } = await start(t, { access: "  anonymousRoles: [modest]", roles: ", limits: { subscriptionsMax: 2, connectionsMax: 2 }" });
  const first = await open();
  const ids = [await first.subscribe("newHeads"), await first.subscribe("newHeads")];
  assert.equal((await first.ask("fanfare_authenticate", [GREEDY])).result, true);
  assert.equal((await first.ask("eth_subscribe", ["newHeads"])).error.code, -32005);
  const second = await open(key(GREEDY));
  assert.equal((await second.ask("eth_subscribe", ["newHeads"])).error.code, -32005);
  assert.equal((await first.ask("eth_unsubscribe", [ids[0]])).result, true);
  assert.match((await second.ask("eth_subscribe", ["newHeads"])).result, /^0x/);

  // Beyond the identity's limits it stays who it was, and is told which limit it is.
  const third = await open();
  await third.subscribe("newHeads");
  assert.match((await third.ask("fanfare_authenticate", [GREEDY])).error.message, /^too many connections,/);
  second.destroy();
  first.destroy();
  const fourth = await until("the connections are counted out", () => open(key(GREEDY)));
  await until("the subscriptions, too", async () => (await fourth.ask("eth_subscribe", ["newHeads"])).result);
  await until("once more", async () => (await fourth.ask("eth_subscribe", ["newHeads"])).result);
  const answer = await third.ask("fanfare_authenticate", [GREEDY]);
  assert.match(answer.error.message, /^too many subscriptions,/);
  assert.equal(answer.error.code, -32005);
  assert.ok(answer.error.data.retry_after_ms >= 1);
  assert.equal((await third.ask("eth_chainId")).result, "0x7a69");
});

test("fresh credentials are taken although the quota is used up, and an answer says why others are not", async (t) => {
  const { fanfare, open } = await start(t, { roles: ", limits: { requestsPerSecond: 1, requestsBurst: 20 }" });
  const fresh = (more = {}) => token({ sub: "carol", exp: inSeconds(600), roles: ["greedy"], ...more });
  const raw = await open(bearer(fresh()));
  await until("the quota is used up", async () => (await raw.ask("eth_chainId")).error?.code === -32005, { everyMs: 0 });
  for (let i = 0; i < 10; ++i) assert.equal((await raw.ask("fanfare_authenticate", [fresh({ exp: inSeconds(700 + i) })])).result, true);
  for (const [more, text] of [
    [{ sub: "mallory" }, "these credentials are of another identity or have other roles: connect again"],
    [{ roles: ["modest"] }, "these credentials are of another identity or have other roles: connect again"],
    [{ exp: undefined }, "the token has no expiry (exp)"],
    [{ exp: inSeconds(400 * 24 * 3600) }, "the token is valid for too long (exp)"],
    [{ exp: "soon" }, "a claim of the token is of the wrong kind"],
    [{ roles: null }, "a claim of the token is of the wrong kind"],
    [{ exp: inSeconds(-1) }, "the token has expired"],
  ]) {
    const { error } = await raw.ask("fanfare_authenticate", [fresh(more)]);
    assert.deepEqual([error.code, error.message], [-32001, text]);
    if (more.sub || more.roles?.length) continue; // good for another connection
    const answer = await post(fanfare.http, rpc("eth_chainId"), bearer(fresh(more)));
    assert.deepEqual([answer.status, answer.json.error.message], [401, text]);
  }
  for (const reason of ["other_grant", "no_expiry", "too_long", "bad_claim", "expired"]) {
    assert.ok((await metric(fanfare, "fanfare_access_denied_total", { reason })) >= 1, reason);
  }
});

test("an address that nobody may use is told so, one of a key is not told that the key is right", async (t) => {
  const { fanfare } = await start(t, { access: "  allowedAddresses: [127.0.0.1]" });
  const answer = await post(fanfare.http, rpc("eth_chainId"), key(MODEST), { localAddress: "127.0.0.2" });
  assert.equal(answer.status, 403);
  assert.equal(answer.json.error.message, "this address is not in access.allowedAddresses");
  assert.equal((await post(fanfare.http, rpc("eth_chainId"), key(MODEST))).status, 200);
});

test("a second process takes over the cookie file and says so, and the first one gets it back", async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, "cookie");
  const access = `  checkFilesEvery: 1s\n  cookieFile: ${file}\n  cookieRoles: [modest]`;
  const first = await start(t, { folder, access });
  const cookie = readFileSync(file, "utf8");
  const status = async (one, text) => (await post(one.fanfare.http, rpc("eth_chainId"), basic(...text.split(":")))).status;
  assert.equal(await status(first, cookie), 200);
  const second = await start(t, { folder, access });
  await second.fanfare.program.line(/cookie_file_taken_over .*a process that still runs/);
  assert.equal(await status(second, readFileSync(file, "utf8")), 200);
  assert.equal(await status(first, cookie), 200, "the first cookie is still good for the first process");
  await second.fanfare.program.stop();
  await first.fanfare.program.line(/cookie_file_restored /);
  assert.equal(readFileSync(file, "utf8"), cookie);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  await first.fanfare.program.stop();
  assert.ok(!existsSync(file));
});
