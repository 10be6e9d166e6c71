// Access control in front of a real node: keys of two roles, users, tokens; over HTTP and WebSocket, in single calls,
// batches and notifications; and the attacks that it must withstand.

import assert from "node:assert/strict";
import { createHash, createHmac, generateKeyPairSync, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";
import { FetchRequest, JsonRpcProvider, WebSocketProvider } from "ethers";
import { createPublicClient, http as httpTransport, webSocket } from "viem";
import { Web3 } from "web3";
import WebSocket from "ws";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { check, startFanfare, temporaryFolder, writeConfig } from "./support/fanfare.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const READER = "reader-key-0123456789";
const ADMIN = "admin-key-0123456789";
const POOR = "poor-key-0123456789";
const JWT_SECRET = "a secret of tokens that is long enough";
const TOKEN = "0x00000000000000000000000000000000000000aa";
const VAULT = "0x00000000000000000000000000000000000000bb";
const PASSWORD = "wonder";
const SALT = "0123456789abcdef";

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const hmac = (key, text) => createHmac("sha256", key).update(text).digest("hex");

const configFor = (anvil, { more = "", folder } = {}) => `
logLevel: info
server: { httpPort: 0, unixSocket: { path: ${path.join(folder, "sock")} } }
access:
  firstMessageWithin: 60s
  cookieFile: ${path.join(folder, "cookie")}
  cookieRoles: [admin]
  roles:
    - id: reader
      projects: [main]
      networks: ["31337"]
      methods: ["*"]
      topics: [newHeads, logs]
      contracts: { deny: ["${VAULT}"] }
    - id: admin
      projects: ["*"]
      methods: ["*", "anvil_*", "debug_*", "admin_*", fanfare_metrics]
      topics: ["*"]
    - id: poor
      projects: [main]
      methods: ["*"]
      topics: ["*"]
      limits: { requestsPerSecond: 1, requestsBurst: 20, connectionsMax: 1, subscriptionsMax: 1 }
    - id: thin
      projects: [main]
      methods: ["*"]
      limits: { bytesPerSecond: 1000, bytesBurst: 2000 }
  keys:
    - { id: pipe, roles: [thin], key: thin-key-0123456789 }
    - { id: shop, roles: [reader], keyHash: ${sha256(READER)} }
    - { id: office, roles: [admin], key: "\${ADMIN_KEY}" }
    - { id: beggar, roles: [poor], keyFile: ${path.join(folder, "poor")} }
    - { id: elsewhere, roles: [admin], key: elsewhere-key-0123456789, allowedAddresses: [192.0.2.0/24] }
  users:
    - { id: alice, roles: [admin], passwordHash: "${SALT}$${hmac(SALT, PASSWORD)}" }
  jwt:
    secretFile: ${path.join(folder, "jwt")}
    issuer: issuer.example
    defaultRoles: [reader]
    leeway: 0s
  costs: { eth_getLogs: 10 }
${more}
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 31337 } }]
    upstreams: [{ id: anvil, endpoint: "${anvil.url}" }]
  - id: internal
    networks: [{ architecture: evm, evm: { chainId: 31337 } }]
    upstreams: [{ id: anvil, endpoint: "${anvil.url}" }]
`;

async function start(t, options = {}) {
  const anvil = await startAnvil(t);
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, "poor"), `${POOR}\n`);
  writeFileSync(path.join(folder, "jwt"), `${JWT_SECRET}\n`);
  const env = { ADMIN_KEY: ADMIN };
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(anvil, { ...options, folder }))], { env });
  return { ...fanfare, anvil, folder };
}

const b64 = (text) => Buffer.from(text).toString("base64url");
function token(claims, { header = { alg: "HS256" }, secret = JWT_SECRET } = {}) {
  const text = `${b64(JSON.stringify(header))}.${b64(JSON.stringify(claims))}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}
const inSeconds = (seconds) => Math.floor(Date.now() / 1000) + seconds;
const good = (more = {}) => token({ iss: "issuer.example", sub: "carol", exp: inSeconds(600), ...more });

// Returns {status, headers, json}.
function post(url, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: "POST", headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => (text += part));
      response.once("end", () => {
        resolve({ status: response.statusCode, headers: response.headers, text, json: /^[[{]/.test(text) ? JSON.parse(text) : null });
      });
    });
    request.once("error", reject);
    request.end(typeof body === "string" ? body : JSON.stringify(body));
  });
}
const rpc = (method, params = [], id = 1) => ({ jsonrpc: "2.0", id, method, params });
const key = (value) => ({ "x-api-key": value });
const basic = (user, password) => ({ authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` });
const chainId = rpc("eth_chainId");

