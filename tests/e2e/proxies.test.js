// nginx, HAProxy and Caddy in front of the gateway with the files of examples/proxies, plain and under TLS: every kind of client
// passes, over HTTP/1.1 and HTTP/2. `./dev test` runs the programs under TLS, and Chromium behind HAProxy; `./dev proxies`
// (FANFARE_PROXIES=all) runs everything, and shows that the documented times and sizes are the right ones, by the failure one step
// below each.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import http2 from "node:http2";
import path from "node:path";
import { describe, test } from "node:test";
import { chromium } from "playwright-core";
import { WebSocket } from "ws";
import { atEnd } from "./support/cleanup.js";
import { startDevChain } from "./support/fanfare.js";
import { E2E, run } from "./support/processes.js";
import { hasDashboard, makeCertificate, PROXIES, startBehind } from "./support/proxies.js";
import { frame, Opcode, parseFrames } from "./support/raw_socket.js";
import { within } from "./support/waiting.js";

const PATH = "/main/evm/1337";
const ALL = process.env.FANFARE_PROXIES === "all";

const PYTHON = `
import asyncio, json, ssl, sys, websockets
async def main(url, certificate):
    context = ssl.create_default_context(cafile=certificate) if url.startswith("wss:") else None
    async with websockets.connect(url, ssl=context) as socket:
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}))
        while "params" not in json.loads(await asyncio.wait_for(socket.recv(), 20)): pass
asyncio.run(main(*sys.argv[1:]))
`;

