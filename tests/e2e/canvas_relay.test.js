// One room of the canvas on three instances (docs/canvas.md, "Over several instances"): what one draws all have, with the same versions
// and hashes; instances are killed and stopped, the broker ends and forgets. Clients check every version and every hash.

import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";
import { BinaryClient, JsonClient, serverState, startCanvas } from "./support/canvas.js";
import { temporaryFolder } from "./support/fanfare.js";
import { startFor } from "./support/processes.js";
import { until } from "./support/waiting.js";

const ROOM = "{ name: main, width: 600, height: 300, relay: true, pixelsPerSecond: 100000, pixelsPerSecondPerAddress: 100000 }";
const CHUNKS = 6;
const ROUNDS = Number(process.env.CANVAS_RELAY_ROUNDS ?? 20);

class Broker {
  constructor(t) {
    this.t = t;
    this.folder = temporaryFolder(t);
    this.data = path.join(this.folder, "data");
    this.port = -1;
  }
  async start() {
    const parameters = ["-a", "127.0.0.1", "-p", String(this.port), "-js", "-sd", this.data, "--ports_file_dir", this.folder];
    this.program = startFor(this.t, "nats-server", process.env.NATS_SERVER ?? "/usr/sbin/nats-server", parameters);
    await this.program.line(/Server is ready/);
    const file = path.join(this.folder, `nats-server_${this.program.child.pid}.ports`);
    [this.url] = await until("the broker's ports", () => {
      try {
        return JSON.parse(readFileSync(file, "utf8")).nats;
      } catch {
        return null;
      }
    });
    this.port = Number(new URL(this.url).port);
    return this;
  }
  forget() {
    rmSync(this.data, { recursive: true, force: true });
  }
}

const isReady = async (canvas) => (await fetch(`${canvas.health}/canvas/main/info`).catch(() => null))?.status === 200;

async function startInstance(t, broker) {
  const more = `relay: { nats: { servers: ["${broker.url}"], heartbeat: 200ms, reconnectWait: 20ms } }\n`;
  const canvas = await startCanvas(t, ROOM, { more });
  await until("the room is ready", () => isReady(canvas));
  return { ...canvas, url: `${canvas.base}/main` };
}
async function startThree(t) {
  const broker = await new Broker(t).start();
  return { broker, all: await Promise.all([1, 2, 3].map(() => startInstance(t, broker))) };
}

async function watcher(t, url) {
  const client = await BinaryClient.open(t, url);
  client.watch();
  await client.watched(CHUNKS);
  return client;
}
// All instances have the same, and none of the clients has seen a gap or a wrong hash.
async function expectEqual(t, all, clients = []) {
  await until("equal states", async () => {
    const states = await Promise.all(all.map((one) => serverState(t, one.url).catch(() => null)));
    return states[0] !== null && states.every((state) => state === states[0]);
  });
  const state = await serverState(t, all[0].url);
  for (const client of clients) {
    await until("the client has it", () => client.state === state);
    assert.deepEqual(client.faults, []);
  }
}

// Draws one pixel after another at one instance, and remembers what was acknowledged: colour by "x,y".
class Painter {
  drawn = new Map();
  constructor(row, seed) {
    this.row = row;
    this.next = seed;
  }
  async paint(t, url, count) {
    try {
      const client = await BinaryClient.open(t, url);
      for (let i = 0; i < count; ++i) {
        const [x, colour] = [this.next % 600, (this.next * 7919) & 0xffffff || 1];
        const ack = await client.draw(this.next++, [[x, this.row, colour]]);
        if (ack.accepted === 1) this.drawn.set(`${x},${this.row}`, colour);
      }
      client.socket.terminate();
      return true;
    } catch {
      return false; // its instance has ended: the last one may be drawn, or not
    }
  }
}

