// The hooks under StrictMode, which mounts everything twice: nothing of that may reach the server.
import { StrictMode, act, useEffect, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FanfareProvider, useDataStream, useStream, useWebSocket, type StreamState, type UseWebSocket } from "../src/index.js";
import { FakeSocket } from "../../../testing/fake_socket.js";
import { StreamCore } from "../../../testing/stream_core.js";

const URL = "ws://localhost/streams";
let core: StreamCore;
let root: Root;
let place: HTMLElement;
let urls = 0;
let url = URL;

const show = (content: ReactNode): Promise<void> => act(async () => { root.render(<StrictMode>{content}</StrictMode>); });
const pass = (ms = 0): Promise<unknown> => act(() => vi.advanceTimersByTimeAsync(ms));
const frame = (): Promise<unknown> => pass(17);
const requests = (type: string): any[] => core.received.map(({ message }) => message).filter((message) => message.type === type);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "requestAnimationFrame", "cancelAnimationFrame"] });
  (globalThis as any).IS_REACT_ACT_ENVIRONMENT = true;
  core = new StreamCore({ streams: ["a", "b", "network_metrics"] });
  FakeSocket.reset(core);
  vi.stubGlobal("WebSocket", FakeSocket);
  place = document.createElement("div");
  root = createRoot(place);
  // Clients are kept for a second after their last user, so each test has an address of its own.
  url = `${URL}?${++urls}`;
});
afterEach(async () => {
  await act(async () => root.unmount());
  await vi.advanceTimersByTimeAsync(5_000);
  expect(vi.getTimerCount()).toBe(0);
  vi.unstubAllGlobals();
});

test("useDataStream: nothing yet, then connected, then data", async () => {
  const seen: string[] = [];
  function View() {
    const { data, connected, error } = useDataStream<{ n: number }>("a", url);
    const text = `${data?.n ?? "-"} ${connected} ${error?.message ?? "-"}`;
    if (seen.at(-1) !== text) seen.push(text);
    return <p>{text}</p>;
  }
  await show(<View />);
  expect(place.textContent).toBe("- false -");
  await frame();
  core.publish("a", { n: 1 });
  await frame();
  core.publish("a", { n: 2 });
  await frame();
  expect(seen).toEqual(["- false -", "- true -", "1 true -", "2 true -"]);
});

test("StrictMode: one socket, one subscription, no teardown", async () => {
  function View() { return <p>{useDataStream<{ n: number }>("a", url).data?.n}</p>; }
  await show(<><View /><View /></>);
  await frame();
  core.publish("a", { n: 7 });
  await frame();
  expect(place.textContent).toBe("77");
  await pass(10_000);
  expect(FakeSocket.all.length).toBe(1);
  expect(requests("subscribe").length).toBe(1);
  expect(requests("unsubscribe").length).toBe(0);
  expect(FakeSocket.last.closedWith).toBeNull();
});

test("the hooks of a page share a socket; another view within a second keeps it; then it is closed", async () => {
  function View({ stream }: { stream: string }) {
    useDataStream(stream, url);
    useWebSocket({ url });
    return null;
  }
  await show(<View stream="a" />);
  await frame();
  await show(<View stream="b" />);
  await frame();
  await show(null);
  await pass(999);
  await show(<View stream="a" />);
  await pass(5_000);
  expect(FakeSocket.all.length).toBe(1);
  await show(null);
  await pass(1_001);
  expect(FakeSocket.last.closedWith).not.toBeNull();
});

test("a thousand messages between two frames: all delivered, one commit", async () => {
  const delivered: number[] = [];
  let renders = 0;
  function View() {
    const { data } = useDataStream<{ n: number }>("a", url, { onMessage: ({ data }) => delivered.push(data.n) });
    useEffect(() => { renders++; });
    return <p>{data?.n}</p>;
  }
  await show(<View />);
  await frame();
  renders = 0;
  await act(async () => { for (let n = 1; n <= 1_000; n++) core.publish("a", { n }); });
  expect(renders).toBe(0);
  await frame();
  expect(renders).toBe(1);
  expect(place.textContent).toBe("1000");
  expect(delivered).toEqual(Array.from({ length: 1_000 }, (_, n) => n + 1));
});