async function refusedUpgrade(url, headers) {
  return RawSocket.open(url, { headers }).then(
    (raw) => {
      raw.destroy();
      return 101;
    },
    (error) => error.status,
  );
}

async function scrape(fanfare) {
  return (await fetch(`${fanfare.health}/metrics`, { headers: key(ADMIN) })).text();
}

test("a key in every form, and nobody without one", async (t) => {
  const fanfare = await start(t);
  const url = fanfare.http;

  await t.test("forms of a key over HTTP and WebSocket", async () => {
    const forms = [
      [url, key(READER)],
      [url, { authorization: `Bearer ${READER}` }],
      [url, { "X-ERPC-Secret-Token": READER }],
      [`${url}?apikey=${READER}`, {}],
      [`${url}?key=${READER}`, {}],
      [`${url}/${READER}`, {}],
      [url, basic("alice", PASSWORD)],
      [url, { authorization: `Bearer ${good()}` }],
    ];
    for (const [at, headers] of forms) {
      const answer = await post(at, chainId, headers);
      assert.equal(answer.status, 200, JSON.stringify([at, headers]));
      assert.equal(answer.json.result, "0x7a69");
      const raw = await RawSocket.open(at.replace("http:", "ws:"), { headers });
      assert.equal((await raw.ask("eth_chainId", [])).result, "0x7a69");
      raw.destroy();
    }
  });

  await t.test("without, wrong, contradicting, empty: 401 with the ways to authenticate", async () => {
    const bad = [
      [url, {}],
      [url, key("wrong-key-0123456789")],
      [url, key(READER.slice(0, -1))],
      [`${url}?apikey=${ADMIN}`, key(READER)],
      [url, { authorization: "Basic !!!" }],
      [url, basic("alice", "wrong")],
      [url, key("elsewhere-key-0123456789")],
    ];
    for (const [at, headers] of bad) {
      const answer = await post(at, chainId, headers);
      assert.equal(answer.status, 401, JSON.stringify([at, headers]));
      assert.equal(answer.json.error.code, -32001);
      assert.match(String(answer.headers["www-authenticate"]), /Bearer.*Basic/);
      assert.ok(!/reader-key|admin-key|wonder/.test(answer.text), answer.text);
    }
    // Without credentials the connection opens for its first message, and grants nothing until then.
    assert.equal(await refusedUpgrade(fanfare.ws, key("wrong-key-0123456789")), 401);
  });

  await t.test("/metrics needs a role that grants it; /healthz and /readyz do not", async () => {
    assert.equal((await fetch(`${fanfare.health}/metrics`)).status, 401);
    assert.equal((await fetch(`${fanfare.health}/metrics`, { headers: key("poor-key-0123456789") })).status, 200);
    assert.equal((await fetch(`${fanfare.health}/healthz`)).status, 200);
    const text = await scrape(fanfare);
    assert.match(text, /fanfare_access_calls_total\{role="reader"\} [1-9]/);
    assert.match(text, /fanfare_access_denied_total\{reason="missing"\} [1-9]/);
    for (const secret of [READER, ADMIN, POOR, JWT_SECRET, PASSWORD]) assert.ok(!text.includes(secret));
  });

  await t.test("a preflight needs no credentials, and the page may read a 401", async () => {
    const origin = "http://localhost:3000";
    const preflight = await fetch(url, { method: "OPTIONS", headers: { origin } });
    assert.equal(preflight.status, 204);
    const answer = await post(url, chainId, { origin });
    assert.equal(answer.status, 401);
    assert.equal(answer.headers["access-control-allow-origin"], origin);
  });

  await t.test("no secret in the log or in what check prints", async () => {
    const output = fanfare.program.text;
    for (const secret of [READER, ADMIN, POOR, JWT_SECRET, PASSWORD]) assert.ok(!output.includes(secret));
  });
});

