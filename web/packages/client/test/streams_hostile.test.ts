// Servers that fail, refuse, lie or know less than docs/streams.md says.
import { expect, test, vi } from "vitest";
import { ANSWER_MS } from "../src/wire_client.js";
import { CONFLICTS_MAX } from "../src/wire_stream.js";
import { FakeSocket } from "../../../testing/fake_socket.js";
import type { Session } from "../../../testing/stream_core.js";
import { client, core, publish, record, requests, serve, settle, start } from "./streams_fixture.js";

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

test("messages that are not of the protocol are ignored", async () => {
  const log = record();
  await settle();
  for (const text of ["", "no json", "[]", "null", "7", "{}", '{"type":1}', '{"type":"later","x":1}', '{"type":"notice","stream":"a","state":"new"}', '{"type":"subscribed","stream":"zz"}']) FakeSocket.last.hear(text);
  publish(1, 1);
  expect(log.numbers).toEqual([1]);
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

/** The server answers the messages for which `answer` returns true in its own way, or not at all. */
function interfere(answer: (message: any, session: Session) => boolean): void {
  const accept = core.accept.bind(core);
  vi.spyOn(core, "accept").mockImplementation((peer) => {
    const session = accept(peer);
    const receive = session.receive.bind(session);
    session.receive = (text) => { if (!answer(JSON.parse(text), session)) receive(text); };
    return session;
  });
}

test("`already_subscribed` as the answer to every subscribe: an error for the listener, and no further requests", async () => {
  let asked = 0;
  interfere(({ type, stream, id }, session) => {
    if (type !== "subscribe" || stream !== "a") return false;
    asked++;
    session.reply({ type: "error", code: "already_subscribed", stream, message: "already subscribed to a", id });
    return true;
  });
  const log = record();
  const other = record("b");
  await settle(20_000);
  publish(1, 1, "b");
  expect(log.errors).toEqual(["already_subscribed"]);
  expect(asked).toBe(CONFLICTS_MAX);
  expect(other).toMatchObject({ errors: [], numbers: [1] });
  expect(FakeSocket.all.length).toBe(1);
  // The next connection is asked again.
  FakeSocket.last.end();
  await settle(20_000);
  expect(asked).toBe(2 * CONFLICTS_MAX);
});

test("a subscribe that is never answered, though pings are: the listener hears of it, and another connection asks again", async () => {
  let isDeaf = true;
  interfere(({ type }) => isDeaf && type === "subscribe");
  publish(1, 1);
  const log = record();
  await settle(ANSWER_MS - 1);
  expect(log.errors).toEqual([]);
  expect(FakeSocket.all.length).toBe(1);
  await settle(1);
  expect(log.errors).toEqual(["unanswered"]);
  expect(client.error?.message).toBe("the server does not answer a subscription");
  isDeaf = false;
  await settle(1_000);
  expect(log.numbers).toEqual([1]);
  expect(client).toMatchObject({ state: "connected", error: null });
});

test("an answered subscription is waited for no longer", async () => {
  record();
  await settle(10 * ANSWER_MS);
  expect(FakeSocket.all.length).toBe(1);
  expect(requests("subscribe").length).toBe(1);
});

test("a patch that nobody asked for ends the connection, with delays", async () => {
  client.close();
  start({ delta: false });
  const log = record();
  await settle();
  for (let i = 0; i < 300; i++) {
    for (const session of core.sessions) session.reply({ type: "a", patch: { n: 1 }, timestamp: 1, offset: 1 });
    await settle(100);
  }
  expect(client.error?.message).toBe("the server sent a patch of a, which nobody asked for");
  expect(log.numbers).toEqual([]);
  expect(FakeSocket.all.length).toBeLessThan(10);
  expect(requests("unsubscribe")).toEqual([]);
});
