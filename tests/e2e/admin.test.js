// The admin API of the real program, with real clients: over its Unix socket, over a port, and by `fanfare admin` and `fanfare top`.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { statSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import WebSocket from "ws";
import { atEnd } from "./support/cleanup.js";
import { BINARY, call, readiness, startDevChain, startFanfare, temporaryFolder, untilReady, writeConfig } from "./support/fanfare.js";
import { run } from "./support/processes.js";
import { until } from "./support/waiting.js";

// One request over a Unix socket. Returns {status, type, json}.
async function ask(socketPath, method, target, body) {
  const request = http.request({ socketPath, method, path: target, headers: body === undefined ? {} : { "content-type": "application/json" } });
  request.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = await once(request, "response");
  let text = "";
  for await (const piece of response) text += piece;
  return { status: response.statusCode, type: response.headers["content-type"], json: JSON.parse(text) };
}

async function connectMany(t, url, count, agent) {
  const sockets = Array.from({ length: count }, (_, index) => new WebSocket(url, { headers: { "user-agent": `${agent}/${index}` } }));
  atEnd(t, () => sockets.forEach((socket) => socket.terminate()));
  await Promise.all(sockets.map((socket) => once(socket, "open")));
  return sockets;
}

async function subscribe(socket) {
  socket.send('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}');
  const [answer] = await once(socket, "message");
  assert.ok(JSON.parse(answer).result);
}

async function allConnections(admin, query = "") {
  const all = [];
  for (let cursor = null; all.length < 1000; ) {
    const { status, json } = await ask(admin, "GET", `/v1/connections?limit=60${query}${cursor ? `&cursor=${cursor}` : ""}`);
    assert.equal(status, 200);
    all.push(...json.connections);
    cursor = json.next;
    if (cursor === null) return all;
  }
  throw new Error("too many pages");
}

const fanfareAdmin = (admin, words) => run(BINARY, ["admin", ...words], { env: { FANFARE_ADMIN: admin } });

