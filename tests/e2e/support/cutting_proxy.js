// A TCP proxy in front of a WebSocket server. It resets connections, and it lets clients go without the server's
// knowledge, as a network does that fails.

import net from "node:net";
import { once } from "node:events";
import { atEnd } from "./cleanup.js";
import { until } from "./waiting.js";

const PONG = 0x8a;
const MASKED_PONG_BYTES = 2 + 4 + 8;

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
    this.refusing = false;
    this.server = net.createServer((client) => this.#accept(client));
  }

  #accept(client) {
    client.on("error", () => {});
    if (this.refusing) return client.resetAndDestroy();
    const server = net.connect({ host: this.target.hostname, port: Number(this.target.port), noDelay: true });
    const pair = { client, server, isQuiet: false };
    this.pairs.add(pair);
    server.on("error", () => {});
    client.on("data", (bytes) => {
      // Of a session, after the last event nothing follows but the pong that confirms it.
      const at = bytes.length - MASKED_PONG_BYTES;
      pair.isQuiet = at >= 0 && bytes[at] === PONG && bytes[at + 1] === (0x80 | 8);
      server.write(bytes);
    });
    server.on("data", (bytes) => {
      pair.isQuiet = false;
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
    for (const socket of this.deserted) socket.destroy();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
