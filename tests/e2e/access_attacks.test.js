// Ways around the permission check: spellings, doubled members, batches, notifications, paths, hosts, and tokens that name
// their own key. The node behind the gateway is watched: what is denied must never reach it.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";
import { basic, bearer, inSeconds, JWT_SECRET, key, post, rpc, token, upgradeStatus } from "./support/access.js";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { startFanfare, temporaryFolder, writeConfig } from "./support/fanfare.js";
import { NodeProxy } from "./support/node_proxy.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const READER = "reader-key-0123456789";
const SECRET = JWT_SECRET;
const chainId = rpc("eth_chainId");
// A call that the node answers, so that a test knows that everything before it has been handled.
const marker = (id) => rpc("eth_getBalance", [`0x${String(id).padStart(40, "0")}`, "latest"], id);

async function start(t, { firstMessageWithin = "0s" } = {}) {
  const anvil = await startAnvil(t);
  const seen = [];
  const proxy = await NodeProxy.start(t, anvil.url, {
    answer: (request) => {
      seen.push(...[request].flat().map(({ method }) => method));
      return false;
    },
  });
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, "jwt"), `${SECRET}\n`);
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, `
logLevel: info
server: { httpPort: 0, threads: 1 }
access:
  firstMessageWithin: ${firstMessageWithin}
  users: [{ id: alice, roles: [reader], password: wonderful }]
  roles:
    - { id: reader, projects: [main], networks: ["31337"], methods: { allow: ["*"], deny: [eth_call, "trace_*"] }, topics: [newHeads] }
    - { id: inner, projects: [internal], methods: ["*"] }
  keys: [{ id: reader, roles: [reader], key: ${READER} }]
  jwt: { secretFile: ${path.join(folder, "jwt")}, leeway: 0s }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 31337 } }]
    upstreams: [{ id: anvil, endpoint: "${proxy.url}" }]
  - id: internal
    networks: [{ architecture: evm, evm: { chainId: 31337 } }]
    upstreams: [{ id: anvil, endpoint: "${proxy.url}" }]
`)]);
  return { ...fanfare, seen };
}

test("no spelling of a denied method reaches the node", async (t) => {
  const gateway = await start(t);
  const raw = await RawSocket.open(gateway.ws, { headers: key(READER) });
  atEnd(t, () => raw.destroy());
  const call = '"params":[{"to":"0x00000000000000000000000000000000000000aa"},"latest"]';
  const messages = [
    // Escapes, case, white space, look-alikes.
    `{"jsonrpc":"2.0","id":1,"method":"\\u0065th_call",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":"eth\\u005fcall",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":"ETH_CALL",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":"Eth_call",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":"eth_Call",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":" eth_call",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":"eth_call ",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":"eth_call\\n",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":"eth_call\\u0000",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":"eth_ca\\u200bll",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":"\\u0435th_call",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":"trace_block","params":["latest"]}`,
    `{"jsonrpc":"2.0","id":1,"method":"TRACE_block","params":["latest"]}`,
    `{"jsonrpc":"2.0","id":1,"method":"debug_traceBlockByNumber","params":["latest"]}`,
    `{"jsonrpc":"2.0","id":1,"method":"anvil_mine","params":["0x1"]}`,
    `{"jsonrpc":"2.0","id":1,"method":"hardhat_mine","params":["0x1"]}`,
    `{"jsonrpc":"2.0","id":1,"method":"evm_mine","params":[]}`,
    // Members that stand twice, or are something else.
    `{"jsonrpc":"2.0","id":1,"method":"eth_chainId","method":"eth_call",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":"eth_call","method":"eth_chainId",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":"eth_chainId","\\u006dethod":"eth_call",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":"eth_chainId","Method":"eth_call",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":["eth_call"],${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":{"toString":"eth_call"},${call}}`,
    `{"id":1,"method":"eth_call",${call}}`,
    // In batches, within batches, as notifications.
    `[{"jsonrpc":"2.0","id":1,"method":"eth_chainId"},{"jsonrpc":"2.0","id":2,"method":"eth_call",${call}}]`,
    `[[{"jsonrpc":"2.0","id":2,"method":"eth_call",${call}}]]`,
    `[{"jsonrpc":"2.0","method":"eth_call",${call}},{"jsonrpc":"2.0","method":"evm_mine"}]`,
    `{"jsonrpc":"2.0","method":"eth_call",${call}}`,
    `{"jsonrpc":"2.0","id":null,"method":"eth_call",${call}}`,
    // A byte order mark, and something behind the end.
    `\ufeff{"jsonrpc":"2.0","id":1,"method":"eth_call",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}{"jsonrpc":"2.0","id":1,"method":"eth_call",${call}}`,
    `{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}\n{"jsonrpc":"2.0","id":1,"method":"eth_call",${call}}`,
  ];
  let id = 100;
  for (const message of messages) {
    const answer = await post(gateway.http, message, key(READER));
    assert.ok([200, 204, 400].includes(answer.status), `${answer.status} ${message}`);
    raw.sendJson(message);
    const done = marker(++id);
    raw.sendJson(done);
    await raw.json((one) => one.id === done.id, `the marker behind ${message}`);
  }
  const granted = /^(eth_chainId|net_version|web3_|eth_block|eth_get|eth_syncing|eth_newBlockFilter)/;
  for (const method of gateway.seen) assert.match(method, granted);
  assert.ok(gateway.seen.includes("eth_getBalance"));
  // The same over HTTP alone, with the names of the answers.
  const single = await post(gateway.http, `{"jsonrpc":"2.0","id":1,"method":"\\u0065th_call",${call}}`, key(READER));
  assert.equal(single.json.error.code, -32601);
});

