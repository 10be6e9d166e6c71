// A fresh token on an open connection, before the old one expires and after a sleep.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { EthClient, StreamClient, type StreamClientOptions, type Token } from "../src/index.js";
import { FakeSocket } from "../../../testing/fake_socket.js";
import { StreamCore } from "../../../testing/stream_core.js";

const LIFE_MS = 60_000;
/** When the token is due, and when it ends. */
const [DUE_MS, END_MS] = [LIFE_MS - 5_000, LIFE_MS];

let core: StreamCore;
let client: StreamClient;
let issued = 0;
let numbers: number[] = [];
const next = (): Token | Promise<Token> => ({ value: `t${++issued}`, expiresAtMs: Date.now() + LIFE_MS });
const token = vi.fn(next);
const accepts = vi.fn((_: string): boolean => true);
const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
/** Timers stand still while a machine sleeps, and the clock does not. */
function sleepAndWake(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
  document.dispatchEvent(new Event("visibilitychange"));
}
const publish = (...values: number[]): void => { for (const n of values) core.publish("a", { n, same: "text" }); };
const protocols = (): (string | undefined)[] => FakeSocket.all.map((socket) => socket.protocols[1]);
const types = (socket: FakeSocket | undefined): string[] => (socket?.messages ?? []).map(({ type }) => type);

async function start(options: Partial<StreamClientOptions> = {}, served: Partial<StreamCore["options"]> = { accepts }): Promise<void> {
  core = new StreamCore({ streams: ["a"], ...served });
  FakeSocket.reset(core);
  client = new StreamClient({ url: "ws://localhost/streams", WebSocket: FakeSocket, token, heartbeat: { idleMs: 0 }, ...options });
  client.subscribe<string>("a", ({ data }: any) => { numbers.push(data.n); });
  await settle();
  publish(1);
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0);
  vi.stubGlobal("document", document);
  vi.stubGlobal("addEventListener", () => {});
  vi.stubGlobal("removeEventListener", () => {});
  token.mockReset().mockImplementation(next);
  accepts.mockReset().mockReturnValue(true);
  issued = 0;
  numbers = [];
});
afterEach(() => {
  client.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.unstubAllGlobals();
});

test("each token is presented on the same connection before the one before it ends, and nothing is interrupted", async () => {
  await start();
  for (let n = 2; n <= 4; n++) {
    await settle(DUE_MS - 1);
    expect(accepts).toHaveBeenCalledTimes(n - 2);
    await settle(1);
    expect(accepts).toHaveBeenLastCalledWith(`t${n}`);
    publish(n);
  }
  await settle();
  expect(FakeSocket.all.length).toBe(1);
  expect(types(FakeSocket.last)).toEqual(["hello", "subscribe", "authenticate", "authenticate", "authenticate"]);
  expect(numbers).toEqual([1, 2, 3, 4]);
  expect(token.mock.calls).toEqual([["first"], ["expired"], ["expired"], ["expired"]]);
  expect(client).toMatchObject({ state: "connected", error: null, welcome: { streams: ["a"] } });
});

test.each([["a refusal", { accepts: () => false }], ["a server without `authenticate`", {}], ["a server of the short protocol", { extended: false }]])(
  "%s: the fresh token comes with another connection, which resumes", async (_, served) => {
    await start({}, served);
    await settle(DUE_MS);
    // The short protocol repeats no id: the answer is missed until its time is over.
    if ("extended" in served) await settle(5_000);
    publish(2);
    await settle();
    expect(protocols()).toEqual(["fanfare.bearer.t1", "fanfare.bearer.t2"]);
    expect(types(FakeSocket.last).slice(0, 2)).toEqual(["hello", "subscribe"]);
    expect(numbers).toEqual("extended" in served ? [1, 1, 2] : [1, 2]);
    expect(token).toHaveBeenCalledTimes(2);
  });

test("a server that does not answer is left after the time of the heartbeat", async () => {
  await start();
  FakeSocket.last.isHalfOpen = true;
  await settle(DUE_MS + 4_999);
  expect(FakeSocket.all.length).toBe(1);
  await settle(1);
  expect(protocols()).toEqual(["fanfare.bearer.t1", "fanfare.bearer.t2"]);
});

test("after a sleep the fresh token goes first, on the open connection while the old token is valid", async () => {
  await start();
  publish(2);
  await settle();
  const before = FakeSocket.last.sent.length;
  sleepAndWake(DUE_MS + 1_000);
  await settle();
  publish(3);
  await settle();
  expect(types(FakeSocket.last).slice(before)).toEqual(["authenticate"]);
  expect(FakeSocket.all.length).toBe(1);
  expect(numbers).toEqual([1, 2, 3]);
});

