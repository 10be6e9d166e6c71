// A token that ends while the client is connected to the real daemon: the fresh one is accepted on the same connection.
import { WebSocket } from "ws";
import { expect, test, vi } from "vitest";
import { EthClient, StreamClient, type SocketConstructor } from "../../src/index.js";
import { hasDaemon, metric, startGuarded, t } from "./fixture.js";

const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 30_000, interval: 50 });
const LIFE_S = 12;

test.skipIf(!hasDaemon)("both clients live longer than their first token, each over one connection", async () => {
  const { daemon, token } = await startGuarded();
  const opened: string[] = [];
  class Counted extends WebSocket {
    constructor(address: string, protocols?: string[]) {
      super(address, protocols);
      opened.push(address);
    }
  }
  const ends: number[] = [];
  const provider = () => {
    ends.push(Math.floor(Date.now() / 1000) + LIFE_S);
    return token({ sub: "carol", roles: ["all"], exp: ends.at(-1) });
  };
  const options = { WebSocket: Counted as unknown as SocketConstructor, token: provider };
  const streams = new StreamClient({ url: `ws://${new URL(daemon.http).host}/streams`, ...options });
  const eth = new EthClient({ url: daemon.ws, ...options });
  t.after(async () => {
    streams.close();
    eth.close();
  });
  const offsets: number[] = [];
  const gaps: string[] = [];
  const errors: string[] = [];
  streams.subscribe("heights", { message: ({ position }) => offsets.push(position?.offset ?? 0), gap: ({ reason }) => gaps.push(reason), error: ({ message }) => errors.push(message), source: ({ reason }) => errors.push(String(reason)) });
  expect(await eth.request("eth_chainId")).toBe("0x7a69");

  // leeway 0: the first tokens have ended for the server, too.
  await until(() => expect(Date.now()).toBeGreaterThan(1000 * ((ends[1] ?? Infinity) + 1)));
  expect(errors).toEqual([]);
  const seen = offsets.length;
  await until(() => expect(offsets.length).toBeGreaterThan(seen + 1));
  expect(await eth.request("eth_chainId")).toBe("0x7a69");
  expect(opened.length).toBe(2);
  expect(ends.length).toBeGreaterThanOrEqual(4);
  expect(offsets).toEqual(offsets.map((_, i) => (offsets[0] as number) + i));
  expect(gaps).toEqual([]);
  expect(streams).toMatchObject({ state: "connected", error: null });
  expect(await metric(daemon, "fanfare_stream_connections")).toBe(1);
});