test("eth_subscribe: no form of another topic", async (t) => {
  const gateway = await start(t);
  const raw = await RawSocket.open(gateway.ws, { headers: key(READER) });
  atEnd(t, () => raw.destroy());
  let id = 0;
  for (const [method, params] of [
    ["eth_subscribe", '["newPendingTransactions"]'], ["eth_subscribe", '["\\u006eewPendingTransactions"]'], ["eth_subscribe", '["logs",{}]'],
    ["eth_subscribe", '[["newPendingTransactions"]]'], ["eth_subscribe", '{"0":"newPendingTransactions"}'], ["eth_subscribe", '["newHeads ","logs"]'],
    ["eth_subscribe", '["NEWPENDINGTRANSACTIONS"]'], ["eth_subscribe", '[null,"newPendingTransactions"]'], ["eth_subscribe", "[]"],
    ["eth_subscribe", '["newHeads\\u0000"]'], ["eth_Subscribe", '["newPendingTransactions"]'], ["ETH_SUBSCRIBE", '["logs",{}]'],
    ["parity_subscribe", '["eth_call",[]]'], ["net_subscribe", '["newHeads"]'],
  ]) {
    raw.sendJson(`{"jsonrpc":"2.0","id":${++id},"method":"${method}","params":${params}}`);
    const answer = await raw.json((one) => one.id === id, `${method} ${params}`);
    assert.ok(answer.error, `${method} ${params} ${JSON.stringify(answer)}`);
  }
  // Twice the member: whatever is subscribed to, it is not the denied one.
  raw.sendJson('{"jsonrpc":"2.0","id":"twice","method":"eth_subscribe","params":["newHeads"],"params":["newPendingTransactions"]}');
  const twice = await raw.json((one) => one.id === "twice" || one.error, "the answer");
  assert.ok(twice.error, JSON.stringify(twice));
  assert.equal((await post(gateway.http, rpc("eth_subscribe", ["newHeads"]), key(READER))).json.error.code, -32601, "not over HTTP");
  assert.match((await raw.ask("eth_subscribe", ["newHeads"])).result, /^0x/);
});

