import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { StreamClient, type Gap, type StreamClientOptions, type StreamListener, type StreamMessage } from "../src/index.js";
import { FakeSocket } from "../../../testing/fake_socket.js";
import { StreamCore, type Peer, type Session } from "../../../testing/stream_core.js";

let core: StreamCore;
let client: StreamClient;

function start(options: Partial<StreamClientOptions> = {}): void {
  client = new StreamClient({ url: "ws://localhost/streams", WebSocket: FakeSocket, ...options });
}
function serve(options: Partial<StreamCore["options"]> = {}): void {
  core = new StreamCore({ streams: ["a", "b", "c"], ...options });
  FakeSocket.reset(core);
}
const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const publish = (from: number, until: number, stream = "a"): void => { for (let n = from; n <= until; n++) core.publish(stream, { n, same: "text" }); };
const requests = (type: string): any[] => core.received.map(({ message }) => message).filter((message) => message.type === type);

/** Records everything that a listener is told. */
function record(stream = "a", options = {}, more: StreamListener<any> = {}) {
  const log = { numbers: [] as number[], messages: [] as StreamMessage<any>[], gaps: [] as Gap[], answers: [] as (boolean | undefined)[], errors: [] as string[], sources: [] as string[], history: null as number[] | null, stop: () => {} };
  log.stop = client.subscribe<string>(stream, {
    message: (message: StreamMessage<any>) => { log.messages.push(message); log.numbers.push(message.data.n); },
    history: (messages) => { log.history = messages.map(({ data }: StreamMessage<any>) => data.n); },
    gap: (gap) => { log.gaps.push(gap); },
    subscribed: ({ recovered }) => { log.answers.push(recovered); },
    error: (error) => { log.errors.push(error.code ?? error.message); },
    source: ({ available, reason }) => { log.sources.push(available ? "up" : `down: ${reason}`); },
    ...more,
  }, options);
  return log;
}

beforeEach(() => {
  vi.useFakeTimers();
  serve();
  start();
});
afterEach(() => {
  client.close();
  expect(vi.getTimerCount()).toBe(0);
});

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

test("a lost connection: every message, once, in order", async () => {
  const log = record();
  await settle();
  publish(1, 3);
  FakeSocket.last.end();
  publish(4, 9);
  await settle(1_000);
  publish(10, 10);
  expect(log.numbers).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(log.answers).toEqual([undefined, true]);
  expect(log.gaps).toEqual([]);
  expect(requests("subscribe")[1]).toMatchObject({ since: { epoch: core.epoch, offset: 3 }, delta: "merge" });
});

test("what the server no longer has is a gap with its exact range, and the rest follows", async () => {
  serve({ history: 3 });
  start();
  const log = record();
  await settle();
  publish(1, 2);
  FakeSocket.last.end();
  publish(3, 9);
  await settle(1_000);
  expect(log.numbers).toEqual([1, 2, 7, 8, 9]);
  expect(log.answers).toEqual([undefined, false]);
  expect(log.gaps).toEqual([{ stream: "a", reason: expect.any(String), missing: { after: { epoch: core.epoch, offset: 2 }, until: { epoch: core.epoch, offset: 6 }, count: 4 } }]);
});

test("a restarted server has another epoch: a gap without a count, and then its values", async () => {
  const log = record();
  await settle();
  publish(1, 2);
  const before = core.epoch;
  FakeSocket.last.end(1012);
  core.forget();
  publish(1, 1);
  await settle(1_000);
  publish(2, 3);
  expect(log.numbers).toEqual([1, 2, 1, 2, 3]);
  expect(log.gaps.length).toBe(1);
  expect(log.gaps[0]?.missing).toEqual({ after: { epoch: before, offset: 2 }, until: { epoch: core.epoch, offset: 0 } });
  expect(log.answers).toEqual([undefined, false]);
});

