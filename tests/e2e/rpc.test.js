// JSON-RPC as existing clients require it: one test for each rule they rely on. Bytes in, bytes out.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { call, startDevChain, startFanfare } from "./support/fanfare.js";
import { assertConsecutive, assertHeadIsBlock, HEADER_MEMBERS } from "./support/heads.js";
import { Opcode, RawSocket } from "./support/raw_socket.js";

async function post(url, body) {
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  return { status: response.status, text: await response.text() };
}

async function open(t, fanfare, options) {
  const raw = await RawSocket.open(fanfare.ws, options);
  atEnd(t, () => raw.destroy());
  return raw;
}

// The answer must repeat each id byte for byte.
const IDS = [
  "0", "1", "-7", "9007199254740993", "123456789012345678901234567890", "1.50", "2e3", "null", '""',
  '"0b7a5c2e-2f0b-4d0c-9f7e-5a1c2d3e4f50"', '"\\u00e9\\/\\n\\"\\\\"', '"0x1"', '"\u{1F941}"',
];
// Answered by the daemon, answered by the node, refused by either of them.
const METHODS = [
  '"method":"eth_unsubscribe","params":["0x1"]',
  '"method":"eth_chainId"',
  '"method":"eth_subscribe","params":["noSuchType"]',
  '"method":"no_such_method"',
];