test("roles: methods, contracts, topics, projects", async (t) => {
  const fanfare = await start(t);
  const internal = fanfare.http.replace("/main/", "/internal/");

  await t.test("a denied method, over HTTP and WebSocket, single, batch and notification", async () => {
    for (const method of ["admin_peers", "debug_traceTransaction", "anvil_mine", "Anvil_mine", "evm_mine", "debug_setHead", "eth_sign"]) {
      const single = await post(fanfare.http, rpc(method), key(READER));
      assert.equal(single.json.error.code, -32601, method);
      const batch = await post(fanfare.http, [rpc(method, [], 1), rpc("eth_chainId", [], 2)], key(READER));
      assert.deepEqual(batch.json.map((one) => one.result ?? one.error.code), [-32601, "0x7a69"]);
      assert.deepEqual(batch.json[0].error, single.json.error);
      const raw = await RawSocket.open(fanfare.ws, { headers: key(READER) });
      assert.deepEqual((await raw.ask(method, [])).error, single.json.error);
      raw.destroy();
    }
    // Escapes are decoded before names are compared.
    const escaped = await post(fanfare.http, '{"jsonrpc":"2.0","id":1,"method":"\\u0061dmin_peers"}', key(READER));
    assert.equal(escaped.json.error.code, -32601);
    const spaced = await post(fanfare.http, '{"jsonrpc":"2.0","id":1,"method":" admin_peers"}', key(READER));
    assert.equal(spaced.json.error.code, -32601);
  });

  await t.test("a notification of a denied method does nothing, one of a granted method works", async () => {
    const mine = (count) => ({ jsonrpc: "2.0", method: "anvil_mine", params: [`0x${count.toString(16)}`] });
    const before = Number(await fanfare.anvil.ask("eth_blockNumber"));
    const denied = await post(fanfare.http, [mine(1000), mine(1000)], { ...key(READER), host: "localhost" });
    assert.equal(denied.status, 204);
    assert.equal((await post(fanfare.http, mine(1000), key(READER))).status, 204);
    const raw = await RawSocket.open(fanfare.ws, { headers: key(READER) });
    raw.sendJson(JSON.stringify(mine(1000)));
    assert.equal((await raw.ask("eth_chainId", [])).result, "0x7a69");
    raw.destroy();
    const granted = await post(fanfare.http, mine(5), key(ADMIN));
    assert.equal(granted.status, 204);
    await until("five blocks", async () => Number(await fanfare.anvil.ask("eth_blockNumber")) >= before + 5);
    assert.ok(Number(await fanfare.anvil.ask("eth_blockNumber")) < before + 1000);
  });

  await t.test("a denied contract", async () => {
    const call = (to) => rpc("eth_call", [{ to, data: "0x" }, "latest"]);
    assert.equal((await post(fanfare.http, call(TOKEN), key(READER))).json.result, "0x");
    for (const request of [
      call(VAULT), call(VAULT.toUpperCase().replace("X", "x")), rpc("eth_getLogs", [{ address: VAULT }]), rpc("eth_getLogs", [{}]),
      rpc("eth_getLogs", [{ address: [TOKEN, VAULT] }]), rpc("eth_getCode", [VAULT, "latest"]), rpc("eth_newFilter", [{}]),
    ]) {
      assert.equal((await post(fanfare.http, request, key(READER))).json.error?.code, -32001, JSON.stringify(request));
    }
    const doubled = `{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"${VAULT}","to":"${TOKEN}"},"latest"]}`;
    assert.equal((await post(fanfare.http, doubled, key(READER))).json.error.code, -32001);
    assert.equal((await post(fanfare.http, call(VAULT), key(ADMIN))).json.result, "0x");
    const raw = await RawSocket.open(fanfare.ws, { headers: key(READER) });
    assert.equal((await raw.ask("eth_subscribe", ["logs", { address: VAULT }])).error.code, -32001);
    assert.equal((await raw.ask("eth_subscribe", ["logs", {}])).error.code, -32001);
    assert.match((await raw.ask("eth_subscribe", ["logs", { address: TOKEN }])).result, /^0x/);
    assert.match((await raw.ask("eth_subscribe", ["newHeads"])).result, /^0x/);
    assert.equal((await raw.ask("eth_subscribe", ["newPendingTransactions"])).error.code, -32601);
    raw.destroy();
  });

  await t.test("a project", async () => {
    assert.equal((await post(internal, chainId, key(READER))).json.error.code, -32601);
    assert.equal((await post(internal, chainId, key(ADMIN))).json.result, "0x7a69");
  });
});

