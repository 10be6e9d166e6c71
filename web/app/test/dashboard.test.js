// The dashboard in Chromium, served by the real program: what it shows is what the node says; it recovers by itself; every panel and
// face is kept as a picture in build/web-pictures and checked for accessibility.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import path from "node:path";
import { test } from "node:test";
import { chromium } from "playwright-core";
import WebSocket from "ws";
import { atEnd } from "../../../tests/e2e/support/cleanup.js";
import { call, metric, startFanfare } from "../../../tests/e2e/support/fanfare.js";
import { until } from "../../../tests/e2e/support/waiting.js";
import { mock } from "./support/mock.js";

const kRoot = path.resolve(import.meta.dirname, "../../..");
const kPictures = path.join(kRoot, "build/web-pictures");
const kPanels = ["network", "markets", "receipts", "peers", "blocks", "playground", "server"];
const kAxe = readFileSync(path.join(kRoot, "web/node_modules/axe-core/axe.min.js"), "utf8");
mkdirSync(kPictures, { recursive: true });

async function startBrowser(t) {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  atEnd(t, () => browser.close());
  return browser;
}

// A page that keeps what it must not have: messages of the console, failures, requests to another host.
async function openPage(t, browser, url, { panel = "network", expectOutage = () => false, prepare = async () => undefined, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  atEnd(t, () => context.close());
  const page = await context.newPage();
  const complaints = [];
  const note = (text) => { if (!expectOutage()) complaints.push(text); };
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) note(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  for (const event of ["request", "websocket"]) {
    page.on(event, (one) => { if (new URL(one.url()).host !== new URL(url).host) complaints.push(`a request to ${one.url()}`); });
  }
  await prepare(page);
  await page.goto(`${url}/#/${panel}`);
  return { page, complaints };
}

const text = (page, selector) => page.locator(selector).first().textContent();
const tile = (page, name) => text(page, `[data-tile="${name}"] [data-value]`);
const show = (page, panel) => page.evaluate((name) => { location.hash = `#/${name}`; }, panel);
const digits = (shown) => Number(shown.replaceAll(",", ""));

async function violationsOf(page) {
  // Past the policy of the page, as a browser's own tools are.
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: kAxe });
  const { result } = await session.send("Runtime.evaluate", {
    expression: `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => JSON.stringify(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html.slice(0, 160))])))`,
    awaitPromise: true,
    returnByValue: true,
  });
  return JSON.parse(result.value);
}

