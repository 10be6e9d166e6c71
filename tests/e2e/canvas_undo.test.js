// What was taken back on a canvas stays so, whoever takes back what is above it, over kill -9; and an export from a server that is busy.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import path from "node:path";
import { test } from "node:test";
import { JsonClient, startCanvas } from "./support/canvas.js";
import { BINARY, temporaryFolder } from "./support/fanfare.js";
import { run } from "./support/processes.js";

const MODERATORS = `
access:
  anonymousRoles: [drawer]
  roles: [{ id: drawer, canvas: { view: [main], draw: [main], moderate: [main] } }]
`;

test("a stroke that was taken back stays so when others take back what is above or beneath it", async (t) => {
  const file = path.join(temporaryFolder(t), "main.canvas");
  const rooms = `{ name: main, width: 300, height: 300, file: "${file}", sync: full }`;
  let canvas = await startCanvas(t, rooms, { more: MODERATORS });
  let number = 0;
  const asked = async (client, message) => {
    const id = ++number;
    client.send({ ...message, id });
    return (await client.take("ok", (answer) => answer.id === id)).count;
  };
  let moderator = await JsonClient.open(t, `${canvas.base}/main`);
  const shown = async (x) => {
    moderator.send({ type: "watch", x, y: 1, width: 1, height: 1 });
    const { pixels } = await moderator.take("canvas_state", (state) => state.x === x && state.complete);
    return pixels[0]?.color ?? null;
  };
  const a = await JsonClient.open(t, `${canvas.base}/main`);
  const b = await JsonClient.open(t, `${canvas.base}/main`);
  for (const x of [1, 2, 3]) {
    await a.draw(x, 1, "#ff0000");
    await b.draw(x, 1, "#00ff00");
  }
  // At 3, b takes his stroke back and a draws over it.
  assert.equal(await asked(b, { type: "undo" }), 1);
  await a.draw(3, 1, "#0000ff");
  assert.equal(await asked(moderator, { type: "undo_area", x: 1, y: 1, width: 1, height: 1, since_ms: 1 }), 1);
  // Both at once: the second one sees what the first one takes back.
  moderator.send({ type: "undo_user", user_id: a.welcome.user_id, id: "a" });
  moderator.send({ type: "undo_user", user_id: b.welcome.user_id, id: "b" });
  assert.equal((await moderator.take("ok", ({ id }) => id === "a")).count, 1);
  assert.equal((await moderator.take("ok", ({ id }) => id === "b")).count, 1);
  for (const x of [1, 2, 3]) assert.equal(await shown(x), null, `${x}`);
  await a.draw(4, 1, "#ff0000");
  await b.draw(4, 1, "#00ff00");
  assert.equal(await asked(moderator, { type: "undo_user", user_id: a.welcome.user_id }), 0);
  await canvas.program.stop("SIGKILL");
  canvas = await startCanvas(t, rooms, { more: MODERATORS });
  moderator = await JsonClient.open(t, `${canvas.base}/main`);
  assert.equal(await shown(4), "#00ff00");
  assert.equal(await asked(moderator, { type: "undo_user", user_id: b.welcome.user_id }), 1);
  assert.equal(await shown(4), null, "what was beneath had been taken back");
});

test("an export waits for a server that is busy, if it says when to come again", async (t) => {
  const canvas = await startCanvas(t, "{ name: main, width: 20, height: 20 }");
  const answers = [];
  let retryAfter = "1";
  const busy = createServer(async (request, response) => {
    if (request.url.includes("image.png") && answers.push(request.url) === 1) {
      response.writeHead(429, { "Retry-After": retryAfter }).end("later\n");
      return;
    }
    const answer = await fetch(canvas.health + request.url);
    response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
  });
  busy.listen(0, "127.0.0.1");
  await once(busy, "listening");
  t.after(() => {
    busy.close();
    busy.closeAllConnections();
  });
  const source = `http://127.0.0.1:${busy.address().port}/canvas/main`;
  const out = path.join(temporaryFolder(t), "out.png");
  const done = await run(BINARY, ["canvas", "export", source, "-o", out]);
  assert.deepEqual([done.code, done.stderr], [0, "\rthe server is busy (429), asking again in 1 s\n"]);
  assert.equal(answers.length, 2);
  answers.length = 0;
  retryAfter = "1000";
  const refused = await run(BINARY, ["canvas", "export", source, "-o", out]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /was answered 429: later/);
});
