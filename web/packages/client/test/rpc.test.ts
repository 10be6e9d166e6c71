import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RpcClient, RpcError, type RpcMissed, type RpcPosition } from "../src/index.js";
import { FakeSocket } from "../../../testing/fake_socket.js";

type Events = { newblock: { height: number }; shout: string };
let client: RpcClient<Events>;
const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const at = (offset: number, epoch = 7): RpcPosition => ({ epoch, offset });

async function open(): Promise<FakeSocket> {
  client.connect();
  await settle();
  return FakeSocket.last;
}
const calls = (method: string): any[] => FakeSocket.last.messages.filter((message: any) => message.method === method);
const answer = (request: any, result: unknown): void => FakeSocket.last.hear({ jsonrpc: "2.0", id: request.id, result });
const happen = (height: number, position: RpcPosition): void => FakeSocket.last.hear({ jsonrpc: "2.0", method: "newblock", params: { value: { height }, position } });

function watch(options = {}) {
  const log = { heights: [] as number[], missed: [] as RpcMissed[], recovered: [] as boolean[], errors: [] as string[] };
  const stop = client.subscribe("newblock", {
    event: ({ height }) => { log.heights.push(height); },
    missed: (missed) => { log.missed.push(missed); },
    subscribed: (recovered) => { log.recovered.push(recovered); },
    error: (error) => { log.errors.push(error.message); },
  }, options);
  return { ...log, stop };
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.reset();
  client = new RpcClient<Events>({ url: "ws://localhost:8332/", WebSocket: FakeSocket, requestTimeoutMs: 10_000 }, ["shout"]);
});
afterEach(() => {
  client.close();
  expect(vi.getTimerCount()).toBe(0);
});

test("a call passes its parameters by name, and is answered by its id", async () => {
  await open();
  const first = client.call("getblockhash", { height: 7, verbose: undefined });
  const second = client.call("stop").catch((error: unknown) => error);
  await settle();
  expect(calls("getblockhash")[0].params).toEqual({ height: 7 });
  FakeSocket.last.hear({ jsonrpc: "2.0", id: calls("stop")[0].id, error: { code: -32601, message: "no", data: 1 } });
  answer(calls("getblockhash")[0], "00ab");
  expect(await first).toBe("00ab");
  expect(await second).toMatchObject({ name: "RpcError", code: -32601, data: 1 });
  expect(await second).toBeInstanceOf(RpcError);
});

test("a call without an answer, and one whose connection is lost, are rejected", async () => {
  await open();
  const late = client.call("a").catch((error: Error) => error.message);
  await settle(10_000);
  expect(await late).toBe("no answer to a in time");
  const lost = client.call("b").catch((error: Error) => error.name);
  await settle();
  FakeSocket.last.end();
  expect(await lost).toBe("ConnectionError");
});

test("an event resumes behind the last one, and nothing comes twice", async () => {
  const log = watch();
  await settle();
  expect(calls("subscribe")[0].params).toEqual({ event: "newblock" });
  answer(calls("subscribe")[0], { event: "newblock", position: at(41), recovered: true });
  happen(1, at(42));
  happen(2, at(43));
  FakeSocket.last.end();
  await settle(2_000);
  expect(calls("subscribe")[0].params).toEqual({ event: "newblock", since: at(43) });
  answer(calls("subscribe")[0], { event: "newblock", position: at(43), recovered: true });
  happen(2, at(43));
  happen(3, at(44));
  expect(log.heights).toEqual([1, 2, 3]);
  expect(log.recovered).toEqual([true, true]);
  expect(log.missed).toEqual([]);
  expect(client.positionOf("newblock")).toEqual(at(44));
});

test("what is missed is told, at the start and in between", async () => {
  const log = watch({ since: at(10) });
  await settle();
  expect(calls("subscribe")[0].params).toEqual({ event: "newblock", since: at(10) });
  const missed = { after: at(10), until: at(30), count: 20 };
  answer(calls("subscribe")[0], { event: "newblock", position: at(30), recovered: false, missed });
  happen(1, at(31));
  FakeSocket.last.hear({ jsonrpc: "2.0", method: "rpc.missed", params: { event: "newblock", after: at(31), until: at(33), count: 2 } });
  happen(2, at(34));
  // Another epoch begins at 1.
  FakeSocket.last.hear({ jsonrpc: "2.0", method: "rpc.missed", params: { event: "newblock", after: at(34), until: at(0, 8) } });
  happen(3, at(1, 8));
  expect(log.missed).toEqual([missed, { after: at(31), until: at(33), count: 2 }, { after: at(34), until: at(0, 8) }]);
  expect(log.recovered).toEqual([false]);
  expect(log.heights).toEqual([1, 2, 3]);
});

test("listeners of one event share a subscription, which ends with the last", async () => {
  const one = watch();
  const two = watch();
  expect(() => watch({ since: at(1) })).toThrow("already");
  await settle();
  expect(calls("subscribe")).toHaveLength(1);
  answer(calls("subscribe")[0], { event: "newblock", position: at(0), recovered: true });
  happen(1, at(1));
  one.stop();
  one.stop();
  happen(2, at(2));
  expect(calls("unsubscribe")).toHaveLength(0);
  two.stop();
  expect(calls("unsubscribe")[0].params).toEqual({ event: "newblock" });
  answer(calls("unsubscribe")[0], true);
  happen(3, at(3));
  expect([one.heights, two.heights]).toEqual([[1], [1, 2]]);
});

test("a refused subscription is told, and tried again with the next connection", async () => {
  const log = watch();
  await settle();
  FakeSocket.last.hear({ jsonrpc: "2.0", id: calls("subscribe")[0].id, error: { code: -32001, message: "needs a permission" } });
  expect(log.errors).toEqual(["needs a permission"]);
  FakeSocket.last.end();
  await settle(2_000);
  expect(calls("subscribe")).toHaveLength(1);
  answer(calls("subscribe")[0], { event: "newblock", position: at(0), recovered: true });
});

test("a broadcast needs no subscription", async () => {
  const heard: string[] = [];
  const stop = client.subscribe("shout", (value) => { heard.push(value); });
  await settle();
  FakeSocket.last.hear({ jsonrpc: "2.0", method: "shout", params: { value: "hello", position: at(1) } });
  stop();
  expect(heard).toEqual(["hello"]);
  expect(FakeSocket.last.messages.filter((message: any) => message.method !== "rpc.ping")).toEqual([]);
});

test("what is no message of this protocol changes nothing", async () => {
  const log = watch();
  await settle();
  answer(calls("subscribe")[0], { event: "newblock", position: at(0), recovered: true });
  for (const text of ["", "null", "7", "[null]", "{}", '{"method":"newblock"}', '{"method":"newblock","params":null}', '{"id":99,"result":1}', '{"method":"rpc.missed","params":7}']) {
    FakeSocket.last.onmessage?.({ data: text });
  }
  happen(1, at(1));
  expect(log.heights).toEqual([1]);
});