// Every method for every caller, in every form, has the same body on every transport.
test("parity: methods x callers x forms x transports", async (t) => {
  const fanfare = await start(t);
  const { pathname } = new URL(fanfare.http);
  const callers = {
    none: {}, reader: key(READER), admin: key(ADMIN), user: basic("alice", PASSWORD),
    token: { authorization: `Bearer ${good()}` }, expired: { authorization: `Bearer ${good({ exp: inSeconds(-1) })}` },
    without_roles: { authorization: `Bearer ${good({ roles: ["nobody"] })}` }, wrong: key("wrong-key-0123456789"),
  };
  const calls = [
    ["eth_chainId", []], ["eth_call", [{ to: TOKEN, data: "0x" }, "latest"]], ["eth_call", [{ to: VAULT, data: "0x" }, "latest"]],
    ["eth_getLogs", [{}]], ["debug_setHead", ["0x1"]], ["personal_unlockAccount", []], ["eth_nope", []], ["ETH_CHAINID", []],
    ["eth_sendRawTransaction", ["0x"]], ["eth_getBlockByNumber", ["0x0", false]], ["fanfare_metrics", []],
  ];
  const overUnix = (body, headers) =>
    new Promise((resolve, reject) => {
      const options = { socketPath: path.join(fanfare.folder, "sock"), path: pathname, method: "POST", headers, agent: false };
      const request = http.request(options, (response) => {
        let text = "";
        response.on("data", (part) => (text += part)).once("end", () => resolve({ status: response.statusCode, text }));
      });
      request.once("error", reject);
      request.end(body);
    });
  let compared = 0;
  const failures = new Map();
  for (const [who, headers] of Object.entries(callers)) {
    const socket = await RawSocket.open(fanfare.ws, { headers }).catch((error) => error.status);
    for (const [method, params] of calls) {
      const single = rpc(method, params, 7);
      const notification = { jsonrpc: "2.0", method, params };
      for (const message of [single, [single], [notification, single], [single, rpc("eth_chainId", [], "last")], notification]) {
        const body = JSON.stringify(message);
        const http1 = await post(fanfare.http, body, headers);
        const unix = await overUnix(body, headers);
        ++compared;
        if (who === "wrong") {
          // After ten failures it is told to wait: the same two answers everywhere.
          for (const one of [http1, unix]) {
            const text = one.text.replace(/"retry_after_ms":[0-9]+/, "");
            failures.set(one.status, failures.get(one.status) ?? text);
            assert.equal(text, failures.get(one.status), body);
          }
        } else {
          assert.deepEqual([unix.status, unix.text], [http1.status, http1.text], `${who} ${body}`);
        }
        // Without valid credentials nothing is executed; "none" opens a connection that waits for them.
        if (who === "none" || typeof socket === "number") {
          assert.ok([401, 429].includes(http1.status), `${who} ${body}`);
          continue;
        }
        assert.equal(http1.status, message === notification ? 204 : 200, `${who} ${body}`);
        if (message === notification) continue;
        socket.sendJson(body);
        assert.equal(await socket.text(), http1.text, `${who} ${body}`);
      }
    }
    if (typeof socket !== "number") socket.destroy();
    else assert.equal(socket, 401, who);
  }
  assert.deepEqual([...failures.keys()].sort(), [401, 429]);
  assert.equal(compared, Object.keys(callers).length * calls.length * 5);
});

