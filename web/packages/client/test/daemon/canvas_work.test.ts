// The proof of work of examples/pixels: its client draws over the binary protocol, and nobody draws without the work, or with another's.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { CanvasClient, type CanvasOptions, type CanvasPixel } from "../../src/canvas.js";
import type { SocketConstructor } from "../../src/index.js";
import { hasDaemon, t } from "./fixture.js";

const ROOT = fileURLToPath(new URL("../../../../../", import.meta.url));
const PIXELS = join(dirname(process.env["FANFARE_BIN"] ?? ""), "../../examples/pixels");
const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 30_000, interval: 10 });

test.skipIf(!hasDaemon || !existsSync(PIXELS))("a proof of work: the example's client draws, and nobody without the work", async () => {
  const { temporaryFolder } = await import(`${ROOT}tests/e2e/support/fanfare.js`);
  const { startFor } = await import(`${ROOT}tests/e2e/support/processes.js`);
  const { proofOfWork, work } = await import(`${ROOT}examples/pixels/draw.mjs`);
  const [, url] = await startFor(t, "pixels", PIXELS, [join(temporaryFolder(t), "art"), "0"]).line(/(ws:\S+)/);
  const open = (options: Partial<CanvasOptions> = {}) => {
    const said: string[] = [];
    const client = new CanvasClient({ url: `${url}/canvas/work`, WebSocket: WebSocket as unknown as SocketConstructor, ...options });
    t.after(async () => client.close());
    client.listen({ refused: ({ status }) => said.push(status), error: ({ message }) => said.push(message) });
    client.connect();
    return { client, said };
  };
  const line: CanvasPixel[] = Array.from({ length: 50 }, (_, i) => ({ x: 20 + i, y: 20, colour: 0xff0000 }));
  const { client: ada, said } = open({ proof: (pixels, wanted) => proofOfWork(() => ada)(pixels, wanted) });
  await until(() => expect(ada.proof.isVerified).toBe(true));
  ada.draw(line);
  await until(() => expect(ada.pending).toBe(0));
  expect(said).toEqual([]);

  // Work for another user, for other pixels, too little of it, and none at all.
  let wrong = (_: readonly CanvasPixel[]): any => undefined;
  const { client: bob, said: heard } = open({ proof: (pixels) => wrong(pixels) });
  await until(() => expect(bob.proof.isVerified).toBe(true));
  expect(bob.colourAt(69, 20)).toBe(0xff0000);
  const own = bob.welcome!.userId;
  const enough = (user: string, pixels: readonly CanvasPixel[]): number => work(user, pixels, 12);
  const tooLittle = (pixels: readonly CanvasPixel[]): number => { let n = 0; while (enough(own, pixels) === n) n++; return n; };
  for (const [i, cheat] of [(pixels: readonly CanvasPixel[]) => enough(ada.welcome!.userId, pixels), (pixels: readonly CanvasPixel[]) => enough(own, pixels.slice(1)), tooLittle, () => null].entries()) {
    wrong = cheat;
    bob.draw([{ x: 100, y: 100 + i, colour: 1 }, { x: 101, y: 100 + i, colour: 1 }]);
    await until(() => expect(heard.length).toBe(2 * (i + 1)));
    expect(heard.slice(-2)).toEqual([expect.stringMatching(/begins with 12 zero bits$/), "proof_required"]);
    expect(bob.colourAt(100, 100 + i)).toBe(0xffffff);
  }
});
