// The client of the canvas: pixels, chunks, reconnects and what a server may get wrong.
import { expect, test } from "vitest";
import { CanvasError, type CanvasPixel, type RefusedPixels } from "../src/canvas.js";
import { REPAIRS_MAX } from "../src/canvas_store.js";
import { pack } from "../../../testing/canvas_bytes.js";
import { CanvasSocket } from "../../../testing/canvas_socket.js";
import { inflateHere } from "../src/canvas_inflate.js";
import { core, equal, open, pixel, serve, settle, tick } from "./canvas_fixture.js";

test("a client gets the canvas, then its changes, and proves that it has them", async () => {
  core.put(299, 279, 0x123456);
  core.put(0, 0, 1);
  core.tick();
  const client = open();
  expect(client.proof).toEqual({ isVerified: false, watched: 0, good: 0, checks: 0, repairs: 0 });
  await settle();
  expect(client.proof).toEqual({ isVerified: true, watched: 4, good: 4, checks: 4, repairs: 0 });
  equal(client);
  core.put(5, 6, 7);
  await tick();
  expect(client.colourAt(5, 6)).toBe(7);
  expect(client.proof).toMatchObject({ isVerified: true, checks: 5, repairs: 0 });
  equal(client);
});

test("a room with a palette", async () => {
  serve({ palette: [0x000000, 0xffffff, 0xff0000], background: 0xffffff });
  core.put(3, 3, 2);
  core.tick();
  const client = open();
  await settle();
  expect([client.colourAt(0, 0), client.colourAt(3, 3), client.rgbOf(2)]).toEqual([1, 2, 0xff0000]);
  client.draw([pixel(4, 4, 0)]);
  await settle(20);
  await tick();
  expect(core.colourAt(4, 4)).toBe(0);
  equal(client);
  expect(client.proof.isVerified).toBe(true);
});

test("own pixels are shown at once, sent together, and dropped when the server has them", async () => {
  const client = open();
  const other = open();
  await settle();
  const shown: number[][] = [];
  const accepted: CanvasPixel[] = [];
  client.listen({ accepted: (pixels) => accepted.push(...pixels), pixels: (chunk, indices) => shown.push([chunk.cx, chunk.cy, ...(indices ?? [-1])]) });
  expect(client.draw([pixel(1, 1), pixel(257, 2), pixel(300, 0), pixel(-1, 0), pixel(0.5, 0), pixel(NaN, 0)])).toBe(2);
  expect(shown).toEqual([[0, 0, 257], [1, 0, 513]]);
  expect([client.colourAt(1, 1), client.pending, core.colourAt(1, 1)]).toEqual([0xff0000, 2, 0xffffff]);
  await settle(20);
  expect(core.counts[0x01]).toBe(1);
  expect(client.pending).toBe(2);
  expect(accepted).toEqual([]);
  await tick();
  expect(client.pending).toBe(0);
  expect(accepted).toEqual([pixel(1, 1), pixel(257, 2)]);
  equal(client);
  equal(other);
});

test("a pixel drawn again before the answer stays until its own answer", async () => {
  const client = open();
  await settle();
  client.draw([pixel(1, 1, 1)]);
  await settle(20);
  client.draw([pixel(1, 1, 2)]);
  await tick();
  expect([client.colourAt(1, 1), client.pending]).toEqual([2, 1]);
  await settle(20);
  await tick();
  expect([client.colourAt(1, 1), client.pending]).toEqual([2, 0]);
  equal(client);
});

test.each(["too_many_pixels", "not_permitted", "storage_full"] as const)("what is refused with %s is taken back, and reported with the wait", async (status) => {
  const client = open();
  await settle();
  const refused: RefusedPixels[] = [];
  client.listen({ refused: (one) => refused.push(one) });
  core.refuse = status;
  client.draw([pixel(1, 1), pixel(2, 2)]);
  await settle(20);
  await tick();
  const retryAfterMs = status === "too_many_pixels" ? 400 : 0;
  expect(refused).toEqual([{ status, pixels: [pixel(1, 1), pixel(2, 2)], retryAfterMs }]);
  expect(client.nextAtMs > Date.now()).toBe(status === "too_many_pixels");
  equal(client);
  core.refuse = null;
  client.draw([pixel(3, 3)]);
  await settle(Math.max(0, retryAfterMs - 1));
  if (retryAfterMs) expect(core.colourAt(3, 3)).toBe(0xffffff);
  await settle(21);
  await tick();
  expect(core.colourAt(3, 3)).toBe(0xff0000);
});

