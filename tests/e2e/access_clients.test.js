// ethers, viem and web3 with a key in the URL, and two keys of different roles in front of a real node: what is granted,
// a denied method, a denied contract and an exhausted quota, over HTTP and WebSocket.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FetchRequest, JsonRpcProvider, WebSocketProvider } from "ethers";
import { createPublicClient, http as httpTransport, webSocket } from "viem";
import { Web3 } from "web3";
import { startAnvil } from "./support/anvil.js";
import { startFanfare, writeConfig } from "./support/fanfare.js";
import { until } from "./support/waiting.js";

const READER = "reader-key-0123456789";
const WRITER = "writer-key-0123456789";
const POOR = "poor-key-0123456789";
const VAULT = "0x00000000000000000000000000000000000000bb";
const TOKEN = "0x00000000000000000000000000000000000000aa";
const BURST = 8; // more than a client library asks on its own before the first call

// Each: open(url) -> {send(method, params), close()}; `send` rejects with whatever the library makes of an error.
const LIBRARIES = {
  ethers: (url) => {
    const request = new FetchRequest(url.replace("ws:", "http:"));
    request.setThrottleParams({ maxAttempts: 1 });
    const options = { staticNetwork: true, batchMaxCount: 1 };
    const provider = url.startsWith("ws:") ? new WebSocketProvider(url, 31337, options) : new JsonRpcProvider(request, 31337, options);
    return { send: (method, params) => provider.send(method, params), close: () => provider.destroy() };
  },
  viem: (url) => {
    const transport = url.startsWith("ws:") ? webSocket(url, { retryCount: 0, reconnect: false }) : httpTransport(url, { retryCount: 0 });
    const client = createPublicClient({ transport });
    return {
      send: (method, params) => client.request({ method, params }),
      close: async () => (await client.transport.getRpcClient?.())?.close(),
    };
  },
  web3: (url) => {
    const web3 = new Web3(url);
    return { send: (method, params) => web3.requestManager.send({ method, params }), close: () => (url.startsWith("ws:") ? web3.provider.disconnect() : undefined) };
  },
};

// The JSON-RPC error's code or the HTTP status, wherever a library puts it.
function codeOf(error) {
  for (const one of [error, error.error, error.cause, error.info?.error, error.data, error.innerError, [error.innerError].flat()[0], error.cause?.cause]) {
    if (one?.code < 0) return one.code;
    if (one?.status === 429 || one?.statusCode === 429) return 429;
  }
  if (/\b429\b|Too Many Requests|exceeded maximum retry limit|missing response/i.test(`${error.message} ${error.shortMessage}`)) return 429;
  return /-32\d{3}/.exec(JSON.stringify(error, Object.getOwnPropertyNames(error)))?.[0] ?? error;
}
const failing = (promise) => promise.then((result) => assert.fail(`answered ${JSON.stringify(result)}`), codeOf);

test("three libraries, two roles, both transports", async (t) => {
  const anvil = await startAnvil(t);
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, `
logLevel: info
server: { httpPort: 0 }
access:
  roles:
    - { id: reader, projects: [main], methods: { allow: ["*"], deny: [eth_sendRawTransaction] }, topics: [newHeads], contracts: { deny: ["${VAULT}"] } }
    - { id: writer, projects: [main], methods: ["*", "anvil_*"], topics: ["*"] }
    - { id: poor, projects: [main], methods: ["*"], limits: { requestsPerSecond: 1, requestsBurst: ${BURST} } }
  keys:
    - { id: reader, roles: [reader], key: ${READER} }
    - { id: writer, roles: [writer], key: ${WRITER} }
    - { id: poor, roles: [poor], key: ${POOR} }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 31337 } }]
    upstreams: [{ id: anvil, endpoint: "${anvil.url}" }]
`)]);
  const call = (to) => [{ to, data: "0x" }, "latest"];

  for (const [library, open] of Object.entries(LIBRARIES)) {
    for (const [transport, base] of [["HTTP", fanfare.http], ["WebSocket", fanfare.ws]]) {
      await t.test(`${library} over ${transport}`, async () => {
        const [reader, writer] = [open(`${base}/${READER}`), open(`${base}?apikey=${WRITER}`)];
        for (const one of [reader, writer]) {
          assert.equal(Number(await one.send("eth_chainId", [])), 31337);
          assert.equal(await one.send("eth_call", call(TOKEN)), "0x");
        }
        // A method that one role denies, one that only the other names, one that neither does.
        assert.equal(Number(await failing(reader.send("eth_sendRawTransaction", ["0x00"]))), -32601);
        assert.notEqual(Number(await failing(writer.send("eth_sendRawTransaction", ["0x00"]))), -32601, "the node itself refuses it");
        assert.equal(Number(await failing(reader.send("anvil_nodeInfo", []))), -32601);
        assert.equal(typeof (await writer.send("anvil_nodeInfo", [])), "object");
        for (const one of [reader, writer]) assert.equal(Number(await failing(one.send("admin_peers", []))), -32601);
        // A contract.
        assert.equal(Number(await failing(reader.send("eth_call", call(VAULT)))), -32001);
        assert.equal(Number(await failing(reader.send("eth_getLogs", [{ address: VAULT }]))), -32001);
        assert.equal(await writer.send("eth_call", call(VAULT)), "0x");
        // A quota. The other keys do not notice it.
        const poor = open(`${base}/${POOR}`);
        const refused = await until("the quota is used up", () => poor.send("eth_chainId", []).then(() => null, codeOf), { everyMs: 0 });
        assert.ok([-32005, 429].includes(Number(refused)), String(refused.stack ?? refused));
        assert.equal(Number(await reader.send("eth_chainId", [])), 31337);
        for (const one of [reader, writer, poor]) await one.close();
      });
    }
  }
});
