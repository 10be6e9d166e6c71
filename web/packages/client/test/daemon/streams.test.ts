// StreamClient against the streams of the real daemon on its development chain.
import { WebSocket } from "ws";
import { expect, test, vi } from "vitest";
import { StreamClient, type Gap, type NodeStreams, type SocketConstructor, type StreamMessage } from "../../src/index.js";
import { hasDaemon, startFanfare, t } from "./fixture.js";

const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 25_000, interval: 20 });

test.skipIf(!hasDaemon)("values as patches equal whole ones; a cut resumes without a loss; another daemon is a gap", async () => {
  const first = await startFanfare(["--dev"]);
  let url = `${first.http.replace("http", "ws")}/streams`;
  const sockets: WebSocket[] = [];
  class Kept extends WebSocket {
    constructor(address: string, protocols?: string[]) {
      super(address, protocols);
      sockets.push(this);
    }
  }
  const follow = (delta: boolean) => {
    const client = new StreamClient<NodeStreams>({ url: () => url, WebSocket: Kept as unknown as SocketConstructor, delta, backoff: { maxMs: 300 } });
    t.after(async () => client.close());
    const log = { client, values: [] as StreamMessage<NodeStreams["network_metrics"]>[], gaps: [] as Gap[], errors: [] as string[], answers: [] as unknown[] };
    client.subscribe("network_metrics", {
      message: (message) => log.values.push(message), gap: (gap) => log.gaps.push(gap), error: ({ message }) => log.errors.push(message),
      subscribed: ({ recovered }) => log.answers.push(recovered),
    });
    return log;
  };
  const [patched, whole] = [follow(true), follow(false)];
  const shared = (): number => patched.values.filter(({ position }) => whole.values.some((one) => one.position?.offset === position?.offset)).length;
  await until(() => expect(shared()).toBeGreaterThanOrEqual(2));
  expect(patched.client.welcome?.streams).toEqual(expect.arrayContaining(["network_metrics", "markets_health", "receipts", "peers"]));
  const missing: string[] = [];
  patched.client.subscribe("nothing" as "peers", { error: ({ code }) => missing.push(String(code)) });
  await until(() => expect(missing).toEqual(["unknown_stream"]));

  for (const socket of sockets) socket.terminate();
  const before = patched.values.length;
  await until(() => expect(shared()).toBeGreaterThanOrEqual(before + 2));
  const offsets = patched.values.map(({ position }) => position?.offset ?? 0);
  expect(offsets).toEqual(offsets.map((_, i) => (offsets[0] as number) + i));
  for (const { position, data } of patched.values) {
    const twin = whole.values.find((one) => one.position?.offset === position?.offset);
    if (twin) expect(data).toEqual(twin.data);
    expect(data.network_strength).toBeGreaterThanOrEqual(0);
    expect(data.network_strength).toBeLessThanOrEqual(100);
  }
  expect(patched.answers).toEqual([undefined, true]);
  expect(patched.gaps).toEqual([]);

  first.program.child.kill("SIGKILL");
  url = `${(await startFanfare(["--dev"])).http.replace("http", "ws")}/streams`;
  await until(() => expect(patched.answers).toEqual([undefined, true, false]));
  expect(patched.gaps.length).toBe(1);
  expect(patched.gaps[0]?.missing?.count).toBeUndefined();
  const count = patched.values.length;
  await until(() => expect(patched.values.length).toBeGreaterThan(count));
  expect(patched.errors).toEqual([]);
});
