// The canvas (docs/canvas.md): JSON and binary clients in one room, restarts, kill -9, slow readers, malformed messages, floods,
// moderation, a full disk and access control. Clients are written from the document.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import { BinaryClient, JsonClient, serverState, startCanvas } from "./support/canvas.js";
import { BINARY, metric, metricIs, startDevChain, temporaryFolder } from "./support/fanfare.js";
import { run } from "./support/processes.js";
import { until } from "./support/waiting.js";

const SMALL = "{ name: main, width: 300, height: 300 }";

// Rows of a PNG of ours: [r, g, b] by x and y.
function png(bytes) {
  assert.equal(bytes.toString("latin1", 0, 8), "\x89PNG\r\n\x1a\n");
  let at = 8;
  let [width, height, data] = [0, 0, Buffer.alloc(0)];
  while (at < bytes.length) {
    const size = bytes.readUInt32BE(at);
    const type = bytes.toString("latin1", at + 4, at + 8);
    const part = bytes.subarray(at + 8, at + 8 + size);
    if (type === "IHDR") [width, height] = [part.readUInt32BE(0), part.readUInt32BE(4)];
    if (type === "IDAT") data = Buffer.concat([data, part]);
    at += size + 12;
  }
  const raw = inflateSync(data);
  return { width, height, at: (x, y) => [...raw.subarray(y * (width * 3 + 1) + 1 + x * 3).subarray(0, 3)] };
}
async function image(canvas, query = "") {
  const response = await fetch(`${canvas.health}/canvas/main/image.png${query}`);
  assert.equal(response.status, 200, await response.clone().text().then((text) => text.slice(0, 200)));
  assert.equal(response.headers.get("content-type"), "image/png");
  return { caching: response.headers.get("cache-control"), ...png(Buffer.from(await response.arrayBuffer())) };
}
const info = async (canvas) => (await fetch(`${canvas.health}/canvas/main/info`)).json();

test("a development server has the room main, and JSON and binary clients meet in it", async (t) => {
  const fanfare = await startDevChain(t);
  const url = `${fanfare.http.replace(/^http/, "ws").replace(/\/$/, "")}/canvas/main`;
  const about = await info({ health: fanfare.http.replace(/\/$/, "") });
  assert.deepEqual([about.width, about.height, about.palette, about.first_ms], [1000, 1000, null, null]);
  const json = await JsonClient.open(t, `${url}?name=Ann&color=00ff00&session=aaaaaaaa`);
  assert.equal(json.welcome.room, "main");
  assert.deepEqual(json.welcome.may, ["draw"]);
  assert.deepEqual(await json.state(), {});
  const binary = await BinaryClient.open(t, `${url}?name=Bob`);
  binary.watch();
  await binary.watched(16);
  assert.equal((await json.draw(3, 4, "#ff0000")).type, "ok");
  assert.equal((await json.take("pixel_changed")).color, "#ff0000");
  await until("the pixel", () => binary.at(3, 4) === 0xff0000);
  assert.deepEqual(await binary.draw(7, [[999, 999, 0x0000ff], [5, 5, 0x00ff00]]), { type: "ack", request: 7, accepted: 2, status: 0, retryAfter: 0 });
  assert.equal(binary.at(999, 999), 0x0000ff, "the ACK comes behind the TICK");
  assert.equal((await json.take("pixel_changed", ({ x }) => x === 999)).user_id, binary.inbox.userId ?? "u2");
  // Somebody who comes later sees the same.
  const late = await JsonClient.open(t, url);
  assert.deepEqual(await late.state(), { "3,4": "#ff0000", "5,5": "#00ff00", "999,999": "#0000ff" });
  assert.equal(await serverState(t, url), binary.state);
  // Cursors go to others only.
  json.send({ type: "cursor_move", x: 10, y: 20 });
  const cursors = await binary.take("cursors", ({ moves }) => moves.some(({ x, y }) => x === 10 && y === 20));
  assert.equal(cursors.moves.length, 1);
  assert.deepEqual(binary.faults, []);
  await metricIs(3, { health: fanfare.http.replace(/\/$/, "") }, "fanfare_canvas_pixels_total", { room: "main" });
});

