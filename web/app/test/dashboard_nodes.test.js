// The dashboard on the streams of a real node that is no Ethereum: Debian's monerod, with examples/streams/monerod.yaml.

import assert from "node:assert/strict";
import { accessSync, constants, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { BINARY, temporaryFolder, writeConfig } from "../../../tests/e2e/support/fanfare.js";
import { ROOT, startFor } from "../../../tests/e2e/support/processes.js";
import { until } from "../../../tests/e2e/support/waiting.js";
import { digits, freePort, kPictures, openPage, show, startBrowser, text, tile, violationsOf } from "./support/pages.js";

const MONEROD = process.env.MONEROD ?? "/usr/bin/monerod";
const hasMonerod = (() => {
  try {
    accessSync(MONEROD, constants.X_OK);
    return true;
  } catch {
    return false;
  }
})();
// Of the project's test wallet for regtest networks; nobody needs its keys here.
const ADDRESS = "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A";

async function startMonerod(t) {
  const port = await freePort();
  const flags = ["--regtest", "--offline", "--fixed-difficulty", "1", "--data-dir", temporaryFolder(t), "--rpc-bind-port", String(port),
    "--p2p-bind-ip", "127.0.0.1", "--p2p-bind-port", String(await freePort()), "--no-zmq", "--non-interactive", "--log-level", "0"];
  const url = `http://127.0.0.1:${port}`;
  startFor(t, "monerod", MONEROD, flags);
  const ask = async (method, params = {}) => {
    const response = await fetch(`${url}/json_rpc`, { method: "POST", body: JSON.stringify({ jsonrpc: "2.0", id: 0, method, params }) });
    const { result, error } = await response.json();
    assert.equal(error, undefined);
    return result;
  };
  await until("monerod answers", () => ask("get_info").catch(() => undefined), { deadlineMs: 30_000 });
  return { url, ask, height: async () => (await ask("get_info")).height };
}

test("the dashboard of monerod", { skip: !hasMonerod && "monerod is not installed" }, async (t) => {
  const node = await startMonerod(t);
  const config = readFileSync(path.join(ROOT, "examples/streams/monerod.yaml"), "utf8").replace("httpPort: 8000", "httpPort: 0").replace("websocketPort: 8080", "websocketPort: 0");
  const program = startFor(t, "fanfare", BINARY, ["serve", "--config", writeConfig(t, `${config}\nweb: { enabled: true }\n`)], { env: { MONEROD_URL: node.url } });
  const [, host] = await program.line(/^ {2}Streams\s+ws:\/\/(\S+)\/streams$/);
  const browser = await startBrowser(t);
  const { page, complaints } = await openPage(t, browser, `http://${host}`, { colorScheme: "light" });
  await until("the height is the node's", async () => digits(await tile(page, "Block height")) === (await node.height()));
  await node.ask("generateblocks", { amount_of_blocks: 7, wallet_address: ADDRESS });
  await until("the new height is the node's", async () => digits(await tile(page, "Block height")) === (await node.height()));
  assert.ok((await node.height()) >= 8);
  await until("the curves have lines", async () => (await page.locator("[data-chart] .bare").count()) === 1);
  assert.equal(await text(page, ".no-values"), "The node does not report it");
  assert.equal(await tile(page, "Bandwidth in"), "–");

  // What monerod has no stream of says so, instead of waiting for ever.
  const faces = { network: "live", markets: "empty", receipts: "empty", peers: "empty", blocks: "empty", playground: "empty", server: "live" };
  for (const [panel, face] of Object.entries(faces)) {
    await show(page, panel);
    await page.waitForSelector(`nav [aria-current][href="#/${panel}"]`);
    await page.waitForSelector(`[data-face="${face}"]`);
    await page.screenshot({ path: path.join(kPictures, `monerod-${panel}.png`), fullPage: true });
    assert.deepEqual(await violationsOf(page), [], panel);
  }
  await until("the server counts its streams", async () => (await tile(page, "Connections to streams")) === "1" && (await tile(page, "Subscribers")) === "2");
  assert.deepEqual(complaints, []);
});
