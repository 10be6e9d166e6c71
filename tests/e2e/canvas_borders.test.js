// The canvas at the borders of the server, each with both protocols: clients behind an IPv6 network, TLS, and a file that is damaged.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";
import { BinaryClient, JsonClient, startCanvas } from "./support/canvas.js";
import { BINARY, temporaryFolder, writeConfig } from "./support/fanfare.js";
import { run, startFor } from "./support/processes.js";

// A client whose address the proxy's header says.
const from = (address, canvas) => ({
  createConnection: () => {
    const { hostname, port } = new URL(canvas.health);
    const socket = net.connect(Number(port), hostname);
    socket.write(`PROXY TCP6 ${address} 2001:db8::1 4711 80\r\n`);
    return socket;
  },
});

test("an IPv6 network of 64 bits is one address, whatever its clients speak, and another network is another", async (t) => {
  const canvas = await startCanvas(t, "{ name: main, width: 300, height: 300 }", { server: ", proxyProtocol: required", more: `
access:
  anonymousRoles: [drawer]
  roles:
    - { id: drawer, canvas: { view: [main], draw: [main] } }
    - { id: moderator, canvas: { view: [main], moderate: [main] } }
  keys: [{ id: mod, roles: [moderator], key: "key-of-mod-0123456789" }]
` });
  const url = `${canvas.base}/main`;
  const json = await JsonClient.open(t, url, from("2001:db8:1:2::a", canvas));
  const neighbour = await JsonClient.open(t, url, from("2001:db8:1:2:8000::b", canvas));
  const binary = await BinaryClient.open(t, url, from("2001:db8:1:2:ffff:ffff:ffff:ffff", canvas));
  const elsewhere = await BinaryClient.open(t, url, from("2001:db8:1:3::a", canvas));
  const moderator = await JsonClient.open(t, url, { ...from("2001:db8:2::1", canvas), headers: { authorization: "Bearer key-of-mod-0123456789" } });
  assert.equal((await json.draw(0, 0, "#ff0000")).type, "ok");
  assert.equal((await binary.draw(1, [[1, 1, 0xff0000]])).accepted, 1);
  // A ban holds for the user and for the address.
  moderator.send({ type: "ban", user_id: json.welcome.user_id, seconds: 3600, id: 1 });
  assert.equal((await moderator.take("ok")).id, 1);
  const refused = await neighbour.draw(2, 2, "#ff0000");
  assert.equal(refused.code, "not_permitted");
  assert.ok(refused.retry_after_ms > 3_000_000 && refused.retry_after_ms <= 3_600_000, `${refused.retry_after_ms}`);
  const ack = await binary.draw(2, [[3, 3, 0xff0000]]);
  assert.deepEqual([ack.accepted, ack.status], [0, 4]);
  assert.equal((await elsewhere.draw(3, [[4, 4, 0xff0000]])).accepted, 1);
});

test("over TLS", async (t) => {
  const folder = temporaryFolder(t);
  const [certificate, key] = ["cert.pem", "key.pem"].map((name) => path.join(folder, name));
  await run("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout", key, "-out", certificate]);
  const program = startFor(t, "fanfare", BINARY, ["serve", "--config", writeConfig(t, `
server: { httpPort: 0, tls: { certificateFile: "${certificate}", keyFile: "${key}" } }
canvas: { rooms: [{ name: main, width: 300, height: 300 }] }
`)]);
  const [, host] = await program.line(/^ {2}Canvas\s+wss:\/\/(\S+?)\/canvas\//);
  const options = { ca: readFileSync(certificate) };
  const json = await JsonClient.open(t, `wss://${host}/canvas/main`, options);
  await json.state();
  const binary = await BinaryClient.open(t, `wss://${host}/canvas/main`, options);
  binary.watch();
  await binary.watched(4);
  assert.equal((await json.draw(3, 4, "#010203")).type, "ok");
  assert.equal((await binary.draw(1, [[299, 299, 0x040506]])).accepted, 1);
  assert.equal((await json.take("pixel_changed", ({ x }) => x === 299)).color, "#040506");
  assert.equal(binary.at(3, 4), 0x010203);
  assert.deepEqual(binary.faults, []);
});

test("a damaged file ends the start with an error that names it, and nothing of it is served", async (t) => {
  const file = path.join(temporaryFolder(t), "main.canvas");
  const rooms = `{ name: main, width: 300, height: 300, file: "${file}", sync: full }`;
  const first = await startCanvas(t, rooms);
  const json = await JsonClient.open(t, `${first.base}/main`);
  assert.equal((await json.draw(3, 4, "#010203")).type, "ok");
  first.program.child.kill("SIGTERM");
  assert.equal((await first.program.exit).code, 0);
  const sound = readFileSync(file);
  // Every page but the first, which says that it is a room.
  writeFileSync(file, Buffer.concat([sound.subarray(0, 4096), Buffer.alloc(sound.length - 4096, 0xa5)]));
  const ended = await run(BINARY, ["serve", "--config", first.config]);
  assert.notEqual(ended.code, 0);
  assert.match(ended.stderr + ended.stdout, new RegExp(`room main: ${file}: the file of the room is damaged`));
  assert.doesNotMatch(ended.stdout, /Canvas +ws:/);
  writeFileSync(file, sound);
  const again = await startCanvas(t, rooms);
  assert.deepEqual(await (await JsonClient.open(t, `${again.base}/main`)).state(), { "3,4": "#010203" });
});
