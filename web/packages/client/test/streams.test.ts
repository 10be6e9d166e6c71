// Listeners of streams, at a server that keeps to docs/streams.md.
import { expect, test, vi } from "vitest";
import { StreamClient } from "../src/index.js";
import { FakeSocket } from "../../../testing/fake_socket.js";
import { StreamCore, type Peer, type Session } from "../../../testing/stream_core.js";
import { client, core, publish, record, requests, serve, serveWith, settle, start } from "./streams_fixture.js";

test("a subscriber gets the last value at once, then every value", async () => {
  publish(1, 2);
  const log = record();
  await settle();
  publish(3, 5);
  expect(log.numbers).toEqual([2, 3, 4, 5]);
  expect(log.messages[0]).toEqual({ stream: "a", data: { n: 2, same: "text" }, timestamp: core.now, position: { epoch: core.epoch, offset: 2 } });
  expect(client.welcome).toMatchObject({ message: "test server", streams: ["a", "b", "c"] });
  expect(log.answers).toEqual([undefined]);
});

test("many listeners are one subscription, and each gets the last value when it comes", async () => {
  const first = record();
  await settle();
  publish(1, 3);
  const second = record();
  expect(second.numbers).toEqual([]);
  await settle();
  publish(4, 4);
  expect(first.numbers).toEqual([1, 2, 3, 4]);
  expect(second.numbers).toEqual([3, 4]);
  expect(requests("subscribe").length).toBe(1);
  first.stop();
  first.stop();
  publish(5, 5);
  expect(second.numbers).toEqual([3, 4, 5]);
  expect(first.numbers).toEqual([1, 2, 3, 4]);
});

test("the last listener's end unsubscribes, unless another one comes soon after", async () => {
  const first = record();
  await settle();
  first.stop();
  await settle(499);
  const second = record();
  await settle(10_000);
  expect(requests("unsubscribe")).toEqual([]);
  second.stop();
  await settle(500);
  expect(requests("unsubscribe").length).toBe(1);
  // A later one subscribes again.
  publish(1, 1);
  const third = record();
  await settle();
  expect(third.numbers).toEqual([1]);
  expect(third.gaps).toEqual([]);
});

test("the connection is lost while a stream is being left: it is gone, and can be had again", async () => {
  const first = record();
  await settle();
  FakeSocket.last.isHalfOpen = true;
  first.stop();
  await settle(500);
  FakeSocket.last.end();
  await settle(1_000);
  expect(requests("subscribe").length).toBe(1);
  publish(1, 1);
  const second = record();
  await settle();
  expect(second.numbers).toEqual([1]);
  expect(second.gaps).toEqual([]);
});

test("an unknown stream is an error for its listener, and harms no other", async () => {
  const bad = record("nothing");
  const good = record("a");
  await settle();
  publish(1, 1);
  expect(bad.errors).toEqual(["unknown_stream"]);
  expect(good.errors).toEqual([]);
  expect(good.numbers).toEqual([1]);
  // It is tried again after a reconnect: the server may have it by then.
  core.topics.set("nothing", { entries: [], offset: 0, last: null, interrupted: null });
  FakeSocket.last.end();
  await settle(1_000);
  publish(7, 7, "nothing");
  expect(bad.numbers).toEqual([7]);
});

test("what hello says about the streams is known afterwards, also across reconnects", async () => {
  serve({ hello: { streams: [{ name: "a", interval_ms: 2000, on_change: true, history: 5 }, { name: "b", history: 300 }] } });
  start();
  record();
  await settle();
  const details = { a: { intervalMs: 2000, onChange: true, history: 5 }, b: { onChange: false, history: 300 } };
  expect(client.welcome?.details).toEqual(details);
  FakeSocket.last.end();
  const seen: unknown[] = [];
  client.onChange(() => seen.push(client.welcome?.details));
  await settle(2_000);
  expect(seen.length).toBeGreaterThan(1);
  for (const one of seen) expect(one).toEqual(details);
});

test("a server of the short protocol: values, and after a reconnect a gap, because nobody knows", async () => {
  serve({ extended: false });
  start();
  publish(1, 1);
  const log = record("a", { history: 5 });
  await settle();
  publish(2, 3);
  expect(log.history).toEqual([]);
  expect(log.numbers).toEqual([1, 2, 3]);
  expect(log.errors).toEqual([]);
  FakeSocket.last.end();
  publish(4, 5);
  await settle(1_000);
  expect(log.numbers).toEqual([1, 2, 3, 5]);
  expect(log.gaps).toEqual([{ stream: "a", reason: "the server does not number its messages", missing: undefined }]);
  expect(log.answers).toEqual([undefined, false]);
  const bad = record("nothing");
  await settle();
  expect(bad.errors).toEqual(["there is no stream nothing"]);
});

