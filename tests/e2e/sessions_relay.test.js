// Sessions of unmodified clients that continue at any instance of a fleet (docs/subscriptions.md, "Sessions at several instances"): ethers,
// viem and web3.js are moved between instances that are cut, killed, stopped or hang, while the broker is restarted and the chain reorganises.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { key } from "./support/access.js";
import { metric, startDevChain } from "./support/fanfare.js";
import { Broker } from "./support/relay.js";
import { Raw } from "./support/session_client.js";
import { Fleet, moves, startInstance, token } from "./support/session_fleet.js";
import { until } from "./support/waiting.js";

const ANN = "ann-key-0123456789";
const BOB = "bob-key-0123456789";

// They mostly wait for blocks and processes.
describe("sessions of a fleet", { concurrency: 2 }, () => {
  test("clients that come to another instance lose nothing, whether the one before knows or not", async (t) => {
    const fleet = await Fleet.start(t);
    const [one, two, three] = fleet.instances;
    await fleet.move(1, () => fleet.cut());
    assert.equal(await moves(two, "restored") + (await moves(two, "taken")), 3);
    await fleet.move(2, () => fleet.desert());
    assert.equal(await moves(three, "taken"), 3);
    assert.equal(await moves(two, "handed"), 3);
    await fleet.move(0, () => fleet.desert());
    assert.equal(await moves(one, "taken"), 3);
    for (const each of fleet.instances) assert.equal(await moves(each, "stale"), 0);
    await fleet.compare();
  });

  test("a rolling deploy loses nothing, and each session continues exactly where it was", async (t) => {
    const fleet = await Fleet.start(t);
    for (let i = 0; i < 3; ++i) {
      const next = (i + 1) % 3;
      await fleet.move(next, () => fleet.instances[i].program.stop("SIGTERM"));
      assert.deepEqual([await moves(fleet.instances[next], "restored"), await moves(fleet.instances[next], "stale")], [3, 0]);
      fleet.instances[i] = await startInstance(t, fleet.node, fleet.broker);
    }
    await fleet.compare();
  });

  test("an instance is killed, one hangs, and the broker is restarted: nothing is lost", async (t) => {
    const fleet = await Fleet.start(t);
    await fleet.move(1, () => fleet.instances[0].program.stop("SIGKILL"));
    assert.equal(await moves(fleet.instances[1], "stale"), 3);
    fleet.instances[0] = await startInstance(t, fleet.node, fleet.broker);
    // One that hangs is not waited for; once it goes on, it learns that it has lost them.
    const hanging = fleet.instances[1];
    await fleet.move(2, async () => {
      hanging.program.signal("SIGSTOP");
      fleet.desert();
    });
    assert.equal(await moves(fleet.instances[2], "stale"), 3);
    hanging.program.signal("SIGCONT");
    // By a write that fails, or by the question for which nobody waits any more.
    await until("it has learnt that", async () => (await moves(hanging, "lost")) + (await moves(hanging, "handed")) === 3);
    // The broker is away and comes back while events come.
    await fleet.broker.program.stop("SIGKILL");
    await fleet.allHave(await fleet.head());
    await fleet.broker.start();
    await until("the broker is back", async () => (await metric(fleet.instances[2], "fanfare_session_broker_up")) === 1);
    await fleet.move(0, () => fleet.cut());
    await fleet.compare();
  });

  test("without the broker a session that is elsewhere is refused, never new; others notice nothing", async (t) => {
    const node = await startDevChain(t, ["--dev-block-time", "100ms"]);
    const broker = await new Broker(t).start();
    const [one, two] = await Promise.all([1, 2].map(() => startInstance(t, node, broker)));
    const secret = token();
    const first = await Raw.open(t, `${one.ws}?session=${secret}`);
    assert.equal(await first.upgraded, "new");
    await first.ask("eth_subscribe", ["newHeads"]);
    await first.messages.take("a head", ({ params }) => params !== undefined);
    await broker.program.stop("SIGKILL");
    for (const each of [one, two]) await until("the broker is missed", async () => (await metric(each, "fanfare_session_broker_up")) === 0);
    assert.deepEqual(await (await Raw.open(t, `${two.ws}?session=${secret}`)).refused, { status: 503, text: "the sessions of other instances cannot be reached now\n" });
    assert.equal((await (await Raw.open(t, `${two.ws}?session=${token()}`)).refused).status, 503);
    assert.ok((await (await Raw.open(t, two.ws)).ask("eth_blockNumber", [])).result);
    // What is here goes on, also with another connection.
    const again = await Raw.open(t, `${one.ws}?session=${secret}`);
    assert.equal(await again.upgraded, "resumed");
    assert.deepEqual(await first.closed, { code: 1008, reason: "this session continues on another connection" });
    await again.ask("eth_subscribe", ["newHeads"]);
    await broker.start();
    for (const each of [one, two]) await until("the broker is back", async () => (await metric(each, "fanfare_session_broker_up")) === 1);
    const moved = await Raw.open(t, `${two.ws}?session=${secret}`);
    assert.equal(await moved.upgraded, "resumed");
    assert.deepEqual(await again.closed, { code: 1008, reason: "this session continues on another connection" });
    assert.equal((await moved.ask("fanfare_session")).result, "resumed");
    assert.ok(![one, two, broker].some(({ program }) => program.text.includes(secret)), "a log has the token");
  });

  test("a session of an identity moves with it, also with a first message; a limit applies where it comes", async (t) => {
    const node = await startDevChain(t, ["--dev-block-time", "100ms"]);
    const broker = await new Broker(t).start();
    const more = `access:
  checkFilesEvery: 0s
  firstMessageWithin: 10s
  roles: [{ id: reader, projects: [main], methods: ["eth_*"], topics: [newHeads] }]
  keys: [{ id: ann, roles: [reader], key: ${ANN} }, { id: bob, roles: [reader], key: ${BOB} }]
`;
    const [one, two, full] = await Promise.all(["", "", ", sessionsPerAddressMax: 1"].map((websocket) => startInstance(t, node, broker, { more, websocket })));
    const secret = token();
    const first = await Raw.open(t, `${one.ws}?session=${secret}`, { headers: key(ANN) });
    assert.equal(await first.upgraded, "new");
    await first.ask("eth_subscribe", ["newHeads"]);
    await first.messages.take("a head", ({ params }) => params !== undefined);
    // The same token of somebody else is another session.
    assert.equal(await (await Raw.open(t, `${two.ws}?session=${secret}`, { headers: key(BOB) })).upgraded, "new");
    const late = await Raw.open(t, `${two.ws}?session=${secret}`);
    await late.upgraded;
    // The rest of a batch cannot wait; the next message does.
    late.socket.send(JSON.stringify([["fanfare_authenticate", [ANN]], ["eth_subscribe", ["newHeads"]]].map(([method, params], id) => ({ jsonrpc: "2.0", id: `b${id}`, method, params }))));
    assert.equal((await late.ask("fanfare_session")).result, "resumed");
    const answers = await late.messages.take("the batch", (message) => Array.isArray(message));
    assert.deepEqual([answers[0].result, answers[1].error.code], [true, -32000]);
    assert.deepEqual(await first.closed, { code: 1008, reason: "this session continues on another connection" });
    await late.ask("eth_subscribe", ["newHeads"]);
    await late.messages.take("a head", ({ params }) => params !== undefined);
    assert.equal(await (await Raw.open(t, `${full.ws}?session=${token()}`, { headers: key(ANN) })).upgraded, "new");
    assert.equal((await (await Raw.open(t, `${full.ws}?session=${secret}`, { headers: key(ANN) })).refused).status, 429);
    const again = await Raw.open(t, `${one.ws}?session=${secret}`, { headers: key(ANN) });
    assert.equal(await again.upgraded, "resumed");
  });
});
