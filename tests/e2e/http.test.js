// The answers over HTTP, and the output of `fanfare check`.

import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { call, check, metric, metricIs, startDevChain, startFanfare, writeConfig } from "./support/fanfare.js";
import { RawSocket, upgradeRequest } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

// Returns {status, headers, text}. Uses node:http, because fetch hides or refuses some of these requests.
function ask(url, { method = "GET", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => (text += part));
      response.once("end", () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    request.once("error", reject);
    request.once("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode, headers: response.headers, text: "" });
    });
    request.end(body);
  });
}

const configFor = (anvil, websocket = "") => `
logLevel: info
server:
  httpPort: 0
  websocket:
    enabled: true
${websocket}
projects:
  - id: main
    networks:
      - architecture: evm
        evm: { chainId: 31337 }
    upstreams:
      - id: anvil
        endpoint: ${anvil.url}
`;

const UPGRADE = {
  connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

test("one port with projects and chains", async (t) => {
  const anvil = await startAnvil(t);
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(anvil, "    maxConnectionsPerNetwork: 3"))]);
  const at = fanfare.health;
  const network = `${at}/main/evm/31337`;
  assert.equal(fanfare.http, network);

  await t.test("POST and upgrade at /{project}/evm/{chainId}", async () => {
    assert.equal(await call(network, "eth_chainId"), "0x7a69");
    const raw = await RawSocket.open(fanfare.ws);
    assert.equal((await raw.ask("eth_chainId")).result, "0x7a69");
    await raw.close();
    // RFC6455§1.3: the example key and its Sec-WebSocket-Accept.
    const { status, headers } = await ask(network, { headers: UPGRADE });
    assert.equal(status, 101);
    assert.equal(headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  });

  await t.test("404 for what is not there", async () => {
    for (const path of ["/", "/nothing", "/main", "/main/evm", "/main/evm/1", "/other/evm/31337", "/main/evm/031337",
      "/main/btc/31337", "/main/evm/31337/more", "/main/evm/0x7a69"]) {
      assert.equal((await ask(at + path)).status, 404, path);
      assert.equal((await ask(at + path, { method: "POST", body: "{}" })).status, 404, path);
      assert.equal((await ask(at + path, { headers: UPGRADE })).status, 404, path);
    }
  });

  await t.test("405 names what is allowed", async () => {
    for (const method of ["PUT", "DELETE", "PATCH", "HEAD"]) {
      const answer = await ask(network, { method });
      assert.equal(answer.status, 405, method);
      assert.deepEqual(answer.headers.allow.split(/, */).sort(), ["GET", "OPTIONS", "POST"]);
    }
    const page = await ask(`${at}/healthz`, { method: "POST", body: "x" });
    assert.equal(page.status, 405);
    assert.deepEqual(page.headers.allow.split(/, */).sort(), ["GET", "HEAD", "OPTIONS"]);
  });

  await t.test("426 for a GET that asks for no upgrade", async () => {
    const answer = await ask(network);
    assert.equal(answer.status, 426);
    assert.equal(answer.headers.upgrade.toLowerCase(), "websocket");
  });

  await t.test("handshakes that are none are refused, with the version that is spoken", async () => {
    for (const [name, value] of [["sec-websocket-key", "short"], ["sec-websocket-version", "12"]]) {
      const answer = await ask(network, { headers: { ...UPGRADE, [name]: value } });
      assert.ok(answer.status === 400 || answer.status === 426, `${name}: ${answer.status}`);
      if (name === "sec-websocket-version") assert.equal(answer.headers["sec-websocket-version"], "13");
    }
  });

  await t.test("a POST is JSON-RPC whatever it would upgrade to, a page is none to upgrade", async () => {
    const body = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}';
    const answer = await ask(network, { method: "POST", headers: { upgrade: "websocket", connection: "Upgrade" }, body });
    assert.equal(answer.status, 200);
    assert.equal(JSON.parse(answer.text).result, "0x7a69");
    const page = await ask(`${at}/healthz`, { headers: UPGRADE });
    assert.deepEqual([page.status, page.text], [404, "there is no WebSocket here\n"]);
  });

  await t.test("503 past maxConnectionsPerNetwork, and room again when one leaves", async (t) => {
    await until("no connection is left", async () => (await metric(fanfare, "fanfare_websocket_connections")) === 0);
    const raws = [];
    for (let i = 0; i < 3; ++i) raws.push(await RawSocket.open(fanfare.ws));
    atEnd(t, () => raws.forEach((raw) => raw.destroy()));
    await assert.rejects(RawSocket.open(fanfare.ws), { status: 503 });
    await metricIs(1, fanfare, "fanfare_websocket_connections_refused_total", { reason: "connection_limit" });
    // A POST is not counted as a WebSocket connection.
    assert.equal(await call(network, "eth_chainId"), "0x7a69");
    await raws.pop().close();
    raws.push(await until("there is room again", () => RawSocket.open(fanfare.ws)));
  });

  await t.test("/healthz, /readyz, /metrics", async () => {
    assert.deepEqual([(await ask(`${at}/healthz`)).status, (await ask(`${at}/healthz`, { method: "HEAD" })).text], [200, ""]);
    const ready = await ask(`${at}/readyz`);
    assert.equal(ready.status, 200);
    assert.match(ready.text, /^main\/31337 ready, head \d+$/m);
    const metrics = await ask(`${at}/metrics`);
    assert.equal(metrics.status, 200);
    assert.match(metrics.headers["content-type"], /^text\/plain; version=0\.0\.4/);
    for (const name of ["websocket_connections", "subscriptions", "websocket_messages_sent_total", "websocket_sent_bytes_total",
      "notifications_total", "upstream_latency_seconds_count", "upstream_errors_total", "head_number", "head_age_seconds"]) {
      assert.match(metrics.text, new RegExp(`^fanfare_${name}\\{[^}]*chain_id="31337"`, "m"), name);
    }
    assert.equal(await metric(fanfare, "fanfare_head_number"), 0);
    await anvil.ask("anvil_mine", ["0x7"]);
    await until("head 7 in /metrics", async () => (await metric(fanfare, "fanfare_head_number")) === 7);
  });

  await t.test("several requests on one connection, also in one write", async (t) => {
    const raw = await RawSocket.connect(network);
    atEnd(t, () => raw.destroy());
    let text = "";
    raw.onBytes = () => (text = raw.buffered.toString());
    const one = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    raw.write(one + one);
    await until("two answers", () => text.match(/\r\n\r\nok\n/g)?.length === 2);
    raw.write(one);
    await until("a third answer", () => text.match(/\r\n\r\nok\n/g)?.length === 3);
  });

  await t.test("an upgrade that comes byte by byte, with a request right behind it", async (t) => {
    const raw = await RawSocket.connect(fanfare.ws);
    atEnd(t, () => raw.destroy());
    let text = "";
    raw.onBytes = () => (text = raw.buffered.toString("latin1"));
    const request = Buffer.concat([
      Buffer.from(upgradeRequest(fanfare.ws)),
      Buffer.from([0x81, 0x80 | 47, 0, 0, 0, 0]),
      Buffer.from('{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'),
    ]);
    for (const byte of request) {
      await new Promise((resolve) => raw.socket.write(Buffer.from([byte]), resolve));
    }
    await until("the answer in a frame", () => text.includes('{"jsonrpc":"2.0","id":1,"result":"0x7a69"}'));
    assert.match(text, /^HTTP\/1\.1 101 /);
  });
});