test("no form of a path leads to another project, or past the check", async (t) => {
  const gateway = await start(t);
  const { port, pathname } = new URL(gateway.http);
  // fetch and URL would normalize these: they go out as they are.
  const ask = (target, headers = `X-Api-Key: ${READER}`, host = `127.0.0.1:${port}`) =>
    new Promise((resolve) => {
      const body = JSON.stringify(rpc("eth_blockNumber"));
      const socket = net.connect(Number(port), "127.0.0.1", () =>
        socket.write(`POST ${target} HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`));
      let all = "";
      socket.on("data", (part) => (all += part.toString("latin1")));
      socket.on("error", () => {});
      socket.once("close", () => resolve(all));
    });
  assert.match(await ask(pathname), /^HTTP\/1\.1 200[^]*"result"/);
  for (const target of [
    "/internal/evm/31337", "//internal/evm/31337", "/internal//evm/31337", "/internal/evm//31337", "/./internal/evm/31337", "/main/../internal/evm/31337",
    "/main/%2e%2e/internal/evm/31337", "/%2e/internal/evm/31337", "/intern%61l/evm/31337", "/main%2f..%2finternal/evm/31337", "/internal%2fevm%2f31337",
    "/INTERNAL/evm/31337", "/internal/evm/31337/", "/internal/evm/31337;x=1", "/internal/evm/31337%00", "/internal/evm/031337", "/internal/evm/0x7a69",
    "/internal\\evm\\31337", "/main/evm/31337/../../../internal/evm/31337", `http://127.0.0.1:${port}/internal/evm/31337`, "*", "internal/evm/31337",
    "/metrics", "/metrics/", "//metrics", "/%6detrics", "/./metrics", "/main/../metrics",
  ]) {
    const answer = await ask(target);
    assert.ok(!/"result"|fanfare_access/.test(answer), `${target}: ${answer}`);
    assert.match(answer, /^HTTP\/1\.1 (200|301|400|401|403|404|405)/, target);
    const without = await ask(target, "X-Other: 1");
    assert.ok(!/"result"|fanfare_access/.test(without), `${target}: ${without}`);
  }
  // DNS rebinding, over HTTP and at the upgrade.
  for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1@evil.example"]) {
    assert.match(await ask(pathname, undefined, host), /^HTTP\/1\.1 40[03]/, host);
  }
  assert.equal(await upgradeStatus(gateway.ws, { ...key(READER), Host: "evil.example" }), 403);
  assert.equal(await upgradeStatus(gateway.ws, { ...key(READER), Origin: "https://evil.example" }), 403);
  assert.equal(await upgradeStatus(gateway.ws, { ...key(READER), Origin: "null" }), 403);
});