test("patches: the same values as without them, through notices, gaps and reconnects", async () => {
  const log = record();
  await settle();
  const values: any[] = [{ n: 1, x: { y: 1 } }, { n: 2, x: { y: 2, z: [1] } }, { n: 3 }, { n: 4, x: null }, { n: 5, x: { y: null } }];
  for (const value of values) core.publish("a", value);
  FakeSocket.last.end();
  core.publish("a", { n: 6, x: { y: 5 } });
  await settle(1_000);
  core.notice("a", "interrupted", "node down");
  core.notice("a", "restored");
  core.publish("a", { n: 7 });
  [...core.sessions][0]?.miss("a", 9, 11);
  const topic = core.topics.get("a")!;
  topic.offset = 11;
  core.publish("a", { n: 8, y: 1 });
  core.publish("a", { n: 9, y: 1 });
  expect(log.messages.map(({ data }) => data)).toEqual([...values, { n: 6, x: { y: 5 } }, { n: 7 }, { n: 8, y: 1 }, { n: 9, y: 1 }]);
  expect(log.sources).toEqual(["down: node down", "up"]);
  expect(log.gaps.map(({ missing }) => missing?.count)).toEqual([2]);
  expect(log.errors).toEqual([]);
  expect(Object.isFrozen(values)).toBe(false);
});

test("a checksum that differs: whole values from the last position on, nothing lost", async () => {
  const log = record();
  await settle();
  publish(1, 5);
  core.corruptNextPatch = true;
  publish(6, 6);
  publish(7, 8);
  await settle();
  publish(9, 16);
  expect(log.numbers).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
  expect(log.errors).toEqual(["resync"]);
  expect(log.gaps).toEqual([]);
  // The wrong member is gone from 8 on, where it was noticed.
  expect(log.messages.filter(({ data }) => data.corrupted).map(({ data }) => data.n)).toEqual([6, 7]);
  expect(requests("subscribe").at(-1)).toEqual({ type: "subscribe", stream: "a", since: { epoch: core.epoch, offset: 7 }, id: expect.any(Number) });
});

test("`delta: false` never asks for patches", async () => {
  start({ delta: false });
  const log = record();
  await settle();
  publish(1, 2);
  FakeSocket.last.end();
  await settle(1_000);
  expect(log.numbers).toEqual([1, 2]);
  expect(requests("subscribe").every(({ delta }) => delta === undefined)).toBe(true);
});

test("history fills a chart: the last values in one call, then the live ones", async () => {
  publish(1, 10);
  const log = record("a", { history: 4 });
  const all = record("a", { history: 6 });
  await settle();
  publish(11, 12);
  expect(log.history).toEqual([7, 8, 9, 10]);
  expect(all.history).toEqual([5, 6, 7, 8, 9, 10]);
  expect(log.numbers).toEqual([11, 12]);
  expect(all.numbers).toEqual([11, 12]);
  // Both were asked for in one request.
  expect(requests("subscribe").length).toBe(1);
  // A later one that wants no more than is here costs no request.
  const late = record("a", { history: 3 });
  await settle();
  expect(late.history).toEqual([10, 11, 12]);
  expect(late.numbers).toEqual([]);
  expect(requests("subscribe").length).toBe(1);
});

test("a later listener that wants more history gets it, and the others notice nothing", async () => {
  publish(1, 20);
  const early = record();
  await settle();
  publish(21, 22);
  const late = record("a", { history: 10 });
  await Promise.resolve();
  publish(23, 25);
  await settle();
  publish(26, 27);
  expect(late.history).toEqual([16, 17, 18, 19, 20, 21, 22, 23, 24, 25]);
  expect(late.numbers).toEqual([26, 27]);
  expect(early.numbers).toEqual([20, 21, 22, 23, 24, 25, 26, 27]);
  expect(early.gaps).toEqual([]);
  // The server had 27, so 100 is all of them: asked once, then known.
  const most = record("a", { history: 100 });
  await settle();
  const again = record("a", { history: 100 });
  await settle();
  expect(most.history?.length).toBe(27);
  expect(again.history?.length).toBe(27);
  expect(requests("subscribe").length).toBe(3);
});

