// A client of the stream protocol (docs/streams.md) that shows every message, and what a client needs to check values.

import http from "node:http";
import { WebSocket } from "ws";
import { atEnd } from "./cleanup.js";
import { Inbox, within } from "./waiting.js";

export class StreamClient {
  // Resolves when the WebSocket is open.
  static async open(t, url, options = {}) {
    const client = new StreamClient(new WebSocket(url, options));
    atEnd(t, () => client.socket.terminate());
    await within("the WebSocket opens", client.opened);
    return client;
  }

  constructor(socket) {
    this.socket = socket;
    this.messages = new Inbox("stream client"); // parsed, in the order of arrival
    this.bytes = 0;
    this.opened = new Promise((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    socket.on("message", (data) => {
      this.bytes += data.length;
      this.messages.push(JSON.parse(data));
    });
    socket.once("close", (code, reason) => this.messages.end(`closed with ${code} ${reason}`));
    socket.on("error", () => {});
  }

  send(message) {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  // Removes and returns the next message of the type.
  take(type, fits = () => true, deadlineMs) {
    return this.messages.take(`a ${type}`, (message) => message.type === type && fits(message), deadlineMs);
  }

  // Removes and returns the first message of all.
  next() {
    return this.messages.take("a message");
  }

  async subscribe(stream, more = {}) {
    this.send({ type: "subscribe", stream, ...more });
    return this.take("subscribed", (message) => message.stream === stream);
  }

  // Sends the message and returns the text of the error that answers it.
  async refused(message) {
    this.send(message);
    return (await this.take("error")).message;
  }
}

// A node with counters: `m` returns {n}, the number of the call, and any other method an error. It can be stopped and started
// again on the same port.
export class CountingNode {
  static async start(t) {
    const node = new CountingNode();
    await node.listen(0);
    atEnd(t, () => node.stop());
    return node;
  }

  calls = 0;
  result = (n) => ({ n });

  async listen(port = this.port) {
    this.server = http.createServer((request, response) => {
      let body = "";
      request.on("data", (data) => (body += data));
      request.on("end", () => {
        const { id, method } = JSON.parse(body);
        const answer = method === "m" ? { result: this.result(++this.calls) } : { error: { code: -32601, message: "secret text" } };
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ jsonrpc: "2.0", id, ...answer }));
      });
    });
    await new Promise((resolve) => this.server.listen(port, "127.0.0.1", resolve));
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  async stop() {
    if (!this.server.listening) return;
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }
}

// A request to /streams/sse. `events` gets {id, data, comment, retry} as they come.
export class EventReader {
  static async open(t, url, headers = {}) {
    const reader = new EventReader();
    const request = http.get(url, { headers });
    atEnd(t, () => request.destroy());
    request.on("error", (error) => reader.events.end(error.message));
    reader.request = request;
    reader.response = await within("the answer's head", new Promise((resolve) => request.once("response", resolve)));
    let rest = "";
    reader.response.setEncoding("utf8");
    reader.response.on("data", (text) => {
      const blocks = (rest + text).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) reader.events.push(EventReader.parse(block));
    });
    reader.response.on("error", () => {});
    reader.response.once("close", () => reader.events.end(`closed; rest ${rest}`));
    return reader;
  }

  events = new Inbox("event reader");

  static parse(block) {
    const event = {};
    for (const line of block.split("\n")) {
      const [, name, value] = /^([a-z]*): ?(.*)$/.exec(line);
      event[name || "comment"] = name === "data" ? JSON.parse(value) : value;
    }
    return event;
  }

  // The next event with data of this type.
  take(type) {
    return this.events.take(`an event ${type}`, (event) => event.data?.type === type);
  }
}

export function mergePatch(target, patch) {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const result = target !== null && typeof target === "object" && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergePatch(result[name], value);
  }
  return result;
}

// RFC 8785: JavaScript compares strings by UTF-16 units, and writes numbers and strings as required.
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.keys(value).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join()}}`;
}

export function checksum(value) {
  let crc = ~0;
  for (const byte of Buffer.from(canonical(value))) {
    crc ^= byte;
    for (let bit = 0; bit < 8; ++bit) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (~crc >>> 0).toString(16).padStart(8, "0");
}