test("a token cannot choose its key, its algorithm or its roles", async (t) => {
  const gateway = await start(t, { firstMessageWithin: "300s" });
  const claims = { sub: "m", exp: inSeconds(600), roles: ["reader"] };
  const status = async (value) => (await post(gateway.http, chainId, bearer(value))).status;
  assert.equal(await status(token(claims, { secret: SECRET })), 200);
  const empty = (header) => token(claims, { header, secret: "" });
  const [head, body] = token(claims).split(".");
  const bad = {
    "kid is a path": empty({ alg: "HS256", kid: "../../../../dev/null" }),
    "kid is an absolute path": empty({ alg: "HS256", kid: "/dev/null" }),
    "kid is SQL": token(claims, { header: { alg: "HS256", kid: "x' UNION SELECT 'secret" }, secret: "secret" }),
    "kid is no text": empty({ alg: "HS256", kid: ["a"] }),
    "a key in the header": token(claims, { header: { alg: "HS256", jwk: { kty: "oct", k: "YWJj" } }, secret: "abc" }),
    "a set of keys elsewhere": token(claims, { header: { alg: "HS256", jku: "http://127.0.0.1:1/jwks" }, secret: "abc" }),
    "alg none": token(claims, { header: { alg: "none" }, signature: "" }),
    "alg nOnE": token(claims, { header: { alg: "nOnE" }, signature: "" }),
    "alg is missing": token(claims, { header: {} }),
    "alg stands twice": `${Buffer.from('{"alg":"HS256","alg":"none"}').toString("base64url")}.${body}.`,
    "no signature": `${head}.${body}.`,
    "two parts": `${head}.${body}`,
    "the payload of another": `${head}.${Buffer.from(JSON.stringify({ ...claims, roles: ["inner"] })).toString("base64url")}.${token(claims).split(".")[2]}`,
    "not yet valid": token({ ...claims, nbf: inSeconds(600) }),
    "issued in the future": token({ ...claims, iat: inSeconds(600) }),
    "expired": token({ ...claims, exp: inSeconds(-1) }),
    "never expires": token({ ...claims, exp: undefined }),
    "expires in a text": token({ ...claims, exp: "9999999999" }),
    "crit": token(claims, { header: { alg: "HS256", crit: ["x"], x: 1 } }),
    "a MAC that is too short": `${head}.${body}.${createHmac("sha256", SECRET).update(`${head}.${body}`).digest().subarray(0, 16).toString("base64url")}`,
  };
  const raw = await RawSocket.open(gateway.ws);
  atEnd(t, () => raw.destroy());
  for (const [what, value] of Object.entries(bad)) {
    assert.ok([401, 429].includes(await status(value)), what);
    // At an upgrade: in a header, in the URL, as a browser's subprotocol; and as a first message.
    assert.ok([401, 429].includes(await upgradeStatus(gateway.ws, bearer(value))), what);
    assert.ok([401, 429].includes(await upgradeStatus(`${gateway.ws}?token=${value}`)), what);
    assert.ok([401, 429].includes(await upgradeStatus(gateway.ws, { "Sec-WebSocket-Protocol": `fanfare, fanfare.bearer.${value}` })), what);
    assert.ok([-32001, -32005].includes((await raw.ask("fanfare_authenticate", [value])).error?.code), what);
    assert.equal((await raw.ask("eth_chainId")).error.code, -32001, what);
  }
  // Failed tokens do not lock out a good one from the same address.
  assert.equal(await status(token(claims)), 200);
  assert.equal(await upgradeStatus(gateway.ws, bearer(token(claims))), 101);
  assert.equal((await raw.ask("fanfare_authenticate", [token(claims)])).result, true);
  assert.equal((await raw.ask("eth_chainId")).result, "0x7a69");
  // Names that are no roles here grant nothing.
  for (const roles of [["*"], ["admin"], "reader,inner", ["reader*"], [""], ["READER"]]) {
    const answer = await post(gateway.http, chainId, bearer(token({ ...claims, roles })));
    assert.ok(answer.status === 401 || answer.json.error?.code === -32601, JSON.stringify(roles));
    const socket = await RawSocket.open(gateway.ws, { headers: bearer(token({ ...claims, roles })) }).catch((error) => error.status);
    if (socket === 401) continue;
    assert.equal((await socket.ask("eth_chainId")).error.code, -32601, JSON.stringify(roles));
    socket.destroy();
  }
  await until("the failures are counted and logged", () => /access_denied .*reason=/.test(gateway.program.text));
  assert.ok(!gateway.program.text.includes(SECRET) && !gateway.program.text.includes(READER));
});

