// Real tabs at the real daemon: one connection, also after the tab that held it was killed.
import { expect, test, vi } from "vitest";
import { BROWSERS, type Tab } from "../../../../testing/browsers.js";
import { buildPages } from "../../../../testing/pages.js";
import type { PageTest } from "../../../../testing/page.js";
import { StreamServer } from "../../../../testing/stream_server.js";
import { hasDaemon, metric, startFanfare, t } from "./fixture.js";

declare const window: { test: PageTest };
const TABS = 10;
const until = <T>(check: () => Promise<T> | T): Promise<T> => vi.waitFor(check, { timeout: 25_000, interval: 50 });
const offsets = (tab: Tab): Promise<number[]> => tab.run(() => window.test.log.offsets);

test.skipIf(!hasDaemon).each(BROWSERS)("%s: ten tabs, one connection; its tab is killed, and nothing is lost", async (_, launch) => {
  const daemon = await startFanfare(["--dev"]);
  const pages = await StreamServer.start({ streams: [] }, await buildPages());
  t.after(() => pages.kill());
  const browser = await launch();
  t.after(() => browser.close());
  const url = `${daemon.http.replace("http", "ws")}/streams`;
  const tabs = await Promise.all(Array.from({ length: TABS }, () => browser.open(pages.origin)));
  await Promise.all(tabs.map((tab) => until(() => tab.run((url) => window.test.shared({ url, via: "leader", stream: "network_metrics" }), url))));
  for (const tab of tabs) await until(async () => expect((await offsets(tab)).length).toBeGreaterThanOrEqual(1));
  expect(await metric(daemon, "fanfare_stream_connections")).toBe(1);
  expect(await metric(daemon, "fanfare_stream_subscribers")).toBe(1);

  const leads = await Promise.all(tabs.map((tab) => tab.run(() => window.test.isLeader())));
  expect(leads.filter(Boolean).length).toBe(1);
  await tabs.splice(leads.indexOf(true), 1)[0]?.kill();
  const before = await Promise.all(tabs.map(offsets));
  await Promise.all(tabs.map((tab, i) => until(async () => expect((await offsets(tab)).length).toBeGreaterThanOrEqual((before[i]?.length ?? 0) + 2))));
  for (const tab of tabs) {
    const seen = await offsets(tab);
    expect(seen).toEqual(seen.map((_, i) => (seen[0] as number) + i));
    expect(await tab.run(() => window.test.log)).toMatchObject({ gaps: 0, errors: [] });
  }
  await until(async () => expect(await metric(daemon, "fanfare_stream_connections")).toBe(1));
});
