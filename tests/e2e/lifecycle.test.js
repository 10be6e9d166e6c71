// Keep-alive, half-open and misbehaving peers, and the daemon's shutdown.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import WebSocket from "ws";
import { atEnd } from "./support/cleanup.js";
import { BINARY, call, metricIs, startDevChain, startFanfare, writeConfig } from "./support/fanfare.js";
import { startFor } from "./support/processes.js";
import { frame, Opcode, RawSocket, upgradeRequest } from "./support/raw_socket.js";
import { until, within } from "./support/waiting.js";

async function open(t, fanfare, options) {
  const raw = await RawSocket.open(fanfare.ws, options);
  atEnd(t, () => raw.destroy());
  return raw;
}

const PYTHON = process.env.FANFARE_PYTHON ?? "/usr/bin/python3";
const PYTHON_CLIENT = `
import asyncio, json, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1]) as socket:
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": 0, "method": "eth_subscribe", "params": ["newHeads"]}).encode())
        print("subscribed", json.loads(await socket.recv())["result"], flush=True)
        while True:
            print("head", int(json.loads(await socket.recv())["params"]["result"]["number"], 16), flush=True)
try:
    asyncio.run(main())
except websockets.ConnectionClosed as closed:
    print("closed", closed.rcvd.code if closed.rcvd else 1006, flush=True)
`;

test("pings go out, who answers stays, who is silent is dropped", async (t) => {
  const fanfare = await startDevChain(t, ["--ping-interval", "100ms", "--pong-timeout", "500ms"]);
  const answering = await open(t, fanfare);
  const silent = await open(t, fanfare, { answerPings: false });
  await silent.frames.take("a ping", (one) => one.ping !== undefined);
  await within("the silent peer is dropped", silent.ended);
  await metricIs(1, fanfare, "fanfare_websocket_connections_closed_total", { reason: "ping_timeout" });
  for (let pings = 0; pings < 12; ++pings) await answering.frames.take("a ping", (one) => one.ping !== undefined);
  assert.equal((await answering.ask("eth_chainId")).result, "0x539");
});

test("a client's ping is answered with its own bytes, its Close with its own code", async (t) => {
  const fanfare = await startDevChain(t);
  const raw = await open(t, fanfare);
  raw.send(Opcode.ping, "as it was");
  assert.deepEqual(await raw.frames.take("a pong"), { pong: "as it was" });
  assert.deepEqual(await raw.close(4001), { close: 4001, reason: "" });
});

test("broken rules end the connection with their code", async (t) => {
  const fanfare = await startDevChain(t);
  const unmasked = Buffer.from([0x81, 0x02, 0x68, 0x69]);
  for (const [what, bytes, code] of [
    ["an unmasked frame (RFC6455§5.1)", unmasked, 1002],
    ["a reserved bit (RFC6455§5.2)", Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1002],
    ["a reserved opcode (RFC6455§5.2)", Buffer.from([0x83, 0x80, 0, 0, 0, 0]), 1002],
    ["a long ping (RFC6455§5.5)", frame(Opcode.ping, "x".repeat(126)), 1002],
    ["text that is not UTF-8 (RFC6455§8.1)", frame(Opcode.text, Buffer.from([0xff])), 1007],
    ["a message past the limit (RFC6455§7.4.1)", Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]), 1009],
    ["a close code that is not for frames (RFC6455§7.4.1)", frame(Opcode.close, Buffer.from([0x03, 0xed])), 1002],
  ]) {
    const raw = await open(t, fanfare);
    raw.write(bytes);
    assert.equal((await raw.closed())?.close, code, what);
  }
  assert.equal(await call(fanfare.http, "eth_chainId"), "0x539");
});

test("half handshakes and idle connections are in nobody's way", async (t) => {
  const fanfare = await startDevChain(t, ["--dev-block-time", "100ms"]);
  const halves = await Promise.all(Array.from({ length: 300 }, () => RawSocket.connect(fanfare.ws)));
  atEnd(t, () => halves.forEach((half) => half.destroy()));
  halves.forEach((half, i) => half.write(upgradeRequest(fanfare.ws).slice(0, 1 + i % 100)));
  const raw = await open(t, fanfare);
  const id = await raw.subscribe("newHeads");
  for (let heads = 0; heads < 10; ++heads) await raw.json((message) => message.params?.subscription === id);
});

test("SIGTERM: every connection gets 1012, whatever its client, and the status is 0", async (t) => {
  const fanfare = await startDevChain(t, ["--dev-block-time", "100ms"]);
  const raws = [];
  for (let i = 0; i < 100; ++i) raws.push(await open(t, fanfare));
  await Promise.all(raws.map((raw, i) => i % 2 && raw.subscribe("newHeads")));

  const library = new WebSocket(fanfare.ws); // offers compression, as it does by default
  atEnd(t, () => library.terminate());
  await once(library, "open");
  library.send('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}');
  const [answer] = await once(library, "message");
  assert.match(JSON.parse(answer).result, /^0x/);
  const libraryClosed = once(library, "close");

  const python = startFor(t, "python", PYTHON, ["-c", PYTHON_CLIENT, fanfare.ws]);
  await python.line(/^subscribed 0x/);
  const [, from] = await python.line(/^head (\d+)$/);
  await python.line(new RegExp(`^head ${Number(from) + 3}$`));

  assert.ok(fanfare.program.signal("SIGTERM"));
  for (const raw of raws) assert.equal((await raw.closed())?.close, 1012);
  assert.equal((await libraryClosed)[0], 1012);
  await python.line(/^closed 1012$/);
  assert.deepEqual(await within("the daemon ends", fanfare.program.exit), { code: 0, signal: null });
  await fanfare.program.line(/ stopped connections_dropped=0$/);
  await assert.rejects(RawSocket.connect(fanfare.ws), { code: "ECONNREFUSED" });
});