test("a stroke faster than the room allows waits at the client, and none of it is refused", async () => {
  serve({ pixelsPerSecond: 100, pixelsBurst: 50 });
  const client = open();
  await settle();
  const refused: unknown[] = [];
  client.listen({ refused: (one) => refused.push(one) });
  expect(client.draw(Array.from({ length: 200 }, (_, i) => pixel(i, 0)))).toBe(200);
  await settle(20);
  await tick();
  expect(client.pending).toBe(150);
  for (let i = 0; i < 100 && client.pending; i++) await tick(20);
  expect(client.pending).toBe(0);
  expect(refused).toEqual([]);
  equal(client);
});

test("a cooldown: one pixel, then none until the exact time", async () => {
  serve({ cooldownMs: 5_000 });
  const client = open();
  await settle();
  expect(client.draw([pixel(1, 1), pixel(2, 2)])).toBe(1);
  await settle(1);
  expect(client.draw([pixel(2, 2)])).toBe(0);
  await tick();
  expect(client.nextAtMs - Date.now()).toBeLessThanOrEqual(5_000);
  await settle(client.nextAtMs - Date.now() - 1);
  expect(client.draw([pixel(2, 2)])).toBe(0);
  await settle(1);
  expect(client.draw([pixel(2, 2)])).toBe(1);
  await settle(1);
  await tick();
  expect(core.colourAt(2, 2)).toBe(0xff0000);
  equal(client);
});

test("proofs of a room that wants them: made one after the other, with what the room said, and refused without one", async () => {
  core.wants = '"42"';
  const wanted: (string | null)[] = [];
  const answers: ((value: string) => void)[] = [];
  const errors: CanvasError[] = [];
  const refused: RefusedPixels[] = [];
  const client = open({ proof: (pixels, said) => {
    wanted.push(said);
    return new Promise((resolve, reject) => answers.push((value) => value ? resolve(value) : reject(new Error("no miner"))));
  } });
  client.listen({ error: (error) => errors.push(error), refused: (one) => refused.push(one) });
  await settle();
  client.draw([pixel(1, 1, 1)]);
  await settle(20);
  client.draw([pixel(1, 1, 2)]);
  await settle(20);
  expect([answers.length, core.counts[0x06]]).toEqual([1, undefined]);
  answers[0]!("41");
  await settle();
  await tick();
  expect(refused).toMatchObject([{ status: "proof_required", pixels: [pixel(1, 1, 1)] }]);
  expect(errors[0]?.message).toBe('the proof is "42"');
  answers[1]!("42");
  await settle();
  await tick();
  expect([core.colourAt(1, 1), client.pending, core.counts[0x01]]).toEqual([2, 0, undefined]);
  client.draw([pixel(2, 2)]);
  await settle(20);
  answers[2]!("");
  await settle();
  expect(wanted).toEqual([null, 'the proof is "42"', 'the proof is "42"']);
  expect(errors.at(-1)?.message).toBe("no proof: no miner");
  expect([refused.length, client.pending]).toEqual([2, 0]);
  equal(client);
});

test("a proof that is ready after the connection was lost draws nothing", async () => {
  let give: (value: string) => void = () => undefined;
  const client = open({ proof: () => new Promise((resolve) => { give = resolve; }) });
  const refused: RefusedPixels[] = [];
  client.listen({ refused: (one) => refused.push(one) });
  await settle();
  client.draw([pixel(1, 1)]);
  await settle(20);
  CanvasSocket.last.end();
  await settle(1000);
  expect(refused).toMatchObject([{ status: "connection_lost" }]);
  give("42");
  await settle();
  await tick();
  expect([core.counts[0x06], core.colourAt(1, 1)]).toEqual([undefined, 0xffffff]);
  equal(client);
});

test("undo takes back own pixels that nobody has drawn over", async () => {
  const client = open();
  await settle();
  client.draw([pixel(1, 1), pixel(2, 2), pixel(3, 3)]);
  await settle(20);
  core.put(3, 3, 9);
  await tick();
  const undone = client.undo(2);
  await settle();
  await tick();
  expect(await undone).toEqual({ changed: 2, status: "accepted", retryAfterMs: 0 });
  expect([client.colourAt(1, 1), client.colourAt(2, 2), client.colourAt(3, 3)]).toEqual([0xffffff, 0xffffff, 9]);
  equal(client);
});

