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
import { isVerified, note, screenOf, rowsOf, shownAt, shownRows, stage, stroke } from "../support/canvas.js";
// @ts-expect-error: plain JavaScript
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

async function begin(options: CanvasCoreOptions = {}, more: Partial<CanvasServer> = {}): Promise<{ core: CanvasCore; server: CanvasServer }> {
  const core = new CanvasCore(options);
  const server = Object.assign(new CanvasServer(core, folder), more);
  await server.listen();
  return { core, server };
}
async function serve(options: CanvasCoreOptions = {}): Promise<void> { ({ core, server } = await begin(options)); }
let outage = false;
async function open(options: object = {}): Promise<{ page: Page; complaints: string[] }> {
  outage = false;
  return openPage(t, browser, server.origin, { panel: "canvas", expectOutage: () => outage, reducedMotion: "reduce", ...options }) as Promise<{ page: Page; complaints: string[] }>;
}
const live = async (page: Page) => { await page.waitForSelector('[data-face="live"]'); await until(async () => expect(await isVerified(page)).toBe(true)); };
const picture = (page: Page, name: string) => page.screenshot({ path: path.join(kPictures, `canvas-${name}.png`), fullPage: true });

/** A drawing with some thousand pixels and cursors of others. */
function paint(core: CanvasCore): void {
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
  // These are the same at every width but for their frame.
  ...(face === "loading" || face === "error" ? [] : [{ face, kind: "desktop", colorScheme: i % 2 ? "dark" : "light", ...desktop }]),
  ...(face === "none" ? [] : [{ face, kind: "phone", colorScheme: i % 2 ? "light" : "dark", ...phone }]),
  ...(face === "live" ? [{ face, kind: "desktop", colorScheme: "dark", ...desktop }, { face, kind: "phone", colorScheme: "light", ...phone }] : []),
]);