test("an exhausted quota, single and in a batch, over HTTP and WebSocket", async (t) => {
  const fanfare = await start(t);
  await t.test("the calls of a batch count one by one, and a spent quota is 429", async () => {
    const batch = await post(fanfare.http, Array.from({ length: 40 }, (_, i) => rpc("eth_chainId", [], i)), key(POOR));
    assert.equal(batch.status, 200);
    const refused = batch.json.filter((one) => one.error);
    assert.ok(refused.length >= 15 && refused.length <= 20, String(refused.length));
    for (const { error } of refused) {
      assert.equal(error.code, -32005);
      assert.ok(error.data.retry_after_ms >= 1 && error.data.retry_after_ms <= 1000);
    }
    const expensive = await post(fanfare.http, rpc("eth_getLogs", [{}]), key(POOR));
    assert.equal(expensive.status, 429);
    assert.ok(Number(expensive.headers["retry-after"]) >= 1);
    assert.equal(expensive.json.error.code, -32005);
    const whole = await post(fanfare.http, [rpc("eth_getLogs", [{}], 1), rpc("eth_getLogs", [{}], 2)], key(POOR));
    assert.equal(whole.status, 429);
    assert.deepEqual(whole.json.map((one) => one.error.code), [-32005, -32005]);
    // What is no call is not free, either.
    const nothing = await post(fanfare.http, Array(30).fill(7), key(POOR));
    assert.ok(nothing.json.filter((one) => one.error.code === -32005).length >= 25, nothing.text);
  });
  await t.test("over WebSocket the same payer is as poor, and others are not", async () => {
    const raw = await RawSocket.open(fanfare.ws, { headers: key(POOR) });
    const answer = await raw.ask("eth_getLogs", [{}]);
    assert.equal(answer.error.code, -32005);
    assert.equal((await post(fanfare.http, chainId, key(READER))).status, 200);
    // Its connections are limited, too.
    assert.equal(await refusedUpgrade(fanfare.ws, key(POOR)), 429);
    raw.destroy();
    await until("the connection is given back", async () => (await refusedUpgrade(fanfare.ws, key(POOR))) === 101);
  });
  await t.test("it is visible by role", async () => {
    assert.match(await scrape(fanfare), /fanfare_access_calls_refused_total\{role="poor",reason="limit"\} [1-9]/);
  });
  await t.test("bytes of requests and answers are paid afterwards, over HTTP and WebSocket", async () => {
    const thin = key("thin-key-0123456789");
    const long = rpc("eth_call", [{ to: TOKEN, data: `0x${"00".repeat(3000)}` }, "latest"]);
    assert.equal((await post(fanfare.http, long, thin)).status, 200);
    const refused = await post(fanfare.http, chainId, thin);
    assert.equal(refused.status, 429);
    assert.match(refused.json.error.message, /bytes/);
    assert.ok(refused.json.error.data.retry_after_ms > 1000);
    const raw = await RawSocket.open(fanfare.ws, { headers: thin });
    assert.equal((await raw.ask("eth_chainId", [])).error.code, -32005);
    raw.destroy();
  });
  await t.test("subscriptions are counted, and given back", async () => {
    const raw = await RawSocket.open(fanfare.ws, { headers: key(POOR) });
    atEnd(t, () => raw.destroy());
    const subscribe = () => raw.ask("eth_subscribe", ["newHeads"]);
    const first = await until("a first subscription", async () => {
      const answer = await subscribe();
      return answer.result && answer;
    }, { everyMs: 1200 });
    await until("a second is refused", async () => /subscriptions/.test((await subscribe()).error?.message), { everyMs: 1200 });
    await until("it is given back", async () => (await raw.ask("eth_unsubscribe", [first.result])).result, { everyMs: 1200 });
    await until("another one", async () => (await subscribe()).result, { everyMs: 1200 });
  });
});

test("ethers, viem and web3 with a key in the URL", async (t) => {
  const fanfare = await start(t);
  const httpUrl = `${fanfare.http}/${READER}`;
  const wsUrl = `${fanfare.ws}/${READER}`;
  const poor = `${fanfare.http}?apikey=${POOR}`;
  const vault = { to: VAULT, data: "0x" };

  await t.test("ethers", async () => {
    const request = new FetchRequest(httpUrl);
    const provider = new JsonRpcProvider(request, 31337, { staticNetwork: true });
    const socket = new WebSocketProvider(wsUrl, 31337, { staticNetwork: true });
    atEnd(t, () => provider.destroy());
    atEnd(t, () => socket.destroy());
    for (const one of [provider, socket]) {
      assert.equal(typeof (await one.getBlockNumber()), "number");
      await assert.rejects(one.send("admin_peers", []), (error) => error.error.code === -32601);
      await assert.rejects(one.send("eth_getLogs", [{ address: VAULT }]), (error) => error.error.code === -32001);
    }
    const head = new Promise((resolve) => socket.once("block", resolve));
    await fanfare.anvil.ask("anvil_mine", ["0x1"]);
    assert.equal(typeof (await head), "number");
  });

  await t.test("viem", async () => {
    for (const transport of [httpTransport(httpUrl, { retryCount: 0 }), webSocket(wsUrl, { retryCount: 0 })]) {
      const client = createPublicClient({ transport });
      assert.equal(await client.getChainId(), 31337);
      await assert.rejects(client.request({ method: "admin_peers" }), (error) => error.code === -32601);
      await assert.rejects(client.request({ method: "eth_call", params: [vault, "latest"] }), (error) => error.code === -32001);
      const socket = await client.transport.getRpcClient?.();
      socket?.close();
    }
  });

  await t.test("web3", async () => {
    for (const url of [httpUrl, wsUrl]) {
      const web3 = new Web3(url);
      assert.equal(await web3.eth.getChainId(), 31337n);
      await assert.rejects(web3.eth.call(vault), /not granted/);
      if (url === wsUrl) web3.provider.disconnect();
    }
  });

  await t.test("a spent quota reaches each of them as -32005 or 429", async () => {
    await post(poor, Array.from({ length: 40 }, (_, i) => rpc("eth_chainId", [], i)));
    const viem = createPublicClient({ transport: httpTransport(poor, { retryCount: 0 }) });
    await assert.rejects(viem.request({ method: "eth_getLogs", params: [{}] }), (error) => error.status === 429 || error.code === -32005);
    const request = new FetchRequest(poor);
    request.setThrottleParams({ maxAttempts: 1 });
    const ethers = new JsonRpcProvider(request, 31337, { staticNetwork: true });
    atEnd(t, () => ethers.destroy());
    await assert.rejects(ethers.send("eth_getLogs", [{}]));
    await assert.rejects(new Web3(poor).eth.getPastLogs({}));
  });
});