test("a returning client gets what it lacks, and a CURRENT for what it has", async (t) => {
  const canvas = await startCanvas(t, SMALL);
  const writer = await BinaryClient.open(t, `${canvas.base}/main`);
  writer.watch();
  await writer.watched();
  await writer.draw(1, [[1, 1, 1], [299, 299, 2]]);
  const first = await BinaryClient.open(t, `${canvas.base}/main`);
  first.watch();
  await first.watched();
  first.socket.terminate();
  await writer.draw(2, [[2, 1, 3]]);
  const back = await BinaryClient.open(t, `${canvas.base}/main`);
  back.chunks = first.chunks;
  back.watch(undefined, [...first.chunks].map(([key, { version }]) => [key, version]));
  await until("the same as the writer", () => back.state === writer.state);
  assert.equal(back.wholeChunks, 0);
  // One that knows versions of another epoch gets everything.
  back.epoch += 2n;
  back.watch([0, 0, 0, 0]);
  back.watch(undefined, [["1,1", 1]]);
  await until("whole chunks", () => back.wholeChunks === 3);
  assert.deepEqual([...back.faults, ...writer.faults], []);
});

test("what was drawn survives a restart, and its past too", async (t) => {
  const file = path.join(temporaryFolder(t), "main.canvas");
  const rooms = `{ name: main, width: 300, height: 300, file: "${file}" }`;
  let canvas = await startCanvas(t, rooms);
  let client = await BinaryClient.open(t, `${canvas.base}/main`);
  client.watch();
  await client.watched();
  await client.draw(1, [[1, 1, 0xff0000]]);
  const { last_ms: first } = await info(canvas);
  await until("another millisecond", () => Date.now() > first);
  await client.draw(2, [[1, 1, 0x00ff00]]);
  const { epoch, state } = client;
  const { last_ms: second } = await info(canvas);
  await canvas.program.stop();
  canvas = await startCanvas(t, rooms);
  client = await BinaryClient.open(t, `${canvas.base}/main`);
  client.watch();
  await client.watched();
  assert.equal(client.epoch, epoch);
  assert.equal(client.state, state);
  assert.deepEqual(await info(canvas).then(({ first_ms, last_ms, pixels }) => [first_ms, last_ms, pixels]), [first, second, 2]);
  assert.deepEqual((await image(canvas)).at(1, 1), [0, 255, 0]);
  const past = await image(canvas, `?at=${first}`);
  assert.deepEqual(past.at(1, 1), [255, 0, 0]);
  assert.equal(past.caching, "public, max-age=31536000, immutable");
  assert.deepEqual((await image(canvas, `?at=${first - 1}`)).at(1, 1), [255, 255, 255]);
  const part = await image(canvas, `?at=${first}&x=1&y=1&width=2&height=3`);
  assert.deepEqual([part.width, part.height, part.at(0, 0), part.at(1, 0)], [2, 3, [255, 0, 0], [255, 255, 255]]);
  for (const query of ["?x=300", "?width=0", "?width=301", "?at=yesterday", "?x=-1"]) {
    assert.equal((await fetch(`${canvas.health}/canvas/main/image.png${query}`)).status, 400, query);
  }
  assert.equal((await fetch(`${canvas.health}/canvas/other/image.png`)).status, 404);
  assert.equal((await fetch(`${canvas.health}/canvas/main`)).status, 426);
});