test("/readyz of one network: a dead one does not take the others out", async (t) => {
  const anvil = await startAnvil(t);
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, `
logLevel: info
server:
  httpPort: 0
projects:
  - id: main
    networks:
      - architecture: evm
        evm: { chainId: 31337 }
      - architecture: evm
        evm: { chainId: 1 }
    upstreams:
      - id: anvil
        endpoint: ${anvil.url}
        evm: { chainId: 31337 }
      - id: dead
        endpoint: http://127.0.0.1:1/s3cretkey
        evm: { chainId: 1 }
`)], { ready: false });
  const ready = (query) => ask(`${fanfare.health}/readyz${query}`);
  await until("anvil's network is ready", async () => (await ready("?network=main/31337")).status === 200);
  assert.match((await ready("?network=main%2F31337")).text, /^main\/31337 ready, head 0\n$/);
  for (const query of ["", "?network=main/1", "?network=main/31337&network=main/1"]) {
    const answer = await until("its nodes have been asked", async () => {
      const now = await ready(query);
      return !now.text.includes("starting") && now;
    });
    assert.equal(answer.status, 503, query);
    // The public page does not reveal the node.
    assert.match(answer.text, /^main\/1 not ready: /m);
    assert.doesNotMatch(answer.text, /127\.0\.0\.1|connect to|port|s3cret/i);
  }
  assert.equal((await ready("?network=main/5")).status, 404);
  assert.equal((await ready("?network=%zz")).status, 404);
  // The error does not reveal it to callers either; the log does, for the operator.
  const dead = fanfare.http.replace(/\d+$/, "1");
  const answer = JSON.parse((await ask(dead, { method: "POST", body: '{"jsonrpc":"2.0","id":1,"method":"eth_gasPrice"}' })).text);
  assert.deepEqual(answer.error, { code: -32603, message: "upstream: the node could not be reached" });
  await fanfare.program.line(/ (upstream_call_failed|network_not_ready) .*127\.0\.0\.1/);
  await fanfare.program.line(/ descriptor_limit soft_before=\d+ soft=\d+/);
});

