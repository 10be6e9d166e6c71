// The page of the canvas in Chromium, at a server of this test that keeps to docs/canvas.md: faces, drawing with mouse, finger and keyboard,
// reconnects, and how fast it is. Pictures are in build/web-pictures.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { build } from "vite";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { CanvasCore, type CanvasCoreOptions } from "../../../testing/canvas_core.js";
import { CanvasServer } from "../../../testing/canvas_server.js";
import { isVerified, note, screenOf, shownAll, shownAt, stage, stroke } from "../support/canvas.js";
import { kPictures, openPage, startBrowser, violationsOf } from "../support/pages.js";

const APP = fileURLToPath(new URL("../..", import.meta.url));
const PALETTE = [0xffffff, 0xe4e4e4, 0x888888, 0x222222, 0xffa7d1, 0xe50000, 0xe59500, 0xa06a42, 0xe5d900, 0x94e044, 0x02be01, 0x00d3dd, 0x0083c7, 0x0000ea, 0xcf6ee4, 0x820080];
const until = <T>(check: () => Promise<T> | T): Promise<T> => vi.waitFor(check, { timeout: 20_000, interval: 30 });
let folder: string;
let browser: Browser;
let core: CanvasCore;
let server: CanvasServer;
let endings: (() => Promise<void>)[] = [];
const ends: (() => Promise<void>)[] = [];
const t = { after: (end: () => Promise<void>) => { endings.push(end); } };

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "fanfare-canvas-page-"));
  process.env["FANFARE_WEB_OUT"] = folder;
  await build({ root: APP, configFile: path.join(APP, "vite.config.ts"), logLevel: "warn", build: { minify: false } });
  browser = await startBrowser({ after: (end: () => Promise<void>) => { ends.push(end); } });
}, 60_000);
afterAll(async () => {
  for (const end of ends) await end();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => { endings = []; });
afterEach(async () => {
  for (const end of endings.reverse()) await end();
  await server?.kill();
});

async function serve(options: CanvasCoreOptions = {}, more: Partial<CanvasServer> = {}): Promise<void> {
  core = new CanvasCore(options);
  server = Object.assign(new CanvasServer(core, folder), more);
  await server.listen();
}
let outage = false;
async function open(options: object = {}): Promise<{ page: Page; complaints: string[] }> {
  outage = false;
  return openPage(t, browser, server.origin, { panel: "canvas", expectOutage: () => outage, reducedMotion: "reduce", ...options }) as Promise<{ page: Page; complaints: string[] }>;
}
const live = async (page: Page) => { await page.waitForSelector('[data-face="live"]'); await until(async () => expect(await isVerified(page)).toBe(true)); };
const picture = (page: Page, name: string) => page.screenshot({ path: path.join(kPictures, `canvas-${name}.png`), fullPage: true });

/** A drawing with some thousand pixels and cursors of others. */
function paint(): void {
  const { width, height } = core;
  const colours = core.palette.length ? core.palette.map((_, i) => i) : PALETTE;
  for (let i = 0; i < 9; i++) {
    const [cx, cy, r] = [width * (0.15 + i * 37 % 71 / 100), height * (0.2 + i * 53 % 61 / 100), 14 + i * 11 % 33];
    for (let y = -r; y <= r; y++) for (let x = -r; x <= r; x++) {
      const [px, py] = [Math.round(cx + x), Math.round(cy + y)];
      if (x * x + y * y < r * r && px >= 0 && py >= 0 && px < width && py < height) core.put(px, py, colours[(4 + i + (x * x + y * y > (r - 4) ** 2 ? 1 : 0)) % colours.length]!);
    }
  }
  core.tick();
}

const desktop = { viewport: { width: 1280, height: 860 } };
const phone = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true };
const kinds = (["live", "moderator", "empty", "none", "loading", "error", "reconnecting"] as const).flatMap((face, i) => [
  { face, kind: "desktop", colorScheme: i % 2 ? "dark" : "light", ...desktop }, { face, kind: "phone", colorScheme: i % 2 ? "light" : "dark", ...phone },
  ...(face === "live" ? [{ face, kind: "desktop", colorScheme: "dark", ...desktop }, { face, kind: "phone", colorScheme: "light", ...phone }] : []),
]);

test.each(kinds)("$face, $kind, $colorScheme", async ({ face, kind, colorScheme, ...options }) => {
  await serve({ width: 1000, height: 1000, permissions: face === "moderator" ? 3 : 1, ...(face === "empty" ? { palette: PALETTE, background: PALETTE[0]! } : {}) }, {
    ...(face === "none" ? { canvas: null } : {}), ...(face === "loading" ? { isStuck: true } : {}),
  });
  if (face !== "empty") paint();
  for (const name of ["Grace", "Edsger", "Barbara"]) {
    const other = core.accept({ send: () => {}, close: () => {} }, new URLSearchParams({ name, color: name === "Grace" ? "1d7044" : "b3261e" }));
    if (face === "live") other.receive(Buffer.of(4, 0x90, 1, name.length * 40, 1));
  }
  const { page, complaints } = await open({ colorScheme, ...options, prepare: async (one: Page) => {
    if (face === "error") await one.route("**/fanfare.json", (route) => route.fulfill({ json: { version: "0", networks: [], streams: null, metrics: null, canvas: { path: "/canvas", rooms: ["missing", "main"] } } }));
  } });
  if (face === "error") outage = true;
  const wanted = { live: "live", moderator: "live", empty: "live", none: "empty", loading: "loading", error: "error", reconnecting: "live" }[face];
  await page.waitForSelector(`[data-face="${wanted}"]`);
  if (wanted === "live") await live(page);
  if (face === "reconnecting") {
    outage = true;
    await server.kill();
    await page.waitForSelector('.canvas[data-face="stale"]');
  }
  if (face === "moderator") {
    const { x, y } = await screenOf(page, { x: 300, y: 300 });
    await page.mouse.click(x, y, { button: "middle" });
    await page.getByRole("button", { name: "Who drew this pixel?" }).click();
  }
  if (face === "live") {
    for (const session of core.sessions) if (session.user.name === "Grace") session.receive(Buffer.from([4, 0x2c, 1, 0xf4, 1]));
    await until(async () => expect(await page.locator("[data-users]").getAttribute("data-users")).toBe("4"));
  }
  await page.evaluate(() => document.fonts.ready);
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  const surplus = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(surplus).toBeLessThanOrEqual(0);
  await picture(page, `${kind}-${colorScheme}-${face}`);
  expect(await violationsOf(page)).toEqual([]);
  expect(complaints).toEqual([]);
});
