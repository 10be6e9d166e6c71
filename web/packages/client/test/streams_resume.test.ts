// Gaps, patches, history and positions, at a server that keeps to docs/streams.md.
import { expect, test } from "vitest";
import { FakeSocket } from "../../../testing/fake_socket.js";
import { client, core, publish, record, requests, serve, settle, start } from "./streams_fixture.js";

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

test("a position that the server could not say at first: the next connection goes on from there", async () => {
  record("b");
  await settle();
  const socket = FakeSocket.last;
  const hear = socket.hear.bind(socket);
  const late: object[] = [];
  // The broker of the stream is away.
  socket.hear = (text) => {
    const { position, id, ...rest } = JSON.parse(String(text));
    if (!position) return hear(text);
    late.push({ ...rest, position });
    hear({ ...rest, id });
  };
  const log = record();
  await settle();
  socket.hear = hear;
  for (const message of late) hear(message);
  publish(1, 2);
  FakeSocket.last.end();
  publish(3, 4);
  await settle(1_000);
  expect(late.length).toBe(1);
  expect(log.numbers).toEqual([1, 2, 3, 4]);
  expect(log.gaps).toEqual([]);
  expect(log.answers).toEqual([undefined, true]);
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