test("tokens: forged, expired, fresh ones on an open connection", async (t) => {
  const fanfare = await start(t);
  const status = async (value) => (await post(fanfare.http, chainId, { authorization: `Bearer ${value}` })).status;

  await t.test("what is not signed by the key is refused", async () => {
    const claims = { iss: "issuer.example", sub: "m", exp: inSeconds(600), roles: ["admin"] };
    assert.equal(await status(token(claims)), 200);
    for (const bad of [
      token(claims, { secret: "another secret of tokens that is long" }),
      token(claims, { header: { alg: "none" } }),
      `${b64('{"alg":"none"}')}.${b64(JSON.stringify(claims))}.`,
      token(claims, { header: { alg: "HS512" } }),
      token({ ...claims, exp: inSeconds(-1) }),
      token({ ...claims, nbf: inSeconds(60) }),
      token({ ...claims, iat: inSeconds(60) }),
      token({ ...claims, iss: "other.example" }),
      token({ ...claims, exp: undefined }),
      token(claims).slice(0, -1),
    ]) {
      assert.ok([401, 429].includes(await status(bad)), bad);
    }
  });

  await t.test("a connection ends with 1008 when its token does, and a fresh token prolongs it", async () => {
    const short = await RawSocket.open(fanfare.ws, { headers: { authorization: `Bearer ${good({ exp: inSeconds(3) })}` } });
    const kept = await RawSocket.open(fanfare.ws, { headers: { authorization: `Bearer ${good({ exp: inSeconds(3) })}` } });
    assert.equal((await kept.ask("eth_chainId", [])).result, "0x7a69");
    assert.equal((await kept.ask("fanfare_authenticate", [good({ sub: "mallory" })])).error.code, -32001);
    assert.equal((await kept.ask("fanfare_authenticate", [good({ roles: ["admin"] })])).error.code, -32001);
    assert.equal((await kept.ask("fanfare_authenticate", ["nonsense"])).error.code, -32001);
    assert.equal((await kept.ask("fanfare_authenticate", [good()])).result, true);
    const { close, reason } = await short.frames.take("the close", (one) => one.close);
    assert.equal(close, 1008);
    assert.equal(reason, "the token has expired");
    assert.equal((await kept.ask("eth_chainId", [])).result, "0x7a69");
    kept.destroy();
  });

  await t.test("browsers: by a subprotocol that is never sent back, or by the first message", async () => {
    const socket = new WebSocket(fanfare.ws, ["fanfare", `fanfare.bearer.${good()}`]);
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    assert.equal(socket.protocol, "fanfare");
    socket.close();
    const raw = await RawSocket.open(fanfare.ws);
    assert.equal((await raw.ask("eth_chainId", [])).error.code, -32601);
    assert.equal((await raw.ask("eth_subscribe", ["newHeads"])).error.code, -32601);
    assert.equal((await raw.ask("fanfare_authenticate", [good()])).result, true);
    assert.equal((await raw.ask("eth_chainId", [])).result, "0x7a69");
    raw.destroy();
    // Over HTTP there is no connection to authenticate.
    assert.equal((await post(fanfare.http, rpc("fanfare_authenticate", [good()]), key(READER))).json.error.code, -32601);
  });
});

