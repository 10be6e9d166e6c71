// Client certificates: who they are, what they may do, and which are refused. TLS itself, as an attacker would test it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import tls from "node:tls";
import { promisify } from "node:util";
import WebSocket from "ws";
import { key, post, rpc } from "./support/access.js";
import { atEnd } from "./support/cleanup.js";
import { BINARY, check, temporaryFolder, writeConfig } from "./support/fanfare.js";
import { startFor } from "./support/processes.js";
import { until } from "./support/waiting.js";

const run = promisify(execFile);
const API_KEY = "some-key-0123456789";
const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
// Answered by the gateway itself, whether the node is there or not.
const chainId = rpc("eth_chainId");

// An authority that signs certificates of clients, in a folder of its own.
async function authority(t, name) {
  const folder = temporaryFolder(t);
  const file = (end) => path.join(folder, end);
  await run("openssl", ["req", "-x509", ...EC, "-subj", `/CN=${name}`, "-days", "2", "-keyout", file("ca.key"), "-out", file("ca.pem")]);
  writeFileSync(file("index.txt"), "");
  writeFileSync(file("serial"), "01\n");
  writeFileSync(file("crlnumber"), "01\n");
  writeFileSync(file("ca.cnf"), `[ca]\ndefault_ca=d\n[d]\ndatabase=${file("index.txt")}\nserial=${file("serial")}\ncrlnumber=${file("crlnumber")}
new_certs_dir=${folder}\ndefault_md=sha256\npolicy=p\nunique_subject=no\ncopy_extensions=none\n[p]\norganizationName=optional\ncommonName=supplied\n`);
  const ca = (parameters) => run("openssl", ["ca", "-config", file("ca.cnf"), "-cert", file("ca.pem"), "-keyfile", file("ca.key"), "-batch", ...parameters]);
  return {
    file: file("ca.pem"),
    crl: file("crl.pem"),
    // {cert, key} for TLS.
    issue: async (subject, dates = ["-days", "1"]) => {
      const stem = createHash("sha256").update(`${subject}${dates}`).digest("hex").slice(0, 8);
      await run("openssl", ["req", "-new", ...EC, "-subj", subject, "-keyout", file(`${stem}.key`), "-out", file(`${stem}.csr`)]);
      await ca(["-in", file(`${stem}.csr`), "-out", file(`${stem}.pem`), "-notext", ...dates]);
      return { cert: readFileSync(file(`${stem}.pem`)), key: readFileSync(file(`${stem}.key`)), file: file(`${stem}.pem`) };
    },
    revoke: async (certificate) => {
      if (certificate) await ca(["-revoke", certificate.file]);
      await ca(["-gencrl", "-crldays", "1", "-out", file("crl.pem")]);
    },
  };
}

async function start(t, { more = "", tlsMore = "", certificates }) {
  const folder = temporaryFolder(t);
  const [certificate, keyFile] = ["cert.pem", "key.pem"].map((name) => path.join(folder, name));
  await run("openssl", ["req", "-x509", ...EC, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2",
    "-keyout", keyFile, "-out", certificate]);
  const program = startFor(t, "fanfare", BINARY, ["serve", "--config", writeConfig(t, `
logLevel: info
server: { httpPort: 0, tls: { certificateFile: "${certificate}", keyFile: "${keyFile}"${tlsMore} } }
metrics: { port: 0 }
access:
  roles:
    - { id: caller, projects: [main], methods: [eth_chainId] }
    - { id: nobody, projects: [main], methods: [net_version] }
  keys: [{ id: program, roles: [caller], key: ${API_KEY} }]
${certificates}
${more}
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1 } }]
    upstreams: [{ id: nobody, endpoint: "http://127.0.0.1:9" }]
`)]);
  const [, base] = await program.line(/^ {2}WebSocket\s+wss:(\S+)/);
  const https = `https:${base}`;
  // {status, code}: of the answer, or {failed: the error of TLS}.
  const ask = async (options = {}, headers = {}) =>
    post(https, chainId, headers, { rejectUnauthorized: false, ...options }).then(
      ({ status, json }) => ({ status, code: json?.error?.code ?? 0 }),
      (error) => ({ failed: error.code ?? error.message }),
    );
  return { program, https, wss: `wss:${base}`, port: Number(new URL(https).port), ask };
}

