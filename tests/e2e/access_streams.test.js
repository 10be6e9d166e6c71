// Streams with access control: roles grant streams by name, over WebSocket, Server-Sent Events and the streams' own port;
// connections end with their token, take fresh ones, and are counted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket } from "ws";
import { bearer, inSeconds, JWT_SECRET, key, token, upgradeStatus } from "./support/access.js";
import { BINARY, writeConfig } from "./support/fanfare.js";
import { startFor } from "./support/processes.js";
import { CountingNode, EventReader, StreamClient } from "./support/streams.js";
import { until } from "./support/waiting.js";

const VIEWER = "viewer-key-0123456789";
const NOBODY = "nobody-key-0123456789";
const POOR = "poor-key-0123456789";

async function start(t) {
  const node = await CountingNode.start(t);
  const config = `
logLevel: info
server: { httpPort: 0 }
access:
  firstMessageWithin: 60s
  roles:
    - { id: viewer, streams: ["pub*"] }
    - { id: all, streams: { allow: ["*"], deny: [hidden] } }
    - { id: caller, projects: ["*"], methods: ["*"] }
    - { id: poor, streams: [public], limits: { requestsPerSecond: 1, requestsBurst: 40, connectionsMax: 1, subscriptionsMax: 1 } }
  keys:
    - { id: viewer, roles: [viewer], key: ${VIEWER} }
    - { id: nobody, roles: [caller], key: ${NOBODY} }
    - { id: poor, roles: [poor], key: ${POOR} }
  jwt: { secret: "${JWT_SECRET}", leeway: 0s }
streams:
  websocketPort: 0
  upstreams: [{ id: node, endpoint: "${node.url}", timeout: 5s }]
  definitions:
    - { name: public, interval: 30ms, upstream: node, calls: { r: m }, fields: { n: /r/n } }
    - { name: private, interval: 30ms, upstream: node, calls: { r: m }, fields: { n: /r/n } }
    - { name: hidden, interval: 30ms, upstream: node, calls: { r: m }, fields: { n: /r/n } }
`;
  const program = startFor(t, "fanfare", BINARY, ["serve", "--config", writeConfig(t, config)]);
  const [, base] = await program.line(/^ {2}Streams\s+ws:(\S+)\/streams$/);
  const own = program.text.match(/ws:(\S+)/g).map((text) => text.replace(/\/streams$/, "")).find((text) => text !== `ws:${base}`);
  return { program, own, streams: `ws:${base}/streams`, sse: `http:${base}/streams/sse`, health: `http:${base}` };
}
const good = (more = {}) => token({ sub: "carol", exp: inSeconds(600), roles: ["viewer"], ...more });

test("a role grants streams by name, at every door", async (t) => {
  const fanfare = await start(t);
  assert.ok(fanfare.own, fanfare.program.text);

  for (const url of [fanfare.streams, fanfare.own]) {
    await t.test(`WebSocket ${url === fanfare.own ? "on its own port" : "at /streams"}`, async () => {
      const client = await StreamClient.open(t, url, { headers: key(VIEWER) });
      assert.deepEqual((await client.next()).available_streams, ["public"]);
      assert.equal((await client.subscribe("public")).type, "subscribed");
      assert.equal(typeof (await client.take("public")).data.n, "number");
      for (const stream of ["private", "hidden", "nothing"]) {
        assert.equal(await client.refused({ type: "subscribe", stream }), "unknown stream: available are public");
      }
      // Names are compared as they are.
      for (const stream of ["Private", "public ", "*", "pub*", ""]) await client.refused({ type: "subscribe", stream });
      assert.match(await client.refused('{"type":"subscribe","stream":"public","stream":"private"}'), /unknown stream/);
      assert.match(await client.refused('{"type":"subscribe","stream":"\\u0070rivate"}'), /unknown stream/);
      client.socket.terminate();
      assert.equal(await upgradeStatus(url, key("wrong-key-0123456789")), 401);
    });
  }

  await t.test("a key without streams sees none", async () => {
    const client = await StreamClient.open(t, `${fanfare.streams}?apikey=${NOBODY}`);
    assert.deepEqual((await client.next()).available_streams, []);
    assert.match(await client.refused({ type: "subscribe", stream: "public" }), /available are none/);
  });

  await t.test("a denial is stronger than a star", async () => {
    const client = await StreamClient.open(t, fanfare.streams, { headers: bearer(good({ roles: ["all"] })) });
    assert.deepEqual((await client.next()).available_streams, ["public", "private"]);
  });

  await t.test("Server-Sent Events", async () => {
    const status = async (query, headers = {}) => (await fetch(`${fanfare.sse}${query}`, { headers, signal: AbortSignal.timeout(60_000) })).status;
    assert.equal(await status("?stream=public"), 401);
    assert.equal(await status("?stream=private", key(VIEWER)), 404);
    assert.equal(await status("?stream=public", key(NOBODY)), 404);
    const denied = await (await fetch(`${fanfare.sse}?stream=private`, { headers: key(VIEWER) })).text();
    assert.equal(denied.replace("private", "nothing"), await (await fetch(`${fanfare.sse}?stream=nothing`, { headers: key(VIEWER) })).text());
    const reader = await EventReader.open(t, `${fanfare.sse}?stream=public&apikey=${VIEWER}`);
    assert.equal(reader.response.statusCode, 200);
    await reader.events.take("a value", (event) => event.data?.type === "public");
  });
});

