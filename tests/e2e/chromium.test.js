// Pages in a real browser: a page of a foreign origin cannot call the operator's node; a page of this machine can.

import assert from "node:assert/strict";
import http from "node:http";
import { once } from "node:events";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { metric, startFanfare } from "./support/fanfare.js";

// evil.example resolves to this machine too, so the page is real and only its origin is foreign.
async function startBrowser(t) {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP evil.example 127.0.0.1"],
  });
  atEnd(t, () => browser.close());
  return browser;
}

async function startPages(t) {
  const server = http.createServer((request, response) => response.writeHead(200, { "content-type": "text/html" }).end("<title>page</title>"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return server.address().port;
}

// Runs in the page: tries every kind of call that a page can make. Returns each result, or "refused".
async function tryEverything({ http, ws }) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "evm_mine", params: [] });
  const post = async (options) => {
    try {
      const response = await fetch(http, { method: "POST", body, ...options });
      return response.type === "opaque" ? "opaque" : Object.keys(await response.json()).includes("result") ? "called" : "refused";
    } catch {
      return "refused";
    }
  };
  const socket = () => new Promise((resolve) => {
    const one = new WebSocket(ws);
    one.onerror = () => resolve("refused");
    one.onopen = () => one.send(body);
    one.onmessage = ({ data }) => resolve("result" in JSON.parse(data) ? "called" : "refused");
  });
  return {
    json: await post({ headers: { "content-type": "application/json" } }),
    text: await post({ headers: { "content-type": "text/plain" } }),
    blind: await post({ mode: "no-cors" }),
    socket: await socket(),
  };
}

test("pages in Chromium", async (t) => {
  const anvil = await startAnvil(t);
  const fanfare = await startFanfare(t, ["--upstream", anvil.url]);
  const [browser, port] = [await startBrowser(t), await startPages(t)];
  const mined = async () => Number(await anvil.ask("eth_blockNumber"));
  const open = async (origin) => {
    const page = await browser.newPage();
    await page.goto(`${origin}:${port}/`);
    return page;
  };

  await t.test("a page of a foreign origin calls nothing, by any means", async () => {
    const page = await open("http://evil.example");
    assert.deepEqual(await page.evaluate(tryEverything, { http: fanfare.http, ws: fanfare.ws }),
      { json: "refused", text: "refused", blind: "opaque", socket: "refused" });
    // The opaque request was sent and refused: nothing was mined.
    assert.equal(await mined(), 0);
    assert.ok((await metric(fanfare, "fanfare_rpc_requests_refused_total", { reason: "origin" })) >= 2);
  });

  await t.test("nor does one under a name of its own that points here (DNS rebinding)", async () => {
    const page = await open("http://evil.example");
    const here = (url) => url.replace("127.0.0.1", "evil.example");
    const result = await page.evaluate(tryEverything, { http: here(fanfare.http), ws: here(fanfare.ws) });
    assert.deepEqual(result, { json: "refused", text: "refused", blind: "opaque", socket: "refused" });
    assert.equal(await mined(), 0);
  });

  for (const origin of ["http://localhost", "http://127.0.0.1"]) {
    await t.test(`a page of ${origin} calls`, async () => {
      const before = await mined();
      const page = await open(origin);
      const { json, text, socket } = await page.evaluate(tryEverything, { http: fanfare.http, ws: fanfare.ws });
      assert.deepEqual({ json, text, socket }, { json: "called", text: "called", socket: "called" });
      assert.ok((await mined()) >= before + 3);
    });
  }
});
