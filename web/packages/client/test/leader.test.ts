// Tabs that lead and follow, with locks and channels of one process. Killed tabs of real browsers are in browser/.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SharedStreamClient, type Gap } from "../src/index.js";
import { ALIVE_MS, ANSWER_MS } from "../src/tab_messages.js";
import { FakeChannel, FakeLocks } from "../../../testing/fake_browser.js";
import { FakeSocket } from "../../../testing/fake_socket.js";
import { StreamCore } from "../../../testing/stream_core.js";

let core: StreamCore;
let tabs: SharedStreamClient[];
const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const publish = (from: number, until: number): void => { for (let n = from; n <= until; n++) core.publish("a", { n, same: "text" }); };
const link = (client: SharedStreamClient): any => (client as any).link;
const openSockets = (): number => FakeSocket.all.filter(({ readyState }) => readyState === 1).length;

async function openTab() {
  const client = new SharedStreamClient({ url: "ws://localhost/streams", via: "leader" });
  tabs.push(client);
  const log = { client, numbers: [] as number[], gaps: [] as Gap[] };
  client.subscribe("a", { message: ({ data }: any) => { log.numbers.push(data.n); }, gap: (gap) => { log.gaps.push(gap); } });
  await settle();
  return log;
}

beforeEach(() => {
  vi.useFakeTimers();
  core = new StreamCore({ streams: ["a"] });
  FakeSocket.reset(core);
  FakeChannel.all.clear();
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("BroadcastChannel", FakeChannel);
  vi.stubGlobal("navigator", { locks: new FakeLocks(), onLine: true });
  tabs = [];
});
afterEach(async () => {
  for (const tab of tabs) tab.close();
  await settle();
  expect(vi.getTimerCount()).toBe(0);
  vi.unstubAllGlobals();
});

test("the first tab leads, the others have no socket, and all get every message", async () => {
  const logs = [await openTab(), await openTab(), await openTab()];
  publish(1, 5);
  await settle();
  expect(logs.map(({ client }) => link(client).isLeader)).toEqual([true, false, false]);
  for (const { numbers } of logs) expect(numbers).toEqual([1, 2, 3, 4, 5]);
  expect(FakeSocket.all.length).toBe(1);
});

test("the leader closes: another one leads, and each tab resumes where it was", async () => {
  const logs = [await openTab(), await openTab(), await openTab()];
  publish(1, 3);
  await settle();
  // The second tab has not heard the fourth message when the leader goes.
  const channel = link(logs[1]!.client).channel as FakeChannel;
  channel.isMuted = true;
  publish(4, 4);
  await settle();
  channel.isMuted = false;
  logs[0]!.client.close();
  publish(5, 6);
  await settle(1_000);
  publish(7, 7);
  await settle();
  expect(logs.slice(1).map(({ client }) => link(client).isLeader)).toEqual([true, false]);
  for (const { numbers, gaps } of logs.slice(1)) {
    expect(numbers).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(gaps).toEqual([]);
  }
  expect(openSockets()).toBe(1);
});

test("a leader that does not answer loses the lock; when it is back, it follows, without a loss", async () => {
  const logs = [await openTab(), await openTab(), await openTab()];
  publish(1, 2);
  await settle();
  const leader = logs[0]!.client;
  const channel = link(leader).channel as FakeChannel;
  const timer = vi.spyOn(leader as any, "checkHub").mockImplementation(() => {});
  channel.isMuted = true;
  await settle(ALIVE_MS + ANSWER_MS);
  publish(3, 4);
  await settle(1_000);
  // Two tabs found it silent at the same time; one leads now.
  expect(logs.map(({ client }) => link(client).isLeader).slice(1).filter(Boolean).length).toBe(1);
  for (const { numbers } of logs.slice(1)) expect(numbers).toEqual([1, 2, 3, 4]);
  channel.isMuted = false;
  timer.mockRestore();
  await settle(ALIVE_MS + ANSWER_MS);
  publish(5, 5);
  await settle(1_000);
  expect(logs.map(({ client }) => link(client).isLeader).filter(Boolean).length).toBe(1);
  for (const { numbers, gaps } of logs) {
    expect(numbers).toEqual([1, 2, 3, 4, 5]);
    expect(gaps).toEqual([]);
  }
  expect(openSockets()).toBe(1);
});

test("what a hub says that leads no more is not heard", async () => {
  const [leader, follower] = [await openTab(), await openTab()];
  publish(1, 1);
  await settle();
  const old = { to: [link(follower.client).tab], hub: "one before", message: { t: "state", state: "closed", error: null, welcome: null } };
  link(leader.client).channel.postMessage(old);
  await settle();
  expect(follower.client.state).toBe("connected");
});
