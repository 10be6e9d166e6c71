// Starts the daemon on ports chosen by the system. It is ready when /readyz reports that.

import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { atEnd } from "./cleanup.js";
import { ROOT, run, startFor } from "./processes.js";
import { until } from "./waiting.js";

export const BINARY = process.env.FANFARE_BIN ?? path.join(ROOT, "build/release/apps/fanfare/fanfare");
accessSync(BINARY, constants.X_OK);

// A folder for the test, removed at its end.
export function temporaryFolder(t) {
  const folder = mkdtempSync(path.join(tmpdir(), "fanfare-e2e-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function writeConfig(t, text) {
  const file = path.join(temporaryFolder(t), "gateway.yaml");
  writeFileSync(file, text);
  return file;
}

// Returns {program, http, ws, health}: the process and its URLs. `flags` follow serve.
export async function startFanfare(t, flags = [], { ready = true, env } = {}) {
  const isFree = (flag) => !flags.includes("--config") && !flags.includes(flag);
  const ports = ["--http-port", "--ws-port"].filter(isFree).flatMap((flag) => [flag, "0"]);
  const program = startFor(t, "fanfare", BINARY, ["serve", ...ports, ...flags], { env });
  const [, health] = await program.line(/^ {2}Metrics\s+(http:\S+)\/metrics/);
  const [, http] = await program.line(/^ {2}HTTP JSON-RPC\s+(http:\S+)/);
  const [, ws] = await program.line(/^ {2}WebSocket\s+(ws:\S+)/);
  const fanfare = { program, http, ws, health };
  if (ready) await untilReady(fanfare);
  return fanfare;
}

export function startDevChain(t, flags = [], options = {}) {
  return startFanfare(t, ["--dev", ...flags], options);
}

export async function readiness(fanfare) {
  const response = await fetch(`${fanfare.health}/readyz`);
  return { status: response.status, text: await response.text() };
}

export function untilReady(fanfare, status = 200, deadlineMs) {
  return until(`/readyz answers ${status}`, async () => (await readiness(fanfare)).status === status, { deadlineMs });
}

export function check(text, t, { env } = {}) {
  const file = writeConfig(t, text);
  return run(BINARY, ["check", file], { env }).then((result) => ({ ...result, file }));
}

// Sends one JSON-RPC call over HTTP. Returns the result, or throws an Error with `code`.
export async function call(url, method, params = []) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  const answer = await response.json();
  if (answer.error) throw Object.assign(new Error(`${method}: ${answer.error.message}`), { code: answer.error.code });
  return answer.result;
}

// Sum of the metric's series that carry all the labels.
export async function metric(fanfare, name, labels = {}) {
  const text = await (await fetch(`${fanfare.health}/metrics`)).text();
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  let sum = null;
  for (const line of text.split("\n")) {
    const match = /^([a-z_]+)(\{[^}]*\})? (\S+)$/.exec(line);
    if (match?.[1] === name && wanted.every((label) => match[2]?.includes(label))) sum = (sum ?? 0) + Number(match[3]);
  }
  if (sum === null) throw new Error(`/metrics has no ${name} ${wanted}`);
  return sum;
}

// What clients see may come before it is counted, so this waits.
export function metricIs(expected, fanfare, name, labels = {}) {
  return until(`${name} is ${expected}`, async () => {
    const value = await metric(fanfare, name, labels);
    if (value !== expected) throw new Error(`it is ${value}`);
    return true;
  });
}