// Each has a server of its own, so they run side by side.
test.concurrent.for(kinds)("$face, $kind, $colorScheme", { timeout: 120_000 }, async ({ face, kind, colorScheme, ...options }, { onTestFinished }) => {
  const own: (() => Promise<void>)[] = [];
  onTestFinished(async () => { for (const end of own.reverse()) await end(); });
  const { core, server } = await begin({ width: 1000, height: 1000, permissions: face === "moderator" ? 3 : 1, ...(face === "empty" ? { palette: PALETTE, background: PALETTE[0]! } : {}) }, {
    ...(face === "none" ? { canvas: null } : {}), ...(face === "loading" ? { isStuck: true } : {}),
  });
  own.push(() => server.kill());
  if (face !== "empty") paint(core);
  for (const name of ["Grace", "Edsger", "Barbara"]) {
    const other = core.accept({ send: () => {}, close: () => {} }, new URLSearchParams({ name, color: name === "Grace" ? "1d7044" : "b3261e" }));
    if (face === "live") other.receive(Buffer.of(4, 0x90, 1, name.length * 40, 1));
  }
  let outage = false;
  const { page, complaints } = await openPage({ after: (end: () => Promise<void>) => { own.push(end); } }, browser, server.origin, { panel: "canvas", expectOutage: () => outage, reducedMotion: "reduce", colorScheme, ...options, prepare: async (one: Page) => {
    if (face === "error") await one.route("**/fanfare.json", (route) => route.fulfill({ json: { version: "0", networks: [], streams: null, metrics: null, canvas: { path: "/canvas", rooms: ["missing", "main"] } } }));
  } });
  if (face === "error") outage = true;
  const wanted = { live: "live", moderator: "live", empty: "live", none: "empty", loading: "loading", error: "error", reconnecting: "live" }[face];
  await page.waitForSelector(`[data-face="${wanted}"]`);
  if (wanted === "live") await live(page);
  if (face === "error") await page.getByText("There is no such room.").waitFor();
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

const equal = async (page: Page) => until(async () => {
  expect(await isVerified(page)).toBe(true);
  const shown = await shownRows(page, core.width, core.height);
  const wanted = rowsOf(core.width, core.height, (x, y) => (core.palette.length ? core.palette[core.colourAt(x, y)]! : core.colourAt(x, y)));
  expect(wanted.flatMap((row, y) => (row === shown[y] ? [] : [y])), "rows that differ").toEqual([]);
});

test("two browsers draw, pan, zoom and undo, and end with equal pixels; a kill of the server between", async () => {
  await serve({ width: 300, height: 200 });
  const [ada, bob] = [await open(), await open({ colorScheme: "dark" })];
  await live(ada.page);
  await live(bob.page);
  // A fast stroke has no holes.
  await stroke(ada.page, { x: 10, y: 10 }, { x: 60, y: 40 }, { x: 61, y: 90 });
  await until(() => expect(core.log.length).toBe(1 + 50 + 50));
  await bob.page.getByRole("button", { name: "#1d5fd1" }).click();
  await stroke(bob.page, { x: 200, y: 20 }, { x: 200, y: 80 });
  await equal(ada.page);
  await equal(bob.page);
  expect(await shownAt(bob.page, { x: 35, y: 25 })).toBe(0xc9302c);
  expect(await shownAt(ada.page, { x: 200, y: 50 })).toBe(0x1d5fd1);

  // One step takes back a stroke, by the button and by the key. Another one is left alone.
  await ada.page.getByRole("button", { name: "Undo" }).click();
  await until(() => expect(core.colourAt(35, 25)).toBe(0xffffff));
  await stage(bob.page).press("z");
  await until(() => expect(core.colourAt(200, 50)).toBe(0xffffff));
  await bob.page.getByRole("button", { name: "Undo" }).click();
  await until(async () => expect(await note(bob.page)).toContain("nothing of yours"));
  await equal(ada.page);
  await equal(bob.page);

  // Zoom with the wheel keeps the place; move with the tool and with the middle button. Drawing hits the same pixel.
  const at = await screenOf(ada.page, { x: 77, y: 55 });
  await ada.page.mouse.move(at.x, at.y);
  await ada.page.mouse.wheel(0, -600);
  await until(async () => expect(Number((await stage(ada.page).getAttribute("data-view"))!.split(",")[2])).toBeGreaterThan(3));
  const near = await screenOf(ada.page, { x: 77, y: 55 });
  expect(Math.hypot(near.x - at.x, near.y - at.y)).toBeLessThan(5);
  await ada.page.getByRole("button", { name: "Move" }).click();
  await ada.page.mouse.move(near.x, near.y);
  await ada.page.mouse.down();
  await ada.page.mouse.move(near.x + 80, near.y + 40);
  await ada.page.mouse.up();
  const moved = await screenOf(ada.page, { x: 77, y: 55 });
  expect([Math.round(moved.x - near.x), Math.round(moved.y - near.y)]).toEqual([80, 40]);
  expect(core.log.length).toBe(0);
  await ada.page.getByRole("button", { name: "Draw", exact: true }).click();
  await stroke(ada.page, { x: 77, y: 55 });
  await until(() => expect(core.colourAt(77, 55)).toBe(0xc9302c));

  // The keyboard alone: five to the right, draw, take its colour elsewhere.
  await stage(ada.page).focus();
  for (let i = 0; i < 5; i++) await ada.page.keyboard.press("ArrowRight");
  await ada.page.keyboard.press("Shift+ArrowDown");
  expect(await ada.page.locator("[data-place]").getAttribute("data-place")).toBe("82,65");
  await ada.page.keyboard.press("Enter");
  await until(() => expect(core.colourAt(82, 65)).toBe(0xc9302c));
  await ada.page.keyboard.press("0");
  await equal(ada.page);
  await stage(bob.page).hover({ position: { x: 5, y: 5 } });
  const from = await screenOf(bob.page, { x: 82, y: 65 });
  await bob.page.getByRole("button", { name: "Pick a colour" }).click();
  await bob.page.mouse.click(from.x, from.y);
  expect(await bob.page.locator(".colours .mono").textContent()).toBe("#c9302c");

  // What happens while the server is away is there after the return.
  outage = true;
  await server.kill();
  await ada.page.waitForSelector('.canvas[data-face="stale"]');
  expect(await ada.page.getByRole("button", { name: "Undo" }).isDisabled()).toBe(true);
  for (let i = 0; i < 500; i++) core.put(i * 7919 % 300, i * 104729 % 200, i * 999_983 % 0x1000000);
  await server.listen();
  await live(ada.page);
  await live(bob.page);
  await equal(ada.page);
  await equal(bob.page);
  expect(Number(await ada.page.locator("[data-proof]").getAttribute("data-repairs"))).toBe(0);
  expect([...ada.complaints, ...bob.complaints, ...core.complaints]).toEqual([]);
}, 60_000);

test("chunks meet without a seam, wherever the canvas lies and whatever part of it is drawn again", async () => {
  const background = 0x203040;
  await serve({ width: 520, height: 300, background });
  const { page, complaints } = await open();
  await live(page);
  const drawn: [number, number][] = [];
  const put = (x: number, y: number, colour: number) => {
    core.put(x, y, colour);
    drawn.push([x, y]);
  };
  // The canvas is in the middle of the stage: with an odd number of pixels around it, it begins within one of the screen.
  for (const [width, height] of [[1280, 860], [1281, 861]] as const) {
    await page.setViewportSize({ width, height });
    for (const beside of [254, 255, 256, 257]) {
      put(beside, beside, (width + height + beside) * 2_654_435 % 0x1000000);
      put(20, beside, width * beside * 65_537 % 0x1000000);
      put(beside, 30, width * beside * 65_537 % 0x1000000);
      core.tick();
      await equal(page);
    }
  }
  // Smaller than it is: nothing of what lies below shines through, not after a part was drawn again either.
  for (const [x, y] of drawn) core.put(x, y, background);
  core.tick();
  for (const width of [400, 411, 423]) {
    await page.setViewportSize({ width, height: 700 });
    for (const [x, y] of [[255, 257], [257, 254]] as const) {
      for (const colour of [0xffffff, background]) {
        core.put(x, y, colour);
        core.tick();
        await equalSmall(page, colour !== background);
      }
    }
  }
  expect([...complaints, ...core.complaints]).toEqual([]);
}, 60_000);

/** Within the canvas every pixel of the stage has the one colour, but for those around the one that is white. */
const equalSmall = (page: Page, hasWhite: boolean) => until(async () => {
  expect(await isVerified(page)).toBe(true);
  const others = await page.evaluate(() => {
    const stage = document.querySelector<HTMLElement>(".stage")!;
    const [left, top, scale] = stage.dataset["view"]!.split(",").map(Number) as [number, number, number];
    const at = (x: number, y: number) => [Math.round((x - left) * scale), Math.round((y - top) * scale)] as const;
    const [[x0, y0], [x1, y1]] = [at(0, 0), at(520, 300)];
    const canvas = stage.querySelector("canvas")!;
    const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height }).getContext("2d", { willReadFrequently: true })!;
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(x0, y0, x1 - x0, y1 - y0);
    return { scale, count: new Uint32Array(data.buffer).filter((word) => word !== 0xff403020).length };
  });
  expect(others.scale).toBeLessThan(1);
  expect(others.count > 0, `${others.count} pixels differ`).toBe(hasWhite);
  expect(others.count).toBeLessThanOrEqual(16);
});

