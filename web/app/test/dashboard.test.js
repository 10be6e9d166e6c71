// The dashboard in Chromium, served by the real program: what it shows is what the node says; it recovers by itself; every panel and
// face is kept as a picture in build/web-pictures and checked for accessibility.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { BINARY, call, metric, startFanfare, writeConfig } from "../../../tests/e2e/support/fanfare.js";
import { startFor } from "../../../tests/e2e/support/processes.js";
import { until } from "../../../tests/e2e/support/waiting.js";
import { mock } from "./support/mock.js";
import { digits, freePort, kPanels, kPictures, openPage, show, startBrowser, text, tile, violationsOf, watchStreams } from "./support/pages.js";

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

// With access control: nothing is called without a key; the key is in no address, and gone with the tab.
test("a server that needs a key", { skip: kRun === "faces" }, async (t) => {
  const node = await startFanfare(t, ["--dev", "--dev-block-time", "300ms"]);
  const key = "the-key-of-the-shop-0123";
  const config = `
server: { httpPort: 0 }
web: { enabled: true }
access:
  roles: [{ id: all, projects: [main], methods: ["*", fanfare_metrics], topics: ["*"], streams: ["*"] }]
  keys: [{ id: shop, roles: [all], key: ${key} }]
projects: [{ id: main, networks: [{ architecture: evm, evm: { chainId: 1337 } }], upstreams: [{ id: node, endpoint: "${node.http}" }] }]
streams:
  upstreams: [{ id: node, endpoint: "${node.http}" }]
  definitions: [{ name: network_metrics, interval: 200ms, upstream: node, calls: { r: eth_blockNumber }, fields: { block_height: { pointer: /r, as: number }, network_strength: { const: 90 } } }]
`;
  const program = startFor(t, "fanfare", BINARY, ["serve", "--config", writeConfig(t, config)]);
  const host = async (one) => (await one.line(/^ {2}Streams\s+ws:\/\/(\S+)\/streams$/))[1];
  const url = `http://${await host(program)}`;
  const browser = await startBrowser(t);
  let refusals = false;
  const { page, complaints } = await openPage(t, browser, url, { expectOutage: () => refusals });
  const addresses = [];
  page.on("request", (request) => addresses.push(request.url()));
  page.on("websocket", (socket) => addresses.push(socket.url()));
  await page.waitForSelector('[data-face="key"]');
  await page.screenshot({ path: path.join(kPictures, "key-missing.png") });
  assert.deepEqual(await violationsOf(page), []);
  await page.getByLabel("Key or token").fill("a key with spaces");
  assert.match(await text(page, "#key-problem"), /cannot send/);
  assert.equal(await page.getByRole("button", { name: "Use this key" }).isDisabled(), true);
  assert.deepEqual(complaints, []);

  refusals = true;
  await page.getByLabel("Key or token").fill("another-key-of-16-bytes");
  await page.getByLabel("Key or token").press("Enter");
  await page.waitForSelector('[data-face="key"][role="alert"]');
  assert.deepEqual(await violationsOf(page), []);
  await page.screenshot({ path: path.join(kPictures, "key-refused.png") });
  await page.getByLabel("Key or token").fill(key);
  await page.getByRole("button", { name: "Use this key" }).click();
  await page.waitForSelector('[data-face="live"]');
  refusals = false;
  await until("values come", async () => digits(await tile(page, "Block height")) > 0);
  await show(page, "blocks");
  await until("blocks come", async () => (await page.locator("[data-block]").count()) >= 2);
  await page.locator("[data-block]").nth(1).click();
  await until("a call is answered", async () => (await text(page, ".block-detail")).includes("Transactions"));
  await show(page, "server");
  await until("metrics are shown", async () => Number(await tile(page, "WebSocket connections")) >= 1);
  await show(page, "playground");
  await page.getByRole("button", { name: "Block number" }).click();
  await page.getByRole("button", { name: "Send" }).click();
  await until("the answer arrives", async () => (await page.locator('[data-way="in"]').filter({ hasText: "0x" }).count()) === 1);

  // Another tab has no key; this one can forget it.
  const other = await openPage(t, browser, url);
  await other.page.waitForSelector('[data-face="key"]');
  await page.getByRole("button", { name: "Key in use" }).click();
  await page.getByRole("button", { name: "Forget the key" }).click();
  await page.waitForSelector('[data-face="key"]:not([role="alert"])');
  await until("nothing is remembered", async () => (await page.evaluate(() => sessionStorage.length)) === 0);

  // Without a network the page learns it from the streams.
  const alone = startFor(t, "fanfare", BINARY, ["serve", "--config", writeConfig(t, config.replace(/^projects:.*$/m, "").replace(/projects: \[main\], methods:.*?topics: \["\*"\], /, ""))]);
  const lonely = await openPage(t, browser, `http://${await host(alone)}`, { expectOutage: () => true });
  await lonely.page.getByLabel("Key or token").fill("another-key-of-16-bytes");
  await lonely.page.getByLabel("Key or token").press("Enter");
  await lonely.page.waitForSelector('[data-face="key"][role="alert"]');
  await lonely.page.getByLabel("Key or token").fill(key);
  await lonely.page.getByLabel("Key or token").press("Enter");
  await until("values come there, too", async () => digits(await tile(lonely.page, "Block height")) > 0);

  assert.ok(addresses.length > 0 && addresses.every((one) => !one.includes(key)), "the key is in an address");
  assert.deepEqual([complaints, other.complaints], [[], []]);
});

// Each face on purpose: the messages are the test's own, the files those that the program serves.
test("every panel and face, in both themes and on a phone", { skip: kRun === "real", concurrency: 2 }, async (t) => {
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
  const isShown = (panel, face, down) => face === "live" && !down || panel === "network" || wantedFace(panel, face, down) !== wantedFace(panel, "live", false);
  await Promise.all(kinds.map(({ name, face, down = false, ...options }) =>
    t.test(name, async (t) => {
      const isFailing = down || face === "unavailable";
      const { page, complaints } = await openPage(t, browser, fanfare.http, {
        ...options, reducedMotion: "reduce", expectOutage: () => isFailing, prepare: (one) => mock(one, { face, metrics, down }),
      });
      // A panel that looks as it does when all is well was seen there.
      for (const panel of kPanels.filter((one) => isShown(one, face, down))) {
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
    })));
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
