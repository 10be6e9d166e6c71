// Many tabs, one connection, with a worker of the same process. Real tabs are in browser/.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SharedStreamClient, type Gap, type SharedStreamClientOptions } from "../src/index.js";
import { ALIVE_MS, ANSWER_MS, FORGET_MS } from "../src/tab_messages.js";
import { TOKEN_ANSWER_MS } from "../src/tab_hub.js";
import { FakeSocket } from "../../../testing/fake_socket.js";
import { FakeWorker } from "../../../testing/fake_worker.js";
import { StreamCore } from "../../../testing/stream_core.js";

let core: StreamCore;
let worker: FakeWorker;
let tabs: SharedStreamClient[];

const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const publish = (from: number, until: number): void => { for (let n = from; n <= until; n++) core.publish("a", { n, same: "text" }); };
const deliver = (from: number, until: number): Promise<unknown> => {
  publish(from, until);
  return settle();
};
const subscribes = (): any[] => core.received.map(({ message }) => message).filter(({ type }) => type === "subscribe");

function openTab(options: Partial<SharedStreamClientOptions> = {}, history?: number) {
  const client = new SharedStreamClient({ url: "ws://localhost/streams", via: "worker", worker: worker.connect, ...options });
  tabs.push(client);
  const log = { client, numbers: [] as number[], gaps: [] as Gap[], history: null as number[] | null, answers: [] as unknown[] };
  client.subscribe("a", {
    message: ({ data }: any) => { log.numbers.push(data.n); },
    history: (messages: any) => { log.history = messages.map(({ data }: any) => data.n); },
    gap: (gap) => { log.gaps.push(gap); },
    subscribed: ({ recovered }) => { log.answers.push(recovered); },
  }, history ? { history } : {});
  return log;
}

/** What happens while a tab hears nothing. */
async function deaf(port: { onmessage: unknown }, act: () => Promise<unknown>): Promise<void> {
  const { onmessage } = port;
  port.onmessage = null;
  await act();
  port.onmessage = onmessage;
}

/** Stops a tab: it hears nothing, says nothing, and its timers do nothing. Returns what thaws it. */
function freeze(client: SharedStreamClient, index: number): () => void {
  const port = [...worker.ports.values()][index]!;
  const { onmessage, postMessage } = port;
  port.onmessage = null;
  port.postMessage = () => {};
  const timer = vi.spyOn(client as unknown as { checkHub(): void }, "checkHub").mockImplementation(() => {});
  return () => {
    Object.assign(port, { onmessage, postMessage });
    timer.mockRestore();
  };
}

/** What happens while a tab is frozen for so long that it is forgotten; until it has attached again. */
async function whileFrozen(client: SharedStreamClient, index: number, act: () => Promise<unknown>): Promise<void> {
  const thaw = freeze(client, index);
  await settle(FORGET_MS * 1.5);
  await act();
  thaw();
  await settle(ALIVE_MS + ANSWER_MS);
}

beforeEach(() => {
  vi.useFakeTimers();
  core = new StreamCore({ streams: ["a", "b"] });
  FakeSocket.reset(core);
  // The worker makes the socket, so it is the global one.
  vi.stubGlobal("WebSocket", FakeSocket);
  worker = new FakeWorker();
  tabs = [];
});
afterEach(async () => {
  for (const tab of tabs) tab.close();
  await settle();
  expect(vi.getTimerCount()).toBe(0);
  vi.unstubAllGlobals();
});

test("ten tabs: one connection, one subscription, every message in every tab", async () => {
  publish(1, 1);
  const logs = Array.from({ length: 10 }, () => openTab());
  await settle();
  await deliver(2, 20);
  const all = Array.from({ length: 20 }, (_, n) => n + 1);
  for (const { numbers, client } of logs) {
    expect(numbers).toEqual(all);
    expect(client.state).toBe("connected");
    expect(client.welcome?.streams).toEqual(["a", "b"]);
  }
  expect(FakeSocket.all.length).toBe(1);
  expect(subscribes().length).toBe(1);
});

test("the last tab that wants a stream ends it, and the last tab ends the connection", async () => {
  const [first, second] = [openTab(), openTab()];
  await settle();
  first.client.close();
  await settle();
  await deliver(1, 1);
  expect(second.numbers).toEqual([1]);
  expect(first.client.state).toBe("closed");
  second.client.close();
  await settle();
  expect(FakeSocket.last.closedWith).not.toBeNull();
});

test("a new tab gets its history although others are subscribed, and they notice nothing", async () => {
  publish(1, 10);
  const first = openTab();
  await settle();
  const second = openTab({}, 5);
  await settle();
  await deliver(11, 12);
  expect(second.history).toEqual([6, 7, 8, 9, 10]);
  expect(second.numbers).toEqual([11, 12]);
  expect(first.numbers).toEqual([10, 11, 12]);
  const third = openTab({}, 5);
  await settle();
  expect(third.history).toEqual([8, 9, 10, 11, 12]);
  expect(subscribes().length).toBe(2);
});

