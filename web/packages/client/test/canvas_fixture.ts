// Clients of the canvas at a server that keeps to docs/canvas.md, on a clock of the test. A file that imports this gets a server for each test.
import { afterEach, beforeEach, expect, vi } from "vitest";
import { CanvasCore, type CanvasCoreOptions } from "../../../testing/canvas_core.js";
import { CanvasSocket } from "../../../testing/canvas_socket.js";
import { CanvasClient, type CanvasOptions, type CanvasPixel } from "../src/canvas.js";
import { inflateHere } from "../src/canvas_inflate.js";

export let core: CanvasCore;
const clients: CanvasClient[] = [];

export function serve(options: CanvasCoreOptions = {}): void { CanvasSocket.reset(core = new CanvasCore(options)); }
export function open(options: Partial<CanvasOptions> = {}): CanvasClient {
  const client = new CanvasClient({ url: "ws://localhost/canvas/main", WebSocket: CanvasSocket, inflate: async (bytes, size) => inflateHere(bytes, size), backoff: { firstMs: 100, jitter: 0 }, ...options });
  clients.push(client);
  client.connect();
  return client;
}
export const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
export const pixel = (x: number, y: number, colour = 0xff0000): CanvasPixel => ({ x, y, colour });
export const equal = (client: CanvasClient): void => expect(core.difference((x, y) => client.colourAt(x, y))).toBeNull();
export async function tick(ms = 0): Promise<void> { core.tick(); await settle(ms); }

beforeEach(() => {
  vi.useFakeTimers();
  serve();
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  expect(vi.getTimerCount()).toBe(0);
  expect(core.complaints).toEqual([]);
});
