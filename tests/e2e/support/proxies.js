// nginx, HAProxy and Caddy with the configurations of examples/proxies: only ports, paths and times are replaced, and
// each replacement must be found.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { BINARY, temporaryFolder } from "./fanfare.js";
import { ROOT, startFor } from "./processes.js";
import { until } from "./waiting.js";

const WEB = path.resolve(path.dirname(BINARY), "../../share/fanfare/web/index.html");
export const hasDashboard = existsSync(WEB);
const EXAMPLES = path.join(ROOT, "examples/proxies");

// `changes`: [text or pattern, replacement] pairs.
export function example(name, changes) {
  let text = readFileSync(path.join(EXAMPLES, name), "utf8");
  for (const [from, to] of changes) {
    // A whole number: a free port that was put in before may begin with the one that is looked for.
    const whole = from instanceof RegExp ? from.source : from.replace(/[.*+?^${}()|[\]\\]/g, "\\$&") + (/\d$/.test(from) ? "(?!\\d)" : "");
    const changed = text.replaceAll(new RegExp(whole, "g"), to);
    assert.notEqual(changed, text, `${name} has no ${from}`);
    text = changed;
  }
  return text;
}

export function makeCertificate(t) {
  const folder = temporaryFolder(t);
  const files = { certificate: path.join(folder, "c.pem"), key: path.join(folder, "k.pem"), both: path.join(folder, "both.pem") };
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
    "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", files.key, "-out", files.certificate], { stdio: "pipe" });
  writeFileSync(files.both, readFileSync(files.certificate) + readFileSync(files.key));
  return files;
}

async function freePorts(count) {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function untilListening(port) {
  await until(`port ${port} accepts`, () => new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.end(() => resolve(true)));
    socket.on("error", () => resolve(false));
  }));
}

// `node`: the URL of a node on chain 1337. Returns {at, program}: `at` is a Unix path or a port.
export async function startBehind(t, kind, node, { pingInterval } = {}) {
  const folder = temporaryFolder(t);
  const socket = path.join(folder, "gateway.sock");
  const changes = [["chainId: 1 ", "chainId: 1337 "], ["main/1,", "main/1337,"], ["interval: 1s", "interval: 200ms"], ["http://127.0.0.1:8545", node]];
  if (kind === "unix") changes.push(["/run/fanfare/gateway.sock", socket]);
  else changes.push(["httpPort: 4000", "httpPort: 0"]);
  // In a tree without the built page there is no dashboard.
  if (!hasDashboard) changes.push(["web: { enabled: true }\n", ""]);
  if (pingInterval) changes.push(["server:\n", `server:\n  websocket: { pingInterval: ${pingInterval} }\n`]);
  const file = path.join(folder, "gateway.yaml");
  writeFileSync(file, example(kind === "unix" ? "fanfare-unix.yaml" : "fanfare-proxy-protocol.yaml", changes));
  const program = startFor(t, "fanfare", BINARY, ["serve", "--config", file]);
  const { groups } = await program.line(/listening +address=(?<at>\S+)/);
  return { program, at: kind === "unix" ? socket : Number(groups.at.split(":").at(-1)) };
}

