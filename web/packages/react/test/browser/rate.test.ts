// 10,000 messages a second through useDataStream under StrictMode, in real browsers.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { BROWSERS, type Browser } from "../../../../testing/browsers.js";
import { buildPages } from "../../../../testing/pages.js";
import type { PageTest } from "../../../../testing/page.js";
import { StreamServer } from "../../../../testing/stream_server.js";

declare const window: { test: PageTest };
const MESSAGES = 10_000;
const TICK_MS = 10;

describe.each(BROWSERS)("%s", (name, launch) => {
  let browser: Browser;
  let server: StreamServer;
  beforeAll(async () => {
    server = await StreamServer.start({ streams: ["a"] }, await buildPages());
    browser = await launch();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await server.kill();
  });

  test("every one of 10,000 messages a second is delivered once and in order, with one commit a frame", async () => {
    const tab = await browser.open(server.origin);
    await vi.waitFor(() => tab.run((url) => window.test.react(url), server.url), { timeout: 10_000 });
    await vi.waitFor(() => expect(server.core.received.some(({ message }) => message.type === "subscribe")).toBe(true), { timeout: 10_000 });
    await tab.run(() => { window.test.log.longTasks.length = 0; });
    const before = await tab.run(() => ({ commits: window.test.log.commits, frames: window.test.log.frames }));
    const took = await send(server);
    await vi.waitFor(async () => expect(await tab.run(() => window.test.log.numbers.length)).toBeGreaterThanOrEqual(MESSAGES), { timeout: 20_000, interval: 100 });
    const { numbers, commits, frames, longTasks } = await tab.run(() => window.test.log);
    expect(numbers).toEqual(Array.from({ length: MESSAGES }, (_, n) => n + 1));
    expect(server.core.connections).toBe(1);
    expect(server.core.received.filter(({ message }) => message.type !== "hello" && message.type !== "ping").map(({ message }) => message.type)).toEqual(["subscribe"]);
    expect(commits - before.commits).toBeGreaterThan(0);
    // The counter of frames may run before or after the commit of its frame.
    expect(commits - before.commits).toBeLessThanOrEqual(frames - before.frames + 2);
    console.log(`${name}: ${MESSAGES} messages in ${took} ms, ${frames - before.frames} frames, ${commits - before.commits} commits, long tasks ${JSON.stringify(longTasks)}`);
    // Times depend on what else the machine does, so only the benchmark insists on them.
    if (process.env["FANFARE_WEB_BENCH"]) expect(longTasks).toEqual([]);
  });
});

/** Sends in ticks, so that it takes a second. Returns how long it took. */
function send(server: StreamServer): Promise<number> {
  const began = Date.now();
  let sent = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(MESSAGES, Math.floor(((Date.now() - began) * MESSAGES) / 1_000));
      while (sent < due) server.core.publish("a", { n: ++sent, strength: 97.5, label: "a value of ordinary size" });
      if (sent < MESSAGES) return;
      clearInterval(timer);
      resolve(Date.now() - began);
    }, TICK_MS);
  });
}
