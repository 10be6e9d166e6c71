// The canvas client at the real daemon, which is killed twenty times: nothing that was acknowledged is lost, and nobody diverges.
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { CanvasClient } from "../../src/canvas.js";
import type { SocketConstructor } from "../../src/index.js";
import { hasDaemon, t } from "./fixture.js";

const SUPPORT = fileURLToPath(new URL("../../../../../tests/e2e/support/", import.meta.url));
const KILLS = 20;
const DRAWERS = 6;
const [WIDTH, HEIGHT] = [520, 300];
const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 30_000, interval: 10 });

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test.skipIf(!hasDaemon)(`${KILLS} kills with sync: full: every acknowledged pixel is there, and all clients are equal`, { timeout: 180_000 }, async () => {
  const { BINARY, temporaryFolder } = await import(`${SUPPORT}fanfare.js`);
  const { startFor } = await import(`${SUPPORT}processes.js`);
  const folder: string = temporaryFolder(t);
  const port = await freePort();
  const config = join(folder, "canvas.yaml");
  writeFileSync(config, `
server: { httpPort: ${port} }
canvas:
  dataDir: "${folder}"
  rooms: [{ name: main, width: ${WIDTH}, height: ${HEIGHT}, sync: full, pixelsPerSecond: 100000, pixelsPerSecondPerAddress: 100000, limits: { messagesPerSecond: 10000 } }]
`);
  const start = async () => {
    const program = startFor(t, "fanfare", BINARY, ["serve", "--config", config]);
    await program.line(/Canvas +ws:\S+\/canvas\/main/);
    return program;
  };
  let program = await start();
  const acknowledged = new Map<number, number>();
  const clients = Array.from({ length: DRAWERS }, (_, i) => {
    const client = new CanvasClient({ url: `ws://127.0.0.1:${port}/canvas/main`, WebSocket: WebSocket as unknown as SocketConstructor, session: `session-of-${i}`, backoff: { firstMs: 20, maxMs: 100 } });
    t.after(async () => client.close());
    client.listen({ accepted: (pixels) => { for (const { x, y, colour } of pixels) acknowledged.set(y * WIDTH + x, colour); } });
    client.connect();
    return client;
  });
  // No place is drawn twice, so that what was acknowledged cannot have been replaced.
  let next = 0;
  const drawing = setInterval(() => {
    for (const client of clients) {
      if (client.state !== "connected" || !client.proof.isVerified) continue;
      const place = next++ * 7919 % (WIDTH * HEIGHT);
      client.draw([{ x: place % WIDTH, y: Math.floor(place / WIDTH), colour: next % 0xfffff }]);
    }
  }, 2);
  t.after(async () => clearInterval(drawing));

  for (let kill = 0; kill < KILLS; kill++) {
    const before = acknowledged.size;
    // At another moment of its work each time.
    await until(() => expect(acknowledged.size).toBeGreaterThan(before + 40 + kill * 7 % 30));
    program.child.kill("SIGKILL");
    await program.exit;
    // The kernel closes what an io_uring holds later than the process ends. Until then a client takes what it has for the server's.
    await until(() => { for (const { state } of clients) expect(state).not.toBe("connected"); });
    // Later ones may have reached their drawer, and the first client not yet.
    const sure = [...acknowledged];
    program = await start();
    await until(() => { for (const { proof } of clients) expect(proof.isVerified).toBe(true); });
    const lost = sure.filter(([place, colour]) => clients[0]!.colourAt(place % WIDTH, Math.floor(place / WIDTH)) !== colour);
    expect(lost.slice(0, 5), `after kill ${kill + 1} ${lost.length} of ${sure.length} are lost`).toEqual([]);
  }
  clearInterval(drawing);
  await until(() => { for (const { pending, proof } of clients) expect([pending, proof.isVerified]).toEqual([0, true]); });
  const pixelsOf = (client: CanvasClient): string => {
    const all: number[] = [];
    for (let y = 0; y < HEIGHT; y++) for (let x = 0; x < WIDTH; x++) all.push(client.colourAt(x, y) ?? -1);
    return all.join();
  };
  await until(() => expect(new Set(clients.map(pixelsOf)).size).toBe(1));
  expect(clients.map(({ proof }) => proof.repairs)).toEqual(new Array(DRAWERS).fill(0));
});
