// The gateway's limits, and the metric that shows which limit was reached.
// Runs alone: it measures when connections are closed.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { atEnd } from "./support/cleanup.js";
import { BINARY, metric, metricIs, startFanfare, temporaryFolder, writeConfig } from "./support/fanfare.js";
import { startFor } from "./support/processes.js";
import { frame, Opcode, RawSocket } from "./support/raw_socket.js";
import { until, within } from "./support/waiting.js";

const start = (t, { limits = "", websocket = "" }) =>
  startFanfare(t, ["--config", writeConfig(t, `
logLevel: info
server:
  httpPort: 0
  threads: 1
  limits: { ${limits} }
  websocket: { ${websocket} }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1 } }]
    upstreams: [{ id: nobody, endpoint: "http://127.0.0.1:9" }]
`)], { ready: false });

const open = async (t, gateway, options) => {
  const raw = await RawSocket.open(gateway.ws, options);
  atEnd(t, () => raw.destroy());
  return raw;
};

// A call that the gateway answers itself, without a node.
const ROUND_TRIP = '{"jsonrpc":"2.0","id":1,"method":"eth_unsubscribe","params":["0x1"]}';

test("a connection without messages is closed with 1008, one with messages stays", async (t) => {
  const gateway = await start(t, { websocket: "idleTimeout: 2s, pingInterval: 100ms" });
  const idle = await open(t, gateway);
  const busy = await open(t, gateway);
  let open_ = true;
  idle.ended.then(() => (open_ = false));
  while (open_) {
    busy.sendJson(ROUND_TRIP);
    await busy.text((text) => text.includes('"id":1'));
  }
  assert.equal((await idle.closed()).close, 1008);
  await metricIs(1, gateway, "fanfare_websocket_connections_closed_total", { reason: "idle_timeout" });
  busy.sendJson(ROUND_TRIP);
  await busy.text();
});

test("more frames than a turn allows wait for the next one, and are counted", async (t) => {
  const gateway = await start(t, { websocket: "framesPerTurnMax: 2" });
  const raw = await open(t, gateway);
  raw.write(Buffer.concat(Array.from({ length: 20 }, (_, i) => frame(Opcode.text, ROUND_TRIP.replace('"id":1', `"id":${i}`)))));
  for (let i = 0; i < 20; ++i) assert.match(await raw.text(), new RegExp(`"id":${i}[,}]`));
  assert.ok((await metric(gateway, "fanfare_turn_shares_spent_total")) > 0);
});

test("one fragment too many is 1009", async (t) => {
  const gateway = await start(t, { websocket: "maxFragments: 3" });
  const raw = await open(t, gateway);
  const piece = (opcode, text, fin) => raw.write(frame(opcode, text, { fin }));
  piece(Opcode.text, ROUND_TRIP.slice(0, 9), false);
  piece(Opcode.continuation, "", false);
  piece(Opcode.continuation, ROUND_TRIP.slice(9), true);
  await raw.text();
  piece(Opcode.text, "a", false);
  piece(Opcode.continuation, "", false);
  piece(Opcode.continuation, "", false);
  piece(Opcode.continuation, "", true);
  assert.equal((await raw.closed()).close, 1009);
  await metricIs(1, gateway, "fanfare_websocket_connections_closed_total", { reason: "too_many_fragments" });
});

test("whoever is turned away before the first request is counted by reason", async (t) => {
  const gateway = await start(t, { limits: "handshakeTimeout: 1s, connectionsPerAddressMax: 2" });
  const { hostname, port } = new URL(gateway.ws);
  const from = (localAddress) => {
    const socket = net.connect({ host: hostname, port: Number(port), localAddress });
    atEnd(t, () => socket.destroy());
    const ended = new Promise((resolve) => socket.on("error", () => {}).on("close", resolve));
    socket.resume();
    return { socket, ended };
  };
  await within("the silent one is dropped", from("127.0.0.2").ended);
  await metricIs(1, gateway, "fanfare_connections_refused_total", { reason: "handshake_timeout" });

  // The limit applies per address, so the metrics are read from another one.
  const connections = [from("127.0.0.3"), from("127.0.0.3"), from("127.0.0.3")];
  await within("one of three is refused", Promise.race(connections.map(({ ended }) => ended)));
  await until("it is counted", async () =>
    (await metric(gateway, "fanfare_connections_refused_total", { reason: "address_connections" })) === 1);
});