test("a phone: a tap and a finger draw, two fingers move and zoom and never draw", async () => {
  await serve({ width: 300, height: 300, palette: PALETTE, background: PALETTE[0]! });
  const { page, complaints } = await open({ ...phone, colorScheme: "dark" });
  await live(page);
  const session = await page.context().newCDPSession(page);
  const touch = (type: string, ...points: { x: number; y: number; id?: number }[]) => session.send("Input.dispatchTouchEvent", { type: type as "touchStart", touchPoints: points });
  const a = await screenOf(page, { x: 100, y: 150 });
  const b = await screenOf(page, { x: 200, y: 150 });
  await touch("touchStart", { ...a, id: 1 });
  await touch("touchEnd");
  await until(() => expect(core.colourAt(100, 150)).toBe(5));
  const drawn = core.log.length;
  await touch("touchStart", { ...a, id: 1 });
  await touch("touchStart", { ...a, id: 1 }, { ...b, id: 2 });
  await touch("touchMove", { x: a.x - 30, y: a.y, id: 1 }, { x: b.x + 30, y: b.y, id: 2 });
  await touch("touchEnd");
  const view = (await stage(page).getAttribute("data-view"))!.split(",").map(Number);
  expect(view[2]).toBeGreaterThan(1.3);
  expect(core.log.length).toBe(drawn);
  const begin = await screenOf(page, { x: 140, y: 140 });
  const end = await screenOf(page, { x: 160, y: 160 });
  await touch("touchStart", { ...begin, id: 1 });
  await touch("touchMove", { ...end, id: 1 });
  await touch("touchEnd");
  await until(() => expect(core.colourAt(150, 150)).toBe(5));
  expect(core.log.length).toBe(drawn + 21);
  await picture(page, "phone-dark-zoomed");
  expect([...complaints, ...core.complaints]).toEqual([]);
});

