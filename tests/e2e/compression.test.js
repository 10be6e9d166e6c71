// Compressed answers and messages with curl, fetch, ethers, viem and ws, and with raw bytes where the framing
// matters.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import http from "node:http";
import { once } from "node:events";
import { test } from "node:test";
import { promisify } from "node:util";
import zlib from "node:zlib";
import { ethers } from "ethers";
import { createPublicClient, http as viemHttp } from "viem";
import WebSocket from "ws";
import { atEnd } from "./support/cleanup.js";
import { metric, metricIs, startFanfare, writeConfig } from "./support/fanfare.js";
import { postOnly } from "./support/post_only.js";
import { RawSocket, frame, Opcode } from "./support/raw_socket.js";
import { within } from "./support/waiting.js";

const BIG = 3 << 20;

// A node whose only method, my_data, answers with the length given by its parameter.
async function startNode(t) {
  const server = http.createServer(postOnly((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.once("end", () => {
      const answer = ({ id, method, params }) => {
        if (method === "eth_chainId") return { jsonrpc: "2.0", id, result: "0x1" };
        if (method !== "my_data") return { jsonrpc: "2.0", id, error: { code: -32601, message: "unknown" } };
        return { jsonrpc: "2.0", id, result: `0x${"00ab3f".repeat((params?.[0] ?? 0) / 6)}` };
      };
      const body = JSON.parse(Buffer.concat(parts).toString());
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(Array.isArray(body) ? body.map(answer) : answer(body)));
    });
  }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => (server.closeAllConnections(), server.close()));
  return `http://127.0.0.1:${server.address().port}`;
}

async function start(t, server = "  compression: { enabled: true }\n  websocket: { compression: { enabled: true } }") {
  const node = await startNode(t);
  return startFanfare(t, ["--config", writeConfig(t, `
logLevel: info
server:
  httpPort: 0
  threads: 1
${server}
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1 } }]
    upstreams: [{ id: node, endpoint: "${node}" }]
`)], { ready: false });
}

const call = (size, id = 1) => ({ jsonrpc: "2.0", id, method: "my_data", params: [size] });
const resultOf = (size) => `0x${"00ab3f".repeat(size / 6)}`;
const SMALL = 60;
const MIDDLE = 60_000;
const LARGE = 6 * (BIG / 6);

// Returns head and body as received.
function ask(url, { headers = {}, method = "POST", body } = {}) {
  return within("an answer", new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part)).on("end", () => resolve({ status: response.statusCode, headers: response.headers, raw: Buffer.concat(parts) })).on("error", reject);
    }).on("error", reject);
    request.end(body && JSON.stringify(body));
  }));
}

test("answers are compressed as Accept-Encoding asks, where it pays", async (t) => {
  const gateway = await start(t);
  const get = (accept, body) => ask(gateway.http, { headers: accept === null ? {} : { "accept-encoding": accept }, body });
  for (const [accept, coding, decode] of [
    ["gzip", "gzip", zlib.gunzipSync], ["deflate", "deflate", zlib.inflateSync], ["gzip;q=0.1, deflate;q=0.2", "deflate", zlib.inflateSync],
    ["*", "gzip", zlib.gunzipSync], ["br, gzip;q=0.5", "gzip", zlib.gunzipSync],
  ]) {
    for (const size of [MIDDLE, LARGE]) {
      const { status, headers, raw } = await get(accept, call(size));
      assert.equal(status, 200);
      assert.equal(headers["content-encoding"], coding, accept);
      assert.match(headers.vary, /accept-encoding/i);
      assert.equal(Number(headers["content-length"]), raw.length);
      assert.ok(raw.length < size / 4);
      assert.equal(JSON.parse(decode(raw)).result, resultOf(size));
    }
  }
  for (const [accept, size] of [[null, MIDDLE], ["identity", MIDDLE], ["gzip;q=0", MIDDLE], ["br", MIDDLE], ["gzip", SMALL], ["identity, gzip;q=0.5", MIDDLE]]) {
    const { headers, raw } = await get(accept, call(size));
    assert.equal(headers["content-encoding"], undefined, accept);
    assert.match(headers.vary, /accept-encoding/i);
    assert.equal(JSON.parse(raw).result, resultOf(size));
  }
  const required = await get("gzip, identity;q=0", call(SMALL));
  assert.equal(required.headers["content-encoding"], "gzip");
  assert.equal(JSON.parse(zlib.gunzipSync(required.raw)).result, resultOf(SMALL));

  const batch = await get("gzip", [call(MIDDLE, 1), { jsonrpc: "2.0", id: 2, method: "eth_nothing" }, call(SMALL, 3)]);
  const answers = JSON.parse(zlib.gunzipSync(batch.raw));
  assert.deepEqual(answers.map(({ id, error }) => [id, error?.code]), [[1, undefined], [2, -32601], [3, undefined]]);
  const nothing = await get("gzip", { jsonrpc: "2.0", method: "my_data" });
  assert.deepEqual([nothing.status, nothing.raw.length, nothing.headers["content-encoding"]], [204, 0, undefined]);
  const refused = await ask(`${gateway.health}/nowhere`, { method: "GET", headers: { "accept-encoding": "gzip" } });
  assert.deepEqual([refused.status, refused.headers["content-encoding"]], [404, undefined]);

  const page = (method) => ask(`${gateway.health}/metrics`, { method, headers: { "accept-encoding": "gzip" } });
  const metrics = await page("GET");
  assert.match(zlib.gunzipSync(metrics.raw).toString(), /fanfare_http_compressed_answers_total \d/);
  const head = await page("HEAD");
  assert.deepEqual([head.headers["content-encoding"], head.raw.length], ["gzip", 0]);
  assert.ok(Number(head.headers["content-length"]) > 0);
  assert.ok((await metric(gateway, "fanfare_http_compressed_answers_total")) >= 12);
});