// Runs in the page.
async function pageClients({ path, tls }) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("no answer within 20 s")), 20_000));
  const outcomes = {
    async fetch() {
      const response = await fetch(path, { method: "POST", headers: { "content-type": "application/json" },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId" }) });
      if ((await response.json()).result !== "0x539") throw new Error("another chain");
    },
    EventSource: () => new Promise((resolve, reject) => {
      const source = new EventSource("/streams/sse?stream=clock");
      let events = 0;
      const next = () => ++events === 2 && (source.close(), resolve());
      source.onmessage = next;
      source.addEventListener("clock", next);
      source.onerror = () => reject(new Error("an error"));
    }),
    WebSocket: () => new Promise((resolve, reject) => {
      const socket = new WebSocket(`${tls ? "wss" : "ws"}://${location.host}${path}`);
      socket.onopen = () => socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads"] }));
      socket.onmessage = ({ data }) => JSON.parse(data).params && (socket.close(), resolve());
      socket.onerror = () => reject(new Error("an error"));
    }),
  };
  const failures = [];
  await Promise.all(Object.entries(outcomes).map(([name, run]) => Promise.race([run(), late]).catch((error) => failures.push(`${name}: ${error.message}`))));
  const protocols = performance.getEntriesByType("resource").map((entry) => entry.nextHopProtocol);
  return { failures, protocols: [...new Set(protocols)] };
}

// RFC 8441: a WebSocket on a stream of an HTTP/2 connection, with real frames.
async function websocketOverH2(t, origin, certificate) {
  const { readFileSync } = await import("node:fs");
  const session = http2.connect(`https://${origin}`, { ca: readFileSync(certificate) });
  atEnd(t, () => session.destroy());
  await within("the settings of HTTP/2", once(session, "remoteSettings"));
  assert.equal(session.remoteSettings.enableConnectProtocol, true);
  const stream = session.request({ ":method": "CONNECT", ":protocol": "websocket", ":scheme": "https", ":path": PATH, ":authority": origin,
    "sec-websocket-version": "13", "sec-websocket-key": randomBytes(16).toString("base64") }, { endStream: false });
  const [headers] = await within("the answer to CONNECT", once(stream, "response"));
  assert.equal(headers[":status"], 200);
  stream.write(frame(Opcode.text, JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId" })));
  let bytes = Buffer.alloc(0);
  for await (const piece of stream) {
    bytes = Buffer.concat([bytes, piece]);
    const [frames] = parseFrames(bytes);
    if (frames.length === 0) continue;
    assert.equal(JSON.parse(frames[0].payload).result, "0x539");
    return;
  }
  assert.fail("the stream ended without an answer");
}

async function startBrowser(t) {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--ignore-certificate-errors"] });
  atEnd(t, () => browser.close());
  return browser;
}

// The page's own clients, and the dashboard.
async function inChromium(browser, name, tls, origin) {
  const url = `http${tls ? "s" : ""}://${origin}`;
  const page = await browser.newPage();
  await page.goto(`${url}/healthz`);
  const { failures, protocols } = await page.evaluate(pageClients, { path: PATH, tls });
  assert.deepEqual(failures, []);
  if (tls && name !== "nginx-stream") assert.ok(protocols.includes("h2"), `${protocols}`);
  if (hasDashboard) {
    // Blocks come over the dashboard's WebSocket.
    await page.goto(`${url}/#/blocks`);
    await page.locator("[data-block]").nth(2).waitFor({ timeout: 20_000 });
  }
  await page.close();
}

describe("proxies", { concurrency: false }, () => {
  test("every client passes with the documented configurations", async (t) => {
    const files = makeCertificate(t);
    const node = await startDevChain(t, ["--dev-block-time", "200ms", "--no-web"]);
    const doors = []; // {name, secure, origin}
    for (const [name, proxy] of Object.entries(PROXIES)) {
      const backend = await startBehind(t, proxy.kind, node.http);
      const { plain, tls } = await proxy.start(t, backend, files);
      if (plain && ALL) doors.push({ name, secure: "plain", origin: plain });
      doors.push({ name, secure: "secure", origin: tls });
    }
    // One process for all: the libraries take longer to load than to use.
    const clients = await run(process.execPath, [path.join(E2E, "support/proxy_clients.js"), ...doors.flatMap(({ origin, secure }) => [origin, secure])],
      { env: { NODE_EXTRA_CA_CERTS: files.certificate } });
    const browser = await startBrowser(t);
    for (const { name, secure, origin } of doors) {
      await t.test(`${name}, ${secure}`, async (t) => {
        const tls = secure === "secure";
        const lines = clients.stdout.split("\n").filter((line) => line.startsWith(`${origin} `));
        assert.deepEqual(lines.filter((line) => !line.startsWith(`${origin} ok `)), [], clients.stderr);
        assert.equal(lines.length, 10, clients.stderr);
        const python = await run("/usr/bin/python3", ["-c", PYTHON, `ws${tls ? "s" : ""}://${origin}${PATH}`, files.certificate]);
        assert.equal(python.code, 0, python.stderr);
        if (ALL || name === "haproxy") await inChromium(browser, name, tls, origin);
        if (tls && PROXIES[name].hasWebSocketOverH2) await websocketOverH2(t, origin, files.certificate);
      });
    }
  });

  // A silent WebSocket; returns how long it lived, at most `most` ms.
  async function lifetime(url, most) {
    const socket = new WebSocket(url, { rejectUnauthorized: false, autoPong: true });
    await within("an open WebSocket", once(socket, "open"));
    const begun = performance.now();
    const closed = once(socket, "close");
    let timer;
    await Promise.race([closed, new Promise((resolve) => (timer = setTimeout(resolve, most)))]);
    clearTimeout(timer);
    const lived = performance.now() - begun;
    socket.terminate();
    return lived;
  }

  // The documented 90 s are three times pingInterval, here 1 s. One step below the interval, the proxy ends a silent connection.
  for (const name of ["nginx", "nginx-stream", "haproxy"].filter(() => ALL)) {
    test(`${name}: its idle timeout must be longer than pingInterval`, async (t) => {
      const proxy = PROXIES[name];
      const files = makeCertificate(t);
      const node = await startDevChain(t, ["--no-web"]);
      const backend = await startBehind(t, proxy.kind, node.http, { pingInterval: "2s" });
      const good = await proxy.start(t, backend, files, { idle: "6s" });
      const bad = await proxy.start(t, backend, files, { idle: "1s" });
      const [longest, shortest] = await Promise.all([lifetime(`wss://${good.tls}${PATH}`, 15_000), lifetime(`wss://${bad.tls}${PATH}`, 15_000)]);
      assert.ok(longest >= 14_900, `lived ${longest} ms`);
      assert.ok(shortest < 10_000, `lived ${shortest} ms`);
    });
  }

  test("nginx: with its own default of 1m, bodies that Fanfare takes are refused", { skip: !ALL && "./dev proxies" }, async (t) => {
    const files = makeCertificate(t);
    const node = await startDevChain(t, ["--no-web"]);
    const backend = await startBehind(t, "unix", node.http);
    const { plain } = await PROXIES.nginx.start(t, backend, files, { body: "1m" });
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId", padding: "x".repeat(2 << 20) });
    assert.equal((await fetch(`http://${plain}${PATH}`, { method: "POST", body })).status, 413);
  });
});