test("guessing is slowed and logged at an upgrade and by first messages, too, and counts for HTTP", async (t) => {
  const gateway = await start(t, { firstMessageWithin: "300s" });
  const begun = performance.now();
  // Ten at once, and one more each second; in parallel they come faster than that on any machine.
  const statuses = [];
  await until("some are refused unseen", async () => {
    const some = Array.from({ length: 30 }, (_, i) => upgradeStatus(gateway.ws, basic("alice", `guess-${i}`)));
    statuses.push(...(await Promise.all(some)));
    return statuses.includes(429);
  }, { everyMs: 0 });
  assert.ok(statuses.every((status) => status === 401 || status === 429), String(statuses));
  const seen = statuses.filter((status) => status === 401).length;
  assert.ok(seen <= 10 + (performance.now() - begun) / 1000, `${seen} were looked at`);
  await gateway.program.line(/access_denied .*reason=unknown.*peer=127\.0\.0\.1/);

  // Wrong tokens by first messages of one connection, and of several.
  const wrong = (i) => `wrong-key-0123456789-${i}`;
  const answers = [];
  for (let connection = 0; connection < 2; ++connection) {
    const raw = await RawSocket.open(gateway.ws);
    await until("some are refused as too many", async () => {
      for (let i = 0; i < 30; ++i) answers.push((await raw.ask("fanfare_authenticate", [wrong(i)])).error);
      return answers.some(({ code }) => code === -32005);
    }, { everyMs: 0 });
    // It grants nothing meanwhile, and a good key is taken at once.
    assert.equal((await raw.ask("eth_chainId")).error.code, -32001);
    assert.equal((await raw.ask("fanfare_authenticate", [READER])).result, true);
    assert.equal((await raw.ask("eth_chainId")).result, "0x7a69");
    raw.destroy();
  }
  for (const { code, message, data } of answers) {
    if (code === -32001) assert.equal(message, "the credentials are not valid");
    else assert.deepEqual([code, message, data.retry_after_ms >= 1], [-32005, "too many failed attempts from this address", true]);
  }
  assert.equal((await post(gateway.http, chainId, key(READER))).status, 200);
  await until("the right password is let in again", async () => (await upgradeStatus(gateway.ws, basic("alice", "wonderful"))) === 101, { everyMs: 500 });
  // At most ten lines a minute, and no secret in them.
  const lines = gateway.program.lines.items.filter((line) => line.includes("access_denied"));
  const minutes = Math.ceil((performance.now() - begun) / 60_000) + 1;
  assert.ok(lines.length <= 11 * minutes, `${lines.length} lines`);
  assert.ok(!/guess-|wrong-key|wonderful/.test(gateway.program.text));
});

test("headers at an upgrade: too long, too many, with a line end inside, twice", async (t) => {
  const gateway = await start(t);
  const { port, pathname } = new URL(gateway.ws);
  // The status line of the answer to a whole head, which goes out as it is.
  const upgrade = (fields) =>
    new Promise((resolve) => {
      const head = [`GET ${pathname} HTTP/1.1`, `Host: 127.0.0.1:${port}`, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", ...fields];
      const socket = net.connect(Number(port), "127.0.0.1", () => socket.write(`${head.join("\r\n")}\r\n\r\n`));
      let all = "";
      socket.on("data", (part) => {
        all += part.toString("latin1");
        if (/\r\n/.test(all)) socket.destroy();
      });
      socket.on("error", () => {});
      socket.once("close", () => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(all)?.[1])));
    });
  assert.equal(await upgrade([`X-Api-Key: ${READER}`]), 101);
  for (const [fields, statuses] of [
    [[`Authorization: Bearer ${"a".repeat(20_000)}`], [431]],
    [[`X-Api-Key: ${READER}`, ...Array.from({ length: 200 }, (_, i) => `X-${i}: 1`)], [431]],
    [[`X-Api-Key: wrong\nX-Api-Key: ${READER}`], [400, 401]],
    [[`X-Api-Key: wrong\rX-Api-Key: ${READER}`], [400, 401]],
    [[`X-Api-Key : ${READER}`], [400]],
    [[`X-Other: a\r\n X-Api-Key: ${READER}`], [400, 401]],
    [[`X-Api-Key: ${READER}\0`], [400, 401]],
    [[`X-Api-Key: ${READER}`, "X-Api-Key: another-key-0123456789"], [401]],
    [[`X-Api-Key: ${READER}`, `Authorization: Bearer ${token({ sub: "m", exp: inSeconds(600), roles: ["reader"] })}`], [401]],
    [[`X-Api-Key: ${READER}`, "Host: evil.example"], [400]],
    [[`X-Api-Key: ${READER}`, "Origin: https://evil.example"], [403]],
  ]) {
    const status = await upgrade(fields);
    assert.ok(statuses.includes(status), `${status} ${JSON.stringify(fields).slice(0, 200)}`);
  }
});