test("fanfare canvas export makes pictures of a server's room and of its file", async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, "main.canvas");
  const canvas = await startCanvas(t, `{ name: main, width: 300, height: 300, file: "${file}" }`);
  const client = await BinaryClient.open(t, `${canvas.base}/main`);
  client.watch();
  await client.watched();
  await client.draw(1, [[1, 1, 0xff0000]]);
  const { last_ms: first } = await info(canvas);
  await until("another millisecond", () => Date.now() > first);
  await client.draw(2, [[1, 1, 0x00ff00]]);
  for (const source of [`${canvas.health}/canvas/main`, file]) {
    const out = path.join(folder, "out.png");
    const one = await run(BINARY, ["canvas", "export", source, "--at", String(first), "-o", out]);
    assert.deepEqual([one.code, one.stderr], [0, ""]);
    assert.deepEqual(png(readFileSync(out)).at(1, 1), [255, 0, 0]);
    const many = await run(BINARY, ["canvas", "export", source, "--frames", "3", "--area", "0,0,3,3", "-o", path.join(folder, "f%d.png")]);
    assert.equal(many.code, 0, many.stderr);
    assert.deepEqual([0, 2].map((n) => png(readFileSync(path.join(folder, `f${n}.png`))).at(1, 1)), [[255, 0, 0], [0, 255, 0]]);
    const film = await run(BINARY, ["canvas", "export", source, "--frames", "2", "-o", out]);
    assert.equal(film.code, 0, film.stderr);
    assert.match(readFileSync(out).toString("latin1"), /acTL\0\0\0\x02/);
  }
  const wrong = await run(BINARY, ["canvas", "export", `${canvas.health}/canvas/other`, "-o", "x"]);
  assert.deepEqual([wrong.code, wrong.stderr.includes("was answered 404: no such room")], [1, true]);
});

test("with sync: full, kill -9 loses nothing that was acknowledged, and versions go on", async (t) => {
  const file = path.join(temporaryFolder(t), "main.canvas");
  const rooms = `{ name: main, width: 300, height: 300, file: "${file}", sync: full, pixelsPerSecond: 100000, pixelsPerSecondPerAddress: 100000 }`;
  let canvas = await startCanvas(t, rooms);
  const watcher = await BinaryClient.open(t, `${canvas.base}/main`);
  watcher.watch();
  await watcher.watched();
  const { epoch } = watcher;
  const expected = new Map();
  for (let round = 0; round < 5; ++round) {
    const client = await BinaryClient.open(t, `${canvas.base}/main`);
    client.watch();
    await client.watched();
    assert.equal(client.epoch, epoch, "nothing that was shown was lost");
    for (const [place, colour] of expected) {
      const [x, y] = place.split(",").map(Number);
      assert.equal(client.at(x, y), colour, place);
    }
    // Several writers, killed in the middle.
    const drawing = (async () => {
      for (let request = 1; ; ++request) {
        const [x, y, colour] = [(request * 7 + round) % 300, (request * 13) % 300, round * 1000 + request];
        const ack = await client.draw(request, [[x, y, colour]]);
        if (ack.accepted === 1) expected.set(`${x},${y}`, colour);
      }
    })().catch(() => {});
    await until("some pixels", () => client.inbox.ended || expected.size > (round + 1) * 20);
    await canvas.program.stop("SIGKILL");
    await drawing;
    canvas = await startCanvas(t, rooms);
  }
  // A client from before the first kill goes on from its versions.
  const back = await BinaryClient.open(t, `${canvas.base}/main`);
  back.chunks = watcher.chunks;
  back.watch(undefined, [...watcher.chunks].map(([key, { version }]) => [key, version]));
  const state = await serverState(t, `${canvas.base}/main`);
  await until("the server's state", () => back.state === state);
  assert.deepEqual([...watcher.faults, ...back.faults], []);
});

