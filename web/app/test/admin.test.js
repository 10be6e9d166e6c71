// The Server panel with the admin API, in Chromium and served by the real program: on the port of the admin API without access control,
// and on the shared port for a key that grants it.

import assert from "node:assert/strict";
import { once } from "node:events";
import path from "node:path";
import { test } from "node:test";
import WebSocket from "ws";
import { atEnd } from "../../../tests/e2e/support/cleanup.js";
import { BINARY, startFanfare, writeConfig } from "../../../tests/e2e/support/fanfare.js";
import { startFor } from "../../../tests/e2e/support/processes.js";
import { until } from "../../../tests/e2e/support/waiting.js";
import { kPictures, openPage, startBrowser, text, violationsOf } from "./support/pages.js";

const kOpsKey = "the-key-of-operators-0123";
const kShopKey = "the-key-of-the-shop-0123";

async function start(t, { access = "", more = "" } = {}) {
  // One node under two names, so that both are on one chain.
  const node = await startFanfare(t, ["--dev"]);
  const config = `
server: { httpPort: 0 }
web: { enabled: true }
admin: { port: 0 }
${access}
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1337 } }]
    upstreams: [{ id: node-a, endpoint: "${node.http}" }, { id: node-b, endpoint: "${node.http}" }]
${more}`;
  const program = startFor(t, "fanfare", BINARY, ["serve", "--config", writeConfig(t, config)]);
  const [, port] = await program.line(/admin_listening address=127\.0\.0\.1:(\d+)/);
  const [, shared] = await program.line(/^ {2}Metrics\s+(http:\S+)\/metrics/);
  return { program, admin: `http://127.0.0.1:${port}`, shared };
}

async function clientOf(t, url, agent, headers = {}) {
  const socket = new WebSocket(`${url.replace("http", "ws")}/main/evm/1337`, { headers: { "user-agent": agent, ...headers } });
  atEnd(t, () => socket.terminate());
  await once(socket, "open");
  return socket;
}

test("the port of the admin API has the page, and its Server panel operates the server", async (t) => {
  const { admin, shared } = await start(t);
  const browser = await startBrowser(t);
  const sockets = await Promise.all(Array.from({ length: 5 }, (_, index) => clientOf(t, shared, `walrus/${index}`)));
  sockets[0].send('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}');
  const { page, complaints } = await openPage(t, browser, admin, { panel: "server" });
  await until("the connections are shown", async () => (await page.locator("[data-connection]").count()) === 5);
  await until("both upstreams are used", async () => (await page.locator('[data-used="true"]').count()) === 2);
  await page.getByLabel("Search address").fill("walrus/3");
  await until("one fits", async () => (await page.locator("[data-connection]").count()) === 1);
  assert.match(await text(page, "[data-connection]"), /main\/1337/);
  const gone = once(sockets[3], "close");
  await page.locator("[data-connection]").getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Really close" }).click();
  assert.equal((await gone)[0], 1012);
  await page.getByLabel("Search address").fill("");
  await until("the others are left", async () => (await page.locator("[data-connection]").count()) === 4);
  assert.ok([0, 1, 2, 4].every((index) => sockets[index].readyState === WebSocket.OPEN));

  await page.getByRole("button", { name: "Disable node-a" }).click();
  await until("it is disabled", async () => /disabled by the operator/i.test(await text(page, '[data-upstream="node-a"]')));
  await page.getByLabel("Log level").selectOption("warn");
  await until("the level is the server's", async () => (await (await fetch(`${admin}/v1/log-level`)).json()).level === "warn");
  assert.deepEqual(await violationsOf(page), []);
  await page.screenshot({ path: path.join(kPictures, "admin.png"), fullPage: true });
  assert.deepEqual(complaints, []);

  // The last one is refused, and the page says why. The console reports the 409.
  await page.getByRole("button", { name: "Disable node-b" }).click();
  await until("the refusal is shown", async () => /last upstream/.test(await text(page, '[role="alert"]')));
  await page.getByRole("button", { name: "Enable node-a" }).click();
  await until("it is back", async () => (await page.locator('[data-used="true"]').count()) === 2);

  await page.getByRole("button", { name: "Drain" }).click();
  const closed = Promise.all([0, 1, 2, 4].map((index) => once(sockets[index], "close")));
  await page.getByRole("button", { name: "Close all WebSockets" }).click();
  await until("it drains", async () => /^(draining|drained)$/.test(await page.locator("[data-drain]").getAttribute("data-drain")));
  await page.getByRole("button", { name: "Back into service" }).click();
  await until("it is in service", async () => (await page.locator("[data-drain]").getAttribute("data-drain")) === "off");
  sockets.forEach((socket) => socket.terminate());
  await closed;
  assert.deepEqual(await violationsOf(page), []);

  // The shared port has no admin API without access control: a link leads to the other one.
  const other = await openPage(t, browser, shared, { panel: "server" });
  await other.page.waitForSelector('[data-admin="elsewhere"]');
  assert.equal((await fetch(`${shared}/admin/v1/status`)).status, 404);
  assert.deepEqual(await violationsOf(other.page), []);
  assert.deepEqual(other.complaints, []);
});

test("with access control, the shared port shows it to a key that grants it", async (t) => {
  const access = `access:
  roles:
    - { id: user, projects: [main], methods: ["*", fanfare_metrics], topics: ["*"] }
    - { id: operator, projects: [main], methods: ["*", fanfare_metrics, fanfare_admin], topics: ["*"] }
  keys: [{ id: shop, roles: [user], key: ${kShopKey} }, { id: ops, roles: [operator], key: ${kOpsKey} }]`;
  const { shared } = await start(t, { access });
  await clientOf(t, shared, "walrus/1", { authorization: `Bearer ${kShopKey}` });
  const browser = await startBrowser(t);
  for (const [key, face] of [[kShopKey, "forbidden"], [kOpsKey, "live"]]) {
    // The console reports the 403 of the first key.
    const { page } = await openPage(t, browser, shared, { panel: "server" });
    await page.getByLabel("Key or token").fill(key);
    await page.getByRole("button", { name: "Use this key" }).click();
    await page.waitForSelector(`[data-admin="${face}"]`);
    if (face === "live") await until("whose it is is shown", async () => /shop/.test(await text(page, "[data-connection]")));
    assert.deepEqual(await violationsOf(page), []);
    await page.screenshot({ path: path.join(kPictures, `admin-${face}.png`), fullPage: true });
  }
});