test("after a reconnect only what is missing comes: ticks, or chunks, and nothing twice", async () => {
  const client = open();
  await settle();
  for (let i = 0; i < 3; i++) {
    core.put(i, i, i);
    await tick();
  }
  CanvasSocket.last.end();
  core.put(9, 9, 9);
  core.tick();
  core.put(270, 9, 9);
  core.tick();
  const frames: number[] = [];
  core.fault = (frame) => { frames.push(frame[0]!); return frame; };
  await settle(100);
  // WELCOME, PRESENCE, a TICK for each of two chunks, CURRENT for the other two.
  expect(frames).toEqual([0x81, 0x87, 0x84, 0x84, 0x83]);
  expect(client.proof).toMatchObject({ isVerified: true, watched: 4, good: 4, repairs: 0 });
  equal(client);
  CanvasSocket.last.end();
  for (let i = 0; i < 20; i++) {
    core.put(i, 20, i);
    core.tick();
  }
  frames.length = 0;
  await settle(200);
  expect(frames).toEqual([0x81, 0x87, 0x82, 0x83]);
  expect(client.proof.isVerified).toBe(true);
  equal(client);
});

test("another epoch makes every version void", async () => {
  core.put(1, 1, 1);
  core.tick();
  const client = open();
  await settle();
  let resets = 0;
  client.listen({ reset: () => { resets++; } });
  CanvasSocket.last.end();
  core.newEpoch();
  await settle(100);
  expect([resets, client.proof.isVerified]).toEqual([1, true]);
  equal(client);
});

test("pixels without an answer are taken back when the connection is lost; those that were not sent follow", async () => {
  serve({ pixelsPerSecond: 1, pixelsBurst: 1 });
  const client = open();
  await settle();
  const refused: RefusedPixels[] = [];
  client.listen({ refused: (one) => refused.push(one) });
  client.draw([pixel(1, 1), pixel(2, 2)]);
  await settle(20);
  CanvasSocket.last.end();
  expect(refused).toEqual([{ status: "connection_lost", pixels: [pixel(1, 1)], retryAfterMs: 0 }]);
  expect([client.colourAt(1, 1), client.colourAt(2, 2)]).toEqual([0xffffff, 0xff0000]);
  core.tick();
  await settle(200);
  await tick();
  expect([core.colourAt(1, 1), core.colourAt(2, 2)]).toEqual([0xff0000, 0xff0000]);
  equal(client);
});

test.each([
  ["a lost tick", (frame: Buffer) => (frame[0] === 0x84 ? null : frame)],
  ["a wrong hash", (frame: Buffer) => { if (frame[0] === 0x84) frame[5]! ^= 1; return frame; }],
])("%s: the chunk is fetched again, and only that one", async (_, fault) => {
  core.put(1, 1, 1);
  core.tick();
  const client = open();
  await settle();
  core.fault = (frame) => { const sent = fault(frame); if (frame[0] === 0x84) core.fault = null; return sent; };
  core.put(2, 2, 2);
  await tick();
  core.put(3, 3, 3);
  await tick();
  expect(client.proof).toMatchObject({ isVerified: true, repairs: 1 });
  expect(core.counts[0x03]).toBe(1);
  equal(client);
});

test("a chunk that cannot be inflated is fetched again; a server whose hashes never fit is left", async () => {
  core.put(1, 1, 1);
  core.tick();
  let spoiled = 0;
  core.fault = (frame) => {
    if (frame[0] === 0x82 && frame.length > 12 && spoiled++ === 0) frame[frame.length - 1]! ^= 0xff;
    return frame;
  };
  const client = open();
  await settle();
  expect(client.proof).toMatchObject({ isVerified: true, repairs: 1 });
  core.fault = (frame) => { if (frame[0] === 0x82 && frame.length > 12 || frame[0] === 0x84) frame[frame[0] === 0x82 ? 4 : 5]! ^= 1; return frame; };
  core.put(2, 2, 2);
  await tick();
  expect(client.state).toBe("waiting");
  expect(client.error?.message).toContain("do not fit");
  expect(client.proof.repairs).toBe(REPAIRS_MAX + 1);
  core.fault = null;
  await settle(500);
  expect(client.proof.isVerified).toBe(true);
  equal(client);
});

test("a malformed message, or a chunk outside of the canvas: another connection", async () => {
  const client = open();
  await settle();
  core.broadcast(pack(["u8", 0x85], ["u8", 1]));
  await settle();
  expect([client.state, client.error?.message]).toEqual(["waiting", "the server sent a malformed message: the message is too short"]);
  await settle(100);
  expect(client.proof.isVerified).toBe(true);
  core.broadcast(pack(["u8", 0x82], ["u8", 9], ["u8", 0], ["varint", 0], ["u64", 0]));
  await settle();
  expect(client.error?.message).toContain("outside of the canvas");
  await settle(1_000);
  expect(client.state).toBe("connected");
});