test("malformed messages are answered, and nobody else notices", async (t) => {
  const canvas = await startCanvas(t, SMALL);
  const other = await BinaryClient.open(t, `${canvas.base}/main`);
  other.watch();
  await other.watched();
  const binary = await BinaryClient.open(t, `${canvas.base}/main`);
  const hex = (text) => Buffer.from(text.replace(/ /g, ""), "hex");
  for (const [message, status] of [
    ["", 1],
    ["7f", 1],
    ["01 01 00", 1],
    ["01 01 02 0000 0000 000000", 1],
    ["01 ffffffffffff 01", 1],
    ["02 00 00 02 00 0000000000000000 00", 2],
    ["03 09 09", 2],
    ["04 ffff 0000", 2],
    ["05 01 00", 1],
  ]) {
    binary.socket.send(hex(message));
    assert.equal((await binary.take("error")).status, status, message);
  }
  assert.deepEqual(await binary.draw(1, [[1, 1, 5], [300, 1, 5], [2, 2, 5]]), { type: "ack", request: 1, accepted: 1, status: 2, retryAfter: 0 });
  const json = await JsonClient.open(t, `${canvas.base}/main`);
  for (const [text, code] of [
    ["{", "not_json"],
    ["[]", "bad_message"],
    ['{"type":"dance"}', "unknown_type"],
    ['{"type":"pixel_update","x":-1,"y":0,"color":"#000000"}', "out_of_range"],
    ['{"type":"pixel_update","x":1.5,"y":0,"color":"#000000"}', "out_of_range"],
    ['{"type":"pixel_update","x":1e999,"y":0,"color":"#000000"}', "out_of_range"],
    ['{"type":"pixel_update","x":300,"y":0,"color":"#000000"}', "out_of_range"],
    ['{"type":"pixel_update","x":1,"y":0,"color":"red"}', "bad_message"],
    [`{"type":"ping","id":"${"x".repeat(70_000)}"}`, "message_too_big"],
    ['{"type":"ban","user_id":"u1","seconds":1}', "not_permitted"],
    ['{"type":"who","x":1,"y":1}', "not_permitted"],
    ['{"type":"authenticate","token":"t"}', "not_authenticated"],
  ]) {
    json.socket.send(text);
    assert.equal((await json.take("error")).code, code, text.slice(0, 80));
  }
  json.send({ type: "ping", id: 5 });
  assert.equal((await json.take("pong")).id, 5);
  await until("the one good pixel", () => other.at(1, 1) === 5);
  assert.deepEqual(other.faults, []);
  const big = await JsonClient.open(t, `${canvas.base}/main`);
  big.socket.send("x".repeat(65_536 * 16 + 1));
  assert.equal((await big.closed).code, 1009);
});

test("floods: rates with an exact wait, and 1008 for far too many messages", async (t) => {
  const canvas = await startCanvas(t, "{ name: main, width: 300, height: 300, pixelsPerSecond: 5, pixelsBurst: 5, limits: { messagesPerSecond: 50 } }");
  const client = await BinaryClient.open(t, `${canvas.base}/main`);
  client.watch();
  await client.watched();
  const ack = await client.draw(1, Array.from({ length: 10 }, (_, x) => [x, 0, 1]));
  assert.deepEqual([ack.accepted, ack.status], [5, 3]);
  assert.ok(ack.retryAfter > 0 && ack.retryAfter <= 200, `${ack.retryAfter}`);
  let request = 1;
  await until("a pixel after the wait", async () => (await client.draw(++request, [[9, 9, 9]])).accepted === 1, { everyMs: ack.retryAfter });
  const flooder = await JsonClient.open(t, `${canvas.base}/main`);
  for (let i = 0; i < 1000; ++i) flooder.send({ type: "ping" });
  assert.equal((await flooder.take("error")).code, "too_many_messages");
  assert.equal((await flooder.closed).code, 1008);
  assert.deepEqual(client.faults, []);
});

const FAST = `pixelsPerSecond: 1000000, pixelsBurst: 60000000, pixelsPerSecondPerAddress: 1000000, pixelsBurstPerAddress: 60000000,
  limits: { messagesPerSecond: 10000 }`;