test("history after a reconnect in the middle of it", async () => {
  publish(1, 5);
  const early = record();
  await settle();
  FakeSocket.last.end();
  publish(6, 8);
  const late = record("a", { history: 3 });
  await settle(1_000);
  publish(9, 9);
  expect(early.numbers).toEqual([5, 6, 7, 8, 9]);
  expect(early.answers[1]).toBe(true);
  expect(late.history).toEqual([6, 7, 8]);
  expect(late.numbers).toEqual([9]);
  expect(early.gaps).toEqual([]);
});

test("`since` of an earlier visit resumes", async () => {
  publish(1, 6);
  const log = record("a", { since: { epoch: core.epoch, offset: 4 } });
  await settle();
  expect(log.numbers).toEqual([5, 6]);
  expect(log.answers).toEqual([true]);
});

test.each([[true], [false]])("a later listener with `since` gets everything after it, as if it were alone; delta: %o", async (delta) => {
  client.close();
  start({ delta });
  publish(1, 5);
  core.notice("a", "interrupted", "down");
  core.notice("a", "restored");
  publish(8, 10);
  const first = record("a");
  await settle();
  publish(11, 15);
  const second = record("a", { since: { epoch: core.epoch, offset: 3 } });
  const third = record("a", { since: { epoch: core.epoch, offset: 8 } });
  const live = record("a");
  const now = record("a", { since: { epoch: core.epoch, offset: 15 } });
  publish(16, 17);
  await settle();
  publish(18, 18);
  const numbers = (from: number, until: number): number[] => Array.from({ length: until - from + 1 }, (_, n) => from + n);
  expect(first.numbers).toEqual(numbers(10, 18));
  expect(second.numbers).toEqual([4, 5, ...numbers(8, 18)]);
  expect(third.numbers).toEqual(numbers(9, 18));
  expect(live.numbers).toEqual(numbers(15, 18));
  expect(now.numbers).toEqual(numbers(16, 18));
  for (const log of [first, second, third, live, now]) expect([log.gaps, log.errors]).toEqual([[], []]);
  expect([first, second, third, live, now].map(({ answers }) => answers)).toEqual([[undefined], [true], [true], [], [true]]);
  expect([first, second, third, live].map(({ sources }) => sources)).toEqual([[], ["down: down", "up"], [], []]);
  // All go on from where they are.
  FakeSocket.last.end();
  publish(19, 19);
  await settle(1_000);
  for (const log of [first, second, third, live, now]) expect(log.numbers.slice(-2)).toEqual([18, 19]);
});

test("a later listener whose `since` is too old, or of another epoch, hears exactly what is lost; the others hear nothing", async () => {
  client.close();
  serve({ history: 4 });
  start();
  publish(1, 10);
  const first = record("a");
  await settle();
  for (const since of [{ epoch: core.epoch, offset: 2 }, { epoch: core.epoch - 1, offset: 50 }]) {
    const late = record("a", { since });
    await settle();
    expect(late.gaps.map(({ missing }) => missing)).toEqual([expect.objectContaining({ after: since, until: { epoch: core.epoch, offset: 6 } })]);
    expect(late.answers).toEqual([false]);
    expect(late.numbers).toEqual([7, 8, 9, 10]);
  }
  publish(11, 11);
  expect(first.numbers).toEqual([10, 11]);
  expect(first.gaps).toEqual([]);
  expect(first.answers).toEqual([undefined]);
});