test("client certificates: good, none, foreign, expired, revoked", async (t) => {
  const ca = await authority(t, "clients");
  const foreign = await authority(t, "clients");
  const [billing, other, late] = [await ca.issue("/O=Example/CN=billing"), await ca.issue("/CN=other"), await ca.issue("/CN=pinned")];
  const revoked = await ca.issue("/O=Example/CN=billing", ["-days", "2"]);
  const expired = await ca.issue("/CN=expired", ["-startdate", "20240101000000Z", "-enddate", "20240102000000Z"]);
  await ca.revoke(revoked);
  const pin = new X509Certificate(late.cert).fingerprint256;
  const gateway = await start(t, {
    tlsMore: `, clientCaFile: "${ca.file}", clientCrlFile: "${ca.crl}"`,
    certificates: `  certificates:
    - { id: billing, roles: [caller], subject: "CN=billing,O=Example" }
    - { id: pinned, roles: [caller], fingerprint: "${pin}" }
    - { id: away, roles: [caller], subject: "CN=away", allowedAddresses: [192.0.2.0/24] }`,
  });
  const { ask } = gateway;

  await t.test("what each may do", async () => {
    assert.equal((await ask(billing)).status, 200, "by its subject");
    assert.equal((await ask(late)).status, 200, "by its fingerprint");
    assert.deepEqual(await ask(), { status: 401, code: -32001 }, "without one");
    assert.equal((await ask({}, key(API_KEY))).status, 200, "a key needs none");
    assert.deepEqual(await ask(other), { status: 401, code: -32001 }, "a valid one that nobody knows");
    assert.equal((await ask(other, key(API_KEY))).status, 200, "with a key beside it");
    assert.deepEqual(await ask(billing, key("wrong-key-0123456789")), { status: 401, code: -32001 }, "a wrong key is refused all the same");
    assert.equal((await ask(await ca.issue("/CN=away"))).status, 401, "from another address");
    assert.equal((await ask(await ca.issue("/CN=billing"))).status, 401, "a part of the subject is not enough");
  });

  await t.test("what fails the handshake", async () => {
    for (const bad of [await foreign.issue("/O=Example/CN=billing"), expired, revoked]) {
      assert.ok((await ask(bad)).failed, new X509Certificate(bad.cert).subject);
    }
    // A certificate without its key is no credential.
    const stolen = await new Promise((resolve) => {
      try {
        tls.createSecureContext({ cert: billing.cert, key: other.key });
        resolve("accepted");
      } catch (error) {
        resolve(error.code);
      }
    });
    assert.notEqual(stolen, "accepted");
  });

  await t.test("over a WebSocket, and the log shows no secret", async () => {
    const socket = new WebSocket(gateway.wss, { ...billing, rejectUnauthorized: false });
    atEnd(t, () => socket.terminate());
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    const answer = new Promise((resolve) => socket.once("message", (data) => resolve(JSON.parse(data))));
    socket.send(JSON.stringify(rpc("net_version")));
    assert.equal((await answer).error.code, -32601, "not granted to its role");
    assert.ok(!gateway.program.text.includes(API_KEY));
  });

  await t.test("SIGHUP reads the authorities and the list of the revoked again", async () => {
    await ca.revoke(late);
    gateway.program.signal("SIGHUP");
    await gateway.program.line(/certificates_reloaded/);
    await until("it is refused", async () => (await ask(late)).failed);
    assert.equal((await ask(billing)).status, 200);
  });
});

test("a connection ends with its certificate", async (t) => {
  const ca = await authority(t, "clients");
  const stamp = (seconds) => new Date(Date.now() + seconds * 1000).toISOString().replace(/[-:T]|\.\d+/g, "");
  const gateway = await start(t, {
    tlsMore: `, clientCaFile: "${ca.file}"`,
    certificates: `  certificates: [{ id: short, roles: [caller], subject: "CN=short" }]`,
  });
  const short = await ca.issue("/CN=short", ["-startdate", stamp(-60), "-enddate", stamp(6)]);
  const socket = new WebSocket(gateway.wss, { ...short, rejectUnauthorized: false });
  atEnd(t, () => socket.terminate());
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const [code] = await new Promise((resolve) => socket.once("close", (...end) => resolve(end)));
  assert.equal(code, 1008);
  assert.ok((await gateway.ask(short)).failed);
});

test("TLS 1.0, TLS 1.1 and renegotiation are refused", async (t) => {
  const gateway = await start(t, { certificates: "" });
  const connect = (options) =>
    new Promise((resolve) => {
      const socket = tls.connect({ port: gateway.port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
      atEnd(t, () => socket.destroy());
      socket.once("secureConnect", () => resolve(socket));
      socket.once("error", (error) => resolve(error));
    });
  for (const version of ["TLSv1", "TLSv1.1"]) {
    // The client would do it: it allows the weakest.
    const refused = await connect({ minVersion: version, maxVersion: version, ciphers: "ALL:@SECLEVEL=0" });
    assert.ok(refused instanceof Error, version);
  }
  assert.equal((await connect({ maxVersion: "TLSv1.2" })).getProtocol(), "TLSv1.2");
  const socket = await connect({ maxVersion: "TLSv1.2" });
  const outcome = new Promise((resolve) => {
    socket.once("error", (error) => resolve(error.message));
    socket.once("close", () => resolve("closed"));
    socket.renegotiate({}, (error) => resolve(error ? error.message : "renegotiated"));
  });
  assert.notEqual(await outcome, "renegotiated");
});

test("fanfare check: certificates that nobody asks for, and questions whose answer nobody uses", async (t) => {
  const text = (tlsMore, access) => `
server: { tls: { certificateFile: a, keyFile: b${tlsMore} } }
access:
  roles: [{ id: caller, projects: [main], methods: [eth_chainId] }]
  keys: [{ id: program, roles: [caller], key: ${API_KEY} }]
${access}
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1 } }]
    upstreams: [{ id: a, endpoint: "http://127.0.0.1:9" }]
`;
  const one = '  certificates: [{ id: c, roles: [caller], subject: "CN=c" }]';
  for (const [tlsMore, access, expected] of [
    [", clientCaFile: c", "", /clientCaFile have no effect without each other/],
    ["", one, /clientCaFile have no effect without each other/],
    [", clientCrlFile: c", "", /clientCrlFile has no effect without clientCaFile/],
    [", clientCaFile: c", '  certificates: [{ id: c, roles: [caller], fingerprint: "12" }]', /is not a hash/],
    [", clientCaFile: c", "  certificates: [{ id: c, roles: [caller] }]", /fingerprint is missing/],
    [", clientCaFile: c", '  certificates: [{ id: c, roles: [nobody], subject: "CN=c" }]', /does not exist/],
    [", clientCaFile: c", '  certificates: [{ id: program, roles: [caller], subject: "CN=c" }]', /is a duplicate/],
  ]) {
    const result = await check(text(tlsMore, access), t);
    assert.equal(result.code, 2, result.stdout);
    assert.match(result.stderr, expected);
  }
});
