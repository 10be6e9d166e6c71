// Credentials in front of a real node: keys, passwords and tokens, over HTTP and WebSocket; the attacks that they must withstand.

import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";
import WebSocket from "ws";
import {
  ADMIN, JWT_SECRET, PASSWORD, POOR, READER, b64, basic, chainId, configFor, good, inSeconds, key, post,
  upgradeStatus, rpc, scrape, start, token,
} from "./support/access_gateway.js";
import { startAnvil } from "./support/anvil.js";
import { check, startFanfare, temporaryFolder, writeConfig } from "./support/fanfare.js";
import { RawSocket } from "./support/raw_socket.js";
import { until } from "./support/waiting.js";

test("a key in every form, and nobody without one", async (t) => {
  const fanfare = await start(t);
  const url = fanfare.http;

  await t.test("forms of a key over HTTP and WebSocket", async () => {
    const forms = [
      [url, key(READER)],
      [url, { authorization: `Bearer ${READER}` }],
      [url, { "X-ERPC-Secret-Token": READER }],
      [`${url}?apikey=${READER}`, {}],
      [`${url}?key=${READER}`, {}],
      [`${url}/${READER}`, {}],
      [url, basic("alice", PASSWORD)],
      [url, { authorization: `Bearer ${good()}` }],
    ];
    for (const [at, headers] of forms) {
      const answer = await post(at, chainId, headers);
      assert.equal(answer.status, 200, JSON.stringify([at, headers]));
      assert.equal(answer.json.result, "0x7a69");
      const raw = await RawSocket.open(at.replace("http:", "ws:"), { headers });
      assert.equal((await raw.ask("eth_chainId", [])).result, "0x7a69");
      raw.destroy();
    }
  });

  await t.test("without, wrong, contradicting, empty: 401 with the ways to authenticate", async () => {
    const bad = [
      [url, {}],
      [url, key("wrong-key-0123456789")],
      [url, key(READER.slice(0, -1))],
      [`${url}?apikey=${ADMIN}`, key(READER)],
      [url, { authorization: "Basic !!!" }],
      [url, basic("alice", "wrong")],
      [url, key("elsewhere-key-0123456789")],
    ];
    for (const [at, headers] of bad) {
      const answer = await post(at, chainId, headers);
      assert.equal(answer.status, 401, JSON.stringify([at, headers]));
      assert.equal(answer.json.error.code, -32001);
      assert.match(String(answer.headers["www-authenticate"]), /Bearer.*Basic/);
      assert.ok(!/reader-key|admin-key|wonder/.test(answer.text), answer.text);
    }
    // Without credentials the connection opens for its first message, and grants nothing until then.
    assert.equal(await upgradeStatus(fanfare.ws, key("wrong-key-0123456789")), 401);
  });

  await t.test("/metrics needs a role that grants it; /healthz and /readyz do not", async () => {
    assert.equal((await fetch(`${fanfare.health}/metrics`)).status, 401);
    // "*" is not enough: the page shows every project.
    assert.equal((await fetch(`${fanfare.health}/metrics`, { headers: key("poor-key-0123456789") })).status, 403);
    assert.equal((await fetch(`${fanfare.health}/healthz`)).status, 200);
    const text = await scrape(fanfare);
    assert.match(text, /fanfare_access_calls_total\{role="reader"\} [1-9]/);
    assert.match(text, /fanfare_access_denied_total\{reason="missing"\} [1-9]/);
    for (const secret of [READER, ADMIN, POOR, JWT_SECRET, PASSWORD]) assert.ok(!text.includes(secret));
  });

  await t.test("a preflight needs no credentials, and the page may read a 401", async () => {
    const origin = "http://localhost:3000";
    const preflight = await fetch(url, { method: "OPTIONS", headers: { origin } });
    assert.equal(preflight.status, 204);
    const answer = await post(url, chainId, { origin });
    assert.equal(answer.status, 401);
    assert.equal(answer.headers["access-control-allow-origin"], origin);
  });

  await t.test("no secret in the log or in what check prints", async () => {
    const output = fanfare.program.text;
    for (const secret of [READER, ADMIN, POOR, JWT_SECRET, PASSWORD]) assert.ok(!output.includes(secret));
  });
});

