// The canvas page in Chromium and the client in Node, at the real daemon: two browsers and a hundred drawers beside them end with equal pixels,
// also after a kill and a restart; the one-file client of examples/canvas draws with them.
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { WebSocket } from "ws";
import { expect, test, vi } from "vitest";
import { CanvasClient } from "@fanfare/client/canvas";
import type { SocketConstructor } from "@fanfare/client";
import { hasDaemon, t } from "../../../packages/client/test/daemon/fixture.js";
import { isVerified, note, rowsOf, shownRows, stage, stroke } from "../support/canvas.js";
// @ts-expect-error: plain JavaScript
import { kPictures, openPage, startBrowser, violationsOf } from "../support/pages.js";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const SIZE = { width: 400, height: 300 };
const DRAWERS = 100;
const until = <T>(check: () => Promise<T> | T): Promise<T> => vi.waitFor(check, { timeout: 40_000, interval: 50 });

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function prepare(more = "", top = ""): Promise<{ url: string; file: string; start: () => Promise<any> }> {
  const { BINARY, temporaryFolder } = await import(`${ROOT}tests/e2e/support/fanfare.js`);
  const { startFor } = await import(`${ROOT}tests/e2e/support/processes.js`);
  const folder: string = temporaryFolder(t);
  const port = await freePort();
  const file = path.join(folder, "canvas.yaml");
  writeFileSync(file, `
server: { httpPort: ${port} }
web: { enabled: true }
canvas:
  dataDir: "${folder}"
  rooms: [{ name: main, width: ${SIZE.width}, height: ${SIZE.height}, sync: full${more} }]
${top}`);
  const start = async () => {
    const program = startFor(t, "fanfare", BINARY, ["serve", "--config", file]);
    await program.line(/Canvas +ws:\S+\/canvas\/main/);
    return program;
  };
  return { url: `http://127.0.0.1:${port}`, file, start };
}

const clientAt = (url: string, name: string, key?: string): CanvasClient => {
  const client = new CanvasClient({ url: `${url.replace("http", "ws")}/canvas/main`, WebSocket: WebSocket as unknown as SocketConstructor, name, session: `session-of-${name}`, ...(key && { token: () => key }), backoff: { maxMs: 300 } });
  t.after(async () => client.close());
  client.connect();
  return client;
};
const rows = (client: CanvasClient): number[] => rowsOf(SIZE.width, SIZE.height, (x, y) => client.rgbOf(client.colourAt(x, y) ?? -1));
const differs = (a: number[], b: number[]): number[] => a.flatMap((row, y) => (row === b[y] ? [] : [y]));
const live = async (page: Page) => {
  await page.waitForSelector('.canvas[data-face="live"]');
  await until(async () => expect(await isVerified(page)).toBe(true));
};

test.skipIf(!hasDaemon)("two browsers and a hundred drawers end with equal pixels; a kill and a restart between", { timeout: 180_000 }, async () => {
  const { url, start } = await prepare();
  const first = await start();
  const browser = await startBrowser(t);
  let outage = false;
  const pages = [];
  for (const colorScheme of ["light", "dark"]) pages.push(await openPage(t, browser, url, { panel: "canvas", colorScheme, expectOutage: () => outage }));
  const [ada, bob] = pages.map(({ page }) => page) as [Page, Page];
  await live(ada);
  await live(bob);
  const drawers = Array.from({ length: DRAWERS }, (_, i) => clientAt(url, `drawer${i}`));
  await until(() => expect(drawers.filter(({ proof }) => proof.isVerified).length).toBe(DRAWERS));

  let step = 0;
  const drawing = setInterval(() => {
    // Each has a corner of its own, and all meet in the middle.
    const i = step++ % DRAWERS;
    const [x, y] = step % 3 ? [i % 20 * 20 + step % 20, Math.floor(i / 20) * 60 + step % 59] : [180 + step % 40, 130 + step % 31];
    drawers[i]!.draw([{ x, y, colour: step * 2_654_435 % 0x1000000 }]);
    if (step % 5 === 0) drawers[i]!.moveCursor({ x, y });
    if (step % 97 === 0) drawers[i]!.undo(2).catch(() => undefined);
  }, 4);
  t.after(async () => clearInterval(drawing));
  await stroke(ada, { x: 20, y: 150 }, { x: 380, y: 155 });
  await stroke(bob, { x: 200, y: 20 }, { x: 190, y: 280 });
  await stage(bob).press("z");
  await until(async () => expect(await note(bob)).toBe(""));
  await until(async () => expect(await ada.locator("[data-users]").getAttribute("data-users")).toBe(String(DRAWERS + 2)));
  await ada.screenshot({ path: path.join(kPictures, "real-canvas.png") });
  expect(await violationsOf(ada)).toEqual([]);

  outage = true;
  first.child.kill("SIGKILL");
  await ada.waitForSelector('.canvas[data-face="stale"]');
  const before = step;
  await until(() => expect(step).toBeGreaterThan(before + 100));
  await start();
  await live(ada);
  await live(bob);
  await stroke(bob, { x: 50, y: 20 }, { x: 350, y: 30 });
  const after = step;
  await until(() => expect(step).toBeGreaterThan(after + 300));
  clearInterval(drawing);

  const judge = clientAt(url, "judge");
  await until(() => expect(judge.proof.isVerified).toBe(true));
  await until(() => expect(drawers.map(({ pending }) => pending).reduce((a, b) => a + b)).toBe(0));
  await until(async () => {
    const truth = rows(judge);
    expect(new Set(truth).size).toBeGreaterThan(20);
    for (const client of drawers) expect(client.proof.isVerified && differs(rows(client), truth).length === 0).toBe(true);
    for (const page of [ada, bob]) {
      expect(await isVerified(page)).toBe(true);
      expect(differs(await shownRows(page, SIZE.width, SIZE.height), truth)).toEqual([]);
    }
  });
  for (const page of [ada, bob]) expect(await page.locator("[data-proof]").getAttribute("data-repairs")).toBe("0");
  expect(drawers.map(({ proof }) => proof.repairs).filter(Boolean)).toEqual([]);
  expect(pages.flatMap(({ complaints }) => complaints)).toEqual([]);

  // Everyone left: the history holds what was.
  await ada.getByRole("button", { name: "History" }).click();
  await ada.getByRole("slider").fill("1");
  await until(async () => {
    expect(await ada.locator("[data-shown]").count()).toBe(1);
    // The stage shows it in the frame after the one in which the button says so.
    expect(differs(await shownRows(ada, SIZE.width, SIZE.height), rows(judge)).length).toBeGreaterThan(20);
  });
  await ada.screenshot({ path: path.join(kPictures, "real-canvas-history.png") });
});