test("the callback is that of the last render", async () => {
  const calls: string[] = [];
  function View({ name }: { name: string }) {
    useDataStream("a", url, { onMessage: () => { calls.push(name); } });
    return null;
  }
  await show(<View name="first" />);
  await frame();
  core.publish("a", 1);
  await show(<View name="second" />);
  core.publish("a", 2);
  expect(calls).toEqual(["first", "second"]);
  expect(requests("subscribe").length).toBe(1);
});

test("a lost connection: data stays, connected is false with the reason, and nothing is lost", async () => {
  const delivered: number[] = [];
  let last: StreamState<{ n: number }> | undefined;
  function View() {
    last = useStream<{ n: number }>("a", url, { onMessage: ({ data }) => delivered.push(data.n) });
    return null;
  }
  await show(<View />);
  await frame();
  core.publish("a", { n: 1 });
  await act(async () => FakeSocket.last.end());
  await frame();
  expect(last).toMatchObject({ data: { n: 1 }, connected: false, state: "waiting", error: { message: "the connection was lost" } });
  core.publish("a", { n: 2 });
  core.publish("a", { n: 3 });
  await pass(1_000);
  await frame();
  expect(last).toMatchObject({ data: { n: 3 }, connected: true, error: null, marks: [] });
  expect(delivered).toEqual([1, 2, 3]);
});

test("useStream: the chart opens full, and holes are marked", async () => {
  for (let n = 1; n <= 10; n++) core.publish("a", { n });
  let last: StreamState<{ n: number }> | undefined;
  const gaps: unknown[] = [];
  function View() {
    last = useStream<{ n: number }>("a", url, { history: 4, onGap: (gap) => gaps.push(gap.missing) });
    return null;
  }
  const numbers = (): number[] | undefined => last?.messages.map(({ data }) => data.n);
  await show(<View />);
  await frame();
  expect(numbers()).toEqual([7, 8, 9, 10]);
  expect(last?.data).toEqual({ n: 10 });
  core.now++;
  core.publish("a", { n: 11 });
  core.notice("a", "interrupted", "node down");
  await frame();
  expect(numbers()).toEqual([8, 9, 10, 11]);
  expect(last?.error?.message).toBe("node down");
  expect(last?.marks).toEqual([{ kind: "interrupted", after: core.now, reason: "node down" }]);
  core.notice("a", "restored");
  core.publish("a", { n: 12 });
  await frame();
  expect(last?.error).toBeNull();
  expect(last?.marks.map(({ kind }) => kind)).toEqual(["interrupted", "restored"]);
  core.pause("a", core.now - 30);
  core.publish("a", { n: 12 });
  await frame();
  expect(last?.marks.at(-1)).toEqual({ kind: "paused", after: core.now - 30, reason: "" });
  await act(async () => FakeSocket.last.end());
  core.forget();
  core.publish("a", { n: 1 });
  await pass(1_000);
  await frame();
  expect(last?.marks.at(-1)?.kind).toBe("gap");
  expect(gaps.length).toBe(1);
  expect(numbers()).toEqual([11, 12, 12, 1]);
});

test("messages keeps its identity while nothing is new, so that a memo holds", async () => {
  const seen = new Set<unknown>();
  function View() {
    seen.add(useStream("a", url, { history: 3 }).messages);
    return null;
  }
  await show(<View />);
  await frame();
  core.publish("a", 1);
  await frame();
  const before = seen.size;
  await act(async () => FakeSocket.last.end());
  await frame();
  expect(seen.size).toBe(before);
});