test("tokens: forged, expired, fresh ones on an open connection", async (t) => {
  const fanfare = await start(t);
  const status = async (value) => (await post(fanfare.http, chainId, { authorization: `Bearer ${value}` })).status;

  await t.test("what is not signed by the key is refused", async () => {
    const claims = { iss: "issuer.example", sub: "m", exp: inSeconds(600), roles: ["admin"] };
    assert.equal(await status(token(claims)), 200);
    for (const bad of [
      token(claims, { secret: "another secret of tokens that is long" }),
      token(claims, { header: { alg: "none" } }),
      `${b64('{"alg":"none"}')}.${b64(JSON.stringify(claims))}.`,
      token(claims, { header: { alg: "HS512" } }),
      token({ ...claims, exp: inSeconds(-1) }),
      token({ ...claims, nbf: inSeconds(60) }),
      token({ ...claims, iat: inSeconds(60) }),
      token({ ...claims, iss: "other.example" }),
      token({ ...claims, exp: undefined }),
      token(claims).slice(0, -1),
    ]) {
      assert.ok([401, 429].includes(await status(bad)), bad);
    }
  });

  await t.test("a connection ends with 1008 when its token does, and a fresh token prolongs it", async () => {
    // Long enough for what comes before the end, on a slow machine, too.
    const end = inSeconds(6);
    const short = await RawSocket.open(fanfare.ws, { headers: { authorization: `Bearer ${good({ exp: end })}` } });
    const kept = await RawSocket.open(fanfare.ws, { headers: { authorization: `Bearer ${good({ exp: end })}` } });
    assert.equal((await kept.ask("eth_chainId", [])).result, "0x7a69");
    assert.equal((await kept.ask("fanfare_authenticate", [good({ sub: "mallory" })])).error.code, -32001);
    assert.equal((await kept.ask("fanfare_authenticate", [good({ roles: ["admin"] })])).error.code, -32001);
    assert.equal((await kept.ask("fanfare_authenticate", ["nonsense"])).error.code, -32001);
    assert.equal((await kept.ask("fanfare_authenticate", [good()])).result, true);
    const { close, reason } = await short.frames.take("the close", (one) => one.close);
    assert.equal(close, 1008);
    assert.equal(reason, "the token has expired");
    assert.equal((await kept.ask("eth_chainId", [])).result, "0x7a69");
    kept.destroy();
  });

  await t.test("browsers: by a subprotocol that is never sent back, or by the first message", async () => {
    const socket = new WebSocket(fanfare.ws, ["fanfare", `fanfare.bearer.${good()}`]);
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    assert.equal(socket.protocol, "fanfare");
    socket.close();
    const raw = await RawSocket.open(fanfare.ws);
    assert.equal((await raw.ask("eth_chainId", [])).error.code, -32001);
    assert.equal((await raw.ask("eth_subscribe", ["newHeads"])).error.code, -32001);
    assert.equal((await raw.ask("fanfare_authenticate", [good()])).result, true);
    assert.equal((await raw.ask("eth_chainId", [])).result, "0x7a69");
    raw.destroy();
    // Over HTTP there is no connection to authenticate.
    assert.equal((await post(fanfare.http, rpc("fanfare_authenticate", [good()]), key(READER))).json.error.code, -32601);
  });
});

test("tokens signed by an issuer's RSA key and by a P-256 key of a JWK set", async (t) => {
  const anvil = await startAnvil(t);
  const folder = temporaryFolder(t);
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = rsa.publicKey.export({ type: "spki", format: "pem" });
  writeFileSync(path.join(folder, "poor"), POOR);
  writeFileSync(path.join(folder, "issuer.pem"), pem);
  writeFileSync(path.join(folder, "jwks"), JSON.stringify({ keys: [{ ...ec.publicKey.export({ format: "jwk" }), kid: "e", use: "sig" }] }));
  const keys = `publicKeyFile: ${path.join(folder, "issuer.pem")}\n    jwksFile: ${path.join(folder, "jwks")}`;
  const text = configFor(anvil, { folder }).replace(/secretFile: .*/, keys);
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, text)], { env: { ADMIN_KEY: ADMIN } });
  const signed = (header, key, claims = {}) => {
    const all = { iss: "issuer.example", sub: "carol", exp: inSeconds(600), ...claims };
    const head = `${b64(JSON.stringify(header))}.${b64(JSON.stringify(all))}`;
    const signature = typeof key === "string"
      ? createHmac("sha256", key).update(head).digest("base64url")
      : sign("sha256", Buffer.from(head), { key, dsaEncoding: "ieee-p1363" }).toString("base64url");
    return `${head}.${signature}`;
  };
  const status = async (value) => (await post(fanfare.http, chainId, { authorization: `Bearer ${value}` })).status;
  assert.equal(await status(signed({ alg: "RS256" }, rsa.privateKey)), 200);
  assert.equal(await status(signed({ alg: "ES256", kid: "e" }, ec.privateKey)), 200);
  for (const bad of [
    // The public key is no secret, in whatever form it is used as one.
    signed({ alg: "HS256" }, pem), signed({ alg: "HS256" }, pem.trim()), signed({ alg: "HS256", kid: "e" }, pem),
    signed({ alg: "ES256", kid: "e" }, stranger.privateKey), signed({ alg: "ES256", kid: "other" }, stranger.privateKey),
    signed({ alg: "RS256" }, ec.privateKey), signed({ alg: "RS256", jwk: stranger.publicKey.export({ format: "jwk" }) }, stranger.privateKey),
  ]) {
    assert.ok([401, 429].includes(await status(bad)), bad);
  }
  assert.equal(await status(signed({ alg: "RS256" }, rsa.privateKey)), 200);
});

