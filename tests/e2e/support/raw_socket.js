// A low-level WebSocket client for things that client libraries never do. It validates nothing, hides nothing, and
// can stop reading. Frames are parsed as in RFC 6455; received frames are in `frames`.

import { createHash, randomBytes } from "node:crypto";
import net from "node:net";
import { Inbox, within } from "./waiting.js";

export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export function upgradeRequest(url, { key = randomBytes(16).toString("base64"), headers = {} } = {}) {
  const { host, pathname, search } = new URL(url);
  const lines = [
    `GET ${pathname}${search} HTTP/1.1`,
    ...("Host" in headers ? [] : [`Host: ${host}`]),
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${key}`,
    "Sec-WebSocket-Version: 13",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return lines.join("\r\n") + "\r\n\r\n";
}

// The bytes of a client's frame, masked as RFC6455§5.1 requires.
export function frame(opcode, payload, { fin = true, mask = randomBytes(4) } = {}) {
  const data = Buffer.from(payload);
  const first = (fin ? 0x80 : 0) | opcode;
  let head;
  if (data.length < 126) {
    head = Buffer.from([first, 0x80 | data.length]);
  } else if (data.length < 65536) {
    head = Buffer.from([first, 0x80 | 126, data.length >> 8, data.length & 255]);
  } else {
    head = Buffer.alloc(10);
    head[0] = first;
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(BigInt(data.length), 2);
  }
  for (let i = 0; i < data.length; ++i) data[i] ^= mask[i & 3];
  return Buffer.concat([head, mask, data]);
}

// Parses whole frames from `bytes`; returns [frames, rest]. A server's frames are not masked.
export function parseFrames(bytes) {
  const frames = [];
  let at = 0;
  while (bytes.length - at >= 2) {
    let size = bytes[at + 1] & 127;
    let head = 2;
    if (bytes[at + 1] & 0x80) throw new Error("a server must not mask (RFC6455§5.1)");
    if (size >= 126) {
      head = size === 126 ? 4 : 10;
      if (bytes.length - at < head) break;
      size = size === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    }
    if (bytes.length - at < head + size) break;
    const payload = bytes.subarray(at + head, at + head + size);
    frames.push({ fin: (bytes[at] & 0x80) !== 0, rsv: (bytes[at] >> 4) & 7, opcode: bytes[at] & 15, payload });
    at += head + size;
  }
  return [frames, bytes.subarray(at)];
}

export class RawSocket {
  // Resolves once the upgrade is done; rejects with {status, text} when it was refused.
  static async open(url, { reading = true, answerPings = true, headers } = {}) {
    const raw = await RawSocket.connect(url);
    raw.answerPings = answerPings;
    await raw.upgrade(url, headers);
    if (!reading) raw.stopReading();
    return raw;
  }

  // Opens only the TCP connection.
  static async connect(url) {
    const { hostname, port } = new URL(url);
    const raw = new RawSocket(net.connect({ host: hostname, port: Number(port), noDelay: true }));
    await within("a TCP connection", new Promise((resolve, reject) => {
      raw.socket.once("connect", resolve);
      raw.socket.once("error", reject);
    }));
    return raw;
  }

  constructor(socket) {
    this.socket = socket;
    this.frames = new Inbox("raw socket"); // {text} or {binary}, {ping}, {pong}, {close, reason}
    this.bytesReceived = 0;
    this.answerPings = true;
    this.pieces = [];
    this.onBytes = null;
    this.ended = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", (error) => (this.error = error));
    socket.on("data", (bytes) => {
      this.bytesReceived += bytes.length;
      this.pieces.push(bytes);
      this.onBytes?.();
    });
    this.ended.then(() => {
      this.isEnded = true;
      this.frames.end(this.error?.code ?? "the connection ended");
      this.onBytes?.();
    });
  }

  get buffered() {
    if (this.pieces.length > 1) this.pieces = [Buffer.concat(this.pieces)];
    return this.pieces[0] ?? Buffer.alloc(0);
  }

  async upgrade(url, headers = {}) {
    const key = randomBytes(16).toString("base64");
    this.socket.write(upgradeRequest(url, { key, headers }));
    const head = await this.#responseHead();
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]);
    if (status !== 101) throw Object.assign(new Error(`the upgrade was answered ${status}`), { status, head });
    const accept = createHash("sha1").update(key + GUID).digest("base64");
    if (/^sec-websocket-accept: *(\S+)/im.exec(head)?.[1] !== accept) throw new Error("Sec-WebSocket-Accept is wrong");
    this.onBytes = () => this.#parse();
    this.#parse();
  }

  #responseHead() {
    return within("an HTTP response", new Promise((resolve, reject) => {
      this.onBytes = () => {
        const end = this.buffered.indexOf("\r\n\r\n");
        if (end >= 0) {
          const head = this.buffered.subarray(0, end).toString("latin1");
          this.pieces = [this.buffered.subarray(end + 4)];
          resolve(head);
        } else if (this.isEnded) {
          reject(new Error(`ended before a response: ${this.error?.code ?? ""} ${this.buffered}`));
        }
      };
      this.onBytes();
    }));
  }

  #parse() {
    const [frames, rest] = parseFrames(this.buffered);
    this.pieces = rest.length ? [rest] : [];
    for (const { fin, rsv, opcode, payload } of frames) {
      if (rsv || !fin) this.frames.push({ unexpected: { fin, rsv, opcode } });
      else if (opcode === Opcode.text) this.frames.push({ text: payload.toString("utf8") });
      else if (opcode === Opcode.binary) this.frames.push({ binary: Buffer.from(payload) });
      else if (opcode === Opcode.ping) {
        this.frames.push({ ping: payload.toString("utf8") });
        if (this.answerPings) this.send(Opcode.pong, payload);
      } else if (opcode === Opcode.pong) this.frames.push({ pong: payload.toString("utf8") });
      else if (opcode === Opcode.close) {
        this.frames.push({
          close: payload.length >= 2 ? payload.readUInt16BE(0) : 1005,
          reason: payload.subarray(2).toString("utf8"),
        });
        if (!this.closeSent) this.send(Opcode.close, payload.subarray(0, 2));
      }
    }
  }

  write(bytes) {
    return this.socket.write(bytes);
  }

  send(opcode, payload, options) {
    if (opcode === Opcode.close) this.closeSent = true;
    return this.socket.writable && this.socket.write(frame(opcode, payload, options));
  }

  sendJson(value) {
    return this.send(Opcode.text, typeof value === "string" ? value : JSON.stringify(value));
  }

  // Removes the next matching text frame from the inbox and returns it exactly as received.
  async text(fits = () => true, what = "a text frame") {
    return (await this.frames.take(what, (one) => one.text !== undefined && fits(one.text))).text;
  }

  async json(fits = () => true, what = "a JSON message") {
    // Parsed once, even if many calls look at it.
    const parsed = (one) => (one.json ??= JSON.parse(one.text));
    return parsed(await this.frames.take(what, (one) => one.text !== undefined && fits(parsed(one))));
  }

  // The answer to a request of ours, by its id.
  async ask(method, params, id = `ask-${(this.asked = (this.asked ?? 0) + 1)}`) {
    this.sendJson({ jsonrpc: "2.0", id, method, ...(params && { params }) });
    return this.json((message) => message.id === id, `the answer to ${method}`);
  }

  // eth_subscribe; resolves to the subscription's id.
  async subscribe(...params) {
    const answer = await this.ask("eth_subscribe", params);
    if (answer.error) throw new Error(`eth_subscribe: ${answer.error.message}`);
    return answer.result;
  }

  // From now on nothing is read from the socket, and the kernel's buffers fill.
  stopReading() {
    this.socket.pause();
  }

  readAgain() {
    this.socket.resume();
  }

  // The received close frame, once the connection has ended.
  async closed() {
    await within("the end of the connection", this.ended);
    return this.frames.items.find((one) => one.close !== undefined) ?? null;
  }

  async close(code = 1000) {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.send(Opcode.close, payload);
    return this.closed();
  }

  destroy() {
    this.socket.destroy();
  }
}
