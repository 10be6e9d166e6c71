// The sample configurations of examples/streams with the nodes they are for: anvil, and Debian's monerod. And a Python client.

import assert from "node:assert/strict";
import { once } from "node:events";
import { accessSync, constants, readFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";
import { startAnvil } from "./support/anvil.js";
import { BINARY, startDevChain, temporaryFolder, writeConfig } from "./support/fanfare.js";
import { ROOT, startFor } from "./support/processes.js";
import { StreamClient } from "./support/streams.js";
import { until } from "./support/waiting.js";

const MONEROD = process.env.MONEROD ?? "/usr/bin/monerod";
const PYTHON = process.env.FANFARE_PYTHON ?? "/usr/bin/python3";
const hasMonerod = (() => {
  try {
    accessSync(MONEROD, constants.X_OK);
    return true;
  } catch {
    return false;
  }
})();

// monerod cannot choose its ports.
async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

// The example on ports of the system's choice. Returns the URL of the streams' own port, and that of the shared one.
async function startExample(t, name, env) {
  const text = readFileSync(path.join(ROOT, "examples/streams", name), "utf8");
  assert.match(text, /httpPort: 8000/);
  assert.match(text, /websocketPort: 8080/);
  const config = writeConfig(t, text.replace("httpPort: 8000", "httpPort: 0").replace("websocketPort: 8080", "websocketPort: 0"));
  const program = startFor(t, "fanfare", BINARY, ["serve", "--config", config], { env });
  const [, shared] = await program.line(/^ {2}Streams\s+(ws:\S+\/streams)$/);
  const [, own] = await program.line(/^ {2}Streams\s+(ws:\S+:\d+)$/);
  return { program, shared, own };
}

test("the streams of anvil, on a port of their own", async (t) => {
  const anvil = await startAnvil(t, ["--no-mining"]);
  const fanfare = await startExample(t, "anvil.yaml", { ANVIL_URL: anvil.url });
  const plain = await fetch(fanfare.own.replace("ws:", "http:"));
  assert.equal(plain.status, 426);
  const client = await StreamClient.open(t, fanfare.own);
  assert.deepEqual((await client.next()).available_streams, ["network_metrics", "receipts"]);
  await client.subscribe("network_metrics");
  assert.equal((await client.take("network_metrics")).data.block_height, 0);
  await client.subscribe("receipts");
  assert.deepEqual((await client.take("receipts")).data.receipts, []);

  const from = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
  const hash = await anvil.ask("eth_sendTransaction", [{ from, to: from, value: "0x1" }]);
  await anvil.ask("evm_mine");
  const { receipts, count } = (await client.take("receipts")).data;
  assert.equal(count, 1);
  assert.equal(receipts[0].id, hash);
  assert.equal(receipts[0].block_height, 1);
  assert.equal(receipts[0].amount, 21000);
  const { data } = await client.take("network_metrics", (message) => message.data.block_height === 1);
  assert.equal(data.tps, 1);

  // Its own port and the shared one have the same streams.
  const shared = await StreamClient.open(t, fanfare.shared);
  await shared.subscribe("network_metrics");
  assert.equal((await shared.take("network_metrics")).data.block_height, 1);

  await anvil.program.stop("SIGKILL");
  assert.equal((await client.take("notice")).state, "interrupted");
});

test("the streams of monerod", { skip: !hasMonerod && "monerod is not installed" }, async (t) => {
  const port = await freePort();
  const p2p = await freePort();
  const flags = ["--regtest", "--offline", "--fixed-difficulty", "1", "--data-dir", temporaryFolder(t), "--rpc-bind-port", String(port),
    "--p2p-bind-ip", "127.0.0.1", "--p2p-bind-port", String(p2p), "--no-zmq", "--non-interactive", "--log-level", "0"];
  startFor(t, "monerod", MONEROD, flags);
  const url = `http://127.0.0.1:${port}`;
  const ask = async (method, params = {}) => {
    const response = await fetch(`${url}/json_rpc`, { method: "POST", body: JSON.stringify({ jsonrpc: "2.0", id: 0, method, params }) });
    return (await response.json()).result;
  };
  await until("monerod answers", () => ask("get_info"));
  const fanfare = await startExample(t, "monerod.yaml", { MONEROD_URL: url });
  const client = await StreamClient.open(t, fanfare.own);
  assert.deepEqual((await client.next()).available_streams, ["network_metrics", "peers"]);
  await client.subscribe("network_metrics");
  await client.subscribe("peers");
  assert.deepEqual((await client.take("peers")).data, { peers: [], total: 0 });
  const { data } = await client.take("network_metrics");
  assert.equal(data.block_height, (await ask("get_info")).height);
  assert.ok(data.network_strength >= 0 && data.network_strength <= 100);
});

const PYTHON_CLIENT = `
import asyncio, json, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1]) as socket:
        print("welcome", json.loads(await socket.recv())["type"], flush=True)
        await socket.send(json.dumps({"type": "subscribe", "stream": "network_metrics", "history": 5}))
        print("subscribed", json.loads(await socket.recv())["stream"], flush=True)
        message = json.loads(await socket.recv())
        print("value", message["type"], message["data"]["block_height"], message["offset"], flush=True)
        for bad in ["{", b"\\x00\\xff", "[" * 50, json.dumps({"type": 5}), json.dumps({"type": "subscribe", "stream": "x" * 3000})]:
            await socket.send(bad)
            while True:
                answer = json.loads(await socket.recv())
                if answer["type"] == "error": break
            print("error", answer["message"][:40], flush=True)
        print("done", flush=True)
asyncio.run(main())
`;

test("a Python client reads a stream, and its malformed messages get their errors", async (t) => {
  const fanfare = await startDevChain(t);
  const url = `ws://${new URL(fanfare.http).host}/streams`;
  const python = startFor(t, "python", PYTHON, ["-c", PYTHON_CLIENT, url]);
  await python.line(/^welcome welcome$/);
  await python.line(/^subscribed network_metrics$/);
  await python.line(/^value network_metrics \d+ \d+$/);
  await python.line(/^done$/);
  assert.equal((await python.exit).code, 0);
  assert.equal(python.lines.items.filter((line) => line.startsWith("error ")).length, 5);
});
