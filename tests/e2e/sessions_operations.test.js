// What an operator does while clients have sessions at several instances (docs/subscriptions.md, "Sessions at several instances"): instances
// are drained and stopped, and reloads change the limits of sessions, take the project away, and bring it back. Clients of all libraries
// lose nothing.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { metric, startDevChain } from "./support/fanfare.js";
import { Broker } from "./support/relay.js";
import { Raw } from "./support/session_client.js";
import { Fleet, moves, startInstance, token } from "./support/session_fleet.js";
import { ShiftedClock } from "./support/shifted_clock.js";
import { until } from "./support/waiting.js";

// They mostly wait for blocks and processes.
describe("sessions under an operator", { concurrency: 2 }, () => {
  test("drained and stopped instances lose nothing, and sessions come back to one that was drained", async (t) => {
    const fleet = await Fleet.start(t);
    const [one, two] = fleet.instances;
    const drain = async (instance, spread) => {
      await instance.admin("drain", "--spread", spread);
      await until("it is drained", async () => /drained/.test(await instance.admin("status")));
    };
    await fleet.move(1, () => drain(one, "0s"));
    assert.deepEqual([await moves(two, "restored"), await moves(two, "stale")], [3, 0]);
    await one.admin("undrain");
    // One after the other: the first is back before the last is closed.
    await fleet.move(0, () => drain(two, "1s"));
    assert.deepEqual([await moves(one, "restored"), await moves(one, "stale")], [3, 0]);
    // A stop of one that is drained, and of one that is not.
    await two.program.stop("SIGTERM");
    await fleet.move(2, () => one.program.stop("SIGTERM"));
    assert.deepEqual([await moves(fleet.instances[2], "restored"), await moves(fleet.instances[2], "stale")], [3, 0]);
    await fleet.compare();
  });

  test("reloads that change limits, or take the project or the relay away, lose nothing", async (t) => {
    const fleet = await Fleet.start(t);
    const [one, two] = fleet.instances;
    // Sessions that are there stay, also beyond a lower limit.
    await one.reload({ websocket: ", sessionsMax: 1, sessionTimeout: 10m, sessionBytesMax: 1000000" });
    await fleet.move(0, () => fleet.cut());
    // The project is gone: its clients go on elsewhere, and come back when it is there again.
    await fleet.move(1, () => one.reload({ project: "spare" }));
    assert.deepEqual([(await moves(two, "restored")) + (await moves(two, "taken")), await moves(two, "stale")], [3, 0]);
    await one.reload();
    await fleet.move(0, () => fleet.desert());
    // It is gone for a moment only.
    await fleet.move(0, async () => {
      await one.reload({ project: "spare" });
      await one.reload();
    });
    // The broker's settings need a restart.
    await one.reload({ relay: false });
    assert.match(one.program.text, /setting_needs_restart.*relay/);
    await fleet.move(1, () => fleet.cut());
    await fleet.move(0, () => fleet.cut());
    for (const each of fleet.instances) assert.equal(await moves(each, "stale"), 0);
    await fleet.compare();
  });

  test("the wall clock jumps forwards and back while clients are away: nothing is lost, and no session is forgotten", async (t) => {
    const clock = await ShiftedClock.start(t);
    const fleet = await Fleet.start(t, { options: { env: clock.env } });
    const year = new Date().getUTCFullYear();
    // Each jump is longer than `sessionTimeout`. To the same instance, to one that is asked, and to one that has the copy only.
    for (const [years, to, end] of [[2, 0, "cut"], [-2, 1, "desert"], [3, 2, "stop"], [0, 1, "cut"], [-3, 1, "desert"], [1, 2, "stop"]]) {
      const from = fleet.instances[fleet.at ?? 0];
      await fleet.move(to, async () => {
        if (end === "stop") await from.program.stop("SIGTERM");
        else fleet[end]();
        clock.set(Math.round(years * 365.25 * 86400));
      });
      fleet.at = to;
      const { program } = fleet.instances[to];
      await until("the clock has jumped", () => program.text.includes(`\n${year + years}-`));
      if (end === "stop") fleet.instances[fleet.instances.indexOf(from)] = await startInstance(t, fleet.node, fleet.broker, { env: clock.env });
    }
    for (const each of fleet.instances) assert.equal(await moves(each, "stale"), 0);
    await fleet.compare();
  });

  test("a thousand subscriptions of a session at once are all taken, and one more is refused by name", async (t) => {
    const SUBSCRIPTIONS = 1000;
    const node = await startDevChain(t, ["--dev-block-time", "3s"]);
    const broker = await new Broker(t).start();
    const [one, two] = await Promise.all([1, 2].map(() => startInstance(t, node, broker, { websocket: `, maxSubscriptionsPerConnection: ${SUBSCRIPTIONS}` })));
    const secret = token();
    for (const [instance, state] of [[one, "new"], [two, "resumed"]]) {
      const client = await Raw.open(t, `${instance.ws}?session=${secret}`);
      assert.equal((await client.ask("fanfare_session")).result, state);
      for (let id = 0; id <= SUBSCRIPTIONS; ++id) client.socket.send(JSON.stringify({ jsonrpc: "2.0", id, method: "eth_subscribe", params: ["newHeads"] }));
      const answers = await client.messages.when("all answers", (items) => {
        const found = items.filter(({ id }) => id !== undefined);
        return found.length === SUBSCRIPTIONS + 1 && found;
      });
      const refused = answers.filter(({ error }) => error);
      assert.deepEqual(refused.map(({ id, error }) => [id, error.code, error.message]), [[SUBSCRIPTIONS, -32005, `too many subscriptions: at most ${SUBSCRIPTIONS} per connection`]]);
      assert.equal(new Set(answers.map(({ result }) => result)).size, SUBSCRIPTIONS + 1, "each has its own id");
      assert.equal(await metric(instance, "fanfare_overload_refused_total"), 0);
      client.socket.close();
      await client.closed;
    }
  });
});