test("a cooldown shows the exact wait, and refusals are taken back and explained", async () => {
  await serve({ width: 100, height: 100, cooldownMs: 3_000 });
  const { page } = await open();
  await live(page);
  await page.getByText("You can draw").waitFor();
  // Every wait that was shown, also those of a moment.
  await page.evaluate(() => {
    const shown: number[] = ((window as unknown as { shown: number[] }).shown = []);
    new MutationObserver(() => {
      const wait = document.querySelector<HTMLElement>("[data-wait]");
      if (wait) shown.push(Number(wait.dataset.wait));
    }).observe(document.body, { subtree: true, childList: true, attributes: true });
  });
  await stroke(page, { x: 10, y: 10 }, { x: 60, y: 60 });
  await page.locator("[data-wait]").waitFor();
  const shown = await page.evaluate(() => (window as unknown as { shown: number[] }).shown);
  expect(shown.length).toBeGreaterThan(0);
  expect(Math.max(...shown)).toBeLessThanOrEqual(3_000);
  expect(await page.locator("[data-wait]").textContent()).toMatch(/^Next pixel in ([0-2]\.\d|3\.0) s$/);
  expect(core.log.length).toBe(1);
  await picture(page, "desktop-light-cooldown");
  await page.getByText("You can draw").waitFor();
  core.refuse = "storage_full";
  await stroke(page, { x: 30, y: 30 });
  await until(async () => expect(await note(page)).toContain("cannot store more"));
  await equal(page);
  core.refuse = null;
  core.permissions = 0;
  outage = true;
  server.cut();
  await until(async () => expect(await note(page)).toContain("not draw"));
  await live(page);
  await stroke(page, { x: 50, y: 50 });
  expect(core.log.length).toBe(1);
}, 30_000);

test("history: the canvas as it was, and moderation from there", async () => {
  await serve({ width: 200, height: 200, permissions: 3 });
  core.put(50, 50, 0xff0000, "u1");
  core.log[0]!.ms -= 60_000;
  core.put(50, 50, 0x0000ff, "u1");
  core.put(60, 60, 0x00ff00, "u1");
  core.log[2]!.ms += 1;
  core.log[1]!.ms -= 1;
  core.tick();
  const { page, complaints } = await open();
  await live(page);
  await until(async () => expect(await shownAt(page, { x: 50, y: 50 })).toBe(0x0000ff));
  await page.getByRole("button", { name: "History" }).click();
  const slider = page.getByRole("slider");
  await slider.fill("500");
  await until(async () => expect(await shownAt(page, { x: 50, y: 50 })).toBe(0xff0000));
  expect(await shownAt(page, { x: 60, y: 60 })).toBe(0xffffff);
  await picture(page, "desktop-light-history");
  expect(await violationsOf(page)).toEqual([]);
  const button = page.getByRole("button", { name: "Roll back everything" });
  await button.click();
  expect(core.asked).toEqual([]);
  await page.getByRole("button", { name: "Really roll back all" }).click();
  await until(() => expect(core.asked).toMatchObject([{ type: "rollback" }]));
  expect(core.asked[0].at_ms).toBeLessThan(Date.now() - 10_000);
  await page.getByRole("button", { name: "Back to now" }).click();
  await until(async () => expect(await shownAt(page, { x: 60, y: 60 })).toBe(0x00ff00));

  const { x, y } = await screenOf(page, { x: 50, y: 50 });
  await page.mouse.click(x, y, { button: "middle" });
  await page.getByRole("button", { name: "Who drew this pixel?" }).click();
  await page.locator('[data-drawer="u1"]').waitFor();
  await picture(page, "desktop-light-moderation");
  expect(await violationsOf(page)).toEqual([]);
  await page.getByRole("button", { name: "Undo all of it" }).click();
  await page.getByRole("button", { name: "Really undo all" }).click();
  await until(() => expect(core.colourAt(60, 60)).toBe(0xffffff));
  await equal(page);
  expect(complaints).toEqual([]);
}, 30_000);