test("a stream's connection ends with its token, and takes a fresh one", async (t) => {
  const fanfare = await start(t);
  const soon = () => bearer(good({ exp: inSeconds(3) }));
  const closed = (client) => new Promise((resolve) => client.socket.once("close", (code, reason) => resolve([code, String(reason)])));

  const lapsing = await StreamClient.open(t, fanfare.streams, { headers: soon() });
  const kept = await StreamClient.open(t, fanfare.own, { headers: soon() });
  const events = await EventReader.open(t, `${fanfare.sse}?stream=public`, soon());
  await lapsing.subscribe("public");
  await kept.subscribe("public");
  const end = closed(lapsing);

  assert.match(await kept.refused({ type: "authenticate", token: good({ sub: "dave" }) }), /./, "another subject");
  assert.match(await kept.refused({ type: "authenticate", token: good({ roles: ["all"] }) }), /./, "other roles");
  assert.match(await kept.refused({ type: "authenticate", token: good({ exp: inSeconds(-1) }) }), /expired/);
  kept.send({ type: "authenticate", token: good() });
  assert.deepEqual(await kept.take("authenticated"), { type: "authenticated", available_streams: ["public"] });

  assert.deepEqual(await end, [1008, "the token has expired"]);
  const last = await events.events.take("the end", (event) => event.data?.type === "unsubscribed");
  assert.equal(last.data.reason, "the token has expired");
  await until("the answer ends", () => events.events.ended);
  await kept.take("public", (value) => value.data.n > 0);
  assert.equal(kept.socket.readyState, WebSocket.OPEN);
});

test("a browser authenticates by a subprotocol or its first message", async (t) => {
  const fanfare = await start(t);
  const offered = new StreamClient(new WebSocket(fanfare.streams, ["fanfare", `fanfare.bearer.${good()}`]));
  await offered.opened;
  assert.equal(offered.socket.protocol, "fanfare");
  assert.deepEqual((await offered.next()).available_streams, ["public"]);
  offered.socket.terminate();

  const first = await StreamClient.open(t, fanfare.streams);
  assert.deepEqual((await first.next()).available_streams, []);
  assert.match(await first.refused({ type: "subscribe", stream: "public" }), /available are none/);
  first.send({ type: "authenticate", token: VIEWER, id: 5 });
  assert.deepEqual(await first.take("authenticated"), { type: "authenticated", available_streams: ["public"], id: 5 });
  await first.subscribe("public");
  await first.take("public");
});

test("quotas: connections, subscriptions and messages of a role", async (t) => {
  const fanfare = await start(t);
  const client = await StreamClient.open(t, fanfare.streams, { headers: key(POOR) });
  client.send({ type: "hello" });
  await client.take("hello");
  assert.equal(await upgradeStatus(fanfare.streams, key(POOR)), 429, "its connections are counted");
  await client.subscribe("public");
  // The one subscription it may have, whatever the transport.
  const events = await EventReader.open(t, `${fanfare.sse}?stream=public`, key(POOR));
  const refused = await events.events.take("a refusal", (event) => event.data?.type === "error");
  assert.equal(refused.data.code, "limit_reached");
  assert.ok(refused.data.retry_after_ms >= 1);
  client.send({ type: "unsubscribe", stream: "public" });
  await client.take("unsubscribed");
  await client.subscribe("public");

  // Calls of 40 at once, one more each second. Slower than messagesPerSecond, which would answer otherwise.
  const limited = await until("the quota is used up", async () => {
    client.send({ type: "ping" });
    const answer = await client.messages.take("an answer", ({ type }) => type === "pong" || type === "error");
    return answer.code === "limit_reached" && answer;
  }, { everyMs: 60 });
  assert.ok(limited.retry_after_ms >= 1 && limited.retry_after_ms <= 1000, JSON.stringify(limited));
  client.socket.terminate();
  await until("the connection is given back", async () => (await upgradeStatus(fanfare.streams, key(POOR))) === 101);
  const text = await (await fetch(`${fanfare.health}/metrics`, { headers: key(POOR) })).text();
  assert.ok(!text.includes(POOR));
});
