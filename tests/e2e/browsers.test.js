// Access rules for web pages (hosts, origins, preflights), and the methods that any client may call.

import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import { startAnvil } from "./support/anvil.js";
import { metricIs, startDevChain, startFanfare, writeConfig } from "./support/fanfare.js";
import { RawSocket } from "./support/raw_socket.js";

// Returns {status, headers, json, text}. Uses node:http, because fetch sets Host and Origin itself.
function ask(url, { method = "POST", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => (text += part));
      response.once("end", () => {
        let json = null;
        try {
          json = JSON.parse(text);
        } catch {}
        resolve({ status: response.statusCode, headers: response.headers, json, text });
      });
    });
    request.once("error", reject);
    request.end(body);
  });
}

const rpc = (method, params = []) => JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
const upgrade = (url, headers) => RawSocket.open(url, { headers }).then((raw) => raw.close().then(() => 101), (error) => error.status);

const EVIL = "https://evil.example";
const OWN = "http://localhost:3000";

test("on loopback: only pages and names of loopback", async (t) => {
  const anvil = await startAnvil(t);
  const fanfare = await startFanfare(t, ["--upstream", anvil.url]);
  const mined = async () => Number((await anvil.ask("eth_blockNumber")) ?? 0);

  await t.test("a foreign page's POST is refused before any method runs, with or without a preflight", async () => {
    const before = await mined();
    for (const origin of [EVIL, "null", "http://localhost.evil.example", "https://127.0.0.1.evil.example"]) {
      for (const type of ["text/plain", "application/json", "application/x-www-form-urlencoded"]) {
        const answer = await ask(fanfare.http, { headers: { origin, "content-type": type }, body: rpc("evm_mine") });
        assert.equal(answer.status, 403, `${origin} ${type}`);
        assert.equal(answer.headers["access-control-allow-origin"], undefined);
        assert.equal(answer.headers.vary, "Origin");
        assert.match(answer.text, /allowedOrigins/);
      }
      const preflight = await ask(fanfare.http, { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } });
      assert.equal(preflight.status, 403);
      assert.equal(preflight.headers["access-control-allow-origin"], undefined);
      assert.equal(await upgrade(fanfare.ws, { Origin: origin }), 403);
    }
    assert.equal(await mined(), before);
    await metricIs(12, fanfare, "fanfare_rpc_requests_refused_total", { reason: "origin" });
    await metricIs(4, fanfare, "fanfare_websocket_connections_refused_total", { reason: "origin" });
  });

  await t.test("a name that points here is refused (DNS rebinding)", async () => {
    const before = await mined();
    for (const host of ["evil.example", "evil.example:8545", "localhost.evil.example"]) {
      const answer = await ask(fanfare.http, { headers: { host }, body: rpc("evm_mine") });
      assert.equal(answer.status, 403, host);
      assert.match(answer.text, /allowedHosts/);
      assert.equal((await ask(`${fanfare.health}/metrics`, { method: "GET", headers: { host } })).status, 403);
      assert.equal(await upgrade(fanfare.ws, { Host: host }), 403);
    }
    assert.equal(await mined(), before);
    await metricIs(3, fanfare, "fanfare_rpc_requests_refused_total", { reason: "host" });
    for (const host of ["localhost", "127.0.0.1:1", "[::1]:8545", "dapp.localhost"]) {
      assert.equal((await ask(fanfare.http, { headers: { host }, body: rpc("eth_chainId") })).status, 200, host);
    }
  });

  await t.test("a page of this machine asks, preflights, upgrades", async () => {
    for (const origin of [OWN, "https://localhost", "http://127.0.0.1:5173", "http://[::1]:1", "http://dapp.localhost:8080"]) {
      const answer = await ask(fanfare.http, { headers: { origin, "content-type": "text/plain" }, body: rpc("eth_chainId") });
      assert.equal(answer.json.result, "0x7a69");
      assert.equal(answer.headers["access-control-allow-origin"], origin);
      assert.equal(answer.headers.vary, "Origin");
      assert.equal(await upgrade(fanfare.ws, { Origin: origin }), 101);
    }
    const preflight = await ask(fanfare.http, {
      method: "OPTIONS",
      headers: { origin: OWN, "access-control-request-method": "POST", "access-control-request-headers": "content-type,x-api-key,x-trace",
        "access-control-request-private-network": "true" },
    });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers["access-control-allow-origin"], OWN);
    assert.equal(preflight.headers["access-control-allow-methods"], "GET, POST, OPTIONS");
    assert.equal(preflight.headers["access-control-allow-private-network"], "true");
    for (const name of ["content-type", "authorization", "x-api-key", "x-requested-with", "x-trace"]) {
      assert.match(preflight.headers["access-control-allow-headers"], new RegExp(`(^|, )${name}(,|$)`, "i"));
    }
  });

  await t.test("errors carry the fields as well", async () => {
    for (const [url, options] of [
      [`${fanfare.http}/nothing`, { body: "{}" }], [fanfare.http, { method: "PUT" }], [fanfare.http, { body: "no JSON" }],
      [fanfare.http, { headers: { expect: "nothing known" }, body: "{}" }], [`${fanfare.health}/healthz`, { method: "GET" }],
      [fanfare.http, { headers: { "content-length": "99999999" } }],
    ]) {
      const answer = await ask(url, { ...options, headers: { origin: OWN, ...options.headers } });
      assert.equal(answer.headers["access-control-allow-origin"], OWN, `${answer.status}`);
      assert.equal(answer.headers.vary, "Origin", `${answer.status}`);
    }
  });

  await t.test("methods of developers are open here, methods of administrators are not", async () => {
    const before = await mined();
    assert.equal((await ask(fanfare.http, { headers: { origin: OWN }, body: rpc("evm_mine") })).json.error, undefined);
    assert.equal(await mined(), before + 1);
    for (const method of ["admin_nodeInfo", "personal_listAccounts", "engine_exchangeCapabilities", "miner_start", "debug_setHead",
      "clique_propose", "Admin_nodeInfo", "admin_nodeInfo ", "ADMIN_NODEINFO"]) {
      const { json } = await ask(fanfare.http, { body: rpc(method) });
      assert.equal(json.error?.code, -32601, method);
      assert.match(json.error.message, /methods\.allow/);
    }
    const batch = await ask(fanfare.http, { body: `[${rpc("eth_chainId")},{"jsonrpc":"2.0","id":2,"method":"\\u0061dmin_nodeInfo"},${rpc("eth_chainId")}]` });
    assert.deepEqual(batch.json.map((one) => one.result ?? one.error.code), ["0x7a69", -32601, "0x7a69"]);
    const raw = await RawSocket.open(fanfare.ws);
    assert.equal((await raw.ask("admin_nodeInfo")).error.code, -32601);
    assert.equal((await raw.ask("evm_mine")).error, undefined);
    await raw.close();
  });
});

