// examples/node with the clients that node operators have: npm bitcoin-core and bitcoind-rpc unchanged, npm ws over
// plain and TLS connections, curl-like requests, and a client that was away.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { WebSocket } from "ws";
import { atEnd } from "./support/cleanup.js";
import { temporaryFolder } from "./support/fanfare.js";
import { ROOT, startFor } from "./support/processes.js";
import { Inbox, until } from "./support/waiting.js";

const require = createRequire(import.meta.url);
const BitcoinCore = require("bitcoin-core");
const BitcoindRpc = require("bitcoind-rpc");
BitcoindRpc.config.logger = "none";

const NODE = process.env.FANFARE_EXAMPLE_NODE ?? path.join(ROOT, "build/release/examples/node");
const USER = "rpcuser=alice\nrpcpassword=secret\n";
const basic = (user, password) => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
const ALICE = basic("alice", "secret");

// Starts the node. Returns {program, folder, http, ws, unix}: the ports of rpcport and rpcwebsocketport, and the socket.
async function startNode(t, options, folder = temporaryFolder(t)) {
  const unix = path.join(folder, "rpc.sock");
  const file = path.join(folder, "node.conf");
  writeFileSync(file, `# a node\nrpcport=0\nrpcwebsocketport=0\nrpcunixsocket=${unix}\n${options.replaceAll("FOLDER", folder)}`);
  const program = startFor(t, "node", NODE, [file]);
  await program.line(/^unix:/);
  const ports = program.lines.items.map((line) => /^127\.0\.0\.1:(\d+)$/.exec(line)?.[1]).filter(Boolean).map(Number);
  return { program, folder, unix, http: ports[0], ws: ports[1] };
}