test.skipIf(!hasDaemon)("the one-file client of examples/canvas and the page see each other", { timeout: 90_000 }, async () => {
  const { url, start } = await prepare();
  await start();
  const html = readFileSync(path.join(ROOT, "examples/canvas/index.html"));
  const files = createHttp((_, response) => response.writeHead(200, { "content-type": "text/html" }).end(html)).listen(0, "127.0.0.1");
  await once(files, "listening");
  t.after(async () => { files.close(); files.closeAllConnections(); });
  const browser = await startBrowser(t);
  const context = await browser.newContext();
  const page: Page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(`http://127.0.0.1:${(files.address() as AddressInfo).port}/?server=${encodeURIComponent(`${url.replace("http", "ws")}/canvas/main`)}`);
  await until(async () => expect(await page.locator("#status").textContent()).toBe("Connected"));
  const other = clientAt(url, "other");
  await until(() => expect(other.proof.isVerified).toBe(true));
  const box = (await page.locator("#pixels").boundingBox())!;
  const at = (x: number, y: number) => [box.x + (x + 0.5) * box.width / SIZE.width, box.y + (y + 0.5) * box.height / SIZE.height] as const;
  await page.mouse.move(...at(10, 10));
  await page.mouse.down();
  await page.mouse.move(...at(60, 30));
  await page.mouse.up();
  await until(() => expect(other.colourAt(60, 30)).toBe(0xc9302c));
  expect(other.colourAt(35, 20)).toBe(0xc9302c);
  await until(() => expect([...other.cursors.values()]).toEqual([{ x: 60, y: 30 }]));
  const shown = (x: number, y: number) => page.evaluate(([x, y]) => [...document.querySelector<HTMLCanvasElement>("#pixels")!.getContext("2d")!.getImageData(x, y, 1, 1).data.slice(0, 3)], [x, y] as const);
  other.draw([{ x: 100, y: 100, colour: 0x0000ff }]);
  await until(async () => expect(await shown(100, 100)).toEqual([0, 0, 255]));
  await page.getByRole("button", { name: "Undo" }).click();
  await until(() => expect(other.colourAt(60, 30)).toBe(0xffffff));
  await until(async () => expect(await page.locator("#users").textContent()).toBe("2 here"));
  other.moveCursor({ x: 5, y: 5 });
  await until(async () => expect(await page.locator("#cursors i").count()).toBe(1));
  await page.screenshot({ path: path.join(kPictures, "example-canvas.png") });
  expect(errors).toEqual([]);
});