test("200 connections are listed and searched, one is closed, and the others are undisturbed", async (t) => {
  const admin = path.join(temporaryFolder(t), "admin.sock");
  const fanfare = await startDevChain(t, ["--dev-block-time", "100ms", "--admin-socket", admin]);
  assert.equal(statSync(admin).mode & 0o777, 0o600);
  const sockets = await connectMany(t, fanfare.ws, 200, "herd");
  await Promise.all(sockets.map(subscribe));
  const ended = new Map();
  sockets.forEach((socket, index) => socket.on("close", (code, reason) => ended.set(index, [code, String(reason)])));

  const all = await allConnections(admin, "&kind=websocket");
  assert.equal(all.length, 200);
  assert.deepEqual(new Set(all.map(({ user_agent }) => user_agent)), new Set(sockets.map((_, index) => `herd/${index}`)));
  assert.equal(new Set(all.map(({ id }) => id)).size, 200);
  for (const one of all) {
    assert.deepEqual([one.kind, one.service, one.network, one.subscriptions, one.topics], ["websocket", "rpc", "main/1337", 1, ["newHeads"]]);
    assert.match(one.address, /^127\.0\.0\.1:\d+$/);
    assert.ok(one.messages_received >= 2 && one.messages_sent >= 1 && one.age_s >= 0, JSON.stringify(one));
  }
  assert.equal((await allConnections(admin, "&agent=herd/1*")).length, 111);
  assert.equal((await allConnections(admin, "&q=HERD/77")).length, 1);
  assert.equal((await allConnections(admin, "&network=main/1")).length, 0);

  const [victim] = await allConnections(admin, "&agent=herd/77");
  const closed = await fanfareAdmin(admin, ["close", victim.id, "--code", "1008", "--reason", "please call support"]);
  assert.equal(closed.code, 0, closed.stderr);
  await until("its client is told", () => ended.size > 0);
  assert.deepEqual([...ended], [[77, [1008, "please call support"]]]);
  await until("it is gone", async () => (await ask(admin, "GET", `/v1/connections/${victim.id}`)).status === 404);
  // Each of the others gets another head.
  const others = sockets.filter((_, index) => index !== 77);
  await Promise.all(others.map((socket) => once(socket, "message")));
  assert.equal(ended.size, 1);
  assert.equal((await allConnections(admin, "&kind=websocket")).length, 199);

  const list = await fanfareAdmin(admin, ["connections", "--agent", "herd/12*", "--kind", "websocket"]);
  assert.match(list.stdout, /^ID +ADDRESS +AGE/);
  assert.match(list.stdout, /\n11 connections\n$/);
  const busiest = JSON.parse((await fanfareAdmin(admin, ["--json", "connections", "--sort", "sent", "--limit", "3"])).stdout);
  assert.equal(busiest.length, 3);
  const refused = await fanfareAdmin(admin, ["close", "--agent", "herd/12*", "--code", "1006"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /code .*\(1006\)/);
  const filtered = await fanfareAdmin(admin, ["close", "--agent", "herd/12*"]);
  assert.equal(filtered.stdout, "closed 11\n");
  await until("those are closed, too", () => ended.size === 12);
  assert.equal(ended.get(12)[0], 1012);
});

// The type of a JSON value fits a schema of the document.
function check(value, schema, document, where) {
  if (schema.$ref) return check(value, document.components.schemas[schema.$ref.split("/").at(-1)], document, where);
  const types = [schema.type].flat();
  const type = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  const fits = types.includes(type) || (type === "number" && types.includes("integer") && Number.isInteger(value));
  assert.ok(fits, `${where} is ${type}, not ${types}`);
  if (type === "array") value.forEach((item, index) => check(item, schema.items, document, `${where}[${index}]`));
  if (type !== "object" || !schema.properties) return;
  for (const name of schema.required) assert.ok(name in value, `${where}.${name} is missing`);
  for (const [name, member] of Object.entries(value)) {
    assert.ok(name in schema.properties, `${where}.${name} is not in the document`);
    check(member, schema.properties[name], document, `${where}.${name}`);
  }
}

test("every answer is as the OpenAPI document says", async (t) => {
  const admin = path.join(temporaryFolder(t), "admin.sock");
  const fanfare = await startDevChain(t, ["--admin-socket", admin]);
  const [socket] = await connectMany(t, fanfare.ws, 1, "one");
  await subscribe(socket);
  const { json: document } = await ask(admin, "GET", "/v1/openapi.json");
  const [{ id }] = await allConnections(admin, "&kind=websocket");
  const parameters = { id, project: "main", chain: "1337", name: "built-in" };
  let checked = 0;
  for (const [template, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      if (method !== "get") continue;
      const target = template.replaceAll(/\{(\w+)\}/g, (_, name) => parameters[name]);
      const { status, type, json } = await ask(admin, "GET", target);
      assert.deepEqual([status, type], [200, "application/json"], target);
      check(json, operation.responses[200].content["application/json"].schema, document, operation.operationId);
      ++checked;
    }
  }
  assert.ok(checked >= 12, String(checked));
  const { status, type, json } = await ask(admin, "GET", "/v1/connections?limit=0");
  assert.deepEqual([status, type, json.parameter, json.value], [400, "application/problem+json", "limit", "0"]);
  check(json, { $ref: "/Problem" }, document, "problem");
  assert.equal((await ask(admin, "PUT", "/v1/networks/main/1337/upstreams/built-in", { enabled: false })).status, 409);
});

test("an upstream is taken out of use and back", async (t) => {
  // One node under two names, so that both are on one chain.
  const node = await startDevChain(t);
  const admin = path.join(temporaryFolder(t), "admin.sock");
  const config = writeConfig(t, `
server: { httpPort: 0 }
admin: { socket: ${admin} }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1337 } }]
    upstreams: [{ id: a, endpoint: "${node.http}" }, { id: b, endpoint: "${node.http}" }]
`);
  const fanfare = await startFanfare(t, ["--config", config]);
  const url = fanfare.http.replace("{project}", "main").replace("{chainId}", "1337");
  const upstreams = async () => Object.fromEntries((await ask(admin, "GET", "/v1/upstreams")).json.upstreams.map((one) => [one.name, one]));
  await until("both are used", async () => Object.values(await upstreams()).every(({ used }) => used));
  assert.equal((await fanfareAdmin(admin, ["disable", "main/1337/a"])).code, 0);
  assert.match((await upstreams()).a.reason, /disabled by the operator/);
  const before = (await upstreams()).b.calls;
  for (let i = 0; i < 5; ++i) await call(url, "eth_getBalance", [`0x${String(i).padStart(40, "1")}`, "latest"]);
  assert.ok((await upstreams()).b.calls >= before + 5);
  const last = await fanfareAdmin(admin, ["disable", "main/1337/b"]);
  assert.equal(last.code, 1);
  assert.match(last.stderr, /last upstream/);
  assert.equal((await fanfareAdmin(admin, ["disable", "main/1337/b", "--force"])).code, 0);
  await assert.rejects(call(url, "eth_gasPrice"), /./);
  assert.equal((await fanfareAdmin(admin, ["enable", "main/1337/b"])).code, 0);
  assert.match(await call(url, "eth_gasPrice"), /^0x/);
});

test("a drain closes the clients and refuses new ones, until it is ended", async (t) => {
  const admin = path.join(temporaryFolder(t), "admin.sock");
  const fanfare = await startDevChain(t, ["--admin-socket", admin]);
  const sockets = await connectMany(t, fanfare.ws, 10, "one");
  const codes = Promise.all(sockets.map(async (socket) => (await once(socket, "close"))[0]));
  assert.equal((await fanfareAdmin(admin, ["drain", "--spread", "0s"])).code, 0);
  assert.deepEqual(await codes, Array.from({ length: 10 }, () => 1012));
  assert.equal((await readiness(fanfare)).status, 503);
  const late = new WebSocket(fanfare.ws);
  late.on("error", () => undefined); // it is refused
  const [, response] = await once(late, "unexpected-response");
  assert.equal(response.statusCode, 503);
  assert.match(await call(fanfare.http, "eth_blockNumber"), /^0x/);
  await until("it says so", async () => /drained/.test((await fanfareAdmin(admin, ["status"])).stdout));
  const top = await run(BINARY, ["top", "--once", "--socket", admin, "--interval", "0.1"]);
  assert.match(top.stdout, /DRAIN: drained/);
  assert.equal((await fanfareAdmin(admin, ["undrain"])).code, 0);
  await untilReady(fanfare);
  await connectMany(t, fanfare.ws, 1, "back");
  const snapshot = JSON.parse((await run(BINARY, ["top", "--json", "--socket", admin])).stdout);
  assert.equal(snapshot.status.drain.state, "off");
  assert.equal(snapshot.networks[0].name, "main/1337");
});

test("with access control, a port needs a role that names fanfare_admin", async (t) => {
  const folder = temporaryFolder(t);
  const admin = path.join(folder, "admin.sock");
  const node = await startDevChain(t);
  const file = writeConfig(t, `
server: { httpPort: 0 }
admin: { socket: ${admin}, port: 0 }
access:
  roles:
    - { id: user, projects: [main], methods: ["*", "fanfare_*"], topics: ["*"] }
    - { id: operator, projects: [main], methods: [fanfare_admin] }
  keys:
    - { id: shop, roles: [user], key: the-key-of-the-shop-0123 }
    - { id: ops, roles: [operator], key: the-key-of-operators-0123 }
projects: [{ id: main, networks: [{ architecture: evm, evm: { chainId: 1337 } }], upstreams: [{ id: a, endpoint: "${node.http}" }] }]
`);
  const fanfare = await startFanfare(t, ["--config", file]);
  const [, port] = await fanfare.program.line(/admin_listening address=127\.0\.0\.1:(\d+)/);
  const shared = fanfare.health;
  const status = async (url, key) => (await fetch(url, { headers: key ? { authorization: `Bearer ${key}` } : {} })).status;
  for (const url of [`http://127.0.0.1:${port}/v1/status`, `${shared}/admin/v1/status`]) {
    assert.equal(await status(url), 401, url);
    assert.equal(await status(url, "the-key-of-the-shop-0123"), 403, url);
    assert.equal(await status(url, "the-key-of-operators-0123"), 200, url);
  }
  // A connection shows whose it is.
  const socket = new WebSocket(`${shared.replace("http", "ws")}/main/evm/1337`, { headers: { authorization: "Bearer the-key-of-the-shop-0123" } });
  atEnd(t, () => socket.terminate());
  await once(socket, "open");
  const [one] = await allConnections(admin, "&principal=shop");
  assert.equal(one.network, "main/1337");
  const config = JSON.stringify((await ask(admin, "GET", "/v1/config")).json);
  assert.doesNotMatch(config, /the-key-of/);
  const again = await fanfareAdmin(admin, ["reload"]);
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stdout, /reloaded\n/);
});
