// A client of streams at a server without a network, with a clock that the test moves. Each test begins with a server that has the streams a, b and c.
import { afterEach, beforeEach, expect, vi } from "vitest";
import { StreamClient, type Gap, type StreamClientOptions, type StreamListener, type StreamMessage } from "../src/index.js";
import { FakeSocket } from "../../../testing/fake_socket.js";
import { StreamCore } from "../../../testing/stream_core.js";

export let core: StreamCore;
export let client: StreamClient;

export function start(options: Partial<StreamClientOptions> = {}): void {
  client = new StreamClient({ url: "ws://localhost/streams", WebSocket: FakeSocket, ...options });
}
export function serveWith(server: StreamCore): void { FakeSocket.reset(core = server); }
export function serve(options: Partial<StreamCore["options"]> = {}): void { serveWith(new StreamCore({ streams: ["a", "b", "c"], ...options })); }
export const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
export const publish = (from: number, until: number, stream = "a"): void => { for (let n = from; n <= until; n++) core.publish(stream, { n, same: "text" }); };
export const requests = (type: string): any[] => core.received.map(({ message }) => message).filter((message) => message.type === type);

/** Records everything that a listener is told. */
export function record(stream = "a", options = {}, more: StreamListener<any> = {}) {
  const log = { numbers: [] as number[], messages: [] as StreamMessage<any>[], gaps: [] as Gap[], answers: [] as (boolean | undefined)[], errors: [] as string[], sources: [] as string[], history: null as number[] | null, stop: () => {} };
  log.stop = client.subscribe<string>(stream, {
    message: (message: StreamMessage<any>) => { log.messages.push(message); log.numbers.push(message.data.n); },
    history: (messages) => { log.history = messages.map(({ data }: StreamMessage<any>) => data.n); },
    gap: (gap) => { log.gaps.push(gap); },
    subscribed: ({ recovered }) => { log.answers.push(recovered); },
    error: (error) => { log.errors.push(error.code ?? error.message); },
    source: ({ available, reason }) => { log.sources.push(available ? "up" : `down: ${reason}`); },
    ...more,
  }, options);
  return log;
}

beforeEach(() => {
  vi.useFakeTimers();
  serve();
  start();
});
afterEach(() => {
  client.close();
  expect(vi.getTimerCount()).toBe(0);
});