async function idsComeBackVerbatim(t, fanfare) {
  const raw = await open(t, fanfare);
  for (const id of IDS) {
    for (const method of METHODS) {
      const request = `{"jsonrpc":"2.0","id":${id},${method}}`;
      raw.sendJson(request);
      const answers = [await raw.text(), (await post(fanfare.http, request)).text];
      for (const answer of answers) {
        assert.ok(answer.startsWith(`{"jsonrpc":"2.0","id":${id},`), `${request} was answered ${answer}`);
        JSON.parse(answer);
      }
    }
  }
  // Also in a batch, and for both of two equal ids.
  raw.sendJson(`[${IDS.concat(IDS).map((id) => `{"jsonrpc":"2.0","id":${id},"method":"eth_chainId"}`)}]`);
  const batch = await raw.text();
  const parts = batch.slice(1, -1).split(/,(?=\{"jsonrpc")/);
  assert.deepEqual(parts.map((part) => /^\{"jsonrpc":"2.0","id":(.*),"result":"0x/su.exec(part)?.[1]), IDS.concat(IDS));
}

async function errorOf(raw, request) {
  raw.sendJson(request);
  const message = await raw.json();
  assert.equal(message.jsonrpc, "2.0");
  assert.equal(typeof message.error?.message, "string", `${request} was answered ${JSON.stringify(message)}`);
  return [message.error.code, message.id];
}

test("over WebSocket and HTTP, in front of the development chain", async (t) => {
  const fanfare = await startDevChain(t, ["--dev-block-time", "50ms"]);

  await t.test("an id comes back as it was written", (t) => idsComeBackVerbatim(t, fanfare));

  await t.test("id null is answered, and the connection stays", async (t) => {
    const raw = await open(t, fanfare);
    for (let i = 0; i < 3; ++i) {
      raw.sendJson('{"jsonrpc":"2.0","id":null,"method":"net_version"}');
      assert.equal(await raw.text(), '{"jsonrpc":"2.0","id":null,"result":"1337"}');
    }
  });

  await t.test("a notification is not answered, alone or in a batch", async (t) => {
    const raw = await open(t, fanfare);
    raw.sendJson('{"jsonrpc":"2.0","method":"eth_chainId"}');
    raw.sendJson('{"jsonrpc":"2.0","method":"eth_subscribe","params":["newHeads"]}');
    raw.sendJson('{"jsonrpc":"2.0","method":"no_such_method"}');
    raw.sendJson('[{"jsonrpc":"2.0","method":"eth_chainId"},{"jsonrpc":"2.0","method":"net_version","params":[]}]');
    raw.sendJson('[{"jsonrpc":"2.0","method":"eth_chainId"},{"jsonrpc":"2.0","id":5,"method":"net_version"}]');
    assert.equal(await raw.text(), '[{"jsonrpc":"2.0","id":5,"result":"1337"}]');
    const silent = await post(fanfare.http, '{"jsonrpc":"2.0","method":"eth_chainId"}');
    assert.deepEqual(silent, { status: 204, text: "" });
  });

  await t.test("nothing comes that was not asked for", async (t) => {
    const silent = await open(t, fanfare);
    const watcher = await open(t, fanfare);
    await watcher.subscribe("newHeads");
    for (let heads = 0; heads < 10; ++heads) await watcher.json((message) => message.method === "eth_subscription");
    assert.equal((await silent.ask("eth_chainId")).result, "0x539");
    assert.deepEqual(silent.frames.items, []);
  });

  await t.test("requests in binary frames are answered in text", async (t) => {
    const raw = await open(t, fanfare);
    raw.send(Opcode.binary, '{"jsonrpc":"2.0","id":0,"method":"eth_chainId"}');
    assert.equal(await raw.text(), '{"jsonrpc":"2.0","id":0,"result":"0x539"}');
    raw.send(Opcode.binary, '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}');
    const { result: id } = await raw.json((message) => message.id === 1);
    assert.equal((await raw.json()).params.subscription, id);
    assert.equal(raw.frames.items.some((one) => one.binary), false);
  });

  await t.test("a request in fragments, with a ping between them, is one request", async (t) => {
    const raw = await open(t, fanfare);
    const request = '{"jsonrpc":"2.0","id":"f","method":"eth_chainId"}';
    raw.send(Opcode.text, request.slice(0, 11), { fin: false });
    raw.send(Opcode.ping, "between");
    raw.send(Opcode.continuation, request.slice(11, 30), { fin: false });
    raw.send(Opcode.continuation, request.slice(30));
    assert.equal(await raw.text(), '{"jsonrpc":"2.0","id":"f","result":"0x539"}');
    assert.deepEqual(raw.frames.items, [{ pong: "between" }]);
  });

  await t.test("params may be missing, null or empty, and members stand in any order", async (t) => {
    const raw = await open(t, fanfare);
    for (const request of [
      '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}',
      '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":null}',
      '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}',
      '{"params":[],"method":"eth_chainId","id":1,"jsonrpc":"2.0"}',
      ' {\n"method" : "eth_chainId" ,\t"id": 1, "jsonrpc":"2.0","extra":{"a":[1]} } \n',
    ]) {
      raw.sendJson(request);
      assert.equal(await raw.text(), '{"jsonrpc":"2.0","id":1,"result":"0x539"}', request);
    }
  });

  await t.test("each error has its code", async (t) => {
    const raw = await open(t, fanfare);
    for (const [request, code, id] of [
      ["{", -32700, null],
      ['{"jsonrpc":"2.0","id":1,"method":"eth_chainId"', -32700, null],
      ["not json", -32700, null],
      ["", -32700, null],
      ["[]", -32600, null],
      ["1", -32600, null],
      ['{"jsonrpc":"2.0","id":9}', -32600, 9],
      ['{"jsonrpc":"2.0","id":9,"method":1}', -32600, 9],
      [`[${Array(1001).fill('{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}')}]`, -32600, null],
      ['{"jsonrpc":"2.0","id":"u","method":"eth_noSuchMethod"}', -32601, "u"],
      ['{"jsonrpc":"2.0","id":2,"method":"eth_subscribe","params":["noSuchType"]}', -32601, 2],
      ['{"jsonrpc":"2.0","id":3,"method":"eth_subscribe"}', -32602, 3],
      ['{"jsonrpc":"2.0","id":3,"method":"eth_subscribe","params":[]}', -32602, 3],
      ['{"jsonrpc":"2.0","id":3,"method":"eth_subscribe","params":[17]}', -32602, 3],
      ['{"jsonrpc":"2.0","id":4,"method":"eth_unsubscribe","params":[]}', -32602, 4],
      ['{"jsonrpc":"2.0","id":4,"method":"eth_unsubscribe","params":["nonsense"]}', -32000, 4],
      ['{"jsonrpc":"2.0","id":5,"method":"eth_getBalance","params":["0x12"]}', -32602, 5],
      ['{"jsonrpc":"2.0","id":6,"method":"eth_unsubscribe","params":["0x123"]}', -32000, 6],
    ]) {
      assert.deepEqual(await errorOf(raw, request), [code, id], request.slice(0, 100));
    }
    const gone = await raw.ask("eth_unsubscribe", ["0x123"]);
    assert.equal(gone.error.message, "subscription not found");
    // In a batch each element has its own error.
    raw.sendJson('[1,{"jsonrpc":"2.0","id":1,"method":"eth_chainId"},{"id":2,"jsonrpc":"2.0","method":"nope"}]');
    const answers = await raw.json();
    assert.deepEqual(answers.map((answer) => [answer.id, answer.error?.code]), [[null, -32600], [1, undefined], [2, -32601]]);
  });

  await t.test("a subscription over HTTP is -32601", async () => {
    for (const method of ["eth_subscribe", "eth_unsubscribe"]) {
      await assert.rejects(call(fanfare.http, method, ["newHeads"]), { code: -32601 });
    }
  });

  await t.test("the answer to a batch precedes the notifications of what it subscribed", async (t) => {
    // Heads come every 50 ms, so some fall between the batch and its answer, which waits for the node.
    const rounds = Array.from({ length: 60 }, async () => {
      const raw = await open(t, fanfare);
      raw.sendJson(JSON.stringify([
        { jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads"] },
        { jsonrpc: "2.0", id: 2, method: "eth_getLogs", params: [{ fromBlock: "0x0", toBlock: "latest" }] },
        { jsonrpc: "2.0", id: 3, method: "eth_subscribe", params: ["newHeads"] },
        { jsonrpc: "2.0", id: 4, method: "eth_blockNumber" },
      ]));
      const batch = await raw.json();
      assert.ok(Array.isArray(batch), `came first: ${JSON.stringify(batch).slice(0, 200)}`);
      assert.deepEqual(batch.map(({ id }) => id), [1, 2, 3, 4]);
      const ids = [batch[0].result, batch[2].result];
      assert.notEqual(ids[0], ids[1]);
      for (let i = 0; i < 4; ++i) {
        const notification = await raw.json();
        assert.ok(ids.includes(notification.params.subscription));
      }
      raw.destroy();
    });
    await Promise.all(rounds);
  });

  await t.test("a notification is one object with no member too many", async (t) => {
    const raw = await open(t, fanfare);
    const ids = [await raw.subscribe("newHeads"), await raw.subscribe("newHeads")];
    const heads = { [ids[0]]: [], [ids[1]]: [] };
    for (let i = 0; i < 10; ++i) {
      const message = await raw.json();
      assert.deepEqual(Object.keys(message).sort(), ["jsonrpc", "method", "params"]);
      assert.equal(message.jsonrpc, "2.0");
      assert.equal(message.method, "eth_subscription");
      assert.deepEqual(Object.keys(message.params).sort(), ["result", "subscription"]);
      heads[message.params.subscription].push(message.params.result);
    }
    for (const id of ids) {
      assertConsecutive(heads[id]);
      for (const head of heads[id]) {
        assert.deepEqual(Object.keys(head).filter((name) => !HEADER_MEMBERS.includes(name)), []);
        await assertHeadIsBlock(head, (method, params) => call(fanfare.http, method, params));
      }
    }
  });

  await t.test("a subscription's id is a quantity, compared as a number", async (t) => {
    const raw = await open(t, fanfare);
    for (let i = 0; i < 40; ++i) {
      const id = await raw.subscribe("newHeads");
      assert.match(id, /^0x[1-9a-f][0-9a-f]{0,63}$/);
      const spellings = [id, `0x${id.slice(2).toUpperCase()}`, `0x00${id.slice(2)}`.slice(0, 68)];
      const answer = await raw.ask("eth_unsubscribe", [spellings[i % spellings.length]]);
      assert.equal(answer.result, true, JSON.stringify(answer));
      assert.equal((await raw.ask("eth_unsubscribe", [id])).error.code, -32000);
    }
  });

  await t.test("nobody can end another's subscription", async (t) => {
    const [mine, other] = [await open(t, fanfare), await open(t, fanfare)];
    const id = await mine.subscribe("newHeads");
    assert.equal((await other.ask("eth_unsubscribe", [id])).error.code, -32000);
    await mine.json((message) => message.params?.subscription === id);
  });

  await t.test("after eth_unsubscribe was answered nothing comes any more", async (t) => {
    const [raw, watcher] = [await open(t, fanfare), await open(t, fanfare)];
    const id = await raw.subscribe("newHeads");
    await raw.json((message) => message.params?.subscription === id);
    assert.equal((await raw.ask("eth_unsubscribe", [id])).result, true);
    raw.frames.items.length = 0;
    await watcher.subscribe("newHeads");
    for (let heads = 0; heads < 5; ++heads) await watcher.json((message) => message.method === "eth_subscription");
    await raw.ask("eth_chainId");
    assert.deepEqual(raw.frames.items, []);
  });

  await t.test("who was shown head N is never answered from below N", async (t) => {
    const raw = await open(t, fanfare);
    const id = await raw.subscribe("newHeads");
    for (let i = 0; i < 30; ++i) {
      const { params: { result: head } } = await raw.json((message) => message.params?.subscription === id);
      const [latest, block] = await Promise.all([
        raw.ask("eth_blockNumber"), raw.ask("eth_getBlockByNumber", [head.number, false])]);
      assert.ok(BigInt(latest.result) >= BigInt(head.number));
      assert.equal(block.result.hash, head.hash);
    }
  });

  await t.test("many requests at once are each answered once", async (t) => {
    const raw = await open(t, fanfare);
    const count = 2000;
    for (let i = 0; i < count; ++i) raw.sendJson({ jsonrpc: "2.0", id: i, method: "eth_getBlockByNumber", params: ["0x0", false] });
    const answers = (await raw.frames.atLeast(count)).map(({ text }) => JSON.parse(text));
    assert.deepEqual(answers.map(({ id }) => id).sort((a, b) => a - b), Array.from({ length: count }, (_, i) => i));
  });
});

test("the 101st subscription is -32005, and one that ends makes room", async (t) => {
  const fanfare = await startDevChain(t);
  const raw = await open(t, fanfare);
  const ids = [];
  for (let i = 0; i < 100; ++i) ids.push(await raw.subscribe("newHeads"));
  assert.equal(new Set(ids).size, 100);
  assert.equal((await raw.ask("eth_subscribe", ["newHeads"])).error.code, -32005);
  assert.equal((await raw.ask("eth_unsubscribe", [ids[50]])).result, true);
  await raw.subscribe("newHeads");
  assert.equal((await raw.ask("eth_subscribe", ["newHeads"])).error.code, -32005);
});

test("in front of anvil: ids, batches and unknown methods", async (t) => {
  const anvil = await startAnvil(t);
  const fanfare = await startFanfare(t, ["--upstream", anvil.url]);

  await t.test("an id comes back as it was written", (t) => idsComeBackVerbatim(t, fanfare));

  await t.test("a batch with an element the node refuses answers the others", async (t) => {
    const raw = await open(t, fanfare);
    raw.sendJson(JSON.stringify([
      { jsonrpc: "2.0", id: "a", method: "eth_chainId" },
      { jsonrpc: "2.0", id: "b", method: "eth_getBalance", params: ["not an address"] },
      { jsonrpc: "2.0", id: "c", method: "no_such_method" },
      { jsonrpc: "2.0", id: "d", method: "eth_blockNumber" },
      { jsonrpc: "2.0", id: "e", method: "eth_subscribe", params: ["newHeads"] },
    ]));
    const answers = await raw.json();
    assert.deepEqual(answers.map(({ id, error }) => [id, error?.code]),
      [["a", undefined], ["b", -32602], ["c", -32601], ["d", undefined], ["e", undefined]]);
    assert.equal(answers[0].result, "0x7a69");
  });

  await t.test("an unreachable node is -32603, and /readyz says so", async (t) => {
    const raw = await open(t, fanfare);
    await anvil.program.stop("SIGKILL");
    assert.equal((await raw.ask("eth_getBalance", [`0x${"11".repeat(20)}`, "latest"])).error.code, -32603);
    await assert.rejects(call(fanfare.http, "eth_gasPrice"), { code: -32603 });
  });
});
