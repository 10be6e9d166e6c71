// A proxy in front of a good HTTP node that misbehaves according to a seed. It simulates the faults of proxies,
// providers and lost connections, on real sockets.

import http from "node:http";
import { once } from "node:events";
import { atEnd } from "./cleanup.js";
import { postOnly } from "./post_only.js";

// A small seeded generator (mulberry32), so that the faults of a run can be reproduced.
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const JSON_TYPE = { "content-type": "application/json" };
const HUGE = "x".repeat(12 * 1024 * 1024);

// Each takes (response, text of the good answer, request) and gives a different bad answer.
const FAULTS = {
  half_open: () => {},
  dropped: (response) => response.destroy(),
  cut_off: (response, text) => {
    response.writeHead(200, { ...JSON_TYPE, "content-length": text.length + 1 });
    response.end(text);
    response.socket?.end();
  },
  too_many: (response) => response.writeHead(429, { ...JSON_TYPE, "retry-after": "1" }).end("{}"),
  bad_gateway: (response) => response.writeHead(502, { "content-type": "text/html" }).end("<html>bad gateway</html>"),
  no_json: (response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>welcome</html>"),
  no_answer: (response) => response.writeHead(200, JSON_TYPE).end('{"status":"ok"}'),
  slow_body: (response, text) => {
    response.writeHead(200, { ...JSON_TYPE, "content-length": text.length });
    response.write(text.slice(0, text.length >> 1));
    setTimeout(() => response.end(text.slice(text.length >> 1)), 300);
  },
  huge: (response, text) => response.writeHead(200, JSON_TYPE).end(text.replace(/\}\s*\}\s*$/, `,"padding":"${HUGE}"}}`)),
  error: (response, text, { id }) => response.writeHead(200, JSON_TYPE).end(`{"jsonrpc":"2.0","id":${id},"error":{"code":-32000,"message":"in trouble"}}`),
  null_result: (response, text, { id }) => response.writeHead(200, JSON_TYPE).end(`{"jsonrpc":"2.0","id":${id},"result":null}`),
  no_logs: (response, text, { id, method }) => response.writeHead(200, JSON_TYPE).end(method === "eth_getLogs" ? `{"jsonrpc":"2.0","id":${id},"result":[]}` : text),
};

export class FaultyNode {
  // `rate`: the share of bad answers, 0 to 1.
  static async start(t, target, { random, rate }) {
    const node = new FaultyNode();
    Object.assign(node, { target, random, rate, counts: {} });
    node.agent = new http.Agent({ keepAlive: true });
    node.server = http.createServer(postOnly((request, response) => {
      const parts = [];
      request.on("data", (part) => parts.push(part));
      request.once("end", () => node.#answer(Buffer.concat(parts).toString(), response));
    }));
    node.server.listen(0, "127.0.0.1");
    await once(node.server, "listening");
    node.url = `http://127.0.0.1:${node.server.address().port}`;
    atEnd(t, () => node.#stop());
    return node;
  }

  heal() {
    this.rate = 0;
  }

  #answer(body, response) {
    const names = Object.keys(FAULTS);
    const fault = this.random() < this.rate ? names[Math.floor(this.random() * names.length)] : "none";
    this.counts[fault] = (this.counts[fault] ?? 0) + 1;
    response.on("error", () => {});
    const onward = http.request(this.target, { method: "POST", agent: this.agent, headers: { ...JSON_TYPE, "content-length": Buffer.byteLength(body) } }, (reply) => {
      const parts = [];
      reply.on("data", (part) => parts.push(part));
      reply.once("end", () => {
        const text = Buffer.concat(parts).toString();
        if (fault === "none") response.writeHead(200, JSON_TYPE).end(text);
        else FAULTS[fault](response, text, JSON.parse(body));
      });
    });
    onward.once("error", () => response.destroy());
    onward.end(body);
  }

  #stop() {
    this.agent.destroy();
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