test("tokens signed by an issuer's RSA key and by a P-256 key of a JWK set", async (t) => {
  const anvil = await startAnvil(t);
  const folder = temporaryFolder(t);
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = rsa.publicKey.export({ type: "spki", format: "pem" });
  writeFileSync(path.join(folder, "poor"), POOR);
  writeFileSync(path.join(folder, "issuer.pem"), pem);
  writeFileSync(path.join(folder, "jwks"), JSON.stringify({ keys: [{ ...ec.publicKey.export({ format: "jwk" }), kid: "e", use: "sig" }] }));
  const keys = `publicKeyFile: ${path.join(folder, "issuer.pem")}\n    jwksFile: ${path.join(folder, "jwks")}`;
  const text = configFor(anvil, { folder }).replace(/secretFile: .*/, keys);
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, text)], { env: { ADMIN_KEY: ADMIN } });
  const signed = (header, key, claims = {}) => {
    const all = { iss: "issuer.example", sub: "carol", exp: inSeconds(600), ...claims };
    const head = `${b64(JSON.stringify(header))}.${b64(JSON.stringify(all))}`;
    const signature = typeof key === "string"
      ? createHmac("sha256", key).update(head).digest("base64url")
      : sign("sha256", Buffer.from(head), { key, dsaEncoding: "ieee-p1363" }).toString("base64url");
    return `${head}.${signature}`;
  };
  const status = async (value) => (await post(fanfare.http, chainId, { authorization: `Bearer ${value}` })).status;
  assert.equal(await status(signed({ alg: "RS256" }, rsa.privateKey)), 200);
  assert.equal(await status(signed({ alg: "ES256", kid: "e" }, ec.privateKey)), 200);
  for (const bad of [
    // The public key is no secret, in whatever form it is used as one.
    signed({ alg: "HS256" }, pem), signed({ alg: "HS256" }, pem.trim()), signed({ alg: "HS256", kid: "e" }, pem),
    signed({ alg: "ES256", kid: "e" }, stranger.privateKey), signed({ alg: "ES256", kid: "other" }, stranger.privateKey),
    signed({ alg: "RS256" }, ec.privateKey), signed({ alg: "RS256", jwk: stranger.publicKey.export({ format: "jwk" }) }, stranger.privateKey),
  ]) {
    assert.ok([401, 429].includes(await status(bad)), bad);
  }
  assert.equal(await status(signed({ alg: "RS256" }, rsa.privateKey)), 200);
});

test("a connection that does not authenticate in time is closed", async (t) => {
  const anvil = await startAnvil(t);
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, "poor"), POOR);
  writeFileSync(path.join(folder, "jwt"), JWT_SECRET);
  const text = configFor(anvil, { folder }).replace("firstMessageWithin: 60s", "firstMessageWithin: 1s");
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, text)], { env: { ADMIN_KEY: ADMIN } });
  const raw = await RawSocket.open(fanfare.ws);
  const { close, reason } = await raw.frames.take("the close", (one) => one.close);
  assert.deepEqual([close, reason], [1008, "credentials are required"]);
});

