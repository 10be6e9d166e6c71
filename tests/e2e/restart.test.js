// The node dies and returns: with its chain, under load, or with another chain.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { startAnvil } from "./support/anvil.js";
import { atEnd } from "./support/cleanup.js";
import { metric, readiness, startFanfare, temporaryFolder, untilReady } from "./support/fanfare.js";
import { assertConsecutive, assertHeadIsBlock } from "./support/heads.js";
import { RawSocket } from "./support/raw_socket.js";

class Heads {
  static async of(t, url) {
    const heads = new Heads();
    heads.raw = await RawSocket.open(url);
    atEnd(t, () => heads.raw.destroy());
    heads.id = await heads.raw.subscribe("newHeads");
    heads.all = [];
    return heads;
  }

  async take(count) {
    const some = [];
    while (some.length < count) {
      some.push((await this.raw.json((message) => message.params?.subscription === this.id)).params.result);
    }
    this.all.push(...some);
    return some;
  }

  numbers() {
    return this.all.map(({ number }) => Number(number));
  }
}

const upTo = (last) => Array.from({ length: last }, (_, i) => i + 1);

test("anvil killed and restarted with its state: no head missing, none twice", async (t) => {
  const state = ["--state", path.join(temporaryFolder(t), "state.json")];
  let anvil = await startAnvil(t, state);
  const fanfare = await startFanfare(t, ["--upstream", anvil.url]);
  const subscribers = await Promise.all(Array.from({ length: 5 }, () => Heads.of(t, fanfare.ws)));

  await anvil.ask("anvil_mine", ["0x5"]);
  for (const heads of subscribers) await heads.take(5);

  for (let round = 0; round < 3; ++round) {
    await anvil.program.stop("SIGTERM"); // it saves its state on exit
    await untilReady(fanfare, 503);
    const told = await readiness(fanfare);
    // The node's address and network errors appear only in the log.
    assert.match(told.text, /^main\/any not ready: its nodes do not say which block is the latest$/m);
    assert.equal((await subscribers[0].raw.ask("eth_getBalance", [`0x${"11".repeat(20)}`, "latest"])).error.code, -32603);

    anvil = await startAnvil(t, state, { port: anvil.port });
    // Mined at once, so that the daemon may find new blocks when it first reaches the node again.
    await anvil.ask("anvil_mine", ["0x3"]);
    for (const heads of subscribers) await heads.take(3);
    await untilReady(fanfare);
  }
  for (const heads of subscribers) {
    assert.deepEqual(heads.numbers(), upTo(14));
    assertConsecutive(heads.all);
    assert.deepEqual(heads.raw.frames.items, []);
  }
  for (const head of subscribers[0].all) await assertHeadIsBlock(head, anvil.ask);

  // The log reports loss and recovery, once each.
  const lines = fanfare.program.lines.items;
  assert.equal(lines.filter((line) => /warning network_not_ready network=main\/any reason=/.test(line)).length, 3, fanfare.program.text);
  assert.equal(lines.filter((line) => /info +network_ready network=main\/any head=/.test(line)).length, 4);
  assert.ok((await metric(fanfare, "fanfare_upstream_errors_total", { kind: "connect" })) > 0);
  assert.equal(await metric(fanfare, "fanfare_reorgs_total"), 0);
  assert.equal(await metric(fanfare, "fanfare_head_gaps_total"), 0);
});

test("anvil killed while it mines, and restarted from its last state", async (t) => {
  const state = ["--state", path.join(temporaryFolder(t), "state.json")];
  let anvil = await startAnvil(t, [...state, "--block-time", "0.2"]);
  const fanfare = await startFanfare(t, ["--upstream", anvil.url]);
  const heads = await Heads.of(t, fanfare.ws);
  await heads.take(10);
  await anvil.program.stop("SIGTERM");
  await untilReady(fanfare, 503);
  anvil = await startAnvil(t, [...state, "--block-time", "0.2"], { port: anvil.port });
  await heads.take(20);
  assertConsecutive(heads.all);
  for (const head of heads.all) await assertHeadIsBlock(head, anvil.ask);
});

test("another chain at the same address: the subscription goes on with its heads", async (t) => {
  let anvil = await startAnvil(t);
  const fanfare = await startFanfare(t, ["--upstream", anvil.url]);
  const heads = await Heads.of(t, fanfare.ws);
  await anvil.ask("anvil_mine", ["0x5"]);
  await heads.take(5);
  await anvil.program.stop("SIGKILL");
  await untilReady(fanfare, 503);
  // Another genesis: the timestamp is part of its hash.
  anvil = await startAnvil(t, ["--timestamp", "1700000000"], { port: anvil.port });
  await anvil.ask("anvil_mine", ["0x3"]);
  await untilReady(fanfare);
  const [first] = await heads.take(1);
  const latest = async () => Number(await anvil.ask("eth_blockNumber"));
  const rest = await heads.take((await latest()) - Number(first.number));
  assertConsecutive([first, ...rest]);
  for (const head of [first, ...rest]) await assertHeadIsBlock(head, anvil.ask);
  await anvil.ask("anvil_mine", ["0x2"]);
  const more = await heads.take(2);
  assertConsecutive([first, ...rest, ...more]);
  assert.equal(Number(more[1].number), await latest());
  await fanfare.program.line(/reorg network=main\/any depth=6 old_head=5 /);
});
