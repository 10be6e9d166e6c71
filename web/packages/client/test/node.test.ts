// The client in Node with the npm package ws, against a real port.
import { WebSocket } from "ws";
import { afterEach, expect, test, vi } from "vitest";
import { SharedStreamClient, StreamClient, type SocketConstructor } from "../src/index.js";
import { StreamServer } from "../../../testing/stream_server.js";

let server: StreamServer;
let client: StreamClient;
afterEach(async () => {
  client.close();
  await server.kill();
});
const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 15_000, interval: 10 });

test("the server is killed and restarted three times: every value, once, in order", async () => {
  server = await StreamServer.start({ streams: ["a"] });
  client = new StreamClient({ url: server.url, WebSocket: WebSocket as unknown as SocketConstructor, backoff: { maxMs: 500 } });
  const numbers: number[] = [];
  const gaps: unknown[] = [];
  client.subscribe("a", { message: ({ data }) => numbers.push((data as { n: number }).n), gap: (gap) => gaps.push(gap) });
  let n = 0;
  const publish = (count: number): void => { for (let i = 0; i < count; i++) server.core.publish("a", { n: ++n }); };
  for (let kill = 0; kill < 3; kill++) {
    await until(() => expect(server.core.received.filter(({ message }) => message.type === "subscribe").length).toBe(kill + 1));
    publish(50);
    await until(() => expect(numbers.length).toBe(n));
    await server.kill();
    publish(50);
    await until(() => expect(client.state).toBe("waiting"));
    await server.listen();
  }
  await until(() => expect(numbers.length).toBe(300));
  expect(numbers).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
  expect(gaps).toEqual([]);
});

test("a half-open connection over TCP is replaced: the peer accepts and says nothing more", async () => {
  server = await StreamServer.start({ streams: ["a"] });
  client = new StreamClient({ url: server.url, WebSocket: WebSocket as unknown as SocketConstructor, heartbeat: { idleMs: 100, answerMs: 100 } });
  const numbers: number[] = [];
  client.subscribe("a", ({ data }) => { numbers.push((data as { n: number }).n); });
  await until(() => expect(server.core.received.some(({ message }) => message.type === "subscribe")).toBe(true));
  server.core.publish("a", { n: 1 });
  await until(() => expect(numbers).toEqual([1]));
  const [socket] = server.sockets;
  socket?.pause();
  const send = vi.spyOn(socket!, "send").mockImplementation(() => {});
  server.core.publish("a", { n: 2 });
  await until(() => expect(numbers).toEqual([1, 2]));
  expect(server.core.connections).toBeGreaterThan(1);
  send.mockRestore();
  socket?.terminate();
});

test("SharedStreamClient works with the WebSocket that it gets, where there is no global one", async () => {
  vi.stubGlobal("WebSocket", undefined);
  try {
    server = await StreamServer.start({ streams: ["a"] });
    for (const via of [undefined, "none"] as const) {
      const shared = new SharedStreamClient<Record<string, { n: number }>>({ url: server.url, WebSocket: WebSocket as unknown as SocketConstructor, via });
      client = shared as unknown as StreamClient;
      const numbers: number[] = [];
      server.core.publish("a", { n: 7 });
      shared.subscribe("a", ({ data }) => numbers.push(data.n));
      await until(() => expect(numbers).toEqual([7]));
      expect(shared.error).toBeNull();
      shared.close();
    }
  } finally {
    vi.unstubAllGlobals();
  }
});