test("after a sleep beyond the token's end nothing is sent on the old connection; the new one has the fresh token", async () => {
  await start();
  await settle();
  const before = FakeSocket.last.sent.length;
  sleepAndWake(END_MS);
  await settle();
  expect(FakeSocket.all[0]?.sent.length).toBe(before);
  expect(protocols()).toEqual(["fanfare.bearer.t1", "fanfare.bearer.t2"]);
  expect(FakeSocket.last.messages[1]).toMatchObject({ type: "subscribe", since: { epoch: core.epoch, offset: 1 } });
});

test("waking many times while the token is fetched asks once and presents it once", async () => {
  await start();
  let answer: (fresh: Token) => void = () => {};
  token.mockImplementationOnce(() => new Promise<Token>((resolve) => { answer = resolve; }));
  for (let i = 0; i < 5; i++) sleepAndWake(i === 0 ? DUE_MS : 100);
  await settle(1_000);
  answer({ value: "fresh", expiresAtMs: Date.now() + LIFE_MS });
  await settle();
  expect(accepts.mock.calls).toEqual([["fresh"]]);
  expect(token).toHaveBeenCalledTimes(2);
  expect(FakeSocket.all.length).toBe(1);
});

test("the connection ends while the token is fetched: the next one has it", async () => {
  await start();
  let answer: (fresh: Token) => void = () => {};
  token.mockImplementationOnce(() => new Promise<Token>((resolve) => { answer = resolve; }));
  await settle(DUE_MS);
  FakeSocket.last.end(1008, "the token has expired");
  answer({ value: "fresh", expiresAtMs: Date.now() + LIFE_MS });
  await settle(1_000);
  expect(accepts).not.toHaveBeenCalled();
  expect(protocols()).toEqual(["fanfare.bearer.t1", "fanfare.bearer.fresh"]);
});

test("a provider that fails, and one that never answers: another connection, with delays", async () => {
  await start({ backoff: { firstMs: 1_000 } });
  for (let i = 0; i < 2; i++) token.mockImplementationOnce(() => { throw new Error("no network"); });
  await settle(DUE_MS);
  expect(client).toMatchObject({ state: "waiting", error: { message: "no network" } });
  await settle(1_000);
  expect(client).toMatchObject({ state: "connected", error: null });
  token.mockImplementationOnce(() => new Promise<Token>(() => {}));
  await settle(DUE_MS + 9_999);
  expect(client.state).toBe("connected");
  await settle(1);
  expect(client.state).toBe("connecting");
});

test("a token that is too long for a message comes with another connection", async () => {
  const overhead = JSON.stringify({ type: "authenticate", token: "", id: "authenticate" }).length;
  for (const [length, connections] of [[100 - overhead, 1], [101 - overhead, 2]] as const) {
    token.mockImplementation(() => ({ value: "x".repeat(length), expiresAtMs: Date.now() + LIFE_MS }));
    await start({}, { accepts, hello: { limits: { message_bytes: 100 } } });
    await settle(DUE_MS);
    expect(FakeSocket.all.length).toBe(connections);
    client.close();
  }
});

test("the server's own answer comes late: an answer to nothing changes nothing", async () => {
  await start();
  FakeSocket.last.hear({ type: "authenticated", available_streams: ["a", "b"] });
  FakeSocket.last.hear({ type: "error", id: "authenticate", code: "not_authenticated", message: "no" });
  await settle();
  expect(FakeSocket.all.length).toBe(1);
  expect(client.welcome?.streams).toEqual(["a", "b"]);
});

test.each([[{ result: true }, 1], [{ error: { code: -32601, message: "the method does not exist" } }, 2]])(
  "EthClient presents it with fanfare_authenticate; answer %o: %i connections", async (answer, connections) => {
    await start();
    FakeSocket.reset();
    const eth = new EthClient({ url: "ws://localhost/main/evm/1", WebSocket: FakeSocket, token, heartbeat: { idleMs: 0 } });
    eth.connect();
    await settle(DUE_MS);
    const [request] = FakeSocket.last.messages;
    expect(request).toMatchObject({ method: "fanfare_authenticate", params: [`t${issued}`] });
    FakeSocket.last.hear({ jsonrpc: "2.0", id: request.id, ...answer });
    await settle();
    expect(FakeSocket.all.filter(({ url }) => url.includes("evm")).length).toBe(connections);
    expect(eth.state).toBe("connected");
    eth.close();
  });