describe("instances that share a room", { concurrency: false }, () => {
  test("what one draws all see, with the same versions and hashes; clients go on at any instance; users are one", async (t) => {
    const { all } = await startThree(t);
    const [a, b, c] = await Promise.all(all.map((one) => watcher(t, one.url)));
    assert.equal(a.epoch, b.epoch);
    assert.equal(a.epoch, c.epoch);
    assert.equal((await a.draw(1, [[1, 1, 0xff0000], [599, 299, 0x00ff00]])).accepted, 2);
    assert.equal((await b.draw(2, [[2, 1, 0x0000ff]])).accepted, 1);
    await until("pixels", () => [a, b, c].every((one) => one.at(1, 1) === 0xff0000 && one.at(599, 299) === 0x00ff00 && one.at(2, 1) === 0x0000ff));
    await expectEqual(t, all, [a, b, c]);
    // With the versions of one instance at another one: nothing is sent again.
    const moved = await BinaryClient.open(t, all[2].url);
    moved.chunks = new Map(a.chunks);
    moved.watch(undefined, [...a.chunks].map(([key, { version }]) => [key, version]));
    for (let i = 0; i < CHUNKS; ++i) await moved.take("current");
    assert.equal(moved.wholeChunks, 0);
    assert.deepEqual(moved.faults, []);
    moved.socket.terminate();
    // One identity is one user, and takes back what it drew elsewhere.
    const here = await JsonClient.open(t, `${all[0].url}?session=aaaaaaaa&name=Ann`);
    const there = await JsonClient.open(t, `${all[1].url}?session=aaaaaaaa&name=Ann`);
    const other = await JsonClient.open(t, `${all[2].url}?session=bbbbbbbb&name=Bob`);
    assert.equal(here.welcome.user_id, there.welcome.user_id);
    assert.notEqual(here.welcome.user_id, other.welcome.user_id);
    await here.take("user_joined", ({ name }) => name === "Bob");
    assert.equal((await here.draw(9, 9, "#123456")).type, "ok");
    assert.equal((await other.take("pixel_changed", ({ x }) => x === 9)).user_id, here.welcome.user_id);
    there.send({ type: "undo", id: "back" });
    assert.equal((await there.inbox.take("the answer", ({ id }) => id === "back")).count, 1);
    assert.equal((await other.take("pixel_changed", ({ x, user_id }) => x === 9 && user_id === null)).color, "#ffffff");
    // Cursors.
    there.send({ type: "cursor_move", x: 30, y: 40 });
    await other.take("cursor", ({ user_id, x, y }) => user_id === there.welcome.user_id && x === 30 && y === 40);
    // It leaves when the last connection has ended, wherever that is.
    here.socket.close();
    other.send({ type: "users", id: "who" });
    const users = (await other.inbox.take("the users", ({ id }) => id === "who")).users;
    assert.equal(users.filter(({ name }) => name === "Ann").length, 1);
    there.socket.close();
    await other.take("user_left", ({ user_id }) => user_id === there.welcome.user_id);
    await expectEqual(t, all, [a, b, c]);
  });

  test(`instances are killed in ${ROUNDS} rounds: nothing that was acknowledged is lost, and nobody diverges`, async (t) => {
    const { broker, all } = await startThree(t);
    const painters = [0, 1, 2].map((i) => new Painter(10 * i, 1000 * i));
    const viewers = await Promise.all(all.map((one) => watcher(t, one.url)));
    for (let round = 0; round < ROUNDS; ++round) {
      const victim = round % 3;
      const painting = painters.map((painter, i) => painter.paint(t, all[i].url, i === victim ? 1000 : 25));
      await until("some are drawn", () => painters[victim].next > 1000 * victim + 5 * (round + 1));
      await all[victim].program.stop("SIGKILL");
      const done = await Promise.all(painting);
      assert.deepEqual(done, [0, 1, 2].map((i) => i !== victim), `round ${round}`);
      all[victim] = await startInstance(t, broker);
      assert.deepEqual(viewers[victim].faults, []);
      viewers[victim] = await watcher(t, all[victim].url);
    }
    await expectEqual(t, all, viewers);
    for (const painter of painters) {
      assert.ok(painter.drawn.size > ROUNDS);
      for (const [place, colour] of painter.drawn) {
        const [x, y] = place.split(",").map(Number);
        assert.equal(viewers[0].at(x, y), colour, place);
      }
    }
  });

  test("users of an instance that is killed or stopped leave within 5 s, except those that are elsewhere; a stopped one goes on", async (t) => {
    const { all } = await startThree(t);
    const watching = await JsonClient.open(t, `${all[0].url}?name=Watch`);
    const left = [];
    watching.socket.on("message", (data) => {
      const message = JSON.parse(String(data));
      if (message.type === "user_left") left.push(message.user_id);
    });
    const stays = await JsonClient.open(t, `${all[1].url}?session=stays-stays&name=Stays`);
    const lost = await JsonClient.open(t, `${all[1].url}?session=lost-lost&name=Lost`);
    await watching.take("user_joined", ({ name }) => name === "Lost");
    await JsonClient.open(t, `${all[2].url}?session=stays-stays&name=Stays`);
    const killed = Date.now();
    await all[1].program.stop("SIGKILL");
    await until("the user has left", () => left.includes(lost.welcome.user_id));
    t.diagnostic(`reported gone after ${Date.now() - killed} ms`);
    assert.ok(!left.includes(stays.welcome.user_id), "he is at another instance");
    // One that hangs, with a batch of its clients perhaps.
    const hung = await JsonClient.open(t, `${all[2].url}?session=hung-hung&name=Hung`);
    await watching.take("user_joined", ({ name }) => name === "Hung");
    all[2].program.signal("SIGSTOP");
    await until("the user has left", () => left.includes(hung.welcome.user_id));
    assert.equal((await watching.draw(5, 5, "#00ff00")).type, "ok");
    all[2].program.signal("SIGCONT");
    await watching.take("user_joined", ({ user_id }) => user_id === hung.welcome.user_id);
    assert.equal((await hung.draw(6, 6, "#0000ff")).type, "ok");
    await watching.take("pixel_changed", ({ x, user_id }) => x === 6 && user_id === hung.welcome.user_id);
    await expectEqual(t, [all[0], all[2]]);
  });

  test("while the broker is away drawing is refused and viewing goes on; then all go on, also if the broker has forgotten everything", async (t) => {
    const { broker, all } = await startThree(t);
    const viewers = await Promise.all(all.map((one) => watcher(t, one.url)));
    assert.equal((await viewers[0].draw(1, [[1, 1, 0xaa0000]])).accepted, 1);
    await broker.program.stop("SIGKILL");
    // What was accepted before the instance noticed is answered when the broker is back.
    await until("refused", () => {
      viewers[1].pixels(2, [[2, 2, 0x00aa00]]);
      return viewers[1].inbox.items.some(({ type, status }) => type === "ack" && status === 5);
    });
    const about = await (await fetch(`${all[1].health}/canvas/main/info`)).json();
    assert.equal(about.pixels >= 1, true);
    assert.equal(viewers[1].socket.readyState, 1);
    await broker.start();
    await until("accepted again", async () => (await viewers[2].draw(3, [[3, 3, 0x0000aa]])).accepted === 1);
    await expectEqual(t, all, viewers);
    const before = viewers[0].at(1, 1);
    await broker.program.stop("SIGKILL");
    broker.forget();
    await broker.start();
    // Versions of the epoch before mean nothing: clients begin again.
    for (const viewer of viewers) assert.equal((await viewer.closed).code, 1012);
    await until("ready", async () => (await Promise.all(all.map(isReady))).every(Boolean));
    const fresh = await startInstance(t, broker);
    await expectEqual(t, [...all, fresh]);
    const again = await watcher(t, fresh.url);
    assert.notEqual(again.epoch, viewers[0].epoch);
    assert.equal(again.at(1, 1), before);
    assert.equal((await again.draw(4, [[4, 4, 0x123456]])).accepted, 1);
    await expectEqual(t, [...all, fresh], [again]);
  });
});
