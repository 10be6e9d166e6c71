import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Connection, REFUSALS_MAX, STABLE_MS, type ConnectionOptions } from "../src/connection.js";
import { FakeSocket } from "../../../testing/fake_socket.js";

let connection: Connection;
const opened = vi.fn();
const received = vi.fn();
const lost = vi.fn();

function start(options: Partial<ConnectionOptions> = {}): void {
  connection = new Connection({ url: "ws://gateway.example/streams", WebSocket: FakeSocket, ...options }, { changed: () => {}, opened, received, lost }, () => "PING");
  connection.start();
}
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
/** What a page's event does. In Node there is no window, so the events are our own. */
const page = new EventTarget();
const document = Object.assign(new EventTarget(), { visibilityState: "visible" });

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0);
  for (const mock of [opened, received, lost]) mock.mockReset();
  FakeSocket.reset();
  vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
  vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
  vi.stubGlobal("document", document);
  vi.stubGlobal("navigator", { onLine: true });
});
afterEach(() => {
  connection.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.unstubAllGlobals();
});

test("it connects, passes messages on, and sends", async () => {
  start();
  expect(connection.state).toBe("connecting");
  expect(connection.send("early")).toBe(false);
  await settle();
  expect(connection.state).toBe("connected");
  expect(opened).toHaveBeenCalledOnce();
  FakeSocket.last.hear("hello");
  expect(received).toHaveBeenCalledWith("hello");
  expect(connection.send("text")).toBe(true);
  expect(FakeSocket.last.sent).toEqual(["text"]);
});

test("a server that restarts says when it wants its client back", async () => {
  start({ backoff: { firstMs: 100 } });
  await settle();
  FakeSocket.last.end(1012, "the gateway is restarting, try again in 3 s");
  await vi.advanceTimersByTimeAsync(2_000);
  page.dispatchEvent(new Event("online"));
  await vi.advanceTimersByTimeAsync(999);
  expect(FakeSocket.all.length).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(FakeSocket.all.length).toBe(2); // the page's event shortens the client's own delay only
});

test("failures wait longer each time, and a connection that stood begins from the start", async () => {
  FakeSocket.next = "refuse";
  start({ backoff: { firstMs: 100, maxMs: 1_000 } });
  await settle();
  for (const [attempts, delay] of [[1, 100], [2, 200], [3, 400], [4, 800], [5, 1_000], [6, 1_000]] as const) {
    expect(FakeSocket.all.length).toBe(attempts);
    expect(connection.state).toBe("waiting");
    await vi.advanceTimersByTimeAsync(delay - 1);
    expect(FakeSocket.all.length).toBe(attempts);
    FakeSocket.next = attempts === 6 ? "open" : "refuse";
    await vi.advanceTimersByTimeAsync(1);
  }
  expect(connection.state).toBe("connected");
  // Too short to count as a success: the seventh failure waits as long as the sixth.
  await vi.advanceTimersByTimeAsync(STABLE_MS - 1);
  FakeSocket.last.end();
  await vi.advanceTimersByTimeAsync(999);
  expect(connection.state).toBe("waiting");
  await vi.advanceTimersByTimeAsync(1);
  expect(connection.state).toBe("connected");
  await vi.advanceTimersByTimeAsync(STABLE_MS);
  FakeSocket.last.end();
  await vi.advanceTimersByTimeAsync(100);
  expect(connection.state).toBe("connected");
  expect(lost).toHaveBeenCalledTimes(2);
});

test("the server's hint sets the delay", async () => {
  start();
  await settle();
  connection.setHint({ min_ms: 4_000, max_ms: 9_000 });
  FakeSocket.last.end(1012, "restart");
  await vi.advanceTimersByTimeAsync(3_999);
  expect(FakeSocket.all.length).toBe(1);
  // Not even a page that wakes returns before it.
  page.dispatchEvent(new Event("online"));
  await settle();
  expect(FakeSocket.all.length).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(FakeSocket.all.length).toBe(2);
});