test("two ports of row D", async (t) => {
  const fanfare = await startDevChain(t, ["--no-web"]);
  assert.equal((await ask(fanfare.http)).status, 426);
  assert.equal((await ask(fanfare.http, { headers: UPGRADE })).status, 101);
  const put = await ask(fanfare.http, { method: "PUT", body: "{}" });
  assert.equal(put.status, 405);
  assert.deepEqual(put.headers.allow.split(/, */).sort(), ["GET", "OPTIONS", "POST"]);
  const [, ws] = await fanfare.program.line(/\(also ws(:\S+)\)/).then(([, rest]) => [, `http${rest}`]);
  assert.equal((await ask(`${fanfare.http}/nothing`, { method: "POST", body: "{}" })).status, 404);
  assert.equal((await ask(ws)).status, 426);
  assert.equal((await ask(ws, { method: "POST", body: "{}" })).status, 405);
  assert.equal((await ask(ws, { headers: UPGRADE })).status, 101);
  assert.match((await ask(`${fanfare.http}/readyz`)).text, /^main\/1337 ready/);
});

test("fanfare check: 0 and a summary, or 2 and each error with its place", async (t) => {
  const good = configFor({ url: "http://127.0.0.1:8545" });
  const fine = await check(good, t);
  assert.equal(fine.code, 0, fine.stderr);
  assert.match(fine.stdout, /\/main\/evm\/31337/);
  for (const [text, error, count = 1] of [
    [good.replace("enabled: true", "enabld: true"), /^:6:5: unknown key .*enabld.*did you mean.*enabled/s],
    [good.replace("httpPort: 0", "httpPort: many"), /^:4:13: .*many.*expected/s],
    [good.replace("enabled: true", "pingInterval: 30"), /^:6:19: .*30.*expected.*duration/s],
    [good + "  - id: main\n    networks: []\n    upstreams: []\n", /^:\d+:\d+: .*/s, 3],
    [good.replace("endpoint: http://127.0.0.1:8545", "endpoint: ${FANFARE_E2E_NOT_SET}"), /^:\d+:\d+: .*FANFARE_E2E_NOT_SET/s],
  ]) {
    const bad = await check(text, t);
    assert.equal(bad.code, 2, bad.stdout);
    assert.equal(bad.stdout, "");
    const lines = bad.stderr.trimEnd().split("\n");
    assert.equal(lines.length, count, bad.stderr);
    for (const line of lines) assert.match(line.slice(bad.file.length), /^:\d+:\d+: ./, bad.stderr);
    assert.ok(lines.every((line) => line.startsWith(bad.file)), bad.stderr);
    assert.match(bad.stderr.slice(bad.file.length), error);
  }
  const served = await check(good.replace("http://127.0.0.1:8545", "${FANFARE_E2E_NODE}"), t, { env: { FANFARE_E2E_NODE: "http://node.example" } });
  assert.equal(served.code, 0, served.stderr);
});