test("a server that speaks JSON only is reported", async () => {
  const client = open();
  await settle();
  for (const session of core.sessions) session.sendText({ type: "welcome", user_id: "u1" });
  await settle();
  expect(client.error?.message).toContain("does not speak fanfare.canvas.v1");
});

test("watching an area: only its chunks come; coming back costs what changed", async () => {
  serve({ width: 2000, height: 2000 });
  const client = open();
  await settle();
  // Too large to be watched as a whole.
  expect(client.proof.watched).toBe(0);
  core.put(10, 10, 1);
  core.put(1000, 1000, 2);
  core.tick();
  client.watch({ x: -50, y: 0.5, width: 300, height: 20 });
  await settle();
  expect([client.proof.watched, client.colourAt(10, 10), client.colourAt(1000, 1000)]).toEqual([1, 1, undefined]);
  client.watch({ x: 900, y: 900, width: 300, height: 300 });
  await settle();
  expect([client.proof.watched, client.colourAt(1000, 1000)]).toEqual([4, 2]);
  core.put(11, 11, 3);
  await tick();
  expect(client.colourAt(11, 11)).toBe(0xffffff);
  const frames: number[] = [];
  core.fault = (frame) => { frames.push(frame[0]!); return frame; };
  client.watch({ x: 0, y: 0, width: 10, height: 10 });
  await settle();
  expect([frames, client.colourAt(11, 11), client.proof.isVerified]).toEqual([[0x84], 3, true]);
  // The same chunk: nothing to ask.
  client.watch({ x: 5, y: 5, width: 20, height: 20 });
  client.watch({ x: 5000, y: 0, width: 20, height: 20 });
  expect(core.counts[0x02]).toBe(3);
});

test("moderators ask as JSON; what is not permitted is an error with its code; a lost connection ends every request", async () => {
  const client = open();
  await settle();
  const refused = client.request({ type: "undo_user", user_id: "u1" });
  await expect(refused.catch((error: CanvasError) => [error.code, error instanceof CanvasError])).resolves.toEqual(["not_permitted", true]);
  core.permissions = 3;
  CanvasSocket.last.end();
  await settle(100);
  expect(client.welcome?.mayModerate).toBe(true);
  client.draw([pixel(4, 4)]);
  await settle(20);
  await tick();
  const seen = client.request({ type: "who", x: 4, y: 4 });
  await settle();
  expect(await seen).toMatchObject({ type: "history", pixels: [{ user_id: client.welcome?.userId, color: "#ff0000" }] });
  const asked = client.request({ type: "undo_user", user_id: client.welcome!.userId });
  await settle();
  expect(await asked).toMatchObject({ count: 1 });
  const lost = client.undo();
  CanvasSocket.last.end();
  await expect(lost).rejects.toThrow("connection was lost");
  await expect(client.undo()).rejects.toThrow("no connection");
});

test("a silent server is left: the ping is a text that it answers", async () => {
  const client = open();
  await settle();
  CanvasSocket.isHeld = true;
  await settle(21_000);
  expect(CanvasSocket.all.length).toBe(2);
  expect(client.proof.isVerified).toBe(false);
  CanvasSocket.isHeld = false;
  await settle(2_000);
  await settle(60_000);
  expect([client.state, client.proof.isVerified]).toEqual(["connected", true]);
});

test("bytes that are inflated late do not replace what came after them", async () => {
  const latches: (() => void)[] = [];
  core.put(1, 1, 1);
  core.tick();
  const client = open({ inflate: async (bytes, size) => { await new Promise<void>((resolve) => { latches.push(resolve); }); return inflateHere(bytes, size); } });
  await settle();
  expect(client.proof).toMatchObject({ watched: 4, good: 3 });
  // Ticks wait for them.
  core.put(2, 2, 2);
  await tick();
  CanvasSocket.last.end();
  core.put(3, 3, 3);
  core.tick();
  await settle(100);
  expect(latches.length).toBe(2);
  latches[1]!();
  await settle();
  expect(client.proof.isVerified).toBe(true);
  latches[0]!();
  core.put(4, 4, 4);
  await tick();
  expect(client.proof).toMatchObject({ isVerified: true, repairs: 0 });
  equal(client);
});
