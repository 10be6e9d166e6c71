// What an operator does around an upgrade or a stop that takes its time: the lines of the access log, the files of Unix sockets and of the
// cookie, and a log that nobody reads.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, existsSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { atEnd } from "./support/cleanup.js";
import { BINARY, temporaryFolder } from "./support/fanfare.js";
import { run } from "./support/processes.js";
import { RawSocket } from "./support/raw_socket.js";
import { configuration, startUpgradable } from "./support/upgrades.js";
import { until, within } from "./support/waiting.js";

const SLOW = "  shutdownTimeout: 1h\n  shutdownSpread: 1h\n";

// Every line is whole.
const linesOf = (file) => readFileSync(file, "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line));

async function openWith(t, gateway, calls) {
  const socket = await RawSocket.open(gateway.url);
  atEnd(t, () => socket.destroy());
  for (let i = 0; i < calls; ++i) await socket.ask("eth_chainId");
  return socket;
}

for (const loop of ["uring", "epoll"]) {
  test(`${loop}: a second signal loses neither the lines of sessions nor the files`, async (t) => {
    const gateway = await startUpgradable(t, { server: SLOW, loop });
    const log = path.join(gateway.folder, "access.log");
    const before = gateway.position();
    // The first process ends by a signal that hurries it, while the second serves.
    const write = (mode) => gateway.write(configuration(gateway.folder, gateway.endpoint, `${SLOW}  accessLog: { path: "${log}" }\n`).replace("admin: {", `admin: { mode: "${mode}",`));
    write("0660");
    gateway.program.signal("SIGUSR2");
    const first = await gateway.upgraded(before);
    for (let i = 0; i < 3; ++i) await openWith(t, gateway, 2);
    const from = gateway.position();
    write("0600");
    const admin = path.join(gateway.folder, "admin.sock");
    assert.equal(statSync(admin).mode & 0o777, 0o660);
    process.kill(first, "SIGUSR2");
    const second = await gateway.upgraded(from);
    assert.equal(statSync(admin).mode & 0o777, 0o600);
    await openWith(t, gateway, 1);
    process.kill(first, "SIGTERM");
    await until("the replaced process has ended", () => !gateway.isRunning(first));
    const sessions = () => linesOf(log).filter(({ kind }) => kind === "session");
    assert.equal(sessions().length, 3);
    for (const { messages_out, bytes_out } of sessions()) assert.ok(messages_out === 2 && bytes_out > 2 * '{"jsonrpc":"2.0"}'.length);
    const files = ["admin.sock", "gateway.sock"].map((name) => path.join(gateway.folder, name));
    assert.deepEqual(files.map(existsSync), [true, true]);
    await gateway.ready();
    const stop = gateway.position();
    process.kill(second, "SIGTERM");
    await gateway.log(/ stopping /, stop);
    process.kill(second, "SIGTERM");
    await until("the last process has ended", () => !gateway.isRunning(second));
    assert.deepEqual(files.map(existsSync), [false, false]);
    assert.equal(sessions().length, 4);
  });
}

test("a failed upgrade leaves the cookie, and says which listener it could not move", async (t) => {
  const gateway = await startUpgradable(t, { server: "  upgradeTimeout: 1s\n" });
  const cookie = path.join(gateway.folder, "cookie");
  const access = `access: { cookieFile: "${cookie}", cookieRoles: [all], anonymousRoles: [all], roles: [{ id: all, projects: [main], methods: ["*"] }] }\n`;
  const write = (endpoint, server = "") => gateway.write(configuration(gateway.folder, endpoint, server) + access);
  const upgrade = () => run(gateway.file, ["upgrade"], { env: { FANFARE_ADMIN: path.join(gateway.folder, "admin.sock") } });
  write(gateway.endpoint, "  upgradeTimeout: 1s\n");
  assert.equal((await upgrade()).code, 0);
  await gateway.upgraded();
  const before = readFileSync(cookie, "utf8");
  write("http://127.0.0.1:9");
  const from = gateway.position();
  process.kill(gateway.pid(), "SIGUSR2");
  await gateway.log(/ listening /, from);
  assert.equal(readFileSync(cookie, "utf8"), before);
  await gateway.log(/upgrade_failed/, from);
  assert.equal(readFileSync(cookie, "utf8"), before);
  const port = new URL(gateway.health).port;
  write(gateway.endpoint);
  gateway.write(readFileSync(path.join(gateway.folder, "gateway.yaml"), "utf8").replace("httpPort: 0", `httpPort: ${port}`));
  const refused = await upgrade();
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, new RegExp(`port ${port} of 127\\.0\\.0\\.1 is in use by the process that is upgraded.*restart the server`));
});

test("a log that nobody reads does not stop an upgrade", async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, "gateway.yaml");
  writeFileSync(file, configuration(folder, "http://127.0.0.1:9"));
  const fifo = path.join(folder, "log");
  assert.equal((await run("mkfifo", [fifo], {})).code, 0);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  atEnd(t, () => closeSync(reader));
  const writer = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  const program = spawn(BINARY, ["serve", "--config", file], { stdio: ["ignore", "ignore", writer] });
  atEnd(t, () => program.kill("SIGKILL"));
  const ended = once(program, "exit");
  const env = { FANFARE_ADMIN: path.join(folder, "admin.sock") };
  await until("the admin API", () => existsSync(env.FANFARE_ADMIN));
  closeSync(writer);
  // Its own: a child's descriptors are made blocking.
  const filler = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  assert.throws(() => { for (;;) writeSync(filler, "x".repeat(4096)); }, { code: "EAGAIN" });
  closeSync(filler);
  const { code, stdout, stderr } = await run(BINARY, ["upgrade"], { env });
  assert.equal(code, 0, stderr);
  const pid = Number(/^process (\d+) has taken over\n$/.exec(stdout)[1]);
  atEnd(t, () => process.kill(pid, "SIGTERM"));
  assert.deepEqual(await within("the first process ends", ended), [0, null]);
});
