// A broker (Debian's nats-server) and instances that share streams over it (docs/relay.md).

import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { BINARY, temporaryFolder, writeConfig } from "./fanfare.js";
import { startFor } from "./processes.js";
import { until } from "./waiting.js";

export const INTERVAL_MS = 100;
const HISTORY = 10; // of each instance; the broker keeps more

export class Broker {
  // `lines`: more of its configuration.
  constructor(t, lines = "") {
    this.t = t;
    this.lines = lines;
    this.folder = temporaryFolder(t);
    this.port = -1;
  }
  async start() {
    const file = path.join(this.folder, "server.conf");
    writeFileSync(file, this.lines);
    const parameters = ["-c", file, "-a", "127.0.0.1", "-p", String(this.port), "-js", "-sd", this.folder, "--ports_file_dir", this.folder];
    this.program = startFor(this.t, "nats-server", process.env.NATS_SERVER ?? "/usr/sbin/nats-server", parameters);
    await this.program.line(/Server is ready/);
    const ports = path.join(this.folder, `nats-server_${this.program.child.pid}.ports`);
    [this.url] = await until("the broker's ports", () => {
      try {
        return JSON.parse(readFileSync(ports, "utf8")).nats;
      } catch {
        return null;
      }
    });
    this.port = Number(new URL(this.url).port);
    return this;
  }
  // Asks the broker as its own tool would, and returns the answer.
  async ask(subject, question = "") {
    const text = typeof question === "string" ? question : JSON.stringify(question);
    const socket = net.connect(this.port, "127.0.0.1");
    try {
      socket.write(`CONNECT {"verbose":false}\r\nSUB _INBOX.ask 1\r\nPUB ${subject} _INBOX.ask ${Buffer.byteLength(text)}\r\n${text}\r\n`);
      let got = "";
      for await (const piece of socket) {
        got += piece;
        const [head, size] = /MSG _INBOX\.ask 1 (?:\S+ )?(\d+)\r\n/.exec(got) ?? [];
        const at = got.indexOf(head) + (head?.length ?? 0);
        if (head && got.length >= at + Number(size)) return JSON.parse(got.slice(at, at + Number(size)));
      }
      throw new Error(`the broker has not answered ${subject}: ${got}`);
    } finally {
      socket.destroy();
    }
  }
  // More of a stream's configuration.
  async changeStream(name, more) {
    const { config } = await this.ask(`$JS.API.STREAM.INFO.${name}`);
    const { error } = await this.ask(`$JS.API.STREAM.UPDATE.${name}`, { ...config, ...more });
    if (error) throw new Error(`${name}: ${error.description}`);
  }
}

// An instance. `entries` is a stream of new entries; nobody subscribes to `unread`. `definitions`: more streams; `relay` and `server`: more keys.
export async function startInstance(t, broker, node, { definitions = "", relay = "", server = "" } = {}) {
  const definition = (name) => `
    - name: ${name}
      relay: true
      interval: ${INTERVAL_MS}ms
      upstream: node
      calls: { r: m }
      fields: { list: { each: /r/list, fields: { id: /id } } }
      newOnly: { list: list, key: id }
      history: ${HISTORY}`;
  const config = `
logLevel: info
server: { httpPort: 0, shutdownTimeout: 1s ${server} }
relay: { nats: { servers: ["${broker.url}"], heartbeat: 200ms, reconnectWait: 20ms ${relay} } }
streams:
  upstreams: [{ id: node, endpoint: "${node.url}", timeout: 5s }]
  definitions:${definition("entries")}${definition("unread")}${definitions}
`;
  const program = startFor(t, "fanfare", BINARY, ["serve", "--config", writeConfig(t, config)]);
  const [, base] = await program.line(/^ {2}Streams\s+ws:(\S+)\/streams$/);
  return { program, url: `ws:${base}/streams`, health: `http:${base}` };
}

// The node lists the last hundred of entries that are numbered from 1; each call adds one.
export function listing(node) {
  node.result = (n) => ({ list: Array.from({ length: Math.min(n, 100) }, (_, i) => ({ id: n - i })).reverse() });
}

export const ids = (messages) => messages.flatMap((message) => message.data.list.map((entry) => entry.id));
