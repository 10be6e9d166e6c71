import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { EthClient, RpcError, type EthMissed, type EthSubscribeOptions, type EthType } from "../src/index.js";
import { AGAIN_MS } from "../src/eth_subscription.js";
import { FakeSocket } from "../../../testing/fake_socket.js";

let client: EthClient;
const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const calls = (socket = FakeSocket.last): any[] => socket.messages;

/** Answers the requests of the last socket that have no answer yet. */
const answered = new Set<string>();
async function answer(act: (request: any) => object): Promise<void> {
  await settle();
  const socket = FakeSocket.last;
  for (const request of socket.messages) {
    const key = `${FakeSocket.all.length}:${request.id}`;
    if (answered.has(key)) continue;
    answered.add(key);
    socket.hear({ jsonrpc: "2.0", id: request.id, ...act(request) });
  }
  await settle();
}
const notify = (subscription: string, content: object): void => FakeSocket.last.hear({ jsonrpc: "2.0", method: "eth_subscription", params: { subscription, ...content } });

function watch(type: EthType = "logs", params: any[] = [{ address: "0x01" }], options: EthSubscribeOptions = {}) {
  const log = { events: [] as any[], missed: [] as EthMissed[], live: [] as string[], reorged: [] as string[], errors: [] as string[] };
  const subscription = client.subscribe(type, params, {
    event: (result, cursor) => { log.events.push([result, cursor]); },
    missed: (missed) => { log.missed.push(missed); },
    live: (block) => { log.live.push(block); },
    reorged: (from, to) => { log.reorged.push(`${from}-${to}`); },
    error: (error) => { log.errors.push(error.message); },
  }, options);
  return { ...log, subscription };
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.reset();
  answered.clear();
  client = new EthClient({ url: "ws://localhost/main/evm/1", WebSocket: FakeSocket, requestTimeoutMs: 10_000 });
});
afterEach(() => {
  client.close();
  expect(vi.getTimerCount()).toBe(0);
});

test("requests are answered by their ids, and errors have code and data", async () => {
  const block = client.request("eth_blockNumber");
  const call = client.request("eth_call", [{}]);
  const failure = call.catch((error: unknown) => error);
  await answer(({ method }) => (method === "eth_call" ? { error: { code: 3, message: "reverted", data: "0x01" } } : { result: "0x10" }));
  expect(await block).toBe("0x10");
  expect(await failure).toMatchObject({ name: "RpcError", code: 3, message: "reverted", data: "0x01" });
  expect(await failure).toBeInstanceOf(RpcError);
});

test("a request that was sent fails with its connection; one that waits is sent on the next", async () => {
  client.connect();
  await settle();
  const sent = client.request("eth_sendRawTransaction", ["0x"]).catch((error: unknown) => error);
  await settle();
  FakeSocket.last.end();
  expect(await sent).toMatchObject({ name: "ConnectionError" });
  const waiting = client.request("eth_chainId");
  await settle(1_000);
  expect(calls().map(({ method }) => method)).toEqual(["eth_chainId"]);
  await answer(() => ({ result: "0x1" }));
  expect(await waiting).toBe("0x1");
  const slow = client.request("eth_gasPrice").catch((error: Error) => error.message);
  await settle(10_000);
  expect(await slow).toBe("no answer to eth_gasPrice in time");
});

test("a subscription resumes from the cursor of its last notification", async () => {
  const { events, live, subscription } = watch();
  await answer(() => ({ result: "0xa" }));
  expect(calls()[0].params).toEqual(["logs", { address: "0x01" }, { cursor: true }]);
  notify("0xa", { notice: { type: "live", block: "0x5" }, cursor: "c0" });
  notify("0xa", { result: { n: 1 }, cursor: "c1" });
  notify("0xother", { result: { n: 9 }, cursor: "x" });
  expect(events).toEqual([[{ n: 1 }, "c1"]]);
  expect(live).toEqual(["0x5"]);
  FakeSocket.last.end();
  await settle(1_000);
  await answer(() => ({ result: "0xb" }));
  expect(calls()[0].params).toEqual(["logs", { address: "0x01" }, { cursor: "c1" }]);
  notify("0xa", { result: { n: 8 }, cursor: "old" });
  notify("0xb", { result: { n: 2 }, cursor: "c2" });
  expect(events).toEqual([[{ n: 1 }, "c1"], [{ n: 2 }, "c2"]]);
  expect(subscription.cursor).toBe("c2");
});

test("what was missed and what was reorganised is reported", async () => {
  const { missed, reorged } = watch("newHeads", [], { cursor: "kept", slow: "latest" });
  await answer(() => ({ result: "0xa" }));
  expect(calls()[0].params).toEqual(["newHeads", { cursor: "kept", slow: "latest" }]);
  notify("0xa", { notice: { type: "missed", fromBlock: "0x1", toBlock: "0x3", reason: "window" }, cursor: "c1" });
  notify("0xa", { notice: { type: "reorged", fromBlock: "0x2", toBlock: "0x2" }, cursor: "c2" });
  notify("0xa", { notice: { type: "later" }, cursor: "c3" });
  expect(missed).toEqual([{ fromBlock: "0x1", toBlock: "0x3", reason: "window" }]);
  expect(reorged).toEqual(["0x2-0x2"]);
});