test("SIGTERM: a peer that answers nothing is dropped at the deadline, and the status is 0", async (t) => {
  const fanfare = await startDevChain(t, ["--shutdown-timeout", "500ms"]);
  const deaf = await open(t, fanfare);
  deaf.closeSent = true; // it does not answer the Close
  fanfare.program.signal("SIGTERM");
  assert.deepEqual(await within("the daemon ends", fanfare.program.exit), { code: 0, signal: null });
  await fanfare.program.line(/ stopped connections_dropped=1$/);
  assert.equal((await deaf.closed())?.close, 1012);
});

const spreadConfig = (spread) => `
logLevel: info
server: { httpPort: 0, threads: 1, shutdownTimeout: 1h, shutdownSpread: ${spread} }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1 } }]
    upstreams: [{ id: nobody, endpoint: "http://127.0.0.1:9" }]
`;

test("SIGTERM with shutdownSpread: the connections end one after another, and the others are served", async (t) => {
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, spreadConfig("1h"))], { ready: false });
  const raws = [];
  for (let i = 0; i < 3; ++i) raws.push(await open(t, fanfare));
  fanfare.program.signal("SIGTERM");
  const first = await within("a Close", Promise.any(raws.map(async (raw) => [raw, await raw.closed()])));
  assert.deepEqual(first[1], { close: 1012, reason: "the gateway is restarting, try again in 30 s" });
  for (const raw of raws.filter((one) => one !== first[0])) assert.equal((await raw.ask("web3_clientVersion")).jsonrpc, "2.0");
  await assert.rejects(RawSocket.connect(fanfare.ws), { code: "ECONNREFUSED" });
  fanfare.program.signal("SIGTERM");
  assert.deepEqual(await within("the daemon ends", fanfare.program.exit), { code: null, signal: "SIGTERM" });
});

test("SIGTERM with shutdownSpread: the daemon ends with the last connection", async (t) => {
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, spreadConfig("400ms"))], { ready: false });
  const raws = [];
  for (let i = 0; i < 4; ++i) raws.push(await open(t, fanfare));
  const before = performance.now();
  fanfare.program.signal("SIGTERM");
  for (const raw of raws) assert.equal((await raw.closed())?.close, 1012);
  assert.deepEqual(await within("the daemon ends", fanfare.program.exit), { code: 0, signal: null });
  // The last of four is due after three quarters of the time.
  assert.ok(performance.now() - before >= 300);
  await fanfare.program.line(/ stopped connections_dropped=0$/);
});

test("a second signal ends the daemon at once", async (t) => {
  const fanfare = await startDevChain(t, ["--shutdown-timeout", "10m"]);
  const deaf = await open(t, fanfare);
  deaf.closeSent = true;
  fanfare.program.signal("SIGINT");
  await deaf.frames.take("the Close", (one) => one.close === 1012);
  fanfare.program.signal("SIGTERM");
  assert.deepEqual(await within("the daemon ends", fanfare.program.exit), { code: null, signal: "SIGTERM" });
  // A connection that asked something at the start may still be there, too.
  await fanfare.program.line(/ stopped connections_dropped=[1-9]/);
});

// Starts it like a script's shell starts a background program: with SIGINT ignored.
const IGNORING = ["-c", `trap "" INT; exec "$0" "$@"`, BINARY];

test("a second SIGINT ends it at once where it was ignored at the start, and SIGHUP does not hurry the end", async (t) => {
  const flags = ["serve", "--http-port", "0", "--ws-port", "0", "--shutdown-timeout", "10m"];
  const program = startFor(t, "fanfare", "/bin/sh", [...IGNORING, ...flags]);
  const [, ws] = await program.line(/^ {2}WebSocket\s+(ws:\S+)/);
  const deaf = await open(t, { ws });
  deaf.closeSent = true;
  program.signal("SIGINT");
  await deaf.frames.take("the Close", (one) => one.close === 1012);
  program.signal("SIGHUP");
  program.signal("SIGINT");
  assert.deepEqual(await within("the daemon ends", program.exit), { code: null, signal: "SIGINT" });
});

test("a port that is taken is one line and status 1", async (t) => {
  const fanfare = await startDevChain(t);
  const { port } = new URL(fanfare.http);
  const second = startFor(t, "second", BINARY, ["serve", "--http-port", port, "--ws-port", "0"]);
  assert.equal((await within("it ends", second.exit)).code, 1);
  assert.match(second.text, new RegExp(`start_failed .*${port}`));
  await until("the first still serves", async () => (await call(fanfare.http, "eth_chainId")) === "0x539");
});
