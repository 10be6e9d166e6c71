// Random interleavings from a seed: writers, watchers, messages that are late, lost connections, servers that forget, faults. In the end every
// client has what the server has, hash by hash. SEEDS=2000 runs more of them.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CanvasClient, type CanvasArea } from "../src/canvas.js";
import { inflateHere } from "../src/canvas_inflate.js";
import { CanvasCore } from "../../../testing/canvas_core.js";
import { CanvasSocket } from "../../../testing/canvas_socket.js";

const SEEDS = Number(process.env["SEEDS"] ?? 60);
const STEPS = 120;

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

/** mulberry32 */
function randomOf(seed: number): (below: number) => number {
  return (below) => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) % below;
  };
}

async function run(seed: number): Promise<void> {
  const random = randomOf(seed);
  const palette = random(2) ? [0x101010, 0xffffff, 0xff0000, 0x00ff00] : [];
  const core = new CanvasCore({
    width: 1 + random(800), height: 1 + random(600), palette, background: palette[random(4)] ?? 0xffffff, ticksKept: random(6), keepsFrames: random(2) === 1,
    ...(random(3) ? {} : { pixelsPerSecond: 200, pixelsBurst: 30 }), ...(random(6) ? {} : { cooldownMs: 300 }),
  });
  CanvasSocket.reset(core);
  CanvasSocket.isHeld = true;
  const hasFaults = random(2) === 1;
  const latches: (() => void)[] = [];
  const inflate = async (bytes: Uint8Array<ArrayBuffer>, size: number) => {
    if (random(2)) await new Promise<void>((resolve) => { latches.push(resolve); });
    return inflateHere(bytes, size);
  };
  const clients = Array.from({ length: 2 + random(3) }, (_, i) =>
    new CanvasClient({ url: "ws://localhost/canvas/main", WebSocket: CanvasSocket, session: `session-${i}`, inflate, backoff: { firstMs: 50, maxMs: 200 }, heartbeat: { idleMs: 0 } }));
  const areas: (CanvasArea | null)[] = clients.map(() => null);
  const pixel = () => ({ x: random(core.width), y: random(core.height), colour: palette.length ? random(4) : random(3) ? random(0x1000000) : 0xffffff });
  const open = () => CanvasSocket.all.filter(({ readyState }) => readyState === 1);
  const steps: (() => void)[] = [
    () => { const one = pixel(); core.put(one.x, one.y, one.colour); },
    () => { const client = clients[random(clients.length)]!; client.draw(Array.from({ length: 1 + random(20) }, pixel)); },
    () => { clients[random(clients.length)]!.undo(1 + random(5)).catch(() => undefined); },
    () => core.tick(),
    () => core.tick(),
    () => { const socket = open()[random(Math.max(1, open().length))]; socket?.deliver(random(4), random(6)); },
    () => { for (const socket of open()) socket.deliver(); },
    () => { latches.splice(random(Math.max(1, latches.length)), 1)[0]?.(); },
    () => { const i = random(clients.length); areas[i] = { x: random(core.width) - 100, y: random(core.height) - 100, width: 1 + random(500), height: 1 + random(500) }; clients[i]!.watch(areas[i]!); },
    () => { clients[random(clients.length)]!.moveCursor(random(3) ? { x: random(core.width), y: random(core.height) } : null); },
    () => { if (!random(3)) open()[random(Math.max(1, open().length))]?.end(); },
    () => { if (!random(12)) { for (const socket of open()) socket.end(); core.newEpoch(); } },
    () => { if (hasFaults && !random(6)) core.fault = (frame) => { core.fault = null; return frame[0] === 0x84 ? null : frame; }; },
    () => { CanvasSocket.isDown = !random(4); },
  ];
  for (const client of clients) client.connect();
  for (let i = 0; i < STEPS; i++) {
    steps[random(steps.length)]!();
    await vi.advanceTimersByTimeAsync(random(4) ? random(10) : random(120));
  }
  // Everything works again and comes to rest. A fault of the last tick shows at the next change of its chunk.
  core.fault = null;
  CanvasSocket.isDown = CanvasSocket.isHeld = false;
  for (const [i, client] of clients.entries()) {
    client.wake();
    // What was seen last may lie beside the canvas.
    if (areas[i] && (areas[i].x + areas[i].width <= 0 || areas[i].y + areas[i].height <= 0)) client.watch(areas[i] = { x: 0, y: 0, width: core.width, height: core.height });
  }
  const settle = async (ms: number) => {
    for (let rest = ms; rest > 0; rest -= 50) {
      for (const socket of open()) socket.deliver();
      for (const latch of latches.splice(0)) latch();
      core.tick();
      await vi.advanceTimersByTimeAsync(50);
    }
  };
  await settle(4_000);
  for (const { cx, cy } of core.chunks.values()) core.put(cx * 256, cy * 256, palette.length ? random(4) : random(0x1000000));
  await settle(2_000);
  for (const [i, client] of clients.entries()) {
    const hint = `seed ${seed}, client ${i}`;
    expect(client.proof.isVerified, `${hint}: ${JSON.stringify(client.proof)} ${client.state} ${client.error}`).toBe(true);
    expect(client.pending, hint).toBe(0);
    const area = areas[i] ?? { x: 0, y: 0, width: core.width, height: core.height };
    const inside = (x: number, y: number): boolean => x >= area.x && y >= area.y && x < area.x + area.width && y < area.y + area.height;
    expect(core.difference((x, y) => (inside(x, y) ? client.colourAt(x, y) : core.colourAt(x, y))), hint).toBeNull();
    client.close();
  }
  // Hashes heal what is wrong, so that a mistake of the client would show here alone.
  if (!hasFaults) expect(core.counts[0x03], `seed ${seed}`).toBeUndefined();
  expect(core.complaints, `seed ${seed}`).toEqual([]);
  expect(vi.getTimerCount(), `seed ${seed}`).toBe(0);
}

test(`${SEEDS} random runs: every client ends with the server's canvas`, async () => {
  const first = Number(process.env["SEED"] ?? 1);
  for (let seed = first; seed < first + (process.env["SEED"] ? 1 : SEEDS); seed++) await run(seed);
}, 300_000);
