// Keys, roles and tokens' keys are read again while the gateway runs: by SIGHUP, and when a file has changed. Connections
// that are not concerned stay open.

import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { basic, bearer, inSeconds, key, post, rpc } from "./support/access.js";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { startFanfare, temporaryFolder } from "./support/fanfare.js";
import { RawSocket } from "./support/raw_socket.js";
import { CountingNode, StreamClient } from "./support/streams.js";
import { until } from "./support/waiting.js";

const STAYS = "stays-key-0123456789";
const GOES = "goes-key-0123456789";
const NEW = "new-key-0123456789ab";
const FILED = "filed-key-0123456789";
const OTHER = "other-key-0123456789";
const chainId = rpc("eth_chainId");

const ROLES = `
    - { id: reader, projects: [main], methods: ["eth_*"], topics: [newHeads], streams: [counter] }
    - { id: other, projects: [main], methods: ["eth_*"], topics: [newHeads] }`;
const KEYS = `
    - { id: stays, roles: [reader], key: ${STAYS} }
    - { id: goes, roles: [other], key: ${GOES} }`;

// {fanfare, write(parts), folder}: write() replaces the configuration.
async function start(t, { every = "0s", parts = {}, files = {} } = {}) {
  const anvil = await startAnvil(t);
  const node = await CountingNode.start(t);
  const folder = temporaryFolder(t);
  const file = path.join(folder, "gateway.yaml");
  const put = (name, text) => {
    // As an editor does: a reader sees the old or the new file.
    writeFileSync(path.join(folder, `${name}.new`), text);
    renameSync(path.join(folder, `${name}.new`), path.join(folder, name));
  };
  const write = ({ roles = ROLES, keys = KEYS, more = "", raw } = {}) =>
    put("gateway.yaml", raw ?? `
logLevel: info
server: { httpPort: 0, threads: 2 }
access:
  checkFilesEvery: ${every}
  roles:${roles}
  keys:${keys}
${more.replaceAll("FOLDER", folder)}
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 31337 } }]
    upstreams: [{ id: anvil, endpoint: "${anvil.url}" }]
streams:
  upstreams: [{ id: node, endpoint: "${node.url}", timeout: 5s }]
  definitions: [{ name: counter, interval: 30ms, upstream: node, calls: { r: m }, fields: { n: /r/n } }]
`);
  for (const [name, text] of Object.entries(files)) put(name, text);
  write(parts);
  const fanfare = await startFanfare(t, ["--config", file]);
  const streams = `${fanfare.health.replace("http:", "ws:")}/streams`;
  const reload = async (what) => {
    const before = fanfare.program.lines.items.length;
    fanfare.program.signal("SIGHUP");
    await fanfare.program.lines.when(what.source, (lines) => lines.slice(before).some((line) => what.test(line)));
  };
  const open = async (headers) => {
    const raw = await RawSocket.open(fanfare.ws, { headers });
    atEnd(t, () => raw.destroy());
    return raw;
  };
  return { fanfare, streams, write, put, folder, reload, open, status: async (headers) => (await post(fanfare.http, chainId, headers)).status };
}

test("SIGHUP: a key that is gone ends its connections, a new one works, the others notice nothing", async (t) => {
  const { streams, write, reload, open, status } = await start(t);
  const [stays, goes] = [await open(key(STAYS)), await open(key(GOES))];
  const heads = await stays.subscribe("newHeads");
  await goes.subscribe("newHeads");
  const stream = await StreamClient.open(t, streams, { headers: key(STAYS) });
  await stream.subscribe("counter");
  assert.equal(await status(key(NEW)), 401);

  write({ keys: KEYS.replace(/.*goes.*/, `    - { id: fresh, roles: [reader], key: ${NEW} }`) });
  await reload(/access_reloaded .*keys=2/);
  const { close, reason } = await goes.closed();
  assert.deepEqual([close, reason], [1008, "these credentials are not valid any more"]);
  assert.equal(await status(key(GOES)), 401);
  assert.equal(await status(key(NEW)), 200);
  assert.equal((await stays.ask("eth_unsubscribe", [heads])).result, true, "the same connection, with its subscription");
  await stream.take("counter");
});

test("roles that change apply to open connections", async (t) => {
  const { fanfare, streams, write, reload, open } = await start(t);
  const [calls, subscribed, other] = [await open(key(STAYS)), await open(key(STAYS)), await open(key(GOES))];
  await subscribed.subscribe("newHeads");
  const kept = await other.subscribe("newHeads");
  const stream = await StreamClient.open(t, streams, { headers: key(STAYS) });
  await stream.subscribe("counter");
  assert.match((await calls.ask("eth_blockNumber")).result, /^0x/);

  write({ roles: ROLES.replace('methods: ["eth_*"], topics: [newHeads], streams: [counter]', "methods: [eth_chainId]") });
  await reload(/access_reloaded/);
  // Without subscriptions, the connection goes on with what is granted now.
  await until("the method is refused", async () => (await calls.ask("eth_blockNumber")).error?.code === -32601);
  assert.equal((await calls.ask("eth_chainId")).result, "0x7a69");
  const { close, reason } = await subscribed.closed();
  assert.deepEqual([close, reason], [1008, "the roles of these credentials have changed: connect again"]);
  assert.match((await stream.take("unsubscribed")).reason, /do not grant the stream any more/);
  assert.match(await stream.refused({ type: "subscribe", stream: "counter" }), /available are none/);
  assert.equal((await other.ask("eth_unsubscribe", [kept])).result, true);

  // Limits, too: they end no connection.
  write({ roles: ROLES.replace("id: other,", "id: other, limits: { requestsPerSecond: 1 },") });
  const live = await other.subscribe("newHeads");
  await reload(/access_reloaded/);
  await until("the new limit holds", async () => (await other.ask("eth_chainId")).error?.code === -32005);
  await until("the old subscription lives", async () => (await other.ask("eth_unsubscribe", [live])).result === true, { everyMs: 300 });
  const text = await (await fetch(`${fanfare.health}/healthz`)).text();
  assert.equal(text, "ok\n");
});

