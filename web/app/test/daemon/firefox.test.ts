// The dashboard in Firefox, served by the real daemon: each panel comes to life, values are those of the node, and the page recovers when
// the daemon is killed and started again. Chromium has more tests: ../dashboard.test.js.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { FIREFOX, openFirefox, type Tab } from "../../../testing/browsers.js";
import { hasDaemon, startFanfare, t } from "../../../packages/client/test/daemon/fixture.js";

const PICTURES = fileURLToPath(new URL("../../../../build/web-pictures/", import.meta.url));
const until = <T>(check: () => Promise<T> | T): Promise<T> => vi.waitFor(check, { timeout: 30_000, interval: 50 });
const text = (tab: Tab, selector: string): Promise<string | null> => tab.run((selector) => document.querySelector(selector)?.textContent ?? null, selector);
const tile = (tab: Tab, name: string): Promise<string | null> => text(tab, `[data-tile="${name}"] [data-value]`);
const digits = (shown: string | null): number => Number((shown ?? "").replaceAll(",", ""));
const show = (tab: Tab, panel: string): Promise<void> => tab.run((panel) => { location.hash = `#/${panel}`; }, panel);

async function height(http: string): Promise<number> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_blockNumber", params: [] });
  const answer = await (await fetch(http, { method: "POST", headers: { "content-type": "application/json" }, body })).json();
  return Number((answer as { result: string }).result);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test.skipIf(!hasDaemon || !existsSync(FIREFOX))("Firefox: every panel of the dashboard lives, and recovers after a kill of the daemon", { timeout: 120_000 }, async () => {
  const flags = ["--dev", "--dev-block-time", "500ms", "--http-port", String(await freePort())];
  const first = await startFanfare(flags);
  const browser = await openFirefox();
  t.after(() => browser.close());
  const tab = await browser.open(`${first.http}/#/network`);
  mkdirSync(PICTURES, { recursive: true });
  await until(async () => expect(digits(await tile(tab, "Block height"))).toBeGreaterThan(0));
  for (const panel of ["network", "markets", "receipts", "peers", "blocks", "canvas", "server"]) {
    await show(tab, panel);
    await until(async () => expect(await tab.run((panel) => document.querySelector(`nav [aria-current][href="#/${panel}"]`) !== null && document.querySelector('[data-face="live"]') !== null, panel)).toBe(true));
    const surplus = await tab.run(() => document.documentElement.scrollWidth - innerWidth);
    expect(surplus, panel).toBeLessThanOrEqual(0);
    writeFileSync(`${PICTURES}firefox-${panel}.png`, await tab.picture());
  }
  await show(tab, "blocks");
  await until(async () => expect(digits(await text(tab, "[data-head]"))).toBe(await height(first.http)));
  await show(tab, "playground");
  await until(async () => expect(await text(tab, "h1")).toBe("Playground"));
  await tab.run(() => { [...document.querySelectorAll("button")].find((one) => one.textContent?.includes("Send"))?.click(); });
  await until(async () => expect(await tab.run(() => document.querySelectorAll('[data-way="in"]').length)).toBeGreaterThanOrEqual(1));
  expect(browser.console).toEqual([]);
  // Also data: of the styles, and about: of the empty tab.
  const addresses = browser.requests.filter((url) => /^(https?|wss?):/.test(url));
  expect(addresses.length).toBeGreaterThan(3);
  for (const url of addresses) expect(new URL(url).host).toBe(new URL(first.http).host);

  await tab.run(() => { (window as { sameDocument?: boolean }).sameDocument = true; });
  await show(tab, "network");
  first.program.child.kill("SIGKILL");
  await until(async () => expect(await tab.run(() => document.querySelector("[data-link]")?.getAttribute("data-link"))).toBe("lost"));
  const second = await startFanfare(flags);
  await until(async () => expect(await tab.run(() => document.querySelector("[data-link]")?.getAttribute("data-link"))).toBe("live"));
  await until(async () => expect(await tab.run(() => document.querySelectorAll("[data-hole]").length)).toBe(1));
  await show(tab, "blocks");
  await until(async () => expect(digits(await text(tab, "[data-head]"))).toBe(await height(second.http)));
  expect(await tab.run(() => (window as { sameDocument?: boolean }).sameDocument)).toBe(true);
});
