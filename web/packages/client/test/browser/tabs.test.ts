// Real tabs of real browsers, one server.
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { BROWSERS, type Browser, type Tab } from "../../../../testing/browsers.js";
import { buildPages } from "../../../../testing/pages.js";
import type { PageTest } from "../../../../testing/page.js";
import { StreamServer, type Page } from "../../../../testing/stream_server.js";

declare const window: { test: PageTest };
let pages: (path: string) => Page | null;
beforeAll(async () => { pages = await buildPages(); });

const until = <T>(check: () => Promise<T> | T): Promise<T> => vi.waitFor(check, { timeout: 25_000, interval: 50 });
const numbers = (tab: Tab): Promise<number[]> => tab.run(() => window.test.log.numbers);
const range = (last: number): number[] => Array.from({ length: last }, (_, n) => n + 1);

test("there is a browser to test with", () => { expect(BROWSERS.length).toBeGreaterThan(0); });

describe.each(BROWSERS)("%s", (name, launch) => {
  let browser: Browser;
  let server: StreamServer;
  let published = 0;
  beforeAll(async () => {
    browser = await launch();
    return () => browser.close();
  }, 60_000);
  afterEach(() => server.kill());

  const publish = (count: number): void => { for (let i = 0; i < count; i++) server.core.publish("a", { n: ++published, same: "text" }); };
  async function begin(options: { accepts?: (token: string) => boolean } = {}): Promise<void> {
    server = await StreamServer.start({ streams: ["a"], ...options }, pages);
    published = 0;
  }
  async function openTabs(count: number, via: "worker" | "leader"): Promise<Tab[]> {
    const tabs = await Promise.all(Array.from({ length: count }, () => browser.open(server.origin)));
    await Promise.all(tabs.map((tab) => until(() => tab.run(({ url, via }) => window.test.shared({ url, via }), { url: server.url, via }))));
    await Promise.all(tabs.map((tab) => until(async () => expect(await tab.run(() => window.test.state())).toBe("connected"))));
    await until(() => expect(server.core.received.some(({ message }) => message.type === "subscribe")).toBe(true));
    return tabs;
  }
  const killAll = (tabs: readonly Tab[]): Promise<unknown> => Promise.all(tabs.map((tab) => tab.kill()));

  test("ten tabs, one connection, every message in every tab", async () => {
    await begin();
    const tabs = await openTabs(10, "worker");
    publish(100);
    for (const tab of tabs) await until(async () => expect(await numbers(tab)).toEqual(range(100)));
    expect(server.core.connections).toBe(1);
    // Closing tabs, the first included, changes nothing for the others.
    await tabs.shift()?.kill();
    publish(10);
    for (const tab of tabs) await until(async () => expect(await numbers(tab)).toEqual(range(110)));
    expect(server.core.connections).toBe(1);
    await killAll(tabs);
    // With the last tab the connection ends.
    await until(() => expect(server.sockets.size).toBe(0));
  });

  test("ten tabs with a leader: its tab is killed under load, and nothing is lost", async () => {
    await begin();
    const tabs = await openTabs(10, "leader");
    publish(20);
    for (const tab of tabs) await until(async () => expect(await numbers(tab)).toEqual(range(20)));
    expect(server.core.connections).toBe(1);
    for (let round = 1; round <= 2; round++) {
      const leads = await Promise.all(tabs.map((tab) => tab.run(() => window.test.isLeader())));
      expect(leads.filter(Boolean).length).toBe(1);
      const [leader] = tabs.splice(leads.indexOf(true), 1);
      const most = published + 600; // what the server's history holds, however long the new leader takes
      const load = setInterval(() => published < most && publish(3), 5);
      await leader?.kill();
      await until(() => expect(server.core.connections).toBe(1 + round));
      clearInterval(load);
      publish(1);
      const last = published;
      for (const tab of tabs) {
        await until(async () => expect((await numbers(tab)).at(-1)).toBe(last));
        expect(await numbers(tab)).toEqual(range(last));
        expect(await tab.run(() => window.test.log.gaps)).toBe(0);
      }
      expect(server.sockets.size).toBe(1);
    }
    await killAll(tabs);
  });

  test("the server is killed and restarted: the page recovers by itself and resumes", async () => {
    await begin();
    const tab = await browser.open(server.origin);
    await until(() => tab.run((url) => window.test.own({ url }), server.url));
    await until(async () => expect(await tab.run(() => window.test.state())).toBe("connected"));
    publish(5);
    await until(async () => expect(await numbers(tab)).toEqual(range(5)));
    await server.kill();
    publish(5);
    await until(async () => expect(await tab.run(() => window.test.state())).toBe("waiting"));
    await server.listen();
    await until(async () => expect(await numbers(tab)).toEqual(range(10)));
    expect(await tab.run(() => window.test.log)).toMatchObject({ gaps: 0, answers: [null, true], errors: [] });
    await tab.kill();
  });

  // A token is replaced 5 s before its end, and not within 5 s of its arrival: this one between 5 s and 10 s.
  const [DUE_MS, END_MS] = [5_100, 10_100];
  test.each([
    ["the connection closed meanwhile", "closed", DUE_MS, 2],
    ["the token due, the connection open", "open", DUE_MS, 1],
    ["the token ended, the connection open", "open", END_MS, 2],
  ] as const)("asleep, hidden, %s: the fresh token goes first, then the resume", async (_, cut, asleepMs, connections) => {
    await begin({ accepts: () => true });
    const tab = await browser.open(server.origin);
    await until(() => tab.run((url) => window.test.own({ url, tokenLifeMs: 10_000 }), server.url));
    const wakeAt = Date.now() + asleepMs;
    await until(async () => expect(await tab.run(() => window.test.state())).toBe("connected"));
    publish(3);
    await until(async () => expect(await numbers(tab)).toEqual(range(3)));
    const setHidden = (hidden: boolean): Promise<void> => tab.run((hidden) => {
      Object.defineProperty(document, "visibilityState", { value: hidden ? "hidden" : "visible", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
    await setHidden(true);
    expect(server.tokens).toEqual(["t1"]);

    browser.sleep();
    const before = server.core.received.length;
    if (cut === "closed") await server.kill();
    publish(4);
    await until(() => expect(Date.now()).toBeGreaterThan(wakeAt));
    if (cut === "closed") await server.listen();
    browser.wake();
    await setHidden(false);

    await until(async () => expect(await numbers(tab)).toEqual(range(7)));
    await until(() => expect(server.core.received.length).toBeGreaterThan(before));
    const { gaps, tokens } = await tab.run(() => window.test.log);
    expect(gaps).toBe(0);
    expect(tokens.slice(0, 2)).toEqual(["first", "expired"]);
    const after = server.core.received.slice(before);
    if (connections === 1) {
      expect(after[0]).toMatchObject({ connection: 1, message: { type: "authenticate", token: "t2" } });
      expect(server.tokens).toEqual(["t1"]);
    } else {
      // Nothing was sent with the stale token: no upgrade, and no message on its connection.
      expect(server.tokens.slice(0, 2)).toEqual(["t1", "t2"]);
      expect(after.filter(({ connection }) => connection === 1)).toEqual([]);
      expect(after.find(({ message }) => message.type === "subscribe")?.message).toMatchObject({ since: { epoch: server.core.epoch } });
    }
    await tab.kill();
  });
});