// Draws noise, so that each tick is large.
async function drawNoise(writer, request) {
  const any = (below) => Math.floor(Math.random() * below);
  for (let i = 0; i < 10; ++i) writer.pixels(0, Array.from({ length: 4000 }, () => [any(512), any(512), any(0xffffff)]));
  await writer.draw(request, [[any(512), any(512), any(0xffffff)]]);
}

test("a slow reader catches up without a gap", async (t) => {
  const canvas = await startCanvas(t, `{ name: main, width: 512, height: 512, ${FAST} }`);
  const writer = await BinaryClient.open(t, `${canvas.base}/main`);
  writer.watch();
  await writer.watched(4);
  const slow = await BinaryClient.open(t, `${canvas.base}/main`);
  slow.watch();
  await slow.watched(4);
  slow.socket.pause();
  let request = 0;
  await until("ticks are skipped", async () => {
    await drawNoise(writer, ++request);
    return (await metric(canvas, "fanfare_canvas_ticks_skipped_total", { room: "main" })) > 5;
  }, { everyMs: 0 });
  slow.socket.resume();
  await until("the slow one has all", () => slow.state === writer.state);
  await writer.draw(++request, [[1, 1, 77]]);
  await until("and goes on", () => slow.state === writer.state);
  assert.deepEqual([...slow.faults, ...writer.faults], []);
});

test("a client that takes nothing is closed, and nobody else notices", async (t) => {
  const canvas = await startCanvas(t, `{ name: main, width: 512, height: 512, ${FAST} }`, { server: ", websocket: { slowTimeout: 500ms }" });
  const writer = await BinaryClient.open(t, `${canvas.base}/main`);
  writer.watch();
  await writer.watched(4);
  const stuck = await BinaryClient.open(t, `${canvas.base}/main`);
  stuck.watch();
  await stuck.watched(4);
  stuck.socket.pause();
  let request = 0;
  await until("it is closed", async () => {
    await drawNoise(writer, ++request);
    return (await metric(canvas, "fanfare_canvas_slow_closed_total", { room: "main" })) === 1;
  }, { everyMs: 0 });
  stuck.socket.resume();
  await stuck.closed;
  assert.equal((await writer.draw(++request, [[1, 1, 1]])).accepted, 1);
  assert.deepEqual([...stuck.faults, ...writer.faults], []);
});

