// Starts flooding_node.js for one test, and controls it.

import path from "node:path";
import { E2E, startFor } from "./processes.js";

export class Flooder {
  static async start(t, chainId, { blockMs = 200 } = {}) {
    const node = new Flooder();
    const parameters = [path.join(E2E, "support/flooding_node.js"), String(chainId), String(blockMs)];
    node.program = startFor(t, `node-${chainId}`, process.execPath, parameters);
    const [, port] = await node.program.line(/^listening (\d+)$/);
    node.url = `ws://127.0.0.1:${port}`;
    node.control = `http://127.0.0.1:${port}`;
    return node;
  }

  flood(kind) {
    return fetch(`${this.control}/flood/${kind}`, { method: "POST" });
  }

  async counts() {
    return (await fetch(`${this.control}/counts`)).json();
  }
}
