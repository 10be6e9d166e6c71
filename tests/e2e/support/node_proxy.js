// A transparent HTTP proxy in front of a real node. It forwards JSON-RPC and counts the calls. It can also answer
// instead of the node.

import http from "node:http";
import { once } from "node:events";
import { atEnd } from "./cleanup.js";
import { postOnly } from "./post_only.js";

export class NodeProxy {
  // `answer(request, respond)` returns true if it handles the request; it may call respond(status, text) later.
  static async start(t, target, { answer = () => false } = {}) {
    const proxy = new NodeProxy(target, answer);
    proxy.server.listen(0, "127.0.0.1");
    await once(proxy.server, "listening");
    proxy.url = `http://127.0.0.1:${proxy.server.address().port}`;
    atEnd(t, () => proxy.stop());
    return proxy;
  }

  constructor(target, answer) {
    this.target = target;
    this.answer = answer;
    this.calls = new Map(); // method -> count
    this.agent = new http.Agent({ keepAlive: true });
    this.server = http.createServer(postOnly((request, response) => {
      const parts = [];
      request.on("data", (part) => parts.push(part));
      request.once("end", () => this.#pass(Buffer.concat(parts), response));
    }));
  }

  count(method) {
    return this.calls.get(method) ?? 0;
  }

  #pass(body, response) {
    const asked = JSON.parse(body);
    for (const { method } of [asked].flat()) this.calls.set(method, this.count(method) + 1);
    const respond = (status, text) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(text);
    };
    if (this.answer(asked, respond)) return;
    const onward = http.request(this.target, {
      method: "POST", agent: this.agent, headers: { "content-type": "application/json", "content-length": body.length },
    }, (reply) => {
      response.writeHead(reply.statusCode, reply.headers);
      reply.pipe(response);
    });
    onward.once("error", () => response.destroy());
    onward.end(body);
  }

  stop() {
    if (!this.server.listening) return Promise.resolve();
    this.agent.destroy();
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