// The last value of every stream, as a client of its own gets it.
async function watchStreams(t, url, names) {
  const last = {};
  const socket = new WebSocket(`${url.replace("http", "ws")}/streams`);
  atEnd(t, () => socket.terminate());
  socket.on("message", (data) => {
    const message = JSON.parse(String(data));
    if (message.data) last[message.type] = message.data;
  });
  await once(socket, "open");
  for (const stream of names) socket.send(JSON.stringify({ type: "subscribe", stream }));
  return last;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const kRun = process.env.FANFARE_DASHBOARD_ONLY;

test("the dashboard of the development chain", { skip: kRun === "faces" }, async (t) => {
  const fanfare = await startFanfare(t, ["--dev", "--dev-block-time", "500ms"]);
  const browser = await startBrowser(t);
  const url = fanfare.http;

  await t.test("the program serves it, compressed and with a strict policy, beside JSON-RPC", async () => {
    const page = await fetch(url, { headers: { "accept-encoding": "br" } });
    const html = await page.text();
    const policy = page.headers.get("content-security-policy");
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe|https?:|\*/);
    assert.doesNotMatch(html, /<script>|<style|style=| on\w+=/);
    const [script] = html.match(/\/assets\/[\w.-]+\.js/);
    const answer = await fetch(url + script, { headers: { "accept-encoding": "br" } });
    assert.equal(answer.headers.get("content-encoding"), "br");
    assert.match(answer.headers.get("cache-control"), /immutable/);
    assert.match(await (await fetch(`${url}/licences.txt`)).text(), /react 19/);
    assert.equal(await call(url, "eth_chainId"), "0x539");
    assert.equal(new URL(fanfare.ws).port, new URL(url).port);
  });

  await t.test("blocks: the head, its hash and a reorg are those of the node", async (t) => {
    const { page, complaints } = await openPage(t, browser, url, { panel: "blocks" });
    await until("three blocks are shown", async () => (await page.locator("[data-block]").count()) >= 3);
    await until("the head is the node's", async () => digits(await text(page, "[data-head]")) === Number(await call(url, "eth_blockNumber")));
    const rung = page.locator("[data-block]").nth(1);
    const number = Number(await rung.getAttribute("data-block"));
    await rung.click();
    const block = await call(url, "eth_getBlockByNumber", [`0x${number.toString(16)}`, false]);
    await until("the detail is the node's", async () => {
      const detail = await text(page, ".block-detail");
      return detail.includes(block.hash) && detail.includes(block.parentHash) && detail.includes(`Transactions${block.transactions.length}`);
    });
    await page.getByRole("button", { name: "Replace 3 blocks" }).click();
    await until("the reorg is shown", async () => (await page.locator("[data-reorg]").count()) === 1);
    // The node may have been a block ahead of the page: what the page never saw, it cannot show as replaced.
    const depth = Number(await page.locator("[data-reorg]").getAttribute("data-reorg"));
    assert.ok(depth >= 1 && depth <= 3, String(depth));
    const rungs = await page.locator("[data-block]").evaluateAll((all) => all.map(({ dataset }) => ({ number: Number(dataset.block), hash: dataset.hash, gone: "gone" in dataset })));
    assert.equal(rungs.filter(({ gone }) => gone).length, depth);
    for (const { number, hash, gone } of rungs) {
      const canonical = await call(url, "eth_getBlockByNumber", [`0x${number.toString(16)}`, false]);
      assert.equal(canonical.hash === hash, !gone, `block ${number}`);
    }
    assert.equal(await text(page, "[data-reorgs]"), `1 (${depth} blocks)`.replace("(1 blocks)", "(1 block)"));
    await page.getByRole("button", { name: "Mine a block" }).click();
    assert.deepEqual(complaints, []);
  });

  await t.test("playground: a request, its answer and notifications are shown as frames", async (t) => {
    const { page, complaints } = await openPage(t, browser, url, { panel: "playground" });
    await page.getByRole("button", { name: "New heads" }).click();
    await page.getByLabel("Message as JSON").press("Control+Enter");
    await until("a notification arrives", async () => (await page.locator('[data-way="in"]').filter({ hasText: "eth_subscription" }).count()) >= 1);
    assert.equal(await page.locator('[data-way="out"]').count(), 1);
    await page.locator('[data-way="in"]').last().click();
    await page.screenshot({ path: path.join(kPictures, "real-playground.png") });
    await page.getByLabel("Message as JSON").fill('{"jsonrpc":"2.0",');
    assert.match(await text(page, "#message-problem"), /Not JSON/);
    assert.equal(await page.getByRole("button", { name: "Send" }).isDisabled(), true);
    assert.deepEqual(complaints, []);
  });

  await t.test("server: connections and subscriptions are those of /metrics", async (t) => {
    const { page, complaints } = await openPage(t, browser, url, { panel: "blocks" });
    await until("a block is shown", async () => (await page.locator("[data-block]").count()) > 0);
    await show(page, "server");
    await until("the tiles show /metrics", async () =>
      (await tile(page, "WebSocket connections")) === String(await metric(fanfare, "fanfare_websocket_connections")) &&
      (await tile(page, "Subscriptions")) === String(await metric(fanfare, "fanfare_subscriptions")) &&
      Number(await tile(page, "Subscriptions")) >= 1);
    await watchStreams(t, url, ["peers"]);
    await until("the subscriber of a stream is shown", async () =>
      (await page.locator('[data-bar="peers"]').count()) === 1 && (await text(page, '[data-bar="peers"] .num')) === String(await metric(fanfare, "fanfare_stream_subscribers", { stream: "peers" })));
    await until("rates are known", async () => Number(await tile(page, "Notifications")) > 0);
    await page.screenshot({ path: path.join(kPictures, "real-server.png"), fullPage: true });
    await page.getByText(/^All \d+ metrics$/).click();
    await page.getByLabel("Filter by name").fill("head_number");
    await until("the filter finds one", async () => (await page.locator(".all-metrics tbody tr").count()) === 1);
    assert.deepEqual(complaints, []);
  });

  await t.test("keyboard: skip link, panels and the colours", async (t) => {
    const { page } = await openPage(t, browser, url, { colorScheme: "light" });
    await page.waitForSelector("h1");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    const heading = () => page.evaluate(() => (document.activeElement.tagName === "H1" ? document.activeElement.textContent : ""));
    await until("the heading has the focus", async () => (await heading()) === "Network Strength");
    await page.getByRole("link", { name: "Blocks" }).focus();
    await page.keyboard.press("Enter");
    await until("the panel has the focus", async () => (await heading()) === "Blocks");
    assert.equal(await page.title(), "Blocks · Fanfare");
    await page.getByRole("button", { name: "Dark" }).focus();
    await page.keyboard.press("Enter");
    const isDark = () => page.evaluate(() => document.documentElement.dataset.theme === "dark");
    await until("the page is dark", isDark);
    await page.reload();
    await until("the page is dark again", isDark);
  });

  await t.test("streams: every value is the one that the server sent", async (t) => {
    const last = await watchStreams(t, url, ["network_metrics", "markets_health", "receipts", "peers"]);
    const { page, complaints } = await openPage(t, browser, url);
    const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
    await until("network strength is the server's", async () => {
      const value = last.network_metrics;
      return value !== undefined && (await tile(page, "Network strength")) === String(Math.round(value.network_strength)) &&
        (await tile(page, "Block height")) === whole.format(value.block_height) && (await tile(page, "Peers")) === whole.format(value.peer_count) &&
        (await tile(page, "Active connections")) === whole.format(value.active_connections);
    });
    await until("the curve has a line", async () => (await page.locator("[data-chart] .bare").count()) === 0);
    await page.screenshot({ path: path.join(kPictures, "real-network.png"), fullPage: true });
    await show(page, "markets");
    await until("market health is the server's", async () => {
      const value = last.markets_health;
      return value !== undefined && (await text(page, '[data-value="healthy"]')) === String(value.healthy_markets) &&
        (await page.locator("[data-market]").count()) === Object.keys(value.markets).length;
    });
    await page.screenshot({ path: path.join(kPictures, "real-markets.png"), fullPage: true });
    await show(page, "peers");
    await until("the peers are the server's", async () => {
      const value = last.peers;
      const shown = await page.locator("[data-peer]").evaluateAll((rows) => rows.map((row) => row.dataset.peer));
      return value !== undefined && value.peers.length === shown.length && value.peers.every(({ id }) => shown.includes(id));
    });
    await page.screenshot({ path: path.join(kPictures, "real-peers.png"), fullPage: true });
    await show(page, "receipts");
    await until("the last receipts of the server are shown", async () => {
      const ids = await page.locator("td[title]").evaluateAll((cells) => cells.map((cell) => cell.title));
      return last.receipts?.receipts?.length > 0 && last.receipts.receipts.every(({ id }) => ids.includes(id));
    });
    await page.screenshot({ path: path.join(kPictures, "real-receipts.png"), fullPage: true });
    assert.deepEqual(complaints, []);
  });
});