test("a connection that does not authenticate in time is closed", async (t) => {
  const anvil = await startAnvil(t);
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, "poor"), POOR);
  writeFileSync(path.join(folder, "jwt"), JWT_SECRET);
  const text = configFor(anvil, { folder }).replace("firstMessageWithin: 60s", "firstMessageWithin: 1s");
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, text)], { env: { ADMIN_KEY: ADMIN } });
  const raw = await RawSocket.open(fanfare.ws);
  const { close, reason } = await raw.frames.take("the close", (one) => one.close);
  assert.deepEqual([close, reason], [1008, "credentials are required"]);
  await fanfare.program.line(/access_denied .*reason=missing.*peer=127\.0\.0\.1/);
  // Also of programs that look for somebody else at this port.
  assert.match(await scrape(fanfare), /fanfare_access_denied_total\{reason="missing"\} [1-9]/);
});

test("messages that come in part: little before the credentials, and within the limits after them", async (t) => {
  const anvil = await startAnvil(t);
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, "poor"), POOR);
  writeFileSync(path.join(folder, "jwt"), JWT_SECRET);
  const text = configFor(anvil, { folder }).replace("server: { httpPort: 0,",
    "server: { httpPort: 0, limits: { unfinishedBytesMax: 4194304 }, websocket: { messageTimeout: 2s },");
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, text)], { env: { ADMIN_KEY: ADMIN } });
  const authenticate = { jsonrpc: "2.0", id: 1, method: "fanfare_authenticate", params: [good()] };

  const stranger = await RawSocket.open(fanfare.ws);
  stranger.send(1, JSON.stringify({ ...authenticate, pad: "x".repeat(20_000) }));
  assert.equal((await stranger.frames.take("the close", (one) => one.close)).close, 1009);

  // As long a message is no problem once the credentials are known.
  const known = await RawSocket.open(fanfare.ws);
  known.sendJson(authenticate);
  assert.equal((await known.json()).result !== undefined, true);
  const pad = "x".repeat(300_000);
  const call = Buffer.from(JSON.stringify({ ...chainId, id: 2, pad }));
  known.send(1, call.subarray(0, 200_000), { fin: false });
  await until("it counts", async () => Number(/^fanfare_unfinished_bytes (\d+)/m.exec(await scrape(fanfare))[1]) >= 200_000);
  known.send(0, call.subarray(200_000));
  assert.equal((await known.json((one) => one.id === 2)).result, "0x7a69");
  assert.match(await scrape(fanfare), /^fanfare_unfinished_bytes 0$/m);

  // More than what is free, then one that stands still.
  known.send(1, "[" + "1,".repeat(1_900_000), { fin: false });
  assert.equal((await known.frames.take("the close", (one) => one.close)).close, 1013);
  assert.match(await scrape(fanfare), /^fanfare_unfinished_bytes_refusals_total [1-9]/m);
  const slow = await RawSocket.open(fanfare.ws, { headers: key(READER) });
  slow.send(1, "[", { fin: false });
  const { close, reason } = await slow.frames.take("the close", (one) => one.close);
  assert.deepEqual([close, reason], [1008, "a message took too long to arrive"]);
});

