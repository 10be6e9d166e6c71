// Subscription ids: shared by default, and unique on request, such as for a multiplexer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { atEnd } from "./support/cleanup.js";
import { startDevChain, startFanfare, writeConfig } from "./support/fanfare.js";
import { RawSocket } from "./support/raw_socket.js";

const connect = async (t, url) => {
  const raw = await RawSocket.open(url);
  atEnd(t, () => raw.destroy());
  return raw;
};
const notified = (raw, id) => raw.json((message) => message.params?.subscription === id, `a notification of ${id}`);

test("with ?subscriptionIds=unique no two subscriptions have the same id, and each is told under its own", async (t) => {
  const gateway = await startDevChain(t, ["--dev-block-time", "100ms"]);
  const unique = await Promise.all([1, 2, 3].map(() => connect(t, `${gateway.ws}/?subscriptionIds=unique`)));
  const shared = await Promise.all([1, 2].map(() => connect(t, gateway.ws)));
  const ids = [];
  for (const raw of unique) for (const params of [["newHeads"], ["newHeads"], ["logs", {}]]) ids.push([raw, await raw.subscribe(...params)]);
  const [one, other] = [await shared[0].subscribe("newHeads"), await shared[1].subscribe("newHeads")];
  assert.equal(one, other);
  assert.equal(new Set([...ids.map(([, id]) => id), one]).size, ids.length + 1);
  for (const [raw, id] of ids) await notified(raw, id);
  for (const raw of shared) await notified(raw, one);
  const [raw, id] = ids[0];
  assert.equal((await raw.ask("eth_unsubscribe", [ids[3][1]])).error.code, -32000); // the id belongs to another connection
  assert.equal((await raw.ask("eth_unsubscribe", [id])).result, true);
  const again = await raw.subscribe("newHeads");
  assert.ok(!ids.some(([, old]) => old === again));
});

test("the setting is for connections that ask for nothing, and other words are refused", async (t) => {
  const gateway = await startFanfare(t, ["--config", writeConfig(t, `
server: { httpPort: 0, threads: 1, websocket: { subscriptionIds: unique } }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1 } }]
    upstreams: [{ id: nobody, endpoint: "http://127.0.0.1:9" }]
`)], { ready: false });
  await assert.rejects(RawSocket.open(`${gateway.ws}?subscriptionIds=mine`), { status: 400 });
  for (const query of ["", "?subscriptionIds=shared", "?subscriptionIds=unique"]) await connect(t, gateway.ws + query);
});
