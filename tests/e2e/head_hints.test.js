// A node behind HTTP that serves WebSocket at the same port: its blocks are heard of without waiting for the next poll. And what
// serves something else there, or lies: docs/upstreams.md, "Hints about heads".

import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";
import { once } from "node:events";
import path from "node:path";
import { test } from "node:test";
import { WebSocketServer } from "ws";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { metric, metricIs, readiness, startFanfare, temporaryFolder, writeConfig } from "./support/fanfare.js";
import { replaceFile } from "./support/files.js";
import { assertConsecutive, assertHeadIsBlock } from "./support/heads.js";
import { postOnly } from "./support/post_only.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const HOUR = "0xe10"; // between the timestamps of two blocks: a chain with such blocks is polled every 15 minutes

const configFor = (url, more = "", evm = "", admin = "") => `
logLevel: info
${admin === "" ? "" : `admin: { socket: "${admin}" }`}
server: { httpPort: 0 }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 31337${evm} } }]
    upstreams: [{ id: node, endpoint: "${url}"${more} }]
`;

async function subscribeHeads(t, fanfare) {
  const raw = await RawSocket.open(fanfare.ws);
  atEnd(t, () => raw.destroy());
  const id = await raw.subscribe("newHeads");
  return async () => (await raw.json((message) => message.params?.subscription === id)).params.result;
}

// Passes bytes on, and counts the connections of WebSockets.
async function startRelay(t, port) {
  const relay = { opened: 0, open: 0 };
  const server = net.createServer((client) => {
    const node = net.connect(port, "127.0.0.1");
    client.once("data", (first) => {
      if (!String(first).startsWith("GET ")) return;
      ++relay.opened;
      ++relay.open;
      client.once("close", () => --relay.open);
    });
    for (const [one, other] of [[client, node], [node, client]]) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
      one.pipe(other);
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => server.close());
  relay.url = `http://127.0.0.1:${server.address().port}`;
  return relay;
}

// What the admin API says about the only upstream.
async function hintsOf(socketPath) {
  const [response] = await once(http.get({ socketPath, path: "/v1/upstreams" }), "response");
  let text = "";
  for await (const piece of response) text += piece;
  return JSON.parse(text).upstreams[0].head_hints;
}

// JSON-RPC over HTTP is anvil's; what an upgrade gets is the test's.
async function startBesideAnvil(t, anvil, onUpgrade) {
  const server = http.createServer(postOnly((request, response) => {
    request.pipe(http.request(anvil.url, { method: "POST", headers: request.headers }, (reply) => {
      response.writeHead(reply.statusCode, reply.headers);
      reply.pipe(response);
    }));
  }));
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => {});
    onUpgrade(request, socket, head);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => (server.closeAllConnections(), server.close()));
  return `http://127.0.0.1:${server.address().port}`;
}

test("blocks that are announced beside HTTP are heard of at once, until a reload turns it off", async (t) => {
  const anvil = await startAnvil(t);
  const relay = await startRelay(t, anvil.port);
  const admin = path.join(temporaryFolder(t), "admin.sock");
  const file = writeConfig(t, configFor(relay.url, "", ", pollIntervalMax: 1h", admin));
  const fanfare = await startFanfare(t, ["--config", file]);
  await fanfare.program.line(/ info +head_hints_found endpoint=node announces_blocks_at=ws:/);
  assert.equal(await hintsOf(admin), "silent: it has not announced a new block yet");
  assert.equal(await metric(fanfare, "fanfare_upstream_head_hints", { upstream: "node" }), 0);
  const next = await subscribeHeads(t, fanfare);
  await anvil.ask("anvil_mine", ["0x2", HOUR]);
  const heads = [await next(), await next()];
  // Polls are 15 minutes apart from here on: much longer than a test waits.
  for (let i = 0; i < 10; ++i) {
    await anvil.ask("anvil_mine", ["0x1", HOUR]);
    heads.push(await next());
    await assertHeadIsBlock(heads.at(-1), anvil.ask);
  }
  assertConsecutive(heads);
  assert.equal(relay.opened, 1);
  assert.equal(await hintsOf(admin), "live");
  assert.equal(await metric(fanfare, "fanfare_upstream_head_hints", { upstream: "node" }), 1);

  replaceFile(file, configFor(relay.url, ", headHints: never", ", pollIntervalMax: 1h", admin));
  fanfare.program.signal("SIGHUP");
  await fanfare.program.line(/configuration_reloaded/);
  await until("the connection ends", () => relay.open === 0);
  await metricIs(0, fanfare, "fanfare_upstream_head_hints", { upstream: "node" });
  assert.equal(await hintsOf(admin), "");
  assert.equal(relay.opened, 1);
});