test("8,000 pixels and 1,000 cursors a second: one commit a frame, no long task, and in the end every pixel", async () => {
  await serve({ width: 900, height: 900 });
  const { page, complaints } = await open({ viewport: { width: 1500, height: 1300 }, prepare: (one: Page) => one.addInitScript(() => {
    const seen = { frames: 0, paints: 0, long: [] as number[] };
    (window as any).seen = seen;
    const count = () => { seen.frames++; requestAnimationFrame(count); };
    requestAnimationFrame(count);
    new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) seen.long.push(Math.round(duration)); }).observe({ entryTypes: ["longtask"] });
    // The stage alone is painted without transparency and cleared by a rectangle; once for each paint.
    const restore = CanvasRenderingContext2D.prototype.restore;
    CanvasRenderingContext2D.prototype.restore = function (this: CanvasRenderingContext2D) { seen.paints++; restore.call(this); };
  }) });
  await live(page);
  // The processor's time of the page, which does not depend on what else the machine does.
  const tools = await page.context().newCDPSession(page);
  await tools.send("Performance.enable", { timeDomain: "threadTicks" });
  const busy = async () => (await tools.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration")!.value;
  const busyBefore = await busy();
  await page.evaluate(() => { const { seen } = window as any; Object.assign(seen, { frames: 0, paints: 0, long: [] }); });
  const seconds = process.env["FANFARE_WEB_BENCH"] ? 5 : 2;
  const others = Array.from({ length: 20 }, () => core.accept({ send: () => {}, close: () => {} }));
  const began = Date.now();
  for (let drawn = 0; drawn < 8_000 * seconds;) {
    const due = Math.min(8_000 * seconds, (Date.now() - began) * 8);
    for (; drawn < due; drawn++) {
      core.put(drawn * 7919 % 900, drawn * 104_729 % 887, drawn * 2_654_435 % 0x1000000);
      if (drawn % 8 === 0) others[drawn / 8 % 20]!.receive(Buffer.of(4, drawn & 255, drawn >> 8 & 1, drawn >> 3 & 255, 0));
    }
    await new Promise((resolve) => { setImmediate(resolve); });
  }
  const took = (Date.now() - began) / 1000;
  const { frames, paints, long } = await page.evaluate(() => (window as any).seen);
  const cpu = await busy() - busyBefore;
  console.log(`CPU ${(cpu / took * 100).toFixed(0)}% of a core, ${(cpu * 1000 / Math.max(1, paints)).toFixed(1)} ms for each of ${paints} paints; ${8_000 * seconds} pixels in ${took} s: ${frames} frames (${(frames / took).toFixed(1)} a second), ${paints} paints, long tasks ${JSON.stringify(long)}`);
  expect(paints).toBeGreaterThan(0);
  expect(paints).toBeLessThanOrEqual(frames + 1);
  await equal(page);
  expect(Number(await page.locator("[data-proof]").getAttribute("data-repairs"))).toBe(0);
  if (process.env["FANFARE_WEB_BENCH"]) expect(long).toEqual([]);
  expect([...complaints, ...core.complaints]).toEqual([]);
}, 60_000);