test("every type that the server resumes goes on from its cursor", async () => {
  for (const type of ["newHeads", "logs", "transactionReceipts", "newFinalizedHeads"]) {
    watch(type, [], { cursor: `kept by ${type}` });
    await answer(() => ({ result: `0x${type.length}` }));
    expect(calls().at(-1)!.params).toEqual([type, { cursor: `kept by ${type}` }]);
  }
});

test("a subscription that the server ended is made again, and what lies between is reported", async () => {
  const { missed, events } = watch("newPendingTransactions", []);
  await answer(() => ({ result: "0xa" }));
  notify("0xa", { notice: { type: "ended", reason: "missed", message: "pending transactions may have been missed: x" } });
  await settle(AGAIN_MS);
  await answer(() => ({ result: "0xb" }));
  notify("0xb", { result: "0xhash" });
  expect(missed).toEqual([{ reason: "pending transactions may have been missed: x" }]);
  expect(events).toEqual([["0xhash", null]]);
});

test("pending transactions cannot resume: a reconnect is a gap", async () => {
  const { missed } = watch("newPendingTransactions", []);
  await answer(() => ({ result: "0xa" }));
  FakeSocket.last.end();
  await settle(1_000);
  await answer(() => ({ result: "0xb" }));
  expect(calls()[0].params).toEqual(["newPendingTransactions", { cursor: true }]);
  expect(missed).toEqual([{ reason: "reconnected" }]);
});

test("`syncing` takes no cursor, and its state is complete again after a reconnect", async () => {
  const { missed } = watch("syncing", []);
  await answer(() => ({ result: "0xa" }));
  expect(calls()[0].params).toEqual(["syncing"]);
  FakeSocket.last.end();
  await settle(1_000);
  await answer(() => ({ result: "0xb" }));
  expect(missed).toEqual([]);
});

test("a cursor that the server refuses is reported, and the subscription begins at the head", async () => {
  const { missed, errors, events } = watch("logs", [], { cursor: "of another chain" });
  await answer(() => ({ error: { code: -32602, message: "invalid cursor" } }));
  await answer(() => ({ result: "0xa" }));
  expect(calls()[1].params).toEqual(["logs", { cursor: true }]);
  expect(missed).toEqual([{ reason: "cursorRefused" }]);
  expect(errors).toEqual([]);
  notify("0xa", { result: 1, cursor: "c1" });
  expect(events).toEqual([[1, "c1"]]);
});

test("a node without cursors: it works, and every reconnect is a gap", async () => {
  const { missed, events } = watch("newHeads", []);
  await answer(() => ({ error: { code: -32602, message: "too many arguments" } }));
  await answer(() => ({ result: "0xa" }));
  expect(calls()[1].params).toEqual(["newHeads"]);
  notify("0xa", { result: { n: 1 } });
  expect(events).toEqual([[{ n: 1 }, null]]);
  FakeSocket.last.end();
  await settle(1_000);
  await answer(() => ({ result: "0xb" }));
  expect(missed).toEqual([{ reason: "reconnected" }]);
});

test("a refusal that will not change is an error; one for now is tried again", async () => {
  const bad = watch("logs", [{ address: "nonsense" }]);
  await answer(() => ({ error: { code: -32602, message: "invalid address" } }));
  await answer(() => ({ error: { code: -32602, message: "invalid address" } }));
  await settle(10 * AGAIN_MS);
  expect(bad.errors).toEqual(["invalid address"]);
  expect(calls().length).toBe(2);
  const full = watch("newHeads", []);
  await answer(() => ({ error: { code: -32005, message: "too many subscriptions" } }));
  expect(full.errors).toEqual(["too many subscriptions"]);
  await settle(AGAIN_MS);
  await answer(() => ({ result: "0xa" }));
  notify("0xa", { result: 1, cursor: "c" });
  expect(full.events.length).toBe(1);
});

test("a notification before the reply is not lost", async () => {
  const { events } = watch();
  await settle();
  notify("0xa", { result: 1, cursor: "c1" });
  await answer(() => ({ result: "0xa" }));
  expect(events).toEqual([[1, "c1"]]);
});

test("close() unsubscribes, and nothing is delivered afterwards", async () => {
  const { events, subscription } = watch();
  await answer(() => ({ result: "0xa" }));
  subscription.close();
  subscription.close();
  notify("0xa", { result: 1, cursor: "c1" });
  await answer(() => ({ result: true }));
  expect(calls().at(-1)).toMatchObject({ method: "eth_unsubscribe", params: ["0xa"] });
  expect(events).toEqual([]);
});

test("close() before the reply unsubscribes once the id is known", async () => {
  const { events, subscription } = watch();
  await settle();
  subscription.close();
  await answer(() => ({ result: "0xa" }));
  await answer(() => ({ result: true }));
  expect(calls().map(({ method }) => method)).toEqual(["eth_subscribe", "eth_unsubscribe"]);
  expect(events).toEqual([]);
});

test("the heartbeat is a request that the gateway answers", async () => {
  client.connect();
  await settle(15_000);
  expect(calls()).toEqual([{ jsonrpc: "2.0", id: "ping", method: "eth_chainId", params: [] }]);
  FakeSocket.last.hear({ jsonrpc: "2.0", id: "ping", result: "0x1" });
  await settle(10_000);
  expect(client.state).toBe("connected");
});