test("a later listener with `since` while there is no connection, before the first answer, and ahead of the others", async () => {
  publish(1, 6);
  const first = record("a");
  const atOnce = record("a", { since: { epoch: core.epoch, offset: 2 } });
  await settle();
  expect(atOnce.numbers).toEqual([3, 4, 5, 6]);
  expect(first.numbers.at(-1)).toBe(6);
  FakeSocket.last.end();
  const offline = record("a", { since: { epoch: core.epoch, offset: 4 } });
  const ahead = record("a", { since: { epoch: core.epoch, offset: 8 } });
  publish(7, 9);
  await settle(1_000);
  publish(10, 10);
  expect(offline.numbers).toEqual([5, 6, 7, 8, 9, 10]);
  expect(ahead.numbers).toEqual([9, 10]);
  expect(first.numbers.slice(-5)).toEqual([6, 7, 8, 9, 10]);
  expect([...first.gaps, ...atOnce.gaps, ...offline.gaps, ...ahead.gaps]).toEqual([]);
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

test("a hole that the server did not announce is a gap too", async () => {
  const log = record();
  await settle();
  publish(1, 5);
  core.topics.get("a")!.offset = 8;
  for (const choice of [...core.sessions].map((session) => session.choices.get("a"))) choice!.base = undefined;
  publish(9, 9);
  expect(log.gaps.map(({ missing }) => [missing?.after.offset, missing?.until.offset])).toEqual([[5, 8]]);
  expect(log.numbers).toEqual([1, 2, 3, 4, 5, 9]);
});

test("a new subscriber of an interrupted stream learns it; notices between the last value and now are no gap", async () => {
  publish(1, 1);
  core.notice("a", "interrupted", "x");
  core.notice("a", "restored");
  const log = record();
  await settle();
  publish(2, 2);
  expect(log.numbers).toEqual([1, 2]);
  expect(log.gaps).toEqual([]);
  core.notice("a", "interrupted", "node down");
  const late = record();
  await settle();
  expect(late.numbers).toEqual([2]);
  expect(late.sources).toEqual(["down: node down"]);
});

test("a pause is reported with its times, and is no gap; neither is a notice of a later version", async () => {
  const pauses: unknown[] = [];
  const log = record("a", {}, { pause: (pause) => { pauses.push(pause); } });
  await settle();
  publish(1, 1);
  const offset = core.pause("a", core.now - 60);
  publish(2, 2);
  core.notice("a", "of a later version");
  publish(3, 3);
  expect(log.numbers).toEqual([1, 2, 3]);
  expect(pauses).toEqual([{ stream: "a", from: core.now - 60, until: core.now, position: { epoch: core.epoch, offset } }]);
  expect([log.gaps, log.sources, log.errors]).toEqual([[], [], []]);
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

test("a request that the server ignored is repeated", async () => {
  const log = record();
  const receive = vi.spyOn(FakeSocket.prototype, "send").mockImplementation(() => {});
  await settle();
  receive.mockRestore();
  FakeSocket.last.hear({ type: "error", code: "too_many_messages", message: "slower" });
  await settle(1_500);
  publish(1, 1);
  expect(log.numbers).toEqual([1]);
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
  FakeSocket.reset(core = new LimitedCore(perSecond, names));
  const logs = names.map((name) => record(name));
  await settle((3 * count * 1_000) / perSecond + 5_000);
  for (const name of names) publish(1, 1, name);
  expect(logs.map(({ numbers }) => numbers)).toEqual(names.map(() => [1]));
  expect(logs.flatMap(({ errors }) => errors)).toEqual([]);
  expect(FakeSocket.all.length).toBe(1);
  // What the first burst is refused is repeated in time; afterwards the limit is known.
  expect((core as LimitedCore).refused).toBeLessThanOrEqual(10);
});

test("a limit that is no number above 0 counts as the default", async () => {
  for (const limit of [0, -1, 1e-320, Number.MAX_VALUE]) {
    client.close();
    serve({ hello: { limits: { messages_per_second: limit } } });
    start();
    const log = record();
    await settle(1_000);
    publish(1, 1);
    expect(log.numbers).toEqual([1]);
  }
});

test("1008 is tried again with delays; after three in a row every listener hears that it is over, also a later one", async () => {
  const log = record();
  const other = record("b");
  await settle();
  for (const ends of [1, 2, 3]) {
    expect(log.errors).toEqual([]);
    expect(FakeSocket.all.length).toBe(ends);
    FakeSocket.last.end(1008, "too many messages");
    await settle(2_000);
  }
  expect(client.state).toBe("closed");
  expect(log.errors).toEqual(["closed"]);
  expect(other.errors).toEqual(["closed"]);
  const late = record("a");
  const first = record("c");
  await settle();
  expect(late.errors).toEqual(["closed"]);
  expect(first.errors).toEqual(["closed"]);
});

test("1009 ends the streams with an error", async () => {
  const log = record("a", {}, { error: (error) => { log.errors.push(error.message); } });
  await settle();
  FakeSocket.last.end(1009, "too big");
  expect(log.errors).toEqual(["the connection ended for good: too big"]);
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

test.each([[5], [null], [{ min_ms: "x", max_ms: null }]])("a hint that cannot be used (%o) harms nothing", async (reconnect) => {
  client.close();
  serve({ hello: { reconnect } });
  start();
  const log = record();
  await settle(10_000);
  publish(1, 1);
  expect(log.numbers).toEqual([1]);
  expect(FakeSocket.all.length).toBe(1);
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

test("messages that are not of the protocol are ignored", async () => {
  const log = record();
  await settle();
  for (const text of ["", "no json", "[]", "null", "7", "{}", '{"type":1}', '{"type":"later","x":1}', '{"type":"notice","stream":"a","state":"new"}', '{"type":"subscribed","stream":"zz"}']) FakeSocket.last.hear(text);
  publish(1, 1);
  expect(log.numbers).toEqual([1]);
});

test("a heartbeat is the protocol's ping, and a pong keeps the connection", async () => {
  start({ heartbeat: { idleMs: 1_000, answerMs: 100 } });
  record();
  await settle(10_500);
  expect(requests("ping").length).toBe(10);
  expect(FakeSocket.all.length).toBe(1);
});

test("a patch whose base is not here is never merged into an old value", async () => {
  const log = record();
  await settle();
  publish(1, 2);
  FakeSocket.last.end();
  FakeSocket.core = null;
  await settle(1_000);
  const { epoch } = core;
  FakeSocket.last.hear({ type: "subscribed", stream: "a", position: { epoch, offset: 9 }, recovered: false, missing: { after: { epoch, offset: 2 }, until: { epoch, offset: 9 }, count: 7 } });
  FakeSocket.last.hear({ type: "a", patch: { n: 10 }, timestamp: 1, offset: 10 });
  expect(log.numbers).toEqual([1, 2]);
  expect(log.errors).toEqual(["resync"]);
  FakeSocket.last.hear({ type: "unsubscribed", stream: "a" });
  await settle();
  expect(FakeSocket.last.messages.at(-1)).toEqual({ type: "subscribe", stream: "a", since: { epoch, offset: 9 }, id: expect.any(Number) });
});

test("history that does not reach back to what a listener has is a gap with its exact range", async () => {
  publish(1, 3);
  const early = record();
  await settle();
  // Ten values between the end of the old subscription and the new one.
  const push = core.received.push.bind(core.received);
  core.received.push = (entry) => {
    if (entry.message.history === 2) publish(4, 13);
    return push(entry);
  };
  const late = record("a", { history: 2 });
  await settle();
  expect(late.history).toEqual([12, 13]);
  expect(early.numbers).toEqual([3, 12, 13]);
  expect(early.gaps.map(({ missing }) => [missing?.after.offset, missing?.until.offset, missing?.count])).toEqual([[3, 11, 8]]);
});

test("random courses: a listener's numbers are all, in order, or a gap says which are not", async () => {
  for (let seed = 1; seed <= Number(process.env.SEEDS ?? 60); seed++) {
    client.close();
    let state = seed * 2_654_435_761;
    const chance = (below: number): number => {
      state = (state * 1_664_525 + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    serve({ history: 3 + chance(12) });
    start({ delta: chance(2) === 0, backoff: { firstMs: 50, maxMs: 100 } });
    const log = record("a", chance(2) ? { history: chance(9) } : {});
    const offsets: number[] = [];
    let n = 0;
    const others: { stop(): void }[] = [];
    for (let step = 0; step < 80; step++) {
      const what = chance(12);
      if (what < 6) offsets[++n] = core.publish("a", { n, deep: { v: chance(3), list: [chance(2)] }, ...(chance(2) ? { extra: chance(4) } : {}) });
      else if (what === 6) FakeSocket.all.at(-1)?.end();
      else if (what === 7) chance(3) ? core.notice("a", chance(2) ? "restored" : "interrupted", "x") : core.pause("a", core.now);
      else if (what === 8) others.push(record("a", { history: chance(10) }));
      else if (what === 9) others.shift()?.stop();
      else await settle(chance(120));
    }
    await settle(5_000);
    offsets[++n] = core.publish("a", { n });
    await settle();
    const numbers = [...(log.history ?? []), ...log.numbers];
    expect(numbers.at(-1), `seed ${seed}`).toBe(n);
    for (let i = 1; i < numbers.length; i++) {
      const [before, now] = [numbers[i - 1] as number, numbers[i] as number];
      expect(now, `seed ${seed}: order`).toBeGreaterThan(before);
      for (let lost = before + 1; lost < now; lost++) {
        const offset = offsets[lost] as number;
        const isTold = log.gaps.some(({ missing }) => missing && missing.after.offset < offset && offset <= missing.until.offset);
        expect(isTold, `seed ${seed}: ${lost} is in no gap`).toBe(true);
      }
    }
    expect(log.errors, `seed ${seed}`).toEqual([]);
  }
});

// Each of these once threw inside the client, hung a subscription, or gave nonsense to the program.
test.each([
  { type: "error" },
  { type: "error", message: 7 },
  { type: "error", message: "x", stream: [] },
  { type: "subscribed" },
  { type: "subscribed", stream: "a", history: 0 },
  { type: "subscribed", stream: "a", history: [null] },
  { type: "subscribed", stream: "a", history: [{ data: 1, offset: "1" }] },
  { type: "subscribed", stream: "a", position: { epoch: 1, offset: -1 } },
  { type: "subscribed", stream: "a", recovered: "yes" },
  { type: "notice", stream: "a" },
  { type: "notice", stream: "a", state: "missed", missing: 1.5 },
  { type: "notice", stream: "a", state: "missed", missing: { after: {}, until: {} } },
  { type: "a", data: { n: 4 }, offset: "x" },
  { type: "a", data: { n: 4 }, offset: {} },
  { type: "a", data: { n: 4 }, offset: 1e300 },
  { type: "a", data: { n: 4 }, offset: 4, checksum: 0 },
  { type: "hello", streams: [null] },
  { type: "hello", limits: 7 },
])("after a malformed message the client connects again and loses nothing: %o", async (message) => {
  publish(1, 3);
  const log = record();
  await settle();
  for (const session of core.sessions) session.reply(message);
  expect(client.state).toBe("waiting");
  expect(client.error?.message).toBe(`the server sent a malformed message of type ${message.type}`);
  publish(4, 5);
  await settle(1_000);
  publish(6, 6);
  expect(log.numbers).toEqual([3, 4, 5, 6]);
  expect(log.gaps).toEqual([]);
});

test("unknown members and types are ignored, whatever they are", async () => {
  const log = record();
  await settle();
  for (const session of core.sessions) {
    session.reply({ type: "of a later version", stream: 7, offset: "x" });
    session.reply({ type: "constructor" });
    session.reply({ type: "notice", stream: "a", state: "of a later version", more: [], offset: 1 });
  }
  expect(client.state).toBe("connected");
  expect(log.errors).toEqual([]);
});