test.each([[{ min_ms: 0, max_ms: 0 }], [{ min_ms: -5, max_ms: -1 }], [{ min_ms: "x", max_ms: null }], [5], [null], ["text"], [[]]])(
  "a server that hints %o and closes is tried with growing delays", async (hint) => {
    start();
    for (let seconds = 0; seconds < 60; seconds++) {
      await settle();
      if (connection.state === "connected") {
        connection.setHint(hint as any);
        FakeSocket.last.end(1012);
      }
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(FakeSocket.all.length).toBeLessThan(10);
    expect(FakeSocket.all.length).toBeGreaterThan(3);
  });

// As setTimeout: a time of 2^31 ms or more is over at once.
const TOO_LONG = [2 ** 31, 3e9, Infinity];
test.each(TOO_LONG)("times of %d ms are long, not short", async (ms) => {
  FakeSocket.next = "hang";
  start({ connectTimeoutMs: ms, heartbeat: { idleMs: ms, answerMs: ms }, backoff: { firstMs: ms, maxMs: ms } });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(connection.state).toBe("connecting");
  FakeSocket.last.open();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(FakeSocket.last.sent).toEqual([]);
  connection.wake();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(connection.state).toBe("connected");
  FakeSocket.last.end();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(connection.state).toBe("waiting");
  expect(FakeSocket.all.length).toBe(1);
});

test.each([
  ["connectTimeoutMs", (value: number) => ({ connectTimeoutMs: value }), [0, 0.5]],
  ["heartbeat.idleMs", (value: number) => ({ heartbeat: { idleMs: value } }), []],
  ["heartbeat.answerMs", (value: number) => ({ heartbeat: { answerMs: value } }), [0]],
  ["backoff.firstMs", (value: number) => ({ backoff: { firstMs: value } }), []],
  ["backoff.maxMs", (value: number) => ({ backoff: { maxMs: value } }), []],
  ["backoff.factor", (value: number) => ({ backoff: { factor: value } }), [0, 0.5]],
  ["backoff.jitter", (value: number) => ({ backoff: { jitter: value } }), [1.5, Infinity]],
])("a value of %s that cannot be used is an error at once", (name, options, more) => {
  for (const value of [Number.NaN, -1, -Infinity, "5000" as unknown as number, null as unknown as number, ...more]) {
    expect(() => start(options(value)), String(value)).toThrow(`the option ${name} must be a number`);
  }
});

test("the address may be a URL object, and must be an address", async () => {
  start({ url: new URL("ws://gateway.example/streams?x=1") });
  await settle();
  expect(FakeSocket.last.url).toBe("ws://gateway.example/streams?x=1");
  connection.close();
  start({ url: async () => new URL("ws://gateway.example/other") });
  await settle();
  expect(FakeSocket.last.url).toBe("ws://gateway.example/other");
  for (const url of [undefined, null, 7, {}]) expect(() => start({ url: url as unknown as string })).toThrow("the option url");
});

test("a half-open socket is noticed: silence, a question, silence", async () => {
  start({ heartbeat: { idleMs: 1_000, answerMs: 200 } });
  await settle();
  const first = FakeSocket.last;
  await vi.advanceTimersByTimeAsync(999);
  expect(first.sent).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(first.sent).toEqual(["PING"]);
  first.hear("PONG");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(first.sent).toEqual(["PING", "PING"]);
  await vi.advanceTimersByTimeAsync(199);
  expect(connection.state).toBe("connected");
  await vi.advanceTimersByTimeAsync(1);
  expect(connection.state).toBe("waiting");
  expect(connection.error?.message).toBe("the server does not answer");
  expect(first.closedWith).not.toBeNull();
  expect(lost).toHaveBeenCalledOnce();
  // What the dead socket still says is not heard.
  first.hear("late");
  expect(received).not.toHaveBeenCalledWith("late");
});

test("messages keep a connection alive without questions", async () => {
  start({ heartbeat: { idleMs: 1_000 } });
  await settle();
  for (let i = 0; i < 20; i++) {
    await vi.advanceTimersByTimeAsync(500);
    FakeSocket.last.hear("news");
  }
  expect(FakeSocket.last.sent).toEqual([]);
});

test("after a sleep the answer may wait behind the timer: it is asked again before the socket is given up", async () => {
  start({ heartbeat: { idleMs: 1_000, answerMs: 200 } });
  await settle();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(FakeSocket.last.sent).toEqual(["PING"]);
  vi.setSystemTime(Date.now() + 3_600_000);
  await vi.advanceTimersByTimeAsync(200);
  expect(connection.state).toBe("connected");
  expect(FakeSocket.last.sent).toEqual(["PING", "PING"]);
  FakeSocket.last.hear("PONG");
  await vi.advanceTimersByTimeAsync(500);
  expect(connection.state).toBe("connected");
});

test("an attempt that hangs is abandoned, and one that opens late is ignored", async () => {
  FakeSocket.next = "hang";
  start({ connectTimeoutMs: 3_000, backoff: { firstMs: 100 } });
  await vi.advanceTimersByTimeAsync(3_000);
  expect(connection.error?.message).toBe("the server did not answer in time");
  const hung = FakeSocket.last;
  hung.onopen?.({});
  expect(connection.state).toBe("waiting");
  FakeSocket.next = "open";
  await vi.advanceTimersByTimeAsync(100);
  expect(connection.state).toBe("connected");
});

test("offline: no attempts that cannot succeed, and one at once when the network is back", async () => {
  start({ backoff: { firstMs: 100, maxMs: 30_000 } });
  await settle();
  vi.stubGlobal("navigator", { onLine: false });
  page.dispatchEvent(new Event("offline"));
  // The report is no proof: the socket is asked.
  expect(FakeSocket.last.sent).toEqual(["PING"]);
  expect(connection.state).toBe("connected");
  FakeSocket.last.end();
  expect(connection.state).toBe("offline");
  await vi.advanceTimersByTimeAsync(29_999);
  expect(FakeSocket.all.length).toBe(1);
  vi.stubGlobal("navigator", { onLine: true });
  page.dispatchEvent(new Event("online"));
  await settle();
  expect(connection.state).toBe("connected");
  expect(FakeSocket.all.length).toBe(2);
});

test("offline: a server on this machine is tried as always", async () => {
  vi.stubGlobal("navigator", { onLine: false });
  for (const url of ["ws://localhost:1/", "ws://127.0.0.1/x", "wss://[::1]:8/", "ws://app.localhost"]) {
    FakeSocket.reset();
    start({ url, backoff: { firstMs: 100 } });
    await settle();
    FakeSocket.last.end();
    expect(connection.state).toBe("waiting");
    connection.close();
  }
  start({ url: "ws://localhost.evil.example/", backoff: { firstMs: 100 } });
  await settle();
  FakeSocket.last.end();
  expect(connection.state).toBe("offline");
});

test("on waking the fresh token goes first; nothing is sent with the stale one", async () => {
  let issued = 0;
  const token = vi.fn(async () => ({ value: `t${++issued}`, expiresAtMs: Date.now() + 60_000 }));
  start({ token });
  await settle();
  expect(FakeSocket.last.protocols).toEqual(["fanfare", "fanfare.bearer.t1"]);
  opened.mockImplementation(() => connection.send("RESUME"));
  // Timers stand still while a machine sleeps, and the clock does not.
  vi.setSystemTime(Date.now() + 3_600_000);
  const [stale] = FakeSocket.all;
  document.dispatchEvent(new Event("visibilitychange"));
  await settle();
  expect(stale?.sent).toEqual([]);
  expect(stale?.closedWith).toEqual({ code: 1000, reason: "the token expired" });
  expect(FakeSocket.all.length).toBe(2);
  expect(FakeSocket.last.protocols).toEqual(["fanfare", "fanfare.bearer.t2"]);
  expect(FakeSocket.last.sent).toEqual(["RESUME"]);
  expect(token.mock.calls).toEqual([["first"], ["expired"]]);
});

test("a sleep that no event reports is noticed by the late timer", async () => {
  start({ token: () => ({ value: "t", expiresAtMs: Date.now() + 60_000 }), heartbeat: { idleMs: 1_000 } });
  await settle();
  vi.setSystemTime(Date.now() + 3_600_000);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(FakeSocket.all.length).toBe(2);
  expect(FakeSocket.all[0]?.sent).toEqual([]);
});

test("a token is replaced when its time comes, without a sleep", async () => {
  let issued = 0;
  start({ token: () => ({ value: `t${++issued}`, expiresAtMs: Date.now() + 60_000 }), heartbeat: { idleMs: 0 } });
  await settle();
  await vi.advanceTimersByTimeAsync(61_000);
  expect(FakeSocket.all.map(({ protocols }) => protocols[1])).toEqual(["fanfare.bearer.t1", "fanfare.bearer.t2"]);
});

test.each([["expired long ago", -3_600_000], ["expires now", 0], ["is within the margin", 5_000]])(
  "a token that %s by this clock is used, reported, and replaced ever more rarely", async (_, lifeMs) => {
    const token = vi.fn(() => ({ value: "t", expiresAtMs: Date.now() + lifeMs }));
    start({ token });
    await settle();
    expect(connection.state).toBe("connected");
    expect(connection.error?.message).toContain("check this device's clock");
    await vi.advanceTimersByTimeAsync(9_999);
    expect(FakeSocket.all.length).toBe(1);
    for (const seconds of [10, 20, 40, 80, 160, 300, 300]) {
      const before = FakeSocket.all.length;
      document.dispatchEvent(new Event("visibilitychange"));
      await settle();
      expect(FakeSocket.all.length).toBeLessThanOrEqual(before + 1);
      FakeSocket.last.hear("PONG");
      for (let second = 0; second < seconds; second++) {
        await vi.advanceTimersByTimeAsync(1_000);
        FakeSocket.last.hear("PONG");
      }
    }
    expect(FakeSocket.all.length).toBeLessThanOrEqual(8);
    expect(token).toHaveBeenCalledTimes(FakeSocket.all.length);
  });

test("a token of a short life is replaced no more often than every five seconds, and not reported", async () => {
  const token = vi.fn(() => ({ value: "t", expiresAtMs: Date.now() + 5_001 }));
  start({ token });
  await settle();
  expect(connection.error).toBeNull();
  await vi.advanceTimersByTimeAsync(4_999);
  expect(FakeSocket.all.length).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(FakeSocket.all.length).toBe(2);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(FakeSocket.all.length).toBe(4);
});

test.each([[undefined, "must return a text"], [null, "must return a text"], [{}, "must return a text"], [7, "must return a text"],
  [{ value: "t", expiresAtMs: Number.NaN }, "must be a number"], [{ value: "t", expiresAtMs: "2030-01-01" }, "must be a number"]])(
  "a provider that returns %o is asked again with delays", async (answer, problem) => {
    const token = vi.fn(() => answer as unknown as string);
    start({ token, backoff: { firstMs: 100, maxMs: 1_000 } });
    await vi.advanceTimersByTimeAsync(3_000);
    expect(connection.error?.message).toContain(problem);
    expect(token.mock.calls.length).toBeLessThan(8);
  });

test.each([[null], [Infinity], [undefined]])("a token with the expiry %o has none", async (expiresAtMs) => {
  const token = vi.fn(() => ({ value: "t", expiresAtMs: expiresAtMs as number | undefined }));
  start({ token, heartbeat: { idleMs: 0 } });
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(token).toHaveBeenCalledOnce();
  expect(connection.error).toBeNull();
});

test("a refused token is replaced; after three refusals in a row nothing more is tried", async () => {
  const reasons: string[] = [];
  start({ token: (reason) => (reasons.push(reason), `t${reasons.length}`), backoff: { firstMs: 100 }, tokenAs: { query: "apikey" } });
  await settle();
  expect(FakeSocket.last.url).toBe("ws://gateway.example/streams?apikey=t1");
  for (let refusal = 1; refusal < REFUSALS_MAX; refusal++) {
    FakeSocket.last.end(1008, "token expired");
    expect(connection.state).toBe("waiting");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(connection.state).toBe("connected");
  }
  FakeSocket.last.end(1008, "token expired");
  expect(connection.state).toBe("closed");
  expect(connection.error).toMatchObject({ code: 1008, message: "token expired" });
  expect(reasons).toEqual(["first", "refused", "refused"]);
});

test("a second upgrade that fails asks for another token, because a browser does not say why", async () => {
  const reasons: string[] = [];
  FakeSocket.next = "refuse";
  start({ token: (reason) => (reasons.push(reason), "t"), backoff: { firstMs: 10 } });
  await vi.advanceTimersByTimeAsync(9);
  expect(reasons).toEqual(["first"]);
  await vi.advanceTimersByTimeAsync(50);
  expect(reasons).toEqual(["first", "refused"]);
  // The server is away for long: the provider is not asked at every attempt.
  await vi.advanceTimersByTimeAsync(300_000);
  expect(FakeSocket.all.length).toBeGreaterThan(15);
  expect(reasons.length).toBeLessThan(5);
});

test("a token provider that fails is asked again later", async () => {
  const token = vi.fn().mockRejectedValueOnce(new Error("login needed")).mockResolvedValue("t");
  start({ token, backoff: { firstMs: 100 } });
  await settle();
  expect(connection.error?.message).toBe("login needed");
  expect(FakeSocket.all.length).toBe(0);
  await vi.advanceTimersByTimeAsync(100);
  expect(connection.state).toBe("connected");
});

test("without tokens, too, three refusals in a row end the connection, and a connection that stood begins from the start", async () => {
  start({ backoff: { firstMs: 100, maxMs: 100 } });
  await settle();
  for (let refusal = 1; refusal < REFUSALS_MAX; refusal++) {
    FakeSocket.last.end(1008);
    expect(connection.state).toBe("waiting");
    await vi.advanceTimersByTimeAsync(100);
  }
  await vi.advanceTimersByTimeAsync(STABLE_MS);
  for (let refusal = 1; refusal < REFUSALS_MAX; refusal++) {
    FakeSocket.last.end(1008);
    expect(connection.state).toBe("waiting");
    await vi.advanceTimersByTimeAsync(100);
  }
  FakeSocket.last.end(1008);
  expect(connection.state).toBe("closed");
});

test("what would fail again in the same way ends the connection: 1009, a bad address, no WebSocket", async () => {
  start();
  await settle();
  FakeSocket.last.end(1009);
  expect(connection.state).toBe("closed");
  class Refusing extends FakeSocket {
    constructor() { super(""); throw new SyntaxError("bad URL"); }
  }
  start({ WebSocket: Refusing });
  await settle();
  expect(connection.error?.message).toContain("bad URL");
  vi.stubGlobal("WebSocket", undefined);
  start({ WebSocket: undefined });
  await settle();
  expect(connection.error?.message).toContain("npm package ws");
});

test("without `reconnect` a lost connection stays lost", async () => {
  start({ reconnect: false });
  await settle();
  FakeSocket.last.end();
  expect(connection.state).toBe("closed");
  expect(lost).toHaveBeenCalledOnce();
  await vi.advanceTimersByTimeAsync(100_000);
  expect(FakeSocket.all.length).toBe(1);
});

test("close() during each state leaves nothing behind", async () => {
  start({ token: () => new Promise(() => {}) });
  connection.close();
  FakeSocket.next = "hang";
  start();
  await settle();
  connection.close();
  expect(FakeSocket.last.closedWith).not.toBeNull();
  FakeSocket.next = "refuse";
  start();
  await settle();
  connection.close();
  expect(vi.getTimerCount()).toBe(0);
});
