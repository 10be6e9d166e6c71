// The operator's commands when something is full: the device that they print to, and the server's descriptors.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";
import { atEnd } from "./support/cleanup.js";
import { BINARY, check, temporaryFolder, writeConfig } from "./support/fanfare.js";
import { run, startFor } from "./support/processes.js";
import { until } from "./support/waiting.js";

const PROJECTS = `projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1 } }]
    upstreams: [{ id: nobody, endpoint: "http://127.0.0.1:9" }]
`;

test("a result that cannot be written is status 1 and a line, for each command", async (t) => {
  const file = writeConfig(t, PROJECTS);
  for (const words of [["--version"], ["--help"], ["serve", "--help"], ["check", file], ["check", file, "--against", file]]) {
    const { code, stderr } = await run("/bin/sh", ["-c", 'exec "$0" "$@" > /dev/full', BINARY, ...words]);
    assert.equal(code, 1, words.join(" "));
    assert.match(stderr, /^fanfare: cannot write the result to standard output(: No space left on device)?\n$/);
  }
});

test("fanfare check: a group or a directory that is missing is not good", async (t) => {
  const folder = temporaryFolder(t);
  const bad = await check(`server: { accessLog: { path: "${folder}/none/access.log" } }\nadmin: { socket: "${folder}/admin.sock", group: nosuchgroup }\n${PROJECTS}`, t);
  assert.equal(bad.code, 2);
  assert.equal(bad.stdout, "");
  assert.equal(bad.stderr, `${bad.file}: server.accessLog.path: the directory of "${folder}/none/access.log" does not exist, create "${folder}/none"\n` +
    `${bad.file}: admin.group: this system has no group "nosuchgroup", create it with: groupadd --system nosuchgroup\n`);
});

for (const loop of ["uring", "epoll"]) {
  test(`${loop}: the operator gets in when clients have all descriptors that they may have`, async (t) => {
    const folder = temporaryFolder(t);
    const file = writeConfig(t, `logLevel: info\nserver: { httpPort: 0, threads: 2, limits: { handshakeTimeout: 1h } }\nadmin: { socket: "${folder}/admin.sock" }\n${PROJECTS}`);
    const program = startFor(t, "fanfare", "/bin/sh", ["-c", 'ulimit -n 256; exec "$0" "$@"', BINARY, "serve", "--config", file, "--loop", loop]);
    const [, port] = await program.line(/ listening address=127\.0\.0\.1:(\d+)/);
    const sockets = Array.from({ length: 300 }, () => net.connect(Number(port), "127.0.0.1"));
    atEnd(t, () => sockets.forEach((socket) => socket.destroy()));
    // Those beyond the limit are closed, and the others stay.
    let closed = 0;
    for (const socket of sockets) socket.on("error", () => {}).on("close", () => closed++);
    await Promise.all(sockets.map((socket) => socket.connecting && once(socket, "connect").catch(() => {})));
    const env = { FANFARE_ADMIN: path.join(folder, "admin.sock") };
    const status = await run(BINARY, ["admin", "status"], { env });
    assert.equal(status.code, 0, status.stderr);
    const reload = await run(BINARY, ["admin", "reload"], { env });
    assert.equal(reload.code, 0, reload.stderr);
    const before = program.lines.items.length;
    program.signal("SIGHUP");
    await program.lines.when("a reload", (lines) => lines.slice(before).find((line) => / configuration_reloaded /.test(line)));
    await until("some are closed", () => closed > 0);
    assert.ok(closed < 300);
  });
}
