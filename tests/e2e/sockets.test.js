// The gateway's listeners: Unix sockets, and inherited sockets.

import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { test } from "node:test";
import WebSocket from "ws";
import { BINARY, temporaryFolder, writeConfig } from "./support/fanfare.js";
import { startFor } from "./support/processes.js";
import { within } from "./support/waiting.js";

const PYTHON = process.env.FANFARE_PYTHON ?? "/usr/bin/python3";

// Acts as a service manager: opens the sockets, passes them as descriptors from 3 on, and executes the service.
const MANAGER = `
import os, socket, sys
names, command = sys.argv[1].split(":"), sys.argv[2:]
sockets = []
for i, name in enumerate(names):
    one = socket.create_server(("127.0.0.1", 0))
    print("passed", name, one.getsockname()[1], flush=True)
    sockets.append(os.dup2(os.dup(one.fileno()), 100 + i))
for i in range(len(names)): os.dup2(100 + i, 3 + i, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(names)), LISTEN_FDNAMES=sys.argv[1])
os.execv(command[0], command)
`;

const config = (server) => `
logLevel: info
server:
${server}
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1 } }]
    upstreams: [{ id: nobody, endpoint: "http://127.0.0.1:9" }]
`;

const get = (options) =>
  within("an answer", new Promise((resolve, reject) => {
    http.get({ agent: false, ...options }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (text) => (body += text)).on("end", () => resolve({ status: answer.statusCode, body }));
    }).on("error", reject);
  }));

const open = (url) =>
  within("a WebSocket", new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.on("error", reject).on("open", () => resolve(socket.terminate()));
  }));

test("sockets passed by a service manager are used instead of ports", async (t) => {
  const file = writeConfig(t, config("  httpPort: 1\n  threads: 2"));
  const gateway = startFor(t, "fanfare", PYTHON, ["-c", MANAGER, "http:metrics", BINARY, "serve", "--config", file]);
  const [, port] = await gateway.line(/^passed http (\d+)/);
  const [, second] = await gateway.line(/^passed metrics (\d+)/);
  await gateway.line(new RegExp(`listening.*127\\.0\\.0\\.1:${port}.*inherited=true`));
  assert.equal((await get({ port, path: "/healthz" })).status, 200);
  // No listener is named "metrics" here, so this socket is an additional one for the first listener.
  await open(`ws://127.0.0.1:${second}/main/evm/1`);
  assert.equal((await gateway.stop()).code, 0);
});

test("a Unix socket instead of a port, with its mode, removed at the end", async (t) => {
  const socketPath = path.join(temporaryFolder(t), "gateway.sock");
  const file = writeConfig(t, config(`  unixSocket: { path: ${socketPath}, mode: "0600" }`));
  const gateway = startFor(t, "fanfare", BINARY, ["serve", "--config", file]);
  await gateway.line(/^ {2}Unix socket/);
  assert.equal(statSync(socketPath).mode & 0o777, 0o600);
  assert.equal((await get({ socketPath, path: "/healthz" })).body, "ok\n");
  await open(`ws+unix:${socketPath}:/main/evm/1`);
  assert.doesNotMatch(gateway.text, /127\.0\.0\.1:4000/);
  assert.equal((await gateway.stop()).code, 0);
  assert.equal(existsSync(socketPath), false);
});

test("what is passed and is no listening socket is an error at the start", async (t) => {
  const notListening = 'import os, sys; os.dup2(0, 3, inheritable=True); ' +
    'os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1"); os.execv(sys.argv[1], sys.argv[1:])';
  const gateway = startFor(t, "fanfare", PYTHON, ["-c", notListening, BINARY, "serve", "--dev"]);
  await gateway.line(/start_failed.*descriptor 3 .*no listening stream socket/);
  assert.equal((await within("the end", gateway.exit)).code, 1);
});