// Each: start(t, backend, certificate, times) -> {plain, tls}: origins without a scheme; plain is null if there is none. `times`:
// replacements of the documented idle timeouts ("90s").
export const PROXIES = {
  nginx: {
    kind: "unix",
    async start(t, backend, files, { idle, body } = {}) {
      const [plain, tls] = await freePorts(2);
      const folder = temporaryFolder(t);
      const changes = [["listen 80;", `listen 127.0.0.1:${plain};`], ["listen 443 ", `listen 127.0.0.1:${tls} `],
        ["/etc/nginx/rpc.example.pem", files.certificate], ["/etc/nginx/rpc.example.key", files.key], ["/run/fanfare/gateway.sock", backend.at]];
      if (idle) changes.push([/proxy_(read|send)_timeout 90s/, `proxy_$1_timeout ${idle}`]);
      if (body) changes.push(["client_max_body_size 16m", `client_max_body_size ${body}`]);
      const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((one) => `${one}_temp_path ${folder}/${one};`).join(" ");
      writeFileSync(`${folder}/site.conf`, example("nginx.conf", changes));
      writeFileSync(`${folder}/nginx.conf`, `daemon off; master_process off; pid ${folder}/pid; error_log stderr;
events { worker_connections 1024; }
http { access_log off; ${temp} include ${folder}/site.conf; }
`);
      startFor(t, "nginx", "/usr/sbin/nginx", ["-e", "stderr", "-p", folder, "-c", `${folder}/nginx.conf`]);
      await untilListening(tls);
      return { plain: `127.0.0.1:${plain}`, tls: `localhost:${tls}` };
    },
  },
  "nginx-stream": {
    kind: "proxy",
    async start(t, backend, files, { idle } = {}) {
      const [tls] = await freePorts(1);
      const folder = temporaryFolder(t);
      const changes = [["listen 443 ", `listen 127.0.0.1:${tls} `], ["/etc/nginx/rpc.example.pem", files.certificate],
        ["/etc/nginx/rpc.example.key", files.key], ["127.0.0.1:4000", `127.0.0.1:${backend.at}`]];
      if (idle) changes.push(["proxy_timeout 90s", `proxy_timeout ${idle}`]);
      writeFileSync(`${folder}/nginx.conf`, `daemon off; master_process off; pid ${folder}/pid; error_log stderr;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
events { worker_connections 1024; }
${example("nginx-stream.conf", changes)}`);
      startFor(t, "nginx", "/usr/sbin/nginx", ["-e", "stderr", "-p", folder, "-c", `${folder}/nginx.conf`]);
      await untilListening(tls);
      return { plain: null, tls: `localhost:${tls}` };
    },
  },
  haproxy: {
    kind: "proxy",
    hasWebSocketOverH2: true,
    async start(t, backend, files, { idle } = {}) {
      const [plain, tls] = await freePorts(2);
      const folder = temporaryFolder(t);
      const changes = [["bind :80", `bind 127.0.0.1:${plain}`], ["bind :443", `bind 127.0.0.1:${tls}`],
        ["/etc/haproxy/rpc.example.pem", files.both], ["127.0.0.1:4000", `127.0.0.1:${backend.at}`], ["inter 2s", "inter 200ms"], ["maxconn 20000", "maxconn 1000"]];
      if (idle) changes.push([/timeout (client|server|tunnel)( +)90s/, `timeout $1$2${idle}`]);
      writeFileSync(`${folder}/haproxy.cfg`, example("haproxy.cfg", changes));
      startFor(t, "haproxy", "/usr/sbin/haproxy", ["-db", "-f", `${folder}/haproxy.cfg`]);
      await untilListening(tls);
      return { plain: `127.0.0.1:${plain}`, tls: `localhost:${tls}` };
    },
  },
  caddy: {
    kind: "unix",
    async start(t, backend, files) {
      const [plain, tls] = await freePorts(2);
      const folder = temporaryFolder(t);
      mkdirSync(`${folder}/home`);
      const changes = [["http://rpc.example", `http://127.0.0.1:${plain}`], ["https://rpc.example", `https://localhost:${tls}`],
        ["/etc/caddy/rpc.example.pem", files.certificate], ["/etc/caddy/rpc.example.key", files.key], ["/run/fanfare/gateway.sock", backend.at]];
      // Caddy's own administration and redirects need fixed ports.
      writeFileSync(`${folder}/Caddyfile`, `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${example("Caddyfile", changes)}`);
      startFor(t, "caddy", "/usr/bin/caddy", ["run", "--adapter", "caddyfile", "--config", `${folder}/Caddyfile`],
        { env: { ...process.env, HOME: `${folder}/home`, XDG_DATA_HOME: `${folder}/home`, XDG_CONFIG_HOME: `${folder}/home` } });
      await untilListening(tls);
      return { plain: `127.0.0.1:${plain}`, tls: `localhost:${tls}` };
    },
  },
};