for (const seconds of [1, 8]) {
  test(`handshakeTimeout ends TLS handshakes, too, neither sooner nor later: ${seconds} s`, async (t) => {
    const folder = temporaryFolder(t);
    const [certificate, key] = ["cert.pem", "key.pem"].map((name) => path.join(folder, name));
    await promisify(execFile)("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
      "-subj", "/CN=localhost", "-days", "2", "-keyout", key, "-out", certificate]);
    const program = startFor(t, "fanfare", BINARY, ["serve", "--config", writeConfig(t, `
server:
  httpPort: 0
  threads: 1
  tls: { certificateFile: "${certificate}", keyFile: "${key}" }
  limits: { handshakeTimeout: ${seconds}s }
metrics: { port: 0 }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1 } }]
    upstreams: [{ id: nobody, endpoint: "http://127.0.0.1:9" }]
`)]);
    const [, hostname, port] = await program.line(/^ {2}WebSocket\s+wss:\/\/([^:]+):(\d+)/);
    const [, health] = await program.line(/^ {2}Metrics\s+(http:\S+)\/metrics/);
    const connect = () => {
      const socket = net.connect({ host: hostname, port: Number(port) });
      const connected = Date.now();
      atEnd(t, () => socket.destroy());
      const ended = new Promise((resolve) => socket.on("error", () => {}).on("close", () => resolve(Date.now() - connected)));
      socket.resume();
      return { socket, ended };
    };
    const [silent, dripping] = [connect(), connect()];
    const hello = Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), Buffer.alloc(500)]);
    let sent = 0;
    const drip = setInterval(() => sent < hello.length && dripping.socket.write(hello.subarray(sent, ++sent)), 50);
    atEnd(t, () => clearInterval(drip));
    for (const lasted of [await within("the silent one's end", silent.ended), await within("the dripping one's end", dripping.ended)]) {
      assert.ok(lasted >= seconds * 1000 - 100, `after ${lasted} ms`);
    }
    await until("both are counted", async () =>
      (await metric({ health }, "fanfare_connections_refused_total", { reason: "tls_timeout" })) === 2);
  });
}

test("a request with more header lines than headerLinesMax is answered 431", async (t) => {
  const gateway = await start(t, { limits: "headerLinesMax: 3" });
  const { hostname, port } = new URL(gateway.ws);
  const ask = async (lines) => {
    const socket = net.connect({ host: hostname, port: Number(port) });
    atEnd(t, () => socket.destroy());
    socket.write(`GET /healthz HTTP/1.1\r\nHost: localhost\r\n${"A: b\r\n".repeat(lines - 1)}\r\n`);
    const [answer] = await within("an answer", once(socket, "data"));
    return answer.toString().split("\r\n")[0];
  };
  assert.equal(await ask(3), "HTTP/1.1 200 OK");
  assert.match(await ask(4), /^HTTP\/1\.1 431 /);
});

test("pipelined requests past a turn's share are all answered, in later turns", async (t) => {
  const gateway = await start(t, {});
  const { hostname, port } = new URL(gateway.ws);
  const socket = net.connect({ host: hostname, port: Number(port) });
  atEnd(t, () => socket.destroy());
  let text = "";
  socket.setEncoding("latin1").on("data", (piece) => (text += piece));
  const ended = new Promise((resolve) => socket.on("end", resolve));
  socket.end("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200));
  await within("all answers, and the end", ended);
  assert.equal(text.split("HTTP/1.1 200 OK").length - 1, 200);
  assert.ok((await metric(gateway, "fanfare_http_turn_shares_spent_total")) > 0);
});

for (const loop of ["auto", "epoll"]) {
  test(`with few descriptors the others are closed, and the next ones come in when some have left (${loop})`, async (t) => {
    const flags = ["serve", "--no-web", "--loop", loop, "--threads", "1", "--http-port", "0", "--ws-port", "0"];
    const program = startFor(t, "fanfare", "/bin/sh", ["-c", `ulimit -n 40; exec "$0" "$@"`, BINARY, ...flags]);
    const [, hostname, port] = await program.line(/^ {2}WebSocket\s+ws:\/\/(\S+):(\d+)/);
    const connect = () => net.connect({ host: hostname, port: Number(port) }).on("error", () => {});
    const sockets = Array.from({ length: 60 }, connect);
    atEnd(t, () => sockets.forEach((socket) => socket.destroy()));
    // A quarter of the descriptors is for clients: src/gateway/descriptor_limit.h.
    let left = sockets.length;
    for (const socket of sockets) socket.on("close", () => left--);
    await until("fifty are closed", () => left <= 10);
    assert.equal(left, 10);
    sockets.forEach((socket) => socket.destroy());
    // The server sees them go a little later.
    let answer = null;
    await until("an answer", async () => {
      const next = connect();
      next.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      answer = await within("an answer, or the end", new Promise((resolve) => next.once("data", resolve).once("close", () => resolve(null))));
      next.destroy();
      return answer !== null;
    });
    assert.match(answer.toString(), /^HTTP\/1\.1 426 /);
    // io_uring accepts before the limit is looked at, so it may run out for a moment.
    const times = (event) => program.text.split(event).length - 1;
    assert.ok(times("accept_failed") <= times("accept_works_again") + 1, program.text);
  });
}
