// A gateway whose program is a file that the test replaces, and what watches it meanwhile.

import { chmodSync, copyFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import WebSocket from "ws";
import { atEnd } from "./cleanup.js";
import { BINARY, temporaryFolder, untilReady } from "./fanfare.js";
import { Flooder } from "./flooder.js";
import { startFor } from "./processes.js";
import { until } from "./waiting.js";

export const CHAIN = 1337;

export const configuration = (folder, endpoint, server = "") => `logLevel: info
server:
  httpPort: 0
  threads: 2
  overload: { enabled: false }
  unixSocket: { path: ${folder}/gateway.sock }
${server}admin: { socket: ${folder}/admin.sock }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: ${CHAIN}, pollIntervalMin: 20ms, pollIntervalMax: 200ms } }]
    upstreams: [{ id: node, endpoint: "${endpoint}" }]
`;

const isRunning = (pid) => {
  try {
    process.kill(pid, 0);
    // A zombie, whose parent has still to end, has no command line.
    return readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
  } catch {
    return false;
  }
};

// {endpoint, file, folder, program, url, rpc, health, ready(), write(text), next(text), log(pattern, from), upgraded(), pid(), isRunning()}
export async function startUpgradable(t, { server = "", blockMs = 50, loop = "auto" } = {}) {
  // A program of its own, which is never too busy for the gateway.
  const { url: endpoint } = await Flooder.start(t, CHAIN, { blockMs });
  const folder = temporaryFolder(t);
  const file = path.join(folder, "fanfare");
  const config = path.join(folder, "gateway.yaml");
  const write = (text) => writeFileSync(config, text);
  // Another build is installed: the running one keeps its old file.
  const next = (script) => {
    if (script === undefined) copyFileSync(BINARY, `${file}.new`);
    else writeFileSync(`${file}.new`, script);
    chmodSync(`${file}.new`, 0o755);
    renameSync(`${file}.new`, file);
  };
  next();
  write(configuration(folder, endpoint, server));
  const program = startFor(t, "fanfare", file, ["serve", "--config", config, "--loop", loop]);
  const pids = [program.child.pid];
  // The successors hold the program's output open.
  atEnd(t, async () => {
    for (const pid of pids) {
      if (isRunning(pid)) process.kill(pid, "SIGTERM");
      await until(`process ${pid} has ended`, () => !isRunning(pid));
    }
  });
  const [, health] = await program.line(/^ {2}Metrics\s+(http:\S+)\/metrics/);
  const ready = () => untilReady({ health });
  await ready();
  const log = (pattern, from = 0) =>
    program.lines.when(String(pattern), (lines) => lines.slice(from).map((line) => pattern.exec(line)).find((match) => match));
  const upgraded = async (from = 0) => {
    const pid = Number((await log(/ upgraded pid=(\d+)/, from))[1]);
    pids.push(pid);
    return pid;
  };
  return {
    endpoint, folder, file, program, health, ready, log, write, next, upgraded, isRunning,
    rpc: `${health}/main/evm/${CHAIN}`,
    url: `${health.replace("http:", "ws:")}/main/evm/${CHAIN}`,
    pid: () => pids.at(-1),
    position: () => program.lines.items.length,
    config: (server, of = endpoint) => write(configuration(folder, of, server)),
  };
}

// What one new connection gets: "answered", "moved" (a Close with 1012 before the answer), or how it failed.
function plainRequest({ hostname, port }) {
  return new Promise((resolve) => {
    const socket = net.connect(Number(port), hostname);
    let text = "";
    let failed = null;
    socket.on("connect", () => socket.write(`GET /healthz HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: close\r\n\r\n`));
    socket.on("data", (data) => (text += data));
    socket.on("error", (error) => (failed = error.code));
    socket.on("close", () => resolve(failed ?? (text.startsWith("HTTP/1.1 200") ? "answered" : `"${text.slice(0, 40)}"`)));
  });
}

// A call that the gateway answers by itself.
const CALL = '{"jsonrpc":"2.0","id":1,"method":"eth_unsubscribe","params":["0x0"]}';
const isAnswer = (text) => JSON.parse(text).id === 1;

function rpcCall({ hostname, port }, agent) {
  return new Promise((resolve) => {
    const request = http.request({ hostname, port, agent, method: "POST", path: `/main/evm/${CHAIN}`, headers: { "Content-Type": "application/json" } });
    // RFC9112§9.3.1: a kept connection may be closed just as a request is sent, and clients repeat it.
    request.on("error", (error) => resolve(request.reusedSocket && error.code === "ECONNRESET" ? "repeated" : error.code));
    request.on("response", (response) => {
      let text = "";
      response.on("data", (data) => (text += data));
      response.on("error", (error) => resolve(error.code));
      response.on("end", () => resolve(isAnswer(text) ? "answered" : `${response.statusCode} ${text.slice(0, 40)}`));
    });
    request.end(CALL);
  });
}

function webSocketCall({ host }) {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://${host}/main/evm/${CHAIN}`);
    socket.on("open", () => socket.send(CALL));
    socket.on("message", (data) => {
      resolve(isAnswer(data) ? "answered" : String(data));
      socket.close();
    });
    socket.on("error", (error) => resolve(error.code ?? error.message));
    socket.on("close", (code) => resolve(code === 1012 ? "moved" : `closed with ${code}`));
  });
}

// New connections, new WebSockets with a call, and calls over connections that are kept, one of each every few milliseconds:
// {counts: {answered: 12, ECONNREFUSED: 1}, end()}.
export function startTraffic(t, health, everyMs = 20) {
  const url = new URL(health);
  const agent = new http.Agent({ keepAlive: true });
  const counts = { answered: 0, moved: 0, repeated: 0 };
  const running = new Set();
  let timer;
  const note = (promise) => {
    running.add(promise);
    promise.then((what) => {
      running.delete(promise);
      counts[what] = (counts[what] ?? 0) + 1;
    });
  };
  const one = () => {
    note(plainRequest(url));
    note(webSocketCall(url));
    note(rpcCall(url, agent));
    timer = setTimeout(one, everyMs);
  };
  one();
  const stop = () => {
    clearTimeout(timer);
    return Promise.all(running).finally(() => agent.destroy());
  };
  atEnd(t, stop);
  return { counts, end: () => stop().then(() => counts) };
}

// A subscriber of newHeads that comes back when it is asked to, and resumes: {heads, notices, closes, opens}.
export function follow(t, url) {
  const client = { heads: [], notices: [], closes: [], opens: [], socket: null, stopped: false };
  let cursor = true;
  const connect = () => {
    const socket = (client.socket = new WebSocket(url));
    socket.on("open", () => {
      client.opens.push(performance.now());
      socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads", { cursor }] }));
    });
    socket.on("message", (data) => {
      const { params } = JSON.parse(data);
      if (!params) return;
      cursor = params.cursor ?? cursor;
      if (params.result) client.heads.push({ number: params.result.number, hash: params.result.hash, parentHash: params.result.parentHash });
      else client.notices.push(params);
    });
    socket.on("error", (error) => client.closes.push({ code: error.code }));
    socket.on("close", (code, reason) => {
      if (client.stopped) return;
      const text = String(reason);
      client.closes.push({ code, reason: text, at: performance.now() });
      const wait = /try again in (\d+) s$/.exec(text);
      setTimeout(connect, wait ? Number(wait[1]) * 1000 : 100);
    });
  };
  connect();
  atEnd(t, () => {
    client.stopped = true;
    client.socket.terminate();
  });
  return client;
}