test("another stream or address in the next render begins from nothing", async () => {
  core.publish("a", "of a");
  core.publish("b", "of b");
  function View({ stream }: { stream: string }) { return <p>{useDataStream<string>(stream, url).data ?? "nothing"}</p>; }
  await show(<View stream="a" />);
  await frame();
  expect(place.textContent).toBe("of a");
  await show(<View stream="b" />);
  expect(place.textContent).toBe("nothing");
  await frame();
  expect(place.textContent).toBe("of b");
});

test("an unknown stream is the hook's error", async () => {
  function View() { return <p>{useDataStream("nothing", url).error?.message}</p>; }
  await show(<View />);
  await frame();
  expect(place.textContent).toBe("there is no stream nothing");
});

test("useWebSocket: subscribe and unsubscribe at run time", async () => {
  let last: UseWebSocket | undefined;
  function View() {
    const socket = useWebSocket({ url, reconnect: true, reconnectInterval: 2_000 });
    last = socket;
    // As people write it: in an effect, which StrictMode runs twice.
    useEffect(() => {
      socket.subscribe("a");
      return () => socket.unsubscribe("a");
    }, [socket.subscribe, socket.unsubscribe]);
    return null;
  }
  await show(<View />);
  expect(last).toMatchObject({ state: "idle", data: {}, error: null });
  await frame();
  core.publish("a", { n: 1 });
  core.publish("b", { n: 2 });
  await frame();
  expect(last).toMatchObject({ state: "connected", data: { a: { n: 1 } }, error: null });
  await act(async () => { last?.subscribe("b"); last?.subscribe("nothing"); });
  await frame();
  expect(last?.data).toEqual({ a: { n: 1 }, b: { n: 2 } });
  expect(last?.error?.message).toBe("there is no stream nothing");
  await act(async () => { last?.unsubscribe("b"); last?.unsubscribe("nothing"); });
  await frame();
  expect(last).toMatchObject({ data: { a: { n: 1 } }, error: null });
  expect(requests("subscribe").map(({ stream }) => stream)).toEqual(["a", "b", "nothing"]);
  vi.spyOn(Math, "random").mockReturnValue(0);
  await act(async () => FakeSocket.last.end());
  await pass(1_990);
  expect(last?.state).toBe("waiting");
  await pass(100);
  expect(last?.state).toBe("connected");
});

test("useWebSocket without reconnect stays closed", async () => {
  let last: UseWebSocket | undefined;
  function View() {
    last = useWebSocket({ url, reconnect: false });
    return null;
  }
  await show(<View />);
  await frame();
  await act(async () => FakeSocket.last.end(1011, "broken"));
  await pass(60_000);
  expect(last).toMatchObject({ state: "closed", error: { message: "broken", code: 1011 } });
  expect(FakeSocket.all.length).toBe(1);
});

test("FanfareProvider names the address and the options; without an address a hook says what is missing", async () => {
  const options = { token: () => "secret" };
  function View() { return <p>{useDataStream<number>("a").data}</p>; }
  core.publish("a", 5);
  await show(<FanfareProvider url={url} options={options}><View /></FanfareProvider>);
  await frame();
  expect(place.textContent).toBe("5");
  expect(FakeSocket.last.protocols).toContain("fanfare.bearer.secret");
  expect(() => renderToString(<View />)).toThrow("FanfareProvider");
});

test("a server renders the hooks as not connected, without a socket", () => {
  function View() { return <p>{String(useDataStream("a", url).connected)}</p>; }
  expect(renderToString(<View />)).toBe("<p>false</p>");
  expect(FakeSocket.all.length).toBe(0);
});

test("the streams that ship are typed by their names", async () => {
  function View() {
    const { data } = useDataStream("network_metrics", url);
    const height: number | undefined = data?.block_height;
    return <p>{height}</p>;
  }
  core.publish("network_metrics", { block_height: 812 });
  await show(<View />);
  await frame();
  expect(place.textContent).toBe("812");
});