test("the server is killed and started again: the page recovers by itself", { skip: kRun === "faces" }, async (t) => {
  const port = await freePort();
  const flags = ["--dev", "--dev-block-time", "300ms", "--http-port", String(port)];
  const first = await startFanfare(t, flags);
  const browser = await startBrowser(t);
  let outage = false;
  const { page, complaints } = await openPage(t, browser, first.http, { panel: "blocks", expectOutage: () => outage });
  await page.evaluate(() => { window.sameDocument = true; });
  await until("blocks are shown", async () => (await page.locator("[data-block]").count()) >= 3);
  await show(page, "network");
  await until("values are shown", async () => (await page.locator('[data-tile="Block height"]').count()) === 1);
  outage = true;
  first.program.child.kill("SIGKILL");
  await until("the page says so", async () => (await page.locator('[data-face="stale"], [data-face="error"]').count()) >= 1);
  await page.screenshot({ path: path.join(kPictures, "real-lost.png") });
  assert.equal(await page.locator("[data-link]").getAttribute("data-link"), "lost");
  const second = await startFanfare(t, flags);
  await until("the connection is back", async () => (await page.locator("[data-link]").getAttribute("data-link")) === "live", { deadlineMs: 30_000 });
  await until("the hole of the curve is marked", async () => (await page.locator("[data-hole]").count()) === 1, { deadlineMs: 20_000 });
  await show(page, "blocks");
  await until("the head is the new server's", async () => digits(await text(page, "[data-head]")) === Number(await call(second.http, "eth_blockNumber")), { deadlineMs: 30_000 });
  await until("nothing is stale", async () => (await page.locator('[data-face="stale"]').count()) === 0);
  outage = false;
  assert.equal(await page.evaluate(() => window.sameDocument), true);
  assert.deepEqual(complaints, []);
});

