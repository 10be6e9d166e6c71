// Standard error is a pipe whose reader does not read, as behind a log collector that hangs.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, readSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { atEnd } from "./support/cleanup.js";
import { BINARY, temporaryFolder } from "./support/fanfare.js";
import { run } from "./support/processes.js";
import { until, within } from "./support/waiting.js";

const config = (folder, more = "") => `
server: { httpPort: 0 }
admin: { socket: "${folder}/admin.sock" }
projects: [{ id: main, networks: [{ architecture: evm, evm: { chainId: 1337 } }], upstreams: [{ id: a, endpoint: "http://127.0.0.1:1" }] }]
${more}`;
const WRONG = Array.from({ length: 300 }, (_, i) => `nobodyKnowsThisKey${i}: ${"x".repeat(100)}`).join("\n");

function readAll(descriptor) {
  const pieces = [];
  const piece = Buffer.alloc(65_536);
  try {
    for (let got; (got = readSync(descriptor, piece)) > 0; ) pieces.push(piece.toString("utf8", 0, got));
  } catch (error) {
    if (error.code !== "EAGAIN") throw error;
  }
  return pieces.join("");
}

test("a log that nobody reads stops neither the admin API nor the end, and what is lost is counted", async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, "gateway.yaml");
  writeFileSync(file, config(folder));
  const fifo = path.join(folder, "log");
  assert.equal((await run("mkfifo", [fifo], {})).code, 0);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  atEnd(t, () => closeSync(reader));
  const writer = openSync(fifo, "w");
  const program = spawn(BINARY, ["serve", "--config", file], { stdio: ["ignore", "pipe", writer] });
  closeSync(writer);
  atEnd(t, () => program.kill("SIGKILL"));
  const ended = once(program, "exit");
  let said = "";
  program.stdout.setEncoding("utf8").on("data", (text) => (said += text));
  const http = await until("its address", () => said.match(/HTTP JSON-RPC\s+(http:\S+)/)?.[1]);

  const admin = (...words) => run(BINARY, ["admin", ...words], { env: { FANFARE_ADMIN: path.join(folder, "admin.sock") } });
  writeFileSync(file, config(folder, WRONG));
  const reload = async () => assert.equal((await admin("reload")).code, 1);
  for (let i = 0; i < 8; ++i) await reload();
  assert.equal((await admin("log-level", "debug")).code, 0);
  assert.equal((await fetch(new URL("/healthz", http))).status, 200);

  assert.doesNotMatch(readAll(reader), /log_lines_lost/);
  await reload();
  assert.match(readAll(reader), /^.*log_lines_lost lines=[1-9]\d*\n/m);
  for (let i = 0; i < 8; ++i) await reload();
  program.kill("SIGTERM");
  assert.deepEqual(await within("its end", ended), [0, null]);
});
