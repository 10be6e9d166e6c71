import { once } from "node:events";
import WebSocket from "ws";
import { atEnd } from "./cleanup.js";
import { Inbox } from "./waiting.js";

// A raw client: the ws library, whose frames are all kept.
export class Raw {
  static async open(t, url, options) {
    const raw = new Raw();
    raw.socket = new WebSocket(url, options);
    raw.messages = new Inbox("messages");
    raw.closed = once(raw.socket, "close").then(([code, reason]) => ({ code, reason: String(reason) }));
    raw.socket.on("error", () => {});
    raw.socket.on("message", (data) => raw.messages.push(JSON.parse(data)));
    raw.upgraded = once(raw.socket, "upgrade").then(([response]) => response.headers["fanfare-session"]);
    raw.refused = once(raw.socket, "unexpected-response").then(async ([, response]) => {
      let text = "";
      for await (const part of response) text += part;
      return { status: response.statusCode, text };
    });
    // The end of a refused client is an error, for which nobody waits any more.
    for (const one of [raw.closed, raw.upgraded, raw.refused]) one.catch(() => {});
    atEnd(t, () => raw.socket.terminate());
    return raw;
  }

  async ask(method, params) {
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, "open");
    const id = (this.ids = (this.ids ?? 0) + 1);
    this.socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    return this.messages.take(`the answer to ${method}`, (message) => message.id === id);
  }

  head(number) {
    return this.messages.take(`head ${number}`, ({ params }) => Number(params?.result?.number) === number);
  }
}
