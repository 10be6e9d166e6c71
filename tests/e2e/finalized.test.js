// newFinalizedHeads: every block that the node reports as finalized, in order and none left out, also in jumps;
// with a cursor over a restart; with anvil, with the development chain, and with a node that has no such tag.

import assert from "node:assert/strict";
import http from "node:http";
import { once } from "node:events";
import { test } from "node:test";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { call, metric, metricIs, startDevChain, startFanfare, writeConfig } from "./support/fanfare.js";
import { postOnly } from "./support/post_only.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const configFor = (url, chainId = 31337) => `
logLevel: info
server: { httpPort: 0 }
projects:
  - id: main
    networks:
      - architecture: evm
        evm: { chainId: ${chainId}, pollIntervalMin: 50ms, pollIntervalMax: 100ms }
    upstreams: [{ id: node, endpoint: "${url}" }]
`;

const numberOf = ({ number }) => Number(number);
const finalizedOf = async (url) => Number((await call(url, "eth_getBlockByNumber", ["finalized", false])).number);

// Sends one eth_subscribe and returns its answer; notifications go to `told`.
async function subscribe(t, url, params, told = []) {
  const raw = await RawSocket.open(url);
  atEnd(t, () => raw.destroy());
  raw.sendJson({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params });
  const { text } = await raw.frames.take("the answer to eth_subscribe", (frame) => frame.text && JSON.parse(frame.text).id === 1);
  const take = ({ text: json }) => {
    const notification = json ? JSON.parse(json).params : null;
    if (notification) told.push(notification);
  };
  raw.frames.items.splice(0).forEach(take);
  raw.frames.push = take;
  return { answer: JSON.parse(text), raw, told };
}

async function assertWhole(heads, url) {
  for (let i = 0; i < heads.length; ++i) {
    if (i > 0) assert.equal(numberOf(heads[i]), numberOf(heads[i - 1]) + 1);
    if (i > 0) assert.equal(heads[i].parentHash, heads[i - 1].hash);
    const block = await call(url, "eth_getBlockByNumber", [heads[i].number, false]);
    assert.equal(heads[i].hash, block.hash);
  }
}

test("finalized heads of anvil come one by one, in jumps, and after a restart from the cursor", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining", "--slots-in-an-epoch", "4"]);
  await anvil.ask("anvil_mine", ["0x20"]);
  const config = writeConfig(t, configFor(anvil.url));
  let fanfare = await startFanfare(t, ["--config", config]);
  const { told } = await subscribe(t, fanfare.ws, ["newFinalizedHeads", { cursor: true }]);
  await until("the position", () => told.length > 0);
  assert.equal(told[0].notice.type, "live");
  const first = Number(told[0].notice.block) + 1;
  const heads = () => told.filter(({ result }) => result).map(({ result }) => result);
  for (const count of ["0x1", "0x2", "0x28"]) {
    await anvil.ask("anvil_mine", [count]);
    const last = await finalizedOf(anvil.url);
    await until(`block ${last}`, () => heads().length > 0 && numberOf(heads().at(-1)) === last);
  }
  assert.equal(numberOf(heads()[0]), first);
  await metricIs(1, fanfare, "fanfare_subscriptions", { type: "newFinalizedHeads" });
  await metricIs(heads().length, fanfare, "fanfare_notifications_total", { type: "newFinalizedHeads" });

  await fanfare.program.stop();
  await anvil.ask("anvil_mine", ["0x14"]);
  fanfare = await startFanfare(t, ["--config", config]);
  await subscribe(t, fanfare.ws, ["newFinalizedHeads", { cursor: told.at(-1).cursor }], told);
  await anvil.ask("anvil_mine", ["0x1"]);
  const last = await finalizedOf(anvil.url);
  await until(`block ${last}`, () => numberOf(heads().at(-1)) === last);
  assert.equal(numberOf(heads()[0]), first);
  assert.equal(heads().length, last - first + 1);
  assert.ok(told.every(({ notice }) => !notice || notice.type === "live"));
  await assertWhole(heads(), anvil.url);
});

test("finalized heads of the development chain", async (t) => {
  const chain = await startDevChain(t, ["--dev-block-time", "50ms"]);
  await until("some finalized blocks", async () => (await finalizedOf(chain.http)) > 2);
  const { answer, told } = await subscribe(t, chain.ws, ["newFinalizedHeads"]);
  assert.ok(answer.result, JSON.stringify(answer));
  await until("ten heads", () => told.length >= 10);
  await assertWhole(told.slice(0, 10).map(({ result }) => result), chain.http);
});

test("a node without finalized blocks is an error at once", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  const server = http.createServer(postOnly((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.once("end", async () => {
      const body = Buffer.concat(parts).toString();
      response.setHeader("content-type", "application/json");
      if (body.includes('"finalized"')) {
        const { id } = JSON.parse(body);
        return response.end(JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32602, message: "invalid tag" } }));
      }
      const reply = await fetch(anvil.url, { method: "POST", headers: { "content-type": "application/json" }, body });
      response.end(await reply.text());
    });
  }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))));
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(`http://127.0.0.1:${server.address().port}`))]);
  const { answer } = await subscribe(t, fanfare.ws, ["newFinalizedHeads"]);
  assert.equal(answer.error.code, -32603);
  assert.equal(answer.error.message, "the upstream does not report finalized blocks");
  assert.equal(await metric(fanfare, "fanfare_subscriptions", { type: "newFinalizedHeads" }), 0);
  // Other subscriptions are not affected.
  assert.ok((await subscribe(t, fanfare.ws, ["newHeads"])).answer.result);
});