test("rules of a file", async (t) => {
  const anvil = await startAnvil(t);
  const at = (text) => startFanfare(t, ["--config", writeConfig(t, text)]);
  const file = (server, project) => `
logLevel: info
server:
  httpPort: 0
${server}
projects:
  - id: main
${project}
    networks:
      - architecture: evm
        evm: { chainId: 31337 }
    upstreams:
      - id: anvil
        endpoint: ${anvil.url}
`;

  await t.test("any origin: pages of unknown origin ask, but not for developers' methods", async () => {
    const fanfare = await at(file('  allowedOrigins: ["*", "https://remix.example"]', ""));
    const answer = await ask(fanfare.http, { headers: { origin: EVIL }, body: `[${rpc("eth_chainId")},${rpc("evm_mine")},${rpc("eth_sendTransaction", [{}])}]` });
    assert.equal(answer.headers["access-control-allow-origin"], "*");
    assert.deepEqual(answer.json.map((one) => one.result ?? one.error.code), ["0x7a69", -32601, -32601]);
    assert.equal((await ask(fanfare.http, { headers: { origin: "https://remix.example" }, body: rpc("evm_mine") })).json.error, undefined);
    const raw = await RawSocket.open(fanfare.ws, { headers: { Origin: EVIL } });
    assert.equal((await raw.ask("evm_mine")).error.code, -32601);
    await raw.close();
  });

  await t.test("origins, hosts and methods of one's own", async () => {
    const fanfare = await at(file('  allowedHosts: [loopback, rpc.example]\n  allowedOrigins: [loopback]',
      '    allowedOrigins: ["https://app.example"]\n    methods: { allow: ["anvil_*", "admin_*"], deny: ["eth_getLogs", "evm_*"] }'));
    const post = (headers, body) => ask(fanfare.http, { headers, body });
    assert.equal((await post({ host: "rpc.example", origin: "https://app.example" }, rpc("eth_chainId"))).json.result, "0x7a69");
    assert.equal((await post({ origin: OWN }, rpc("eth_chainId"))).status, 403);
    assert.equal((await post({ host: "other.example" }, rpc("eth_chainId"))).status, 403);
    assert.equal((await post({}, rpc("eth_getLogs", [{}]))).json.error.code, -32601);
    assert.equal((await post({}, rpc("evm_mine"))).json.error.code, -32601);
    assert.equal((await post({}, rpc("anvil_mine"))).json.error, undefined);
    assert.equal(typeof (await post({}, rpc("admin_nodeInfo"))).json, "object");
  });

  await t.test("on a public address: any page, no methods of developers", async () => {
    const fanfare = await at(file('  httpHost: "0.0.0.0"\n  allowInsecurePublic: true', ""));
    const url = fanfare.http.replace("0.0.0.0", "127.0.0.1");
    const answer = await ask(url, { headers: { host: "any.example", origin: EVIL }, body: `[${rpc("eth_chainId")},${rpc("evm_mine")}]` });
    assert.equal(answer.headers["access-control-allow-origin"], "*");
    assert.deepEqual(answer.json.map((one) => one.result ?? one.error.code), ["0x7a69", -32601]);
    const notification = await ask(url, { body: JSON.stringify({ jsonrpc: "2.0", method: "evm_mine", params: [] }) });
    assert.equal(notification.status, 204);
    await metricIs(2, { health: new URL(url).origin }, "fanfare_rpc_requests_refused_total", { reason: "method" });
  });
});

test("the development chain has the same defaults", async (t) => {
  const fanfare = await startDevChain(t);
  assert.equal((await ask(fanfare.http, { headers: { origin: EVIL, "content-type": "text/plain" }, body: rpc("eth_chainId") })).status, 403);
  assert.equal(await upgrade(fanfare.ws, { Origin: EVIL }), 403);
  assert.equal((await ask(fanfare.http, { headers: { origin: OWN }, body: rpc("eth_chainId") })).json.result, "0x539");
});
