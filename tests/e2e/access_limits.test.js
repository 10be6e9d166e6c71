// What a role may do in front of a real node, and how much of it: methods, contracts, topics, projects and quotas, in single
// calls, batches and notifications, over HTTP and WebSocket.

import assert from "node:assert/strict";
import http from "node:http";
import path from "node:path";
import { test } from "node:test";
import { FetchRequest, JsonRpcProvider, WebSocketProvider } from "ethers";
import { createPublicClient, http as httpTransport, webSocket } from "viem";
import { Web3 } from "web3";
import {
  ADMIN, PASSWORD, POOR, READER, TOKEN, VAULT, basic, chainId, good, inSeconds, key, post, upgradeStatus,
  rpc, scrape, start,
} from "./support/access_gateway.js";
import { atEnd } from "./support/cleanup.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

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

test("callers without credentials pay for themselves, and may authenticate later", async (t) => {
  const fanfare = await start(t, { more: "  anonymousRoles: [poor]" });
  await t.test("one of them does not use up the quota of another", async () => {
    // The burst is 20: of 30 at once some are refused, whichever of them arrive first.
    const from = (localAddress) => post(fanfare.http, chainId, {}, { localAddress });
    const spent = await Promise.all(Array.from({ length: 30 }, () => from("127.9.0.1")));
    assert.ok(spent.some((one) => one.status === 429));
    const first = await from("127.9.0.2");
    assert.equal(first.status, 200, first.text);
  });
  await t.test("the first message of a WebSocket makes it another caller", async () => {
    const raw = await RawSocket.open(fanfare.ws);
    atEnd(t, () => raw.destroy());
    assert.equal((await raw.ask("fanfare_authenticate", [ADMIN])).result, true);
    assert.notEqual((await raw.ask("anvil_nodeInfo", [])).result, undefined);
  });
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
    const rubbish = await Promise.all(Array.from({ length: 30 }, () => post(fanfare.http, "{rubbish", key(POOR))));
    assert.ok(rubbish.filter((one) => one.status === 429 && one.json.error.code === -32005).length >= 25);
  });
  await t.test("a batch that is too long costs as many calls as were read, and then its sender is told when to come back", async () => {
    const { http: url } = await start(t);
    const batch = Array.from({ length: 1001 }, (_, i) => rpc("eth_chainId", [], i));
    const first = await post(url, batch, key(POOR));
    assert.deepEqual([first.status, first.json.error.code], [200, -32600], first.text);
    const second = await post(url, batch, key(POOR));
    assert.deepEqual([second.status, second.json.error.code], [429, -32005], second.text);
    // 1,000 calls at one a second, of which twenty were saved.
    assert.ok(second.json.error.data.retry_after_ms > 900_000, second.text);
    assert.equal((await post(url, chainId, key(READER))).status, 200);
  });
  await t.test("over WebSocket the same payer is as poor, and others are not", async () => {
    const raw = await RawSocket.open(fanfare.ws, { headers: key(POOR) });
    const answer = await raw.ask("eth_getLogs", [{}]);
    assert.equal(answer.error.code, -32005);
    assert.equal((await post(fanfare.http, chainId, key(READER))).status, 200);
    // Its connections are limited, too.
    assert.equal(await upgradeStatus(fanfare.ws, key(POOR)), 429);
    raw.destroy();
    await until("the connection is given back", async () => (await upgradeStatus(fanfare.ws, key(POOR))) === 101);
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