test.skipIf(!hasDaemon)("keys: a moderator's tools, a role that only looks, and a key that opens nothing", { timeout: 120_000 }, async () => {
  const keys = { mod: "key-of-the-moderator", drawer: "key-of-the-drawer-01", looker: "key-of-the-looker-01", other: "key-of-another-one-1" };
  const { url, start } = await prepare("", `
access:
  roles:
    - { id: mod, canvas: { view: [main], draw: [main], moderate: [main] } }
    - { id: drawer, canvas: { view: [main], draw: [main] } }
    - { id: looker, canvas: { view: [main] } }
    - { id: other, streams: ["*"] }
  keys: [${Object.entries(keys).map(([id, key]) => `{ id: ${id}, roles: [${id}], key: ${key} }`).join(", ")}]
streams: { upstreams: [{ id: node, endpoint: "http://127.0.0.1:1" }], definitions: [{ name: heights, interval: 1h, upstream: node, calls: { h: eth_blockNumber }, fields: { height: /h } }] }
`);
  await start();
  const browser = await startBrowser(t);
  const drawer = clientAt(url, "drawer", keys.drawer);
  await until(() => expect(drawer.proof.isVerified).toBe(true));
  expect([drawer.welcome?.mayDraw, drawer.welcome?.mayModerate]).toEqual([true, false]);
  drawer.draw([{ x: 200, y: 150, colour: 0x123456 }, { x: 201, y: 150, colour: 0x123456 }]);
  await until(() => expect(drawer.pending).toBe(0));

  const enter = async (key: string, isLooking = false): Promise<Page> => {
    const { page } = await openPage(t, browser, url, { panel: "canvas", expectOutage: () => true });
    await page.getByLabel("Key or token").fill(key);
    await page.getByLabel("Key or token").press("Enter");
    if (!isLooking) await live(page);
    return page;
  };
  const page = await enter(keys.mod);
  const box = (await stage(page).boundingBox())!;
  const [left, top, scale] = (await stage(page).getAttribute("data-view"))!.split(",").map(Number) as [number, number, number];
  await page.mouse.click(box.x + (200.5 - left) * scale, box.y + (150.5 - top) * scale, { button: "middle" });
  await page.getByRole("button", { name: "Who drew this pixel?" }).click();
  await page.locator("[data-drawer]").waitFor();
  await page.getByRole("button", { name: "Undo all of it" }).click();
  await page.getByRole("button", { name: "Really undo all" }).click();
  await until(() => expect([drawer.colourAt(200, 150), drawer.colourAt(201, 150)]).toEqual([0xffffff, 0xffffff]));
  await page.getByRole("button", { name: "Ban for an hour" }).click();
  await page.getByRole("button", { name: "Really ban" }).click();
  await until(async () => expect(await page.locator("[data-moderation]").textContent()).toContain("cannot draw for an hour"));
  const refused: string[] = [];
  drawer.listen({ refused: ({ status, retryAfterMs }) => refused.push(`${status} ${retryAfterMs > 3_500_000}`) });
  drawer.draw([{ x: 1, y: 1, colour: 1 }]);
  await until(() => expect(refused).toEqual(["not_permitted true"]));
  expect(drawer.colourAt(1, 1)).toBe(0xffffff);
  await page.screenshot({ path: path.join(kPictures, "real-canvas-moderator.png") });
  expect(await violationsOf(page)).toEqual([]);

  const looking = await enter(keys.looker);
  expect(await note(looking)).toContain("may watch here");
  await stroke(looking, { x: 10, y: 10 }, { x: 20, y: 20 });
  expect(await looking.locator("[data-proof]").getAttribute("data-pending")).toBe("0");
  const shut = await enter(keys.other, true);
  await shut.getByText("your key does not open it").waitFor();
});

test.skipIf(!hasDaemon)("a server with a canvas alone: a key that it does not accept, or no longer accepts, is asked for again", { timeout: 90_000 }, async () => {
  const access = (key: string): string => `
access:
  roles: [{ id: drawer, canvas: { view: [main], draw: [main] } }]
  keys: [{ id: drawer, roles: [drawer], key: ${key} }]
`;
  const [first, second] = ["key-of-the-drawer-01", "key-of-the-drawer-02"];
  const { url, file, start } = await prepare("", access(first));
  const program = await start();
  const browser = await startBrowser(t);
  const { page } = await openPage(t, browser, url, { panel: "canvas", expectOutage: () => true }) as { page: Page };
  const enter = async (key: string) => {
    await page.getByLabel("Key or token").fill(key);
    await page.getByLabel("Key or token").press("Enter");
  };
  const refused = page.getByRole("alert").getByRole("heading", { name: "The server does not accept this key" });
  await page.getByRole("heading", { name: "This server needs a key" }).waitFor();
  await enter("key-that-nobody-has-1");
  await refused.waitFor();
  await page.screenshot({ path: path.join(kPictures, "real-canvas-refused-key.png") });
  expect(await violationsOf(page)).toEqual([]);
  await enter(first);
  await live(page);
  // The operator replaces the key while the page is open.
  writeFileSync(file, readFileSync(file, "utf8").replace(first, second));
  program.child.kill("SIGHUP");
  await refused.waitFor();
  await enter(second);
  await live(page);
});
