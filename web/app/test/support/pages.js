// Chromium, and what the tests of the dashboard see in its pages.

import { mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import path from "node:path";
import { chromium } from "playwright-core";
import WebSocket from "ws";
import { atEnd } from "../../../../tests/e2e/support/cleanup.js";

const kRoot = path.resolve(import.meta.dirname, "../../../..");
export const kPictures = path.join(kRoot, "build/web-pictures");
export const kPanels = ["network", "markets", "receipts", "peers", "blocks", "playground", "server"];
const kAxe = readFileSync(path.join(kRoot, "web/node_modules/axe-core/axe.min.js"), "utf8");
mkdirSync(kPictures, { recursive: true });

export async function startBrowser(t) {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  atEnd(t, () => browser.close());
  return browser;
}

// A page that keeps what it must not have: messages of the console, failures, requests to another host.
export async function openPage(t, browser, url, { panel = "network", expectOutage = () => false, prepare = async () => undefined, ...options } = {}) {
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

export const text = (page, selector) => page.locator(selector).first().textContent();
export const tile = (page, name) => text(page, `[data-tile="${name}"] [data-value]`);
export const show = (page, panel) => page.evaluate((name) => { location.hash = `#/${name}`; }, panel);
export const digits = (shown) => Number(shown.replaceAll(",", ""));

export async function violationsOf(page) {
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
export async function watchStreams(t, url, names) {
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

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