test("attacks on the way in", async (t) => {
  const fanfare = await start(t);
  const { port } = new URL(fanfare.http);
  const { pathname } = new URL(fanfare.http);
  // Everything the server says until it closes, or 2 answers.
  const raw = (text) =>
    new Promise((resolve) => {
      const socket = net.connect(Number(port), "127.0.0.1", () => socket.write(text));
      let all = "";
      socket.on("data", (part) => (all += part.toString("latin1")));
      socket.once("close", () => resolve(all));
      socket.once("error", () => resolve(all));
    });

  await t.test("a header with a line end inside is no header", async () => {
    const body = JSON.stringify(chainId);
    const request = (field) =>
      `POST ${pathname} HTTP/1.1\r\nHost: localhost\r\n${field}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
    assert.match(await raw(request(`X-Api-Key: ${READER}`)), /^HTTP\/1\.1 200/);
    assert.match(await raw(request(`X-Api-Key: wrong\nX-Api-Key: ${READER}`)), /^HTTP\/1\.1 40[01]/);
    assert.match(await raw(request(`X-Api-Key : ${READER}`)), /^HTTP\/1\.1 400/);
    assert.match(await raw(request(`X-Other: a\r\n X-Api-Key: ${READER}`)), /^HTTP\/1\.1 40[01]/);
    assert.match(await raw(request(`Authorization: Bearer ${"a".repeat(20_000)}`)), /^HTTP\/1\.1 431/);
    assert.match(await raw(request(`X-Api-Key: ${READER}\r\nX-Api-Key: ${ADMIN}`)), /^HTTP\/1\.1 401/);
  });

  await t.test("a foreign Host or Origin is refused even with a key", async () => {
    assert.equal((await post(fanfare.http, chainId, { ...key(READER), host: "evil.example" })).status, 403);
    assert.equal((await post(fanfare.http, chainId, { ...key(READER), origin: "https://evil.example" })).status, 403);
    assert.equal(await upgradeStatus(fanfare.ws, { ...key(READER), Origin: "https://evil.example" }), 403);
  });

  await t.test("guessing passwords is slowed and logged; keys of the same address still work", async () => {
    // Ten at once, and one more each second: in parallel they come faster than that on any machine.
    const begun = performance.now();
    const attempts = [];
    const guess = (i) => post(fanfare.http, chainId, basic("alice", `guess-${i}`)).then((answer) => attempts.push(answer));
    await until("some are refused unseen", async () => {
      await Promise.all(Array.from({ length: 30 }, (_, i) => guess(i)));
      return attempts.some(({ status }) => status === 429);
    }, { everyMs: 0 });
    const seen = attempts.filter(({ status }) => status === 401).length;
    assert.ok(seen <= 10 + (performance.now() - begun) / 1000, `${seen} were looked at`);
    for (const { status, headers, json } of attempts) {
      assert.ok([401, 429].includes(status), String(status));
      if (status === 401) continue;
      assert.ok(Number(headers["retry-after"]) >= 1);
      assert.equal(json.error.code, -32005);
    }
    assert.equal((await post(fanfare.http, chainId, key(READER))).status, 200);
    await fanfare.program.line(/access_denied .*reason=unknown.*peer=127\.0\.0\.1/);
    await until("the right password is let in again", async () => {
      return (await post(fanfare.http, chainId, basic("alice", PASSWORD))).status === 200;
    }, { everyMs: 500 });
  });

  await t.test("the cookie file is private, works, and is removed at the end", async () => {
    const { readFileSync, statSync, existsSync } = await import("node:fs");
    const file = path.join(fanfare.folder, "cookie");
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const [user, password] = readFileSync(file, "utf8").split(":");
    assert.equal(user, "__cookie__");
    await until("200", async () => (await post(fanfare.http, rpc("anvil_nodeInfo"), basic(user, password))).status === 200, { everyMs: 500 });
    await fanfare.program.stop();
    assert.ok(!existsSync(file));
  });
});

test("fanfare check: safe by default, and no secret in its output", async (t) => {
  const anvil = { url: "http://127.0.0.1:1" };
  const project = `
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1 } }]
    upstreams: [{ id: a, endpoint: "${anvil.url}" }]
`;
  const open = await check(`server: { httpHost: "0.0.0.0" }${project}`, t);
  assert.equal(open.code, 2);
  assert.match(open.stderr, /server\.httpHost is open to other machines without TLS and access control/);
  assert.equal((await check(`server: { httpHost: "0.0.0.0", allowInsecurePublic: true }${project}`, t)).code, 0);

  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, "poor"), POOR);
  writeFileSync(path.join(folder, "jwt"), JWT_SECRET);
  const fine = await check(configFor(anvil, { folder }), t, { env: { ADMIN_KEY: ADMIN } });
  assert.equal(fine.code, 0, fine.stderr);
  const broken = [
    `access: ${ADMIN}`, `access: { roles: ${ADMIN} }`, `access: { roles: [${ADMIN}] }`, `access: { roles: [], keys: [${ADMIN}] }`,
    `access: { roles: [], keys: [{ id: a, roles: [], key: [${ADMIN}] }] }`, `access: { roles: [], keys: [{ id: a, roles: [], keyHash: ${ADMIN} }] }`,
    `access: { roles: [], users: [{ id: a, roles: [], passwordHash: ${ADMIN} }] }`, `access: { roles: [], jwt: ${ADMIN} }`,
    `access: { roles: [], jwt: { secret: ${ADMIN} } }`, `access: { roles: [], keys: [{ id: a, roles: [b], key: ${ADMIN} }] }`,
  ];
  for (const one of broken) {
    const result = await check(`${one}${project}`, t);
    assert.equal(result.code, 2, one);
    assert.ok(!`${result.stdout}${result.stderr}`.includes(ADMIN), `${one}: ${result.stderr}`);
  }
  for (const secret of [READER, ADMIN, POOR, JWT_SECRET]) assert.ok(!`${fine.stdout}${fine.stderr}`.includes(secret));
});