// One POST. Returns {status, headers, text}.
function post(target, body, { authorization = ALICE, module = http, ...more } = {}) {
  return new Promise((resolve, reject) => {
    const headers = { ...(authorization && { authorization }), "content-type": "application/json" };
    const request = module.request({ method: "POST", path: "/", headers, ...target, ...more }, (response) => {
      let text = "";
      response.on("data", (piece) => (text += piece));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    request.on("error", reject);
    request.end(body);
  });
}
const request = (method, params = [], id = 1) => JSON.stringify({ jsonrpc: "2.0", id, method, params });

// A WebSocket with an inbox of its messages.
class Client {
  static async open(t, url, { authorization = ALICE, ...more } = {}) {
    const client = new Client();
    client.socket = new WebSocket(url, { headers: { ...(authorization && { authorization }) }, ...more });
    client.inbox = new Inbox(url);
    client.socket.on("message", (data, isBinary) => client.inbox.push(isBinary ? data : data.toString()));
    client.socket.on("close", () => client.inbox.end("closed"));
    await new Promise((resolve, reject) => client.socket.once("open", resolve).once("error", reject));
    atEnd(t, () => client.socket.terminate());
    return client;
  }
  next() {
    return this.inbox.take("a message");
  }
  // The next message, which must be the answer.
  async call(method, params = []) {
    this.socket.send(request(method, params));
    return JSON.parse(await this.next());
  }
}

test("the same call has the same answer over HTTP, WebSocket and the Unix socket", async (t) => {
  const node = await startNode(t, USER);
  const client = await Client.open(t, `ws://127.0.0.1:${node.ws}/`);
  const texts = [
    request("getblockcount", [], "a"),
    request("getblockhash", { height: 0 }, 9007199254740991),
    request("getblockhash", [77]),
    request("getbalance", ["nobody"]),
    request("getpeerinfo"),
    request("getmininginfo"),
    request("unknown"),
    request("getblockhash", ["x"]),
    `[${request("getblockcount")},${request("getconnectioncount", [], 2)}]`,
    "[]",
    "{",
  ];
  for (const text of texts) {
    const answer = await post({ host: "127.0.0.1", port: node.http }, text);
    assert.equal(answer.status, 200);
    client.socket.send(text);
    assert.equal(await client.next(), answer.text);
    assert.equal((await post({ socketPath: node.unix }, text)).text, answer.text);
    assert.equal((await post({ host: "127.0.0.1", port: node.ws }, text)).text, answer.text);
  }
  client.socket.send(Buffer.from("abc")); // the node's own binary protocol: SHA-256
  assert.equal(await client.next(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("npm bitcoin-core works unchanged", async (t) => {
  const node = await startNode(t, USER);
  const client = new BitcoinCore({ host: `http://127.0.0.1:${node.http}`, username: "alice", password: "secret" });
  assert.equal(await client.getBlockCount(), 0);
  const [hash] = await client.command("generate", 1, "alice");
  assert.match(hash, /^000[0-9a-f]{61}$/);
  assert.equal(await client.getBestBlockHash(), hash);
  assert.equal(await client.getBalance("alice"), 50);
  const id = await client.sendToAddress("bob", 20, "alice");
  assert.deepEqual(await client.getRawMempool(), [id]);
  assert.equal((await client.getBlock(hash)).height, 1);
  await assert.rejects(client.getBlockHash(99), (error) => error.code === -8 && /out of range/.test(error.message));
  const [count, failure] = await client.command([{ method: "getblockcount", parameters: [] }, { method: "nothing", parameters: [] }]);
  assert.equal(count, 1);
  assert.equal(failure.code, -32601);
  const stranger = new BitcoinCore({ host: `http://127.0.0.1:${node.http}`, username: "alice", password: "wrong" });
  await assert.rejects(stranger.getBlockCount());
});

test("npm bitcoind-rpc works unchanged", async (t) => {
  const node = await startNode(t, USER);
  const options = { protocol: "http", host: "127.0.0.1", port: node.http, user: "alice", pass: "secret" };
  const client = new BitcoindRpc(options);
  const ask = (name, ...parameters) => promisify(client[name].bind(client))(...parameters);
  assert.equal((await ask("getBlockCount")).result, 0);
  assert.match((await ask("getBlockHash", 0)).result, /^[0-9a-f]{64}$/);
  assert.deepEqual((await ask("getPeerInfo")).result, []);
  await assert.rejects(ask("getBlock", "nothing"), (error) => error.code === -5);
  const answers = await promisify(client.batch.bind(client))(() => {
    client.getBlockCount();
    client.getMiningInfo();
  });
  assert.deepEqual(answers.map((one) => one.result?.blocks ?? one.result), [0, 0]);
  const stranger = new BitcoindRpc({ ...options, pass: "wrong" });
  await assert.rejects(promisify(stranger.getBlockCount.bind(stranger))(), /401/);
});

test("rpcauth, the cookie file and rpcwhitelist decide on every transport", async (t) => {
  const hash = createHmac("sha256", "abcdef").update("word").digest("hex");
  const node = await startNode(t, `${USER}rpcauth=bob:abcdef$${hash}\nrpccookiefile=FOLDER/.cookie\nrpcwhitelist=bob:getblockcount,subscribe
rpcwhitelist=alice:getblockcount,getpeerinfo\nrpcwhitelistdefault=0\n`);
  const [cookieUser, cookiePassword] = readFileSync(path.join(node.folder, ".cookie"), "utf8").split(":");
  const bob = basic("bob", "word");
  const cookie = basic(cookieUser, cookiePassword);
  const targets = [{ host: "127.0.0.1", port: node.http }, { socketPath: node.unix }];
  const rows = [
    [ALICE, "getpeerinfo", "result"],
    [ALICE, "getmininginfo", -32001],
    [bob, "getblockcount", "result"],
    [bob, "getpeerinfo", -32001],
    [cookie, "getmininginfo", "result"],
  ];
  for (const [authorization, method, wanted] of rows) {
    const client = await Client.open(t, `ws://127.0.0.1:${node.ws}/`, { authorization });
    const single = JSON.stringify(await client.call(method));
    const answer = JSON.parse(single);
    assert.equal(wanted, answer.error?.code ?? "result");
    client.socket.send(`[${request(method)}]`);
    assert.equal(await client.next(), `[${single}]`);
    for (const target of targets) assert.equal((await post(target, request(method), { authorization })).text, single);
  }
  for (const authorization of [null, basic("alice", "wrong"), basic("nobody", "secret")]) {
    for (const target of targets) {
      const answer = await post(target, request("getblockcount"), { authorization });
      assert.equal(answer.status, 401);
      assert.match(answer.headers["www-authenticate"], /^Basic realm=/);
    }
    await assert.rejects(Client.open(t, `ws://127.0.0.1:${node.ws}/`, { authorization }), /401/);
  }
});

test("a client that was away for 500 events gets all of them in order", async (t) => {
  const node = await startNode(t, USER);
  const url = `ws://127.0.0.1:${node.ws}/`;
  const first = await Client.open(t, url);
  const subscribed = (await first.call("subscribe", ["peer"])).result;
  assert.deepEqual(subscribed, { event: "peer", position: subscribed.position, recovered: true });
  const since = subscribed.position;
  first.socket.terminate();

  const other = await Client.open(t, url);
  for (let i = 0; i < 500; ++i) assert.equal((await other.call("addnode", [`peer${i}`])).result, null);
  const again = await Client.open(t, url);
  assert.deepEqual((await again.call("subscribe", { event: "peer", since })).result, { event: "peer", position: since, recovered: true });
  for (let i = 0; i < 500; ++i) {
    const { method, params } = JSON.parse(await again.next());
    assert.equal(method, "peer");
    assert.deepEqual(params, { value: { addr: `peer${i}`, connected: true }, position: { epoch: since.epoch, offset: i + 1 } });
  }
  // Another run of the node has another epoch.
  const missed = (await again.call("subscribe", ["peer", { epoch: since.epoch + 1, offset: 3 }])).result;
  assert.equal(missed.recovered, false);
  assert.deepEqual(missed.missed.after, { epoch: since.epoch + 1, offset: 3 });
});

// Adds peers with the numbers of a range, until a subscriber has seen the event of the last one.
async function addPeers(t, node, first, count) {
  const client = await Client.open(t, `ws://127.0.0.1:${node.ws}/`);
  await client.call("subscribe", ["peer"]);
  for (let i = first; i < first + count; ++i) {
    client.socket.send(request("addnode", [`peer${i}`]));
    const messages = [JSON.parse(await client.next()), JSON.parse(await client.next())];
    assert.equal(messages.find((one) => one.method === "peer").params.value.addr, `peer${i}`);
  }
  client.socket.terminate();
}

test("with history on disk nothing is lost by kill -9, and what is beyond the bound is named", async (t) => {
  const folder = temporaryFolder(t);
  const options = `${USER}eventfile=FOLDER/events\nevents=600\n`;
  const lives = [];
  const live = async (first, count) => {
    if (lives.length > 0) await lives.at(-1).program.stop("SIGKILL");
    lives.push(await startNode(t, options, folder));
    await addPeers(t, lives.at(-1), first, count);
    return lives.at(-1);
  };
  const begin = await live(0, 1);
  const first = await Client.open(t, `ws://127.0.0.1:${begin.ws}/`);
  const { position: since } = (await first.call("subscribe", ["peer"])).result;
  first.socket.terminate();
  assert.equal(since.offset, 1);
  await addPeers(t, begin, 1, 100);
  await live(101, 200);
  const third = await live(301, 200);

  // It was away during 500 events and two kills.
  const again = await Client.open(t, `ws://127.0.0.1:${third.ws}/`);
  assert.deepEqual((await again.call("subscribe", ["peer", since])).result, { event: "peer", position: since, recovered: true });
  const check = async (offset) => {
    const { method, params } = JSON.parse(await again.next());
    assert.equal(method, "peer");
    assert.deepEqual(params, { value: { addr: `peer${offset - 1}`, connected: true }, position: { epoch: since.epoch, offset } });
  };
  for (let offset = 2; offset <= 501; ++offset) await check(offset);

  // Of 701 events, 600 are kept: the 100 between the first one and those are named.
  await addPeers(t, third, 501, 200);
  for (let offset = 502; offset <= 701; ++offset) await check(offset);
  const { recovered, missed, position } = (await again.call("subscribe", ["peer", since])).result;
  const until = { epoch: since.epoch, offset: 101 };
  assert.deepEqual({ recovered, missed, position }, { recovered: false, missed: { after: since, until, count: 100 }, position: until });
  for (let offset = 102; offset <= 701; ++offset) await check(offset);
});

test("a user's calls have a rate, and one that exceeds it is told when to come back", async (t) => {
  const node = await startNode(t, `${USER}rpccallrate=1\n`);
  // More than the burst: the bucket was full, and is in debt for about ten seconds.
  assert.equal(JSON.parse((await post({ host: "127.0.0.1", port: node.http }, request("generate", [1]))).text).result.length, 1);
  const refused = await post({ host: "127.0.0.1", port: node.http }, request("getblockcount"));
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers["retry-after"]) >= 1);
  const { code, data } = JSON.parse(refused.text).error;
  assert.equal(code, -32005);
  assert.ok(data.retry_after_ms > 0 && data.retry_after_ms <= 10_000);
});

test("with a certificate it is WSS, and a broadcast needs no subscription", async (t) => {
  const folder = temporaryFolder(t);
  const [key, certificate] = [path.join(folder, "key.pem"), path.join(folder, "certificate.pem")];
  await promisify(execFile)("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate]);
  const node = await startNode(t, `${USER}rpcsslcertificatechainfile=${certificate}\nrpcsslprivatekeyfile=${key}\nrpcbroadcast=1\n`);
  const ca = readFileSync(certificate);
  const client = await Client.open(t, `wss://localhost:${node.ws}/`, { ca });
  assert.equal((await client.call("getblockcount")).result, 0);
  const secure = await post({ host: "localhost", port: node.ws }, request("addnode", ["a"]), { module: https, ca });
  assert.equal(JSON.parse(secure.text).result, null);
  assert.deepEqual(JSON.parse(await client.next()).params.value, { addr: "a", connected: true });
  const plain = await post({ host: "127.0.0.1", port: node.http }, request("generate", [1]));
  assert.equal(JSON.parse(plain.text).result.length, 1);
  const seen = [];
  while (seen.length < 3) seen.push(JSON.parse(await client.next()).method);
  assert.deepEqual(seen.sort(), ["mining", "mining", "newblock"]);
});

test("without TLS it does not serve other machines, and unknown options are named without their value", async (t) => {
  const fails = async (text) => {
    const folder = temporaryFolder(t);
    writeFileSync(path.join(folder, "node.conf"), `rpcport=0\nrpcwebsocketport=0\n${text}`);
    const program = startFor(t, "node", NODE, [path.join(folder, "node.conf")]);
    assert.equal((await program.exit).code, 1);
    return program.lines.items.join("\n");
  };
  assert.match(await fails(`${USER}rpcbind=0.0.0.0\nrpcallowip=10.0.0.0/8\n`), /needs TLS/);
  assert.match(await fails("rpcsecret=hidden\n"), /^node: unknown or invalid: rpcsecret$/);
  assert.match(await fails("rpcauth=alice:hidden\n"), /^node: [^\n]*rpcauth(?!.*hidden)/);
});

test("the document describes what is there", async (t) => {
  const node = await startNode(t, USER);
  const ask = async (method, params) => JSON.parse((await post({ host: "127.0.0.1", port: node.http }, request(method, params))).text).result;
  const document = await ask("rpc.discover");
  const names = document.methods.map((one) => one.name);
  for (const name of ["getblockcount", "generate", "help", "subscribe", "rpc.discover"]) assert.ok(names.includes(name), name);
  assert.deepEqual(document["x-notifications"].map((one) => one.name), ["mempooltx", "mining", "newblock", "peer"]);
  assert.match(await ask("help"), /^getblockhash height$/m);
  await until("the node stops", async () => {
    await ask("stop").catch(() => {});
    return node.program.ended;
  });
  assert.equal((await node.program.exit).code, 0);
});
