// subscriptionsMax counts live subscriptions: however one ends, it makes room for another.

import assert from "node:assert/strict";
import { test } from "node:test";
import { key } from "./support/access.js";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { startFanfare, writeConfig } from "./support/fanfare.js";
import { NodeProxy } from "./support/node_proxy.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

const KEY = "some-key-0123456789";

test("a subscription that the gateway, the client or the node ends is counted out", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  let forgets = false;
  let refuses = true;
  const proxy = await NodeProxy.start(t, anvil.url, {
    answer: (request, respond) => {
      const fail = (message) => respond(200, JSON.stringify({ jsonrpc: "2.0", id: request.id, error: { code: -32000, message } }));
      if (request.method === "eth_getFilterChanges" && forgets) {
        forgets = false;
        fail("filter not found");
        return true;
      }
      const asksPending = ["eth_newPendingTransactionFilter", "txpool_content"].includes(request.method) || request.params?.[0] === "pending";
      if (refuses && asksPending) fail("not for you");
      return refuses && asksPending;
    },
  });
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, `
logLevel: info
server: { httpPort: 0, threads: 1 }
access:
  roles: [{ id: reader, projects: [main], methods: ["*"], topics: ["*"], limits: { subscriptionsMax: 2, connectionsMax: 2 } }]
  keys: [{ id: one, roles: [reader], key: ${KEY} }]
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 31337 } }]
    upstreams: [{ id: anvil, endpoint: "${proxy.url}" }]
`)]);
  const open = async () => {
    const raw = await RawSocket.open(fanfare.ws, { headers: key(KEY) });
    atEnd(t, () => raw.destroy());
    return raw;
  };
  const raw = await open();
  const pending = () => raw.ask("eth_subscribe", ["newPendingTransactions", false, { cursor: true }]);
  const isFull = async () => assert.equal((await raw.ask("eth_subscribe", ["newHeads"])).error?.code, -32005);

  await raw.subscribe("newHeads");
  // Refused by the node, after it was reserved.
  for (let i = 0; i < 3; ++i) assert.equal((await pending()).error.code, -32603);
  refuses = false;
  assert.match((await until("the node listens", async () => {
    const answer = await pending();
    return answer.result ? answer : assert.equal(answer.error.code, -32603);
  })).result, /^0x/);
  await isFull();

  // By the gateway, with a notice.
  forgets = true;
  await raw.json((message) => message.params?.notice, "a notice");
  const second = await pending();
  assert.match(second.result, /^0x/, JSON.stringify(second));
  await isFull();

  // By the client; and once more, which must not count twice.
  assert.equal((await raw.ask("eth_unsubscribe", [second.result])).result, true);
  assert.equal((await raw.ask("eth_unsubscribe", [second.result])).error.code, -32000);
  // One that is refused by its parameters.
  assert.equal((await raw.ask("eth_subscribe", ["newHeads", { cursor: "nonsense" }])).error?.code, -32602);
  assert.equal((await raw.ask("eth_subscribe", ["nothing"])).error?.code, -32601);
  const third = await raw.subscribe("newHeads");
  await isFull();
  assert.equal((await raw.ask("eth_unsubscribe", [third])).result, true);
  await raw.subscribe("newHeads");
  await isFull();

  // With its connection, whoever ends it.
  const other = await open();
  await assert.rejects(open(), /answered 429/);
  raw.destroy();
  await until("the room is there again", async () => (await other.ask("eth_subscribe", ["newHeads"])).result);
  await other.close();
  const last = await until("its connections are counted out, too", () => open());
  await until("and their subscriptions", async () => (await last.ask("eth_subscribe", ["newHeads"])).result);
  assert.match((await last.ask("eth_subscribe", ["newHeads"])).result, /^0x/);
});
