// `fanfare connect` against `fanfare serve`: lines in, lines out, and the exit status.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { WebSocketServer } from "ws";
import { atEnd } from "./support/cleanup.js";
import { BINARY, startDevChain } from "./support/fanfare.js";
import { run } from "./support/processes.js";

const connect = (flags, options) => run(BINARY, ["connect", ...flags], options);
const request = (id, method, params = []) => JSON.stringify({ jsonrpc: "2.0", id, method, params });

async function startServer(t, onConnection, options = {}) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, ...options });
  atEnd(t, () => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  server.on("connection", onConnection);
  await once(server, "listening");
  return `ws://127.0.0.1:${server.address().port}`;
}

test("-x subscribes, -n leaves after the answer and three heads", async (t) => {
  const chain = await startDevChain(t, ["--dev-block-time", "100ms"]);
  const { code, stdout, stderr } = await connect(["-x", request(1, "eth_subscribe", ["newHeads"]), "-n", "4", chain.ws]);
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "");
  const [answer, ...heads] = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.equal(answer.id, 1);
  assert.equal(heads.length, 3);
  heads.forEach((head, index) => {
    assert.equal(head.params.subscription, answer.result);
    if (index > 0) assert.equal(head.params.result.parentHash, heads[index - 1].params.result.hash);
  });
});

test("at a terminal a head is one line and JSON has colours; -v shows heads whole, NO_COLOR is obeyed", async (t) => {
  const chain = await startDevChain(t, ["--dev-block-time", "100ms"]);
  // script(1) gives the program a terminal of its own.
  const atTerminal = async (flags, env = {}) => {
    const command = `'${BINARY}' connect ${flags} -n 3 -x '${request(1, "eth_subscribe", ["newHeads"])}' '${chain.ws}'`;
    const { code, stdout } = await run("script", ["-qec", command, "/dev/null"], { env: { TERM: "xterm", NO_COLOR: "", ...env } });
    assert.equal(code, 0, stdout);
    return stdout.trimEnd().split("\r\n");
  };
  const [answer, ...heads] = await atTerminal("");
  assert.match(answer, /\x1b\[34m"result"\x1b\[0m:\x1b\[32m"0x/);
  assert.equal(heads.length, 2);
  for (const head of heads) assert.match(head, /^head \d+  0x[0-9a-f]{8}\.\.[0-9a-f]{8}  \d\d:\d\d:\d\d  gas [\d.]+ %  base fee [\d.]+ gwei/);
  const plain = await atTerminal("", { NO_COLOR: "1" });
  assert.doesNotMatch(plain.join(""), /\x1b/);
  assert.match(plain[1], /^head \d+ /);
  const whole = (await atTerminal("-v", { NO_COLOR: "1" })).filter((line) => line.includes("eth_subscription"));
  assert.equal(whole.length, 2);
  for (const line of whole) assert.match(JSON.parse(line).params.result.parentHash, /^0x/);
});

test("lines of the input are messages, messages are lines of the output", async (t) => {
  const url = await startServer(t, (socket) => socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })));
  const lines = Array.from({ length: 500 }, (_, index) => `line ${index}`);
  const text = await connect(["-n", "502", url], { input: `${lines.join("\n")}\n/quit\nno newline at the end` });
  assert.equal(text.code, 0, text.stderr);
  assert.equal(text.stdout, `${lines.join("\n")}\n/quit\nno newline at the end\n`);
  assert.equal(text.stderr, "");

  const binary = await connect(["--binary", "-n", "1", "-x", "00 FF 7a", url]);
  assert.deepEqual([binary.code, binary.stdout, binary.stderr], [0, "00ff7a\n", ""]);
});

test("headers, origin, subprotocol and -v", async (t) => {
  const url = await startServer(t, (socket, { headers }) =>
    socket.send(JSON.stringify([headers["x-key"], headers.origin, headers["sec-websocket-extensions"] ?? null])),
  );
  const flags = ["-H", "X-Key: a: b", "-o", "https://o.example", "-s", "chat", "--no-deflate", "-v", "-n", "1"];
  const { code, stdout, stderr } = await connect([...flags, "-w", "20s", url]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), ["a: b", "https://o.example", null]);
  assert.match(stderr, /handshake [\d.]+ ms, subprotocol chat, no extension/);
  assert.match(stderr, new RegExp(`received text of ${stdout.length - 1} bytes`));
});

test("status 1 and the reason when there is nobody, or a refusal", async (t) => {
  const nobody = createServer().listen(0, "127.0.0.1");
  await once(nobody, "listening");
  const { port } = nobody.address();
  nobody.close();
  await once(nobody, "close");
  const refused = await connect(["-x", "hello", `ws://127.0.0.1:${port}`]);
  assert.equal(refused.code, 1, refused.stderr);
  assert.equal(refused.stdout, "");
  assert.match(refused.stderr, new RegExp(`^fanfare connect: .*127\\.0\\.0\\.1:${port}.*[Rr]efused`));

  const url = await startServer(t, () => {}, { verifyClient: (_, answer) => answer(false, 403, "no") });
  const rejected = await connect(["-x", "hello", url]);
  assert.equal(rejected.code, 1, rejected.stderr);
  assert.match(rejected.stderr, /403/);
});

test("status 2 for wrong flags and URLs", async () => {
  for (const flags of [[], ["http://127.0.0.1/"], ["--wait", "soon", "ws://127.0.0.1:1"], ["--nonsense", "ws://a"]]) {
    const { code, stderr } = await connect(flags);
    assert.equal(code, 2, `${flags}: ${stderr}`);
    assert.match(stderr, /^fanfare connect: /);
  }
});

test("status 0 after 1000, 3 after any other end by the server", async (t) => {
  const ends = {
    "/1000": (socket) => socket.close(1000),
    "/4001": (socket) => socket.close(4001, "not today"),
    "/gone": (socket) => socket.terminate(),
  };
  const url = await startServer(t, (socket, { url: path }) => ends[path](socket));
  const statuses = {};
  for (const path of Object.keys(ends)) statuses[path] = await connect(["-w", "20s", "-x", "hello", url + path]);
  assert.equal(statuses["/1000"].code, 0, statuses["/1000"].stderr);
  assert.equal(statuses["/4001"].code, 3);
  assert.match(statuses["/4001"].stderr, /4001 not today/);
  assert.equal(statuses["/gone"].code, 3);
  assert.match(statuses["/gone"].stderr, /1006/);
});

test("--reconnect comes back and sends -x again", async (t) => {
  let connections = 0;
  const url = await startServer(t, (socket) => {
    const number = ++connections;
    socket.on("message", (data) => {
      socket.send(`${number}: ${data}`);
      if (number === 1) socket.close(1012, "restart");
    });
  });
  const { code, stdout, stderr } = await connect(["--reconnect", "-n", "2", "-x", "subscribe", url]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "1: subscribe\n2: subscribe\n");
  assert.match(stderr, /code 1012 restart; again in/);
});