test("moderators see who drew, take it back and ban; others may not", async (t) => {
  const access = `
access:
  roles:
    - { id: viewer, canvas: { view: [main] } }
    - { id: drawer, canvas: { draw: [main] } }
    - { id: moderator, canvas: { moderate: ["*"] } }
  keys:
    - { id: anna, roles: [drawer], key: "key-of-anna-0123456789" }
    - { id: mod, roles: [moderator], key: "key-of-mod-0123456789" }
    - { id: view, roles: [viewer], key: "key-of-view-0123456789" }
    - { id: nobody, roles: [nothing], key: "key-of-nobody-0123456789" }
`.replace("  keys:", "    - { id: nothing, canvas: { view: [secret] } }\n  keys:");
  const canvas = await startCanvas(t, `${SMALL}, { name: secret, width: 10, height: 10 }`, { more: access });
  const as = (name, room = "main") => [t, `${canvas.base}/${room}`, { headers: { authorization: `Bearer key-of-${name}-0123456789` } }];
  const status = async (name, url) =>
    (await fetch(`${canvas.health}/canvas/${url}`, { headers: name ? { authorization: `Bearer key-of-${name}-0123456789` } : {} })).status;
  assert.deepEqual([await status(null, "main/info"), await status("view", "main/info"), await status("nobody", "main/info")], [401, 200, 404]);
  const anna = await JsonClient.open(...as("anna"));
  const tab = await JsonClient.open(...as("anna"));
  assert.equal(anna.welcome.user_id, tab.welcome.user_id, "two connections of one identity are one user");
  assert.deepEqual(anna.welcome.may, ["draw"]);
  const viewer = await JsonClient.open(...as("view"));
  assert.deepEqual(viewer.welcome.may, []);
  assert.equal((await viewer.draw(1, 1, "#111111")).code, "not_permitted");
  await anna.draw(1, 1, "#aa0000");
  await anna.draw(2, 1, "#00aa00");
  const moderator = await JsonClient.open(...as("mod"));
  assert.deepEqual(moderator.welcome.may, ["draw", "moderate"]);
  await moderator.draw(2, 1, "#0000aa");
  moderator.send({ type: "who", x: 2, y: 1, id: 1 });
  const { pixels } = await moderator.take("history");
  assert.deepEqual(pixels.map(({ color, user_id }) => [color, user_id]), [["#0000aa", moderator.welcome.user_id], ["#00aa00", anna.welcome.user_id]]);
  moderator.send({ type: "undo_user", user_id: anna.welcome.user_id, id: 2 });
  assert.equal((await moderator.take("ok", ({ id }) => id === 2)).count, 1);
  const fresh = await JsonClient.open(...as("view"));
  assert.deepEqual(await fresh.state(), { "2,1": "#0000aa" });
  moderator.send({ type: "ban", user_id: anna.welcome.user_id, seconds: 60, id: 3 });
  await moderator.take("ok", ({ id }) => id === 3);
  const refused = await tab.draw(3, 3, "#333333");
  assert.deepEqual([refused.code, refused.retry_after_ms > 50_000], ["not_permitted", true]);
  moderator.send({ type: "undo_area", x: 0, y: 0, width: 300, height: 300, since_ms: 1, id: 4 });
  assert.equal((await moderator.take("ok", ({ id }) => id === 4)).count, 1);
  const empty = await JsonClient.open(...as("view"));
  assert.deepEqual(await empty.state(), {});
});

test("a full disk refuses drawing, viewing goes on, and it recovers by itself", async (t) => {
  const file = path.join(temporaryFolder(t), "main.canvas");
  const rooms = `{ name: main, width: 300, height: 300, file: "${file}", sync: full, pixelsPerSecond: 100000, pixelsPerSecondPerAddress: 100000 }`;
  const canvas = await startCanvas(t, rooms, { through: ["bash", "-c", 'trap "" XFSZ; exec "$0" "$@"'] });
  const limit = (bytes) => execFileSync("prlimit", ["--pid", String(canvas.program.child.pid), `--fsize=${bytes}:unlimited`]);
  const client = await BinaryClient.open(t, `${canvas.base}/main`);
  client.watch();
  await client.watched();
  assert.equal((await client.draw(1, [[1, 1, 1]])).accepted, 1);
  limit(4096);
  let request = 1;
  client.pixels(++request, [[2, 2, 2]]);
  await until("drawing is refused", async () => {
    client.pixels(++request, [[3, 3, request]]);
    return client.inbox.items.some(({ status }) => status === 5);
  });
  // It is shown, and newcomers see it, too.
  const viewer = await BinaryClient.open(t, `${canvas.base}/main`);
  viewer.watch();
  await viewer.watched();
  assert.deepEqual([viewer.at(1, 1), viewer.at(2, 2)], [1, 2]);
  await metricIs(1, canvas, "fanfare_canvas_storage_failing", { room: "main" });
  assert.deepEqual((await image(canvas)).at(1, 1), [0, 0, 1]);
  limit("unlimited");
  await until("drawing works", async () => (await client.draw(++request, [[4, 4, 4]])).accepted === 1);
  assert.equal((await client.take("ack", (ack) => ack.request === 2)).accepted, 1);
  assert.equal(await metric(canvas, "fanfare_canvas_storage_failing", { room: "main" }), 0);
  assert.deepEqual([...client.faults, ...viewer.faults], []);
});