test("a bad file changes nothing and is logged with its line", async (t) => {
  const { fanfare, write, reload, open, status } = await start(t);
  const raw = await open(key(GOES));
  for (const [parts, what] of [
    [{ raw: "access: [\n" }, /configuration_reload_failed .*gateway\.yaml:\d+:\d+:.*still_used="the one before"/],
    [{ keys: KEYS.replace("roles: [other]", "roles: [nobody]") }, /configuration_reload_failed .*gateway\.yaml:\d+:\d+:.*does not exist/],
    [{ keys: KEYS.replace(GOES, "short") }, /configuration_reload_failed .*gateway\.yaml:\d+:\d+:.*too short/],
    [{ more: "  cookieFile: FOLDER/none/cookie\n  cookieRoles: [reader]" }, /configuration_reload_failed .*cannot write the cookie file .*none\/cookie/],
    [{ raw: "projects:\n  - id: main\n    networks: [{ architecture: evm, evm: { chainId: 1 } }]\n    upstreams: [{ id: a, endpoint: 'http://127.0.0.1:9' }]\n" },
      /configuration_reload_failed .*cannot be turned on or off without a restart/],
  ]) {
    write(parts);
    await reload(what);
    assert.equal((await raw.ask("eth_chainId")).result, "0x7a69");
    assert.equal(await status(key(STAYS)), 200);
    assert.equal(await status({}), 401);
  }
  assert.ok(!fanfare.program.text.includes(GOES) && !fanfare.program.text.includes("short-"));
  write();
  await reload(/access_reloaded/);
  assert.equal((await raw.ask("eth_chainId")).result, "0x7a69");
});

test("files that change are read without a signal: a key's, a password's, a JWK set", async (t) => {
  const [first, second] = [generateKeyPairSync("ec", { namedCurve: "P-256" }), generateKeyPairSync("ec", { namedCurve: "P-256" })];
  const jwks = (...pairs) => JSON.stringify({ keys: pairs.map((pair, i) => ({ ...pair.publicKey.export({ format: "jwk" }), kid: `k${pair === first ? 1 : 2}` })) });
  const b64 = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const tokenBy = (pair) => {
    const text = `${b64({ alg: "ES256", kid: pair === first ? "k1" : "k2" })}.${b64({ sub: "carol", exp: inSeconds(600), roles: ["reader"] })}`;
    return `${text}.${sign("sha256", Buffer.from(text), { key: pair.privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  };
  const parts = {
    keys: `${KEYS}\n    - { id: filed, roles: [reader], keyFile: FOLDER/key }`,
    more: "  users: [{ id: alice, roles: [reader], passwordFile: FOLDER/password }, { id: bob, roles: [reader], password: wonderful }]\n" +
      "  jwt: { jwksFile: FOLDER/jwks }",
  };
  parts.keys = parts.keys.replace("FOLDER/key", "KEYFILE");
  const folderOf = {};
  const started = await start(t, { every: "1s", parts: { ...parts, keys: KEYS }, files: { key: FILED, password: "secret", jwks: jwks(first) } });
  const { put, write, open, status, fanfare, folder } = started;
  folderOf.keys = parts.keys.replace("KEYFILE", path.join(folder, "key"));
  write({ ...parts, keys: folderOf.keys });
  await fanfare.program.line(/access_reloaded .*keys=3/);

  const [stays, filed, alice, bob, byFirst] = [
    await open(key(STAYS)), await open(key(FILED)), await open(basic("alice", "secret")), await open(basic("bob", "wonderful")),
    await open(bearer(tokenBy(first))),
  ];
  assert.equal(await status(bearer(tokenBy(second))), 401);
  put("key", OTHER);
  assert.equal((await filed.closed()).close, 1008);
  assert.equal(await status(key(OTHER)), 200);

  put("password", "changed");
  assert.equal((await alice.closed()).close, 1008);
  assert.equal(await status(basic("alice", "changed")), 200);

  put("jwks", jwks(first, second)); // rotation: both for a while
  await until("the new key's tokens are accepted", async () => (await status(bearer(tokenBy(second)))) === 200, { everyMs: 300 });
  assert.equal((await byFirst.ask("eth_chainId")).result, "0x7a69");
  put("jwks", "{ nonsense");
  await fanfare.program.line(/access_reload_failed .*gateway\.yaml:\d+:\d+:.*jwksFile/);
  assert.equal(await status(bearer(tokenBy(second))), 200);
  put("jwks", jwks(second));
  assert.equal((await byFirst.closed()).close, 1008);
  for (const raw of [stays, bob]) assert.equal((await raw.ask("eth_chainId")).result, "0x7a69");
});
