// A gateway whose program is a file that the test replaces, and what watches it meanwhile.

import { chmodSync, copyFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import WebSocket from "ws";
import { atEnd } from "./cleanup.js";
import { BINARY, startDevChain, temporaryFolder, untilReady } from "./fanfare.js";
import { startFor } from "./processes.js";
import { until } from "./waiting.js";

export const CHAIN = 1337;

export const configuration = (folder, endpoint, server = "") => `logLevel: info
server:
  httpPort: 0
  threads: 2
  unixSocket: { path: ${folder}/gateway.sock }
${server}admin: { socket: { path: ${folder}/admin.sock } }
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

// {node, file, folder, program, url, health, write(text), next(text), log(pattern, from), upgraded(), pid(), isRunning()}
export async function startUpgradable(t, { server = "", blockTime = "50ms" } = {}) {
  const node = await startDevChain(t, ["--dev-block-time", blockTime, "--log-level", "error"]);
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
  write(configuration(folder, node.http, server));
  const program = startFor(t, "fanfare", file, ["serve", "--config", config]);
  const pids = [program.child.pid];
  // The successors hold the program's output open.
  atEnd(t, async () => {
    for (const pid of pids) {
      if (isRunning(pid)) process.kill(pid, "SIGTERM");
      await until(`process ${pid} has ended`, () => !isRunning(pid));
    }
  });
  const [, health] = await program.line(/^ {2}Metrics\s+(http:\S+)\/metrics/);
  await untilReady({ health });
  const log = (pattern, from = 0) =>
    program.lines.when(String(pattern), (lines) => lines.slice(from).map((line) => pattern.exec(line)).find((match) => match));
  const upgraded = async (from = 0) => {
    const pid = Number((await log(/ upgraded pid=(\d+)/, from))[1]);
    pids.push(pid);
    return pid;
  };
  return {
    node, folder, file, program, health, log, write, next, upgraded, isRunning,
    url: `${health.replace("http:", "ws:")}/main/evm/${CHAIN}`,
    pid: () => pids.at(-1),
    position: () => program.lines.items.length,
    config: (server, endpoint = node.http) => write(configuration(folder, endpoint, server)),
  };
}

// Connects to the port again and again; `failures` has what was refused.
export function startTrickle(t, health, everyMs = 10) {
  const { hostname, port } = new URL(health);
  const trickle = { connections: 0, failures: [] };
  let timer;
  const one = () => {
    const socket = net.connect(Number(port), hostname);
    let text = "";
    let failed = null;
    socket.on("connect", () => socket.write(`GET /healthz HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: close\r\n\r\n`));
    socket.on("data", (data) => (text += data));
    socket.on("error", (error) => (failed = error.code));
    socket.on("close", () => {
      trickle.connections++;
      if (failed || !text.startsWith("HTTP/1.1 200")) trickle.failures.push(failed ?? JSON.stringify(text.slice(0, 40)));
    });
    timer = setTimeout(one, everyMs);
  };
  one();
  trickle.stop = () => clearTimeout(timer);
  atEnd(t, trickle.stop);
  return trickle;
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