test("attacks on the way in", async (t) => {
  const fanfare = await start(t);
  const { port } = new URL(fanfare.http);
  const { pathname } = new URL(fanfare.http);
  // Everything the server says until it closes, or 2 answers.
  const raw = (text) =>
    new Promise((resolve) => {
      const socket = net.connect(Number(port), "127.0.0.1", () => socket.write(text));
      let all = "";
      socket.on("data", (part) => (all += part.toString("latin1")));
      socket.once("close", () => resolve(all));
      socket.once("error", () => resolve(all));
    });

  await t.test("a header with a line end inside is no header", async () => {
    const body = JSON.stringify(chainId);
    const request = (field) =>
      `POST ${pathname} HTTP/1.1\r\nHost: localhost\r\n${field}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
    assert.match(await raw(request(`X-Api-Key: ${READER}`)), /^HTTP\/1\.1 200/);
    assert.match(await raw(request(`X-Api-Key: wrong\nX-Api-Key: ${READER}`)), /^HTTP\/1\.1 40[01]/);
    assert.match(await raw(request(`X-Api-Key : ${READER}`)), /^HTTP\/1\.1 400/);
    assert.match(await raw(request(`X-Other: a\r\n X-Api-Key: ${READER}`)), /^HTTP\/1\.1 40[01]/);
    assert.match(await raw(request(`Authorization: Bearer ${"a".repeat(20_000)}`)), /^HTTP\/1\.1 431/);
    assert.match(await raw(request(`X-Api-Key: ${READER}\r\nX-Api-Key: ${ADMIN}`)), /^HTTP\/1\.1 401/);
  });

  await t.test("a foreign Host or Origin is refused even with a key", async () => {
    assert.equal((await post(fanfare.http, chainId, { ...key(READER), host: "evil.example" })).status, 403);
    assert.equal((await post(fanfare.http, chainId, { ...key(READER), origin: "https://evil.example" })).status, 403);
    assert.equal(await refusedUpgrade(fanfare.ws, { ...key(READER), Origin: "https://evil.example" }), 403);
  });

  await t.test("guessing passwords is slowed and logged; keys of the same address still work", async () => {
    const attempts = [];
    for (let i = 0; i < 30; ++i) attempts.push((await post(fanfare.http, chainId, basic("alice", `guess-${i}`))).status);
    assert.ok(attempts.includes(401));
    const blocked = await post(fanfare.http, chainId, basic("alice", "guess"));
    assert.equal(blocked.status, 429);
    assert.ok(Number(blocked.headers["retry-after"]) >= 1);
    assert.equal((await post(fanfare.http, chainId, key(READER))).status, 200);
    await fanfare.program.line(/access_denied .*reason=unknown.*peer=127\.0\.0\.1/);
    await until("the right password is let in again", async () => {
      return (await post(fanfare.http, chainId, basic("alice", PASSWORD))).status === 200;
    }, { everyMs: 500 });
  });

  await t.test("the cookie file is private, works, and is removed at the end", async () => {
    const { readFileSync, statSync, existsSync } = await import("node:fs");
    const file = path.join(fanfare.folder, "cookie");
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const [user, password] = readFileSync(file, "utf8").split(":");
    assert.equal(user, "__cookie__");
    await until("200", async () => (await post(fanfare.http, rpc("anvil_nodeInfo"), basic(user, password))).status === 200, { everyMs: 500 });
    await fanfare.program.stop();
    assert.ok(!existsSync(file));
  });
});

test("fanfare check: safe by default, and no secret in its output", async (t) => {
  const anvil = { url: "http://127.0.0.1:1" };
  const project = `
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1 } }]
    upstreams: [{ id: a, endpoint: "${anvil.url}" }]
`;
  const open = await check(`server: { httpHost: "0.0.0.0" }${project}`, t);
  assert.equal(open.code, 2);
  assert.match(open.stderr, /server\.httpHost is open to other machines without TLS and access control/);
  assert.equal((await check(`server: { httpHost: "0.0.0.0", allowInsecurePublic: true }${project}`, t)).code, 0);

  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, "poor"), POOR);
  writeFileSync(path.join(folder, "jwt"), JWT_SECRET);
  const fine = await check(configFor(anvil, { folder }), t, { env: { ADMIN_KEY: ADMIN } });
  assert.equal(fine.code, 0, fine.stderr);
  const broken = [
    `access: ${ADMIN}`, `access: { roles: ${ADMIN} }`, `access: { roles: [${ADMIN}] }`, `access: { roles: [], keys: [${ADMIN}] }`,
    `access: { roles: [], keys: [{ id: a, roles: [], key: [${ADMIN}] }] }`, `access: { roles: [], keys: [{ id: a, roles: [], keyHash: ${ADMIN} }] }`,
    `access: { roles: [], users: [{ id: a, roles: [], passwordHash: ${ADMIN} }] }`, `access: { roles: [], jwt: ${ADMIN} }`,
    `access: { roles: [], jwt: { secret: ${ADMIN} } }`, `access: { roles: [], keys: [{ id: a, roles: [b], key: ${ADMIN} }] }`,
  ];
  for (const one of broken) {
    const result = await check(`${one}${project}`, t);
    assert.equal(result.code, 2, one);
    assert.ok(!`${result.stdout}${result.stderr}`.includes(ADMIN), `${one}: ${result.stderr}`);
  }
  for (const secret of [READER, ADMIN, POOR, JWT_SECRET]) assert.ok(!`${fine.stdout}${fine.stderr}`.includes(secret));
});