test("the connection is lost: every tab resumes without a loss", async () => {
  const logs = [openTab(), openTab()];
  await settle();
  await deliver(1, 3);
  FakeSocket.last.end();
  await settle();
  publish(4, 6);
  await settle(1_000);
  for (const { numbers, gaps } of logs) {
    expect(numbers).toEqual([1, 2, 3, 4, 5, 6]);
    expect(gaps).toEqual([]);
  }
});

test("the worker dies: each tab resumes from where it was, also if one was behind", async () => {
  const logs = [openTab(), openTab(), openTab()];
  await settle();
  await deliver(1, 3);
  // The third tab did not hear the last message before the worker died.
  const port = [...worker.ports.values()][2]!;
  await deaf(port, () => deliver(4, 4));
  worker.crash();
  publish(5, 7);
  await settle(ALIVE_MS + ANSWER_MS);
  publish(8, 8);
  await settle(1_000);
  for (const { numbers, gaps } of logs) {
    expect(numbers).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(gaps).toEqual([]);
  }
  expect(FakeSocket.all.length).toBe(2);
});

test("a tab that was frozen for long is forgotten, attaches again when it thaws, and resumes", async () => {
  const [awake, frozen] = [openTab(), openTab()];
  await settle();
  await deliver(1, 2);
  await whileFrozen(frozen.client, 1, async () => {
    await deliver(3, 5);
    expect(frozen.numbers).toEqual([1, 2]);
  });
  await deliver(6, 6);
  expect(frozen.numbers).toEqual([1, 2, 3, 4, 5, 6]);
  expect(awake.numbers).toEqual([1, 2, 3, 4, 5, 6]);
  expect(frozen.gaps).toEqual([]);
  // The resume of the one did not repeat anything for the other, and both share one socket.
  expect(FakeSocket.all.length).toBe(1);
});

test("a tab with a position of another epoch gets its gap, the others do not", async () => {
  const [, late] = [openTab(), openTab()];
  await settle();
  await deliver(1, 2);
  const other = tabs[0]!;
  FakeSocket.last.end();
  core.forget();
  publish(1, 1);
  await settle(1_000);
  expect(late.gaps.length).toBe(1);
  expect(late.numbers).toEqual([1, 2, 1]);
  expect(other.state).toBe("connected");
  const third = openTab();
  await settle();
  await deliver(2, 2);
  expect(third.gaps).toEqual([]);
  expect(third.numbers).toEqual([1, 2]);
  expect(late.gaps.length).toBe(1);
});

test("tokens come from the tab that was active last; a frozen tab is passed over", async () => {
  const asked: string[] = [];
  const token = (name: string) => ({ token: () => (asked.push(name), { value: name, expiresAtMs: Date.now() + 60_000 }) });
  openTab(token("first"));
  await settle();
  expect(FakeSocket.last.protocols).toContain("fanfare.bearer.first");
  openTab(token("second"));
  await settle(1);
  const [port] = [...worker.ports.values()];
  await deaf(port!, async () => {
    vi.setSystemTime(Date.now() + 3_600_000);
    tabs[0]!.subscribe("b", () => {});
    await settle();
    FakeSocket.last.end();
    await settle(1_000);
    await settle(TOKEN_ANSWER_MS);
  });
  expect(asked).toEqual(["first", "second"]);
  expect(FakeSocket.last.protocols).toContain("fanfare.bearer.second");
});

test("no tab has a token at the moment: the error says so, and it is tried again", async () => {
  let fails = true;
  const log = openTab({ token: () => { if (fails) throw new Error("login needed"); return "t"; }, backoff: { firstMs: 100 } });
  await settle();
  expect(log.client.error?.message).toBe("login needed");
  fails = false;
  await settle(200);
  expect(log.client.state).toBe("connected");
});

test("a connection that ended for good is made again for a tab that comes later, also for the older ones", async () => {
  const old = openTab();
  await settle();
  FakeSocket.last.end(1009, "too big");
  await settle();
  expect(old.client.state).toBe("closed");
  // The new tab does not want the stream of the old one.
  const other = new SharedStreamClient({ url: "ws://localhost/streams", via: "worker", worker: worker.connect });
  tabs.push(other);
  other.subscribe("b", () => {});
  await settle();
  await deliver(1, 1);
  expect(old.client.state).toBe("connected");
  expect(old.numbers).toEqual([1]);
});

test("a gap of the tab that is behind is no gap of the others", async () => {
  core = new StreamCore({ streams: ["a", "b"], history: 3 });
  FakeSocket.core = core;
  const [awake, frozen] = [openTab(), openTab()];
  await settle();
  await deliver(1, 2);
  await whileFrozen(frozen.client, 1, () => deliver(3, 10));
  await deliver(11, 11);
  expect(frozen.numbers).toEqual([1, 2, 8, 9, 10, 11]);
  expect(frozen.gaps.map(({ missing }) => missing?.count)).toEqual([5]);
  expect(awake.numbers).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  expect(awake.gaps).toEqual([]);
  expect(awake.answers).not.toContain(false);
});

test("without sharing the page has the same client with a socket of its own", async () => {
  const log = openTab({ via: "none" });
  await settle();
  await deliver(1, 2);
  expect(log.numbers).toEqual([1, 2]);
  expect(worker.made).toBe(0);
});