test("curl, fetch, ethers and viem understand them", async (t) => {
  const gateway = await start(t);
  for (const size of [SMALL, MIDDLE, LARGE]) {
    const { stdout } = await promisify(execFile)("curl", ["-s", "--compressed", "-H", "content-type: application/json", "-d", JSON.stringify(call(size)), gateway.http], { maxBuffer: 1 << 26 });
    assert.equal(JSON.parse(stdout).result, resultOf(size));
    const fetched = await fetch(gateway.http, { method: "POST", body: JSON.stringify(call(size)) });
    assert.equal((await fetched.json()).result, resultOf(size));
    const provider = new ethers.JsonRpcProvider(gateway.http, 1, { staticNetwork: true });
    atEnd(t, () => provider.destroy());
    assert.equal(await provider.send("my_data", [size]), resultOf(size));
    const client = createPublicClient({ transport: viemHttp(gateway.http) });
    assert.equal(await client.request({ method: "my_data", params: [size] }), resultOf(size));
  }
});

test("without the setting nothing is compressed", async (t) => {
  const gateway = await start(t, "");
  const { headers } = await ask(gateway.http, { headers: { "accept-encoding": "gzip" }, body: call(MIDDLE) });
  assert.deepEqual([headers["content-encoding"], headers.vary], [undefined, headers.vary?.replace(/accept-encoding/i, "")]);
  const socket = new WebSocket(gateway.ws);
  atEnd(t, () => socket.terminate());
  await within("open", once(socket, "open"));
  assert.equal(socket.extensions, "");
});

// Returns the extensions that `ws` negotiated, and the number of bytes received for the answer.
async function overWebSocket(t, gateway, options, size) {
  const socket = new WebSocket(gateway.ws, options);
  atEnd(t, () => socket.terminate());
  await within("open", once(socket, "open"));
  const before = socket._socket.bytesRead;
  socket.send(JSON.stringify(call(size)));
  const [data] = await within("an answer", once(socket, "message"));
  assert.equal(JSON.parse(data).result, resultOf(size));
  return { extensions: socket.extensions, bytes: socket._socket.bytesRead - before };
}

test("messages are compressed for WebSocket clients that offer it, within the limits", async (t) => {
  const gateway = await start(t);
  const compressed = await overWebSocket(t, gateway, {}, MIDDLE);
  assert.match(compressed.extensions, /^permessage-deflate/);
  assert.ok(compressed.bytes < MIDDLE / 4, `${compressed.bytes}`);
  const plain = await overWebSocket(t, gateway, { perMessageDeflate: false }, MIDDLE);
  assert.equal(plain.extensions, "");
  assert.ok(plain.bytes >= MIDDLE);
  assert.ok((await overWebSocket(t, gateway, {}, LARGE)).bytes >= LARGE); // larger than maxBytes: not compressed
  for (const perMessageDeflate of [{ serverNoContextTakeover: true }, { clientMaxWindowBits: 10, serverMaxWindowBits: 10 }]) {
    assert.ok((await overWebSocket(t, gateway, { perMessageDeflate }, MIDDLE)).bytes < MIDDLE / 4);
  }
});

test("a message counts as long as it inflates to", async (t) => {
  const gateway = await start(t, "  websocket: { maxMessageBytes: 65536, compression: { enabled: true } }");
  const open = async () => {
    const raw = await RawSocket.open(gateway.ws, { headers: { "Sec-WebSocket-Extensions": "permessage-deflate" } });
    atEnd(t, () => raw.destroy());
    return raw;
  };
  const send = (raw, text) => {
    const deflated = zlib.deflateRawSync(text, { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4);
    assert.ok(deflated.length < 1000);
    raw.write(frame(0x40 | Opcode.text, deflated));
  };
  const padded = (bytes) => {
    const request = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId" });
    return request + " ".repeat(bytes - request.length);
  };
  const fits = await open();
  send(fits, padded(65536));
  await fits.text((text) => text.includes('"0x1"'));
  const bomb = await open();
  send(bomb, padded(65537));
  assert.equal((await bomb.closed()).close, 1009);
  await metricIs(1, gateway, "fanfare_websocket_connections_closed_total", { reason: "too_big" });
});
