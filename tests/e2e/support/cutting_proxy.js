// A TCP proxy in front of a WebSocket server. It resets connections, and it lets clients go without the server's
// knowledge, as a network does that fails.

import net from "node:net";
import { once } from "node:events";
import { atEnd } from "./cleanup.js";
import { until } from "./waiting.js";

const PING = 0x89;
const PONG = 0x8a;
const MASKED = 0x80;
const NUMBER_BYTES = 8; // the payload of a session's ping

// The number of the ping with which these bytes of a server end; undefined: they end otherwise.
function pingAtEnd(bytes) {
  const at = bytes.length - 2 - NUMBER_BYTES;
  if (at < 0 || bytes[at] !== PING || bytes[at + 1] !== NUMBER_BYTES) return undefined;
  return bytes.subarray(at + 2).toString("hex");
}

// The same of the pong of a client.
function pongAtEnd(bytes) {
  const at = bytes.length - 2 - 4 - NUMBER_BYTES;
  if (at < 0 || bytes[at] !== PONG || bytes[at + 1] !== (MASKED | NUMBER_BYTES)) return undefined;
  const mask = bytes.subarray(at + 2, at + 6);
  return Buffer.from(bytes.subarray(at + 6).map((byte, i) => byte ^ mask[i % 4])).toString("hex");
}

export class CuttingProxy {
  static async start(t, url) {
    const proxy = new CuttingProxy(new URL(url));
    proxy.server.listen(0, "127.0.0.1");
    await once(proxy.server, "listening");
    proxy.url = `ws://127.0.0.1:${proxy.server.address().port}${proxy.target.pathname}`;
    atEnd(t, () => proxy.stop());
    return proxy;
  }

  constructor(target) {
    this.target = target;
    this.pairs = new Set();
    this.deserted = new Set(); // connections to the server whose clients are gone
    this.isHolding = false; // new connections wait: viem gives up after an attempt that fails
    this.held = [];
    this.server = net.createServer((client) => this.#accept(client));
  }

  #accept(client) {
    client.on("error", () => {});
    if (this.isHolding) this.held.push(client);
    else this.#connect(client);
  }

  hold() {
    this.isHolding = true;
  }

  release() {
    this.isHolding = false;
    for (const client of this.held.splice(0)) if (!client.destroyed) this.#connect(client);
  }

  #connect(client) {
    const server = net.connect({ host: this.target.hostname, port: Number(this.target.port), noDelay: true });
    const pair = { client, server, ping: undefined, isQuiet: false };
    this.pairs.add(pair);
    server.on("error", () => {});
    client.on("data", (bytes) => {
      // A pong confirms what came before its ping. Events after that ping are not confirmed, even if the pong follows them.
      pair.isQuiet = pair.ping !== undefined && pongAtEnd(bytes) === pair.ping;
      server.write(bytes);
    });
    server.on("data", (bytes) => {
      pair.isQuiet = false;
      pair.ping = pingAtEnd(bytes);
      client.write(bytes);
    });
    for (const [one, other] of [[client, server], [server, client]]) {
      one.on("end", () => other.end());
      one.on("close", () => this.pairs.delete(pair) && other.destroy());
    }
  }

  // Both sides get a reset.
  cut(pair) {
    this.pairs.delete(pair);
    pair.client.resetAndDestroy();
    pair.server.resetAndDestroy();
  }

  // The client gets a reset. The server notices nothing, and what it sends is lost.
  desert(pair) {
    this.pairs.delete(pair);
    pair.server.removeAllListeners("data");
    pair.server.resume();
    this.deserted.add(pair.server);
    pair.client.removeAllListeners("data");
    pair.client.removeAllListeners("close");
    pair.client.resetAndDestroy();
  }

  // Ends every connection at a moment at which everything that passed is confirmed.
  async eachQuietly(end) {
    const waiting = new Set(this.pairs);
    await until("the connections are quiet", () => {
      for (const pair of waiting) {
        if (this.pairs.has(pair) && !pair.isQuiet) continue;
        if (this.pairs.has(pair)) end(pair);
        waiting.delete(pair);
      }
      return waiting.size === 0;
    }, { everyMs: 1 });
  }

  each(end) {
    for (const pair of [...this.pairs]) end(pair);
  }

  stop() {
    for (const pair of this.pairs) this.cut(pair);
    for (const socket of [...this.deserted, ...this.held]) socket.destroy();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