test("new credentials are used for a new connection, and a removed upstream has none", async (t) => {
  const anvil = await startAnvil(t);
  const relay = await startRelay(t, anvil.port);
  const other = await startRelay(t, anvil.port);
  const file = writeConfig(t, configFor(relay.url));
  const fanfare = await startFanfare(t, ["--config", file]);
  await until("a connection", () => relay.open === 1);
  const reload = async (text, count) => {
    replaceFile(file, text);
    fanfare.program.signal("SIGHUP");
    await until("the reload", () => fanfare.program.lines.items.filter((line) => /configuration_reloaded/.test(line)).length === count);
  };
  await reload(configFor(relay.url, ", headers: { Authorization: other }"), 1);
  await until("another connection", () => relay.opened === 2 && relay.open === 1);
  await reload(configFor(other.url), 2);
  await until("the connection ends", () => relay.open === 0 && other.open === 1);
  assert.equal(relay.opened, 2);
});

const accept = (onSocket) => {
  const sockets = new WebSocketServer({ noServer: true });
  return (request, socket, head) => sockets.handleUpgrade(request, socket, head, onSocket);
};
const answering = (thenDo) => accept((socket) => {
  socket.on("error", () => {});
  socket.on("message", (data) => {
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: JSON.parse(data).id, result: "0x1" }));
    thenDo(socket);
  });
});
const announce = (socket, header) =>
  socket.send(JSON.stringify({ jsonrpc: "2.0", method: "eth_subscription", params: { subscription: "0x1", result: header } }));
const every = (ms, socket, act) => {
  const timer = setInterval(() => act(), ms);
  socket.on("close", () => clearInterval(timer));
};
const page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\r\n<html>hi</html>";

const HOSTILE = {
  "answers the upgrade with a page": { act: (_, socket) => socket.end(page), line: /head_hints_not_found endpoint=node reason=.*200/ },
  "redirects the upgrade": {
    act: (_, socket) => socket.end("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"),
    line: /head_hints_not_found endpoint=node reason=.*302/,
  },
  "closes at once": { act: (_, socket) => socket.destroy(), line: /head_hints_not_found/ },
  "floods with garbage": {
    act: answering((socket) => { for (let i = 0; i < 5000; ++i) socket.send("garbage"); }),
    line: /head_hints_lost endpoint=node reason=.*floods/,
  },
  "pings without end": {
    act: answering((socket) => { for (let i = 0; i < 5000; ++i) socket.ping("p".repeat(125)); }),
    line: /head_hints_lost endpoint=node reason="it floods: pings faster than any node sends them"/,
  },
  "accepts the subscription and announces nothing": { act: answering(() => {}), line: /head_hints_found/, hints: "silent: " },
  "announces blocks that do not exist": {
    act: answering((socket) => {
      let number = 1 << 20;
      every(5, socket, () => {
        const hash = `0x${(++number).toString(16).padStart(64, "0")}`;
        announce(socket, { number: `0x${number.toString(16)}`, hash, parentHash: hash, timestamp: "0x1" });
      });
    }),
    line: /head_hints_found/,
    hints: "silent: ",
  },
};

for (const [what, { act, line, hints = "none: " }] of Object.entries(HOSTILE)) {
  test(`a node that ${what} is polled as ever`, async (t) => {
    const anvil = await startAnvil(t);
    const admin = path.join(temporaryFolder(t), "admin.sock");
    const file = writeConfig(t, configFor(await startBesideAnvil(t, anvil, act), "", "", admin));
    const fanfare = await startFanfare(t, ["--config", file]);
    await fanfare.program.line(line);
    const next = await subscribeHeads(t, fanfare);
    const heads = [];
    for (let i = 0; i < 5; ++i) {
      await anvil.ask("anvil_mine", ["0x1"]);
      heads.push(await next());
    }
    assertConsecutive(heads);
    await assertHeadIsBlock(heads.at(-1), anvil.ask);
    assert.equal(await metric(fanfare, "fanfare_upstream_available", { upstream: "node" }), 1);
    assert.equal(await metric(fanfare, "fanfare_upstream_head_hints", { upstream: "node" }), 0);
    assert.ok((await hintsOf(admin)).startsWith(hints), await hintsOf(admin));
    const { status, text } = await readiness(fanfare);
    assert.equal(status, 200);
    assert.doesNotMatch(text, /not used/);
    assert.equal(Number(await metric(fanfare, "fanfare_head_number")), Number(heads.at(-1).number));
  });
}