test("silence of a stream with onChange is no hole; a notice between two values is one", { skip: kRun === "real" }, async (t) => {
  const fanfare = await startFanfare(t, ["--dev"]);
  const browser = await startBrowser(t);
  const history = [[400, 10], [300, 11], [200, 12], [100, 14]];
  const streamsOf = (on_change) => [{ name: "network_metrics", interval_ms: 2000, history: 300, ...(on_change ? { on_change } : {}) }];
  for (const [isOnChange, note] of [[true, /^Hatched: no data for 1 min 40 s until [\d:]+$/], [false, /, and 2 more$/]]) {
    const { page } = await openPage(t, browser, fanfare.http, { prepare: (one) => mock(one, { history, streams: streamsOf(isOnChange) }) });
    await until("a hole is shown", async () => (await page.locator("[data-hole]").count()) === 1);
    await until("it is the one expected", async () => note.test(await text(page, "[data-hole]")));
    if (isOnChange) await page.screenshot({ path: path.join(kPictures, "on-change.png"), fullPage: true });
  }
});

// Each face on purpose: the messages are the test's own, the files those that the program serves.
test("every panel and face, in both themes and on a phone", { skip: kRun === "real" }, async (t) => {
  const fanfare = await startFanfare(t, ["--dev"]);
  const metrics = await (await fetch(`${fanfare.http}/metrics`)).text();
  const browser = await startBrowser(t);
  const desktop = { viewport: { width: 1280, height: 860 } };
  const phone = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true };
  const kinds = [
    ...["light", "dark"].flatMap((colorScheme) => [{ name: `desktop-${colorScheme}`, colorScheme, ...desktop }, { name: `phone-${colorScheme}`, colorScheme, ...phone }])
      .map((kind) => ({ ...kind, face: "live" })),
    ...["loading", "empty", "interrupted", "unavailable"].flatMap((face, index) => [
      { name: `desktop-${face}`, colorScheme: index % 2 ? "dark" : "light", face, ...desktop },
      { name: `phone-${face}`, colorScheme: index % 2 ? "light" : "dark", face, ...phone },
    ]),
    { name: "desktop-stale", colorScheme: "light", face: "stale", ...desktop },
    { name: "phone-stale", colorScheme: "dark", face: "stale", ...phone },
    { name: "desktop-down", colorScheme: "light", face: "live", down: true, ...desktop },
  ];
  for (const { name, face, down = false, ...options } of kinds) {
    await t.test(name, async (t) => {
      const isFailing = down || face === "unavailable";
      const { page, complaints } = await openPage(t, browser, fanfare.http, {
        ...options, reducedMotion: "reduce", expectOutage: () => isFailing, prepare: (one) => mock(one, { face, metrics, down }),
      });
      for (const panel of kPanels) {
        await show(page, panel);
        await page.waitForSelector(`nav [aria-current][href="#/${panel}"]`);
        const wanted = wantedFace(panel, face, down);
        await page.waitForSelector(`[data-face="${wanted}"]`);
        if (panel === "server" && wanted === "live") await page.waitForFunction(() => document.querySelector('[data-tile="Requests"] [data-value]').textContent !== "–");
        await page.evaluate(() => document.fonts.ready);
        await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
        const surplus = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(surplus <= 0, `${panel} is ${surplus} pixels too wide`);
        const hidden = await page.evaluate(() => Math.max(0, ...[...document.querySelectorAll(".table-box")].map((box) => box.scrollWidth - box.clientWidth)));
        assert.equal(hidden, 0, `a table of ${panel} hides ${hidden} pixels`);
        await page.screenshot({ path: path.join(kPictures, `${name}-${panel}.png`), fullPage: true });
        assert.deepEqual(await violationsOf(page), [], `${panel}, ${wanted}`);
      }
      assert.deepEqual(complaints, []);
    });
  }
});

function wantedFace(panel, face, down) {
  if (panel === "playground") return "empty";
  if (down) return "error";
  if (face === "unavailable") return panel === "blocks" || panel === "server" ? "error" : "empty";
  if (face === "stale") return panel === "blocks" || panel === "server" ? "live" : "stale";
  if (face === "interrupted") return panel === "server" ? "live" : "error";
  if (face === "empty" && panel === "network") return "live";
  return face;
}