test("fifty streams stay below the server's limit of messages a second", async () => {
  const names = Array.from({ length: 50 }, (_, n) => `s${n}`);
  serve({ streams: names });
  start();
  const counts: number[] = [];
  for (const name of names) client.subscribe(name, () => {});
  for (let second = 0; second < 4; second++) {
    const before = core.received.length;
    await settle(1_000);
    counts.push(core.received.length - before);
  }
  expect(requests("subscribe").length).toBe(50);
  // The first second has the burst that the server allows as well.
  expect(counts[0]).toBeLessThanOrEqual(40);
  expect(counts.slice(1).every((count) => count <= 20)).toBe(true);
});

/** A server that enforces its limit as docs/streams.md says: a burst of as many, then an error once a second, then 1008. */
class LimitedCore extends StreamCore {
  refused = 0;
  constructor(readonly perSecond: number, names: readonly string[], hello: object = { limits: { messages_per_second: perSecond } }) { super({ streams: names, hello }); }
  override accept(peer: Peer): Session {
    const session = super.accept(peer);
    const receive = session.receive.bind(session);
    let [full, second, count] = [0, -Infinity, 0];
    session.receive = (text) => {
      const now = Date.now();
      if (now - second >= 1_000) [second, count] = [now, 0];
      if (++count > 10 * this.perSecond) return peer.close(1008, "too many messages");
      const next = Math.max(full, now) + 1_000 / this.perSecond;
      if (next - now > 1_000.001) {
        this.refused++;
        return session.reply({ type: "error", code: "too_many_messages", message: "too many messages" });
      }
      full = next;
      receive(text);
    };
    return session;
  }
}

test.each([[1, 12], [1, 60], [2, 25], [3, 60], [10, 60], [20, 60]])("with a limit of %i messages a second %i streams arrive, on one connection", async (perSecond, count) => {
  const names = Array.from({ length: count }, (_, n) => `s${n}`);
  serveWith(new LimitedCore(perSecond, names));
  const logs = names.map((name) => record(name));
  await settle((3 * count * 1_000) / perSecond + 5_000);
  for (const name of names) publish(1, 1, name);
  expect(logs.map(({ numbers }) => numbers)).toEqual(names.map(() => [1]));
  expect(logs.flatMap(({ errors }) => errors)).toEqual([]);
  expect(FakeSocket.all.length).toBe(1);
  // What the first burst is refused is repeated in time; afterwards the limit is known.
  expect((core as LimitedCore).refused).toBeLessThanOrEqual(10);
});

test("lingerMs is checked, and Infinity keeps a stream", async () => {
  for (const lingerMs of [Number.NaN, -1]) expect(() => new StreamClient({ url: "ws://x/", lingerMs })).toThrow("the option lingerMs");
  for (const lingerMs of [Infinity, 3e9]) {
    client.close();
    serve();
    start({ lingerMs });
    const log = record();
    await settle();
    log.stop();
    await settle(100_000);
    expect(requests("unsubscribe")).toEqual([]);
  }
});

test("the end of a stream by the server is an error", async () => {
  const log = record();
  await settle();
  FakeSocket.last.hear({ type: "unsubscribed", stream: "a" });
  expect(log.errors).toEqual(["ended"]);
  const told: string[] = [];
  const other = record("b", {}, { error: ({ message, code }) => { told.push(`${code}: ${message}`); } });
  await settle();
  FakeSocket.last.hear({ type: "unsubscribed", stream: "b", reason: "the credentials have ended" });
  expect(told).toEqual(["ended: the credentials have ended"]);
  expect(other.errors).toEqual([]);
});

test("a callback that throws harms nobody else", async () => {
  const reported = vi.fn();
  vi.stubGlobal("reportError", reported);
  record("a", {}, { message: () => { throw new Error("mine"); } });
  const log = record();
  await settle();
  publish(1, 2);
  expect(log.numbers).toEqual([1, 2]);
  expect(reported).toHaveBeenCalledTimes(2);
  vi.unstubAllGlobals();
});

test("a heartbeat is the protocol's ping, and a pong keeps the connection", async () => {
  start({ heartbeat: { idleMs: 1_000, answerMs: 100 } });
  record();
  await settle(10_500);
  expect(requests("ping").length).toBe(10);
  expect(FakeSocket.all.length).toBe(1);
});
