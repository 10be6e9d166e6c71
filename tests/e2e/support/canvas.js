// Clients of the canvas (docs/canvas.md), written from the document: JSON and binary. The binary one keeps the pixels of what
// it watches and checks every version and every hash.

import { inflateRawSync } from "node:zlib";
import { WebSocket } from "ws";
import { BINARY, writeConfig } from "./fanfare.js";
import { Pixels, Reader, SIDE, varint } from "./canvas_wire.js";
import { atEnd } from "./cleanup.js";
import { startFor } from "./processes.js";
import { Inbox, until } from "./waiting.js";

// Starts `fanfare serve` with these rooms (YAML, flow style). Returns {program, base, health}: base is ws://host:port/canvas.
export async function startCanvas(t, rooms, { more = "", server = "", env, through = [] } = {}) {
  const config = writeConfig(t, `logLevel: info\nserver: { httpPort: 0${server} }\ncanvas: { rooms: [${rooms}] }\n${more}`);
  const [file, ...parameters] = [...through, BINARY, "serve", "--config", config];
  const program = startFor(t, "fanfare", file, parameters, { env });
  const [, host] = await program.line(/^ {2}Canvas\s+ws:\/\/(\S+?)\/canvas\//);
  return { program, base: `ws://${host}/canvas`, health: `http://${host}`, config };
}

function open(t, url, protocols, options) {
  const socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...options });
  socket.on("error", () => {});
  atEnd(t, () => socket.terminate());
  return socket;
}

const ended = (client) => (code, reason) => client.inbox.end(`closed ${code} ${reason}`);

export class JsonClient {
  static async open(t, url, options) {
    const client = new JsonClient();
    client.inbox = new Inbox(url);
    client.socket = open(t, url, [], options);
    client.closed = new Promise((resolve) => client.socket.once("close", (code, reason) => resolve({ code, reason: String(reason) })));
    client.socket.on("message", (data) => client.inbox.push(JSON.parse(String(data))));
    client.socket.once("close", ended(client));
    client.welcome = await client.take("welcome");
    return client;
  }
  send(message) {
    this.socket.send(JSON.stringify(message));
  }
  take(type, fits = () => true) {
    return this.inbox.take(type, (message) => message.type === type && fits(message));
  }
  // Draws, and waits for the answer: ok or an error.
  async draw(x, y, color, id = `${x},${y},${color}`) {
    this.send({ type: "pixel_update", x, y, color, id });
    return this.inbox.take(`the answer to ${id}`, (message) => message.id === id);
  }
  // The drawn pixels of the watched area: {"x,y": color}.
  async state() {
    const pixels = {};
    for (;;) {
      const state = await this.take("canvas_state");
      for (const { x, y, color } of state.pixels) pixels[`${x},${y}`] = color;
      if (state.complete) return pixels;
    }
  }
}

export class BinaryClient {
  static async open(t, url, options) {
    const client = new BinaryClient();
    client.inbox = new Inbox(url); // what is not about chunks
    client.chunks = new Map(); // "cx,cy": {version, hash, pixels}
    client.faults = [];
    client.wholeChunks = 0;
    client.socket = open(t, url, ["fanfare.canvas.v1"], options);
    client.closed = new Promise((resolve) => client.socket.once("close", (code, reason) => resolve({ code, reason: String(reason) })));
    client.socket.on("message", (data, isBinary) => (isBinary ? client.#receive(new Reader(data)) : client.inbox.push(JSON.parse(String(data)))));
    client.socket.once("close", ended(client));
    client.welcome = await client.take("welcome");
    return client;
  }
  take(type, fits = () => true) {
    return this.inbox.take(type, (message) => message.type === type && fits(message));
  }
  #receive(reader) {
    const op = reader.u8();
    if (op === 0x81) return this.#welcome(reader);
    if (op === 0x82) return this.#chunk(reader);
    if (op === 0x83) {
      for (let count = reader.varint(); count > 0; --count) this.#current(reader);
      return;
    }
    if (op === 0x84) return this.#tick(reader);
    if (op === 0x85) {
      return this.inbox.push({ type: "ack", request: reader.varint(), accepted: reader.varint(), status: reader.u8(), retryAfter: reader.varint() });
    }
    if (op === 0x86) {
      const moves = [];
      for (let count = reader.varint(); count > 0; --count) moves.push({ user: reader.varint(), x: reader.u16(), y: reader.u16() });
      const left = [];
      for (let count = reader.varint(); count > 0; --count) left.push(reader.varint());
      return this.inbox.push({ type: "cursors", moves, left });
    }
    if (op === 0x87) return this.inbox.push({ type: "presence", total: reader.varint() });
    if (op === 0x88) return this.inbox.push({ type: "error", status: reader.u8(), text: reader.text() });
    this.faults.push(`op ${op}`);
  }
  #welcome(reader) {
    reader.u8();
    this.epoch = reader.u64();
    this.serverTime = Number(reader.u64());
    this.width = reader.varint();
    this.height = reader.varint();
    reader.varint();
    const background = reader.rgb();
    const palette = Array.from({ length: reader.varint() }, () => reader.rgb());
    this.colourBytes = palette.length > 0 ? 1 : 3;
    this.background = palette.length > 0 ? palette.indexOf(background) : background;
    this.inbox.push({ type: "welcome", userId: reader.text(), user: reader.varint() });
  }
  #colour(reader) {
    return this.colourBytes === 1 ? reader.u8() : reader.rgb();
  }
  #check(key, chunk) {
    if (chunk.pixels.hash !== chunk.hash) this.faults.push(`the hash of ${key} in version ${chunk.version}`);
  }
  #chunk(reader) {
    const [cx, cy, version, hash] = [reader.u8(), reader.u8(), reader.varint(), reader.u64()];
    const columns = Math.min(SIDE, this.width - cx * SIDE);
    const rows = Math.min(SIDE, this.height - cy * SIDE);
    const chunk = { version, hash, pixels: new Pixels(this.background) };
    if (!reader.done) {
      const colours = new Reader(inflateRawSync(reader.rest()));
      for (let y = 0; y < rows; ++y) for (let x = 0; x < columns; ++x) chunk.pixels.set(y * SIDE + x, this.#colour(colours));
    }
    ++this.wholeChunks;
    this.chunks.set(`${cx},${cy}`, chunk);
    this.#check(`${cx},${cy}`, chunk);
    this.inbox.push({ type: "chunk", cx, cy });
  }
  #current(reader) {
    const [cx, cy, version, hash] = [reader.u8(), reader.u8(), reader.varint(), reader.u64()];
    const chunk = this.chunks.get(`${cx},${cy}`);
    if (chunk?.version !== version || chunk?.hash !== hash) this.faults.push(`CURRENT of ${cx},${cy}`);
    this.inbox.push({ type: "current", cx, cy });
  }
  #tick(reader) {
    reader.varint();
    while (!reader.done) {
      const key = `${reader.u8()},${reader.u8()}`;
      const [version, hash] = [reader.varint(), reader.u64()];
      const chunk = this.chunks.get(key);
      if (!chunk || version !== chunk.version + 1) this.faults.push(`${key} goes from ${chunk?.version} to ${version}`);
      for (let groups = reader.varint(); groups > 0; --groups) {
        const colour = this.#colour(reader);
        let index = 0;
        for (let count = reader.varint(); count > 0; --count) {
          index += reader.varint();
          chunk?.pixels.set(index, colour);
        }
      }
      if (!chunk) continue;
      Object.assign(chunk, { version, hash });
      this.#check(key, chunk);
    }
  }
  watch([x0, y0, x1, y1] = [0, 0, Math.ceil(this.width / SIDE) - 1, Math.ceil(this.height / SIDE) - 1], known = []) {
    const epoch = Buffer.alloc(8);
    epoch.writeBigUInt64LE(this.epoch);
    const list = known.flatMap(([key, version]) => [...key.split(",").map(Number), ...varint(version)]);
    this.socket.send(Buffer.from([0x02, x0, y0, x1, y1, ...epoch, ...varint(known.length), ...list]));
  }
  // Waits for a CHUNK or CURRENT of each chunk.
  async watched(count = Math.ceil(this.width / SIDE) * Math.ceil(this.height / SIDE)) {
    await until(`${count} chunks`, () => this.chunks.size >= count);
  }
  pixels(request, pixels) {
    const bytes = pixels.flatMap(([x, y, colour]) => [x & 255, x >> 8, y & 255, y >> 8, ...(this.colourBytes === 1 ? [colour] : [colour >> 16, (colour >> 8) & 255, colour & 255])]);
    this.socket.send(Buffer.from([0x01, ...varint(request), ...varint(pixels.length), ...bytes]));
  }
  // Draws, and waits for the ACK.
  draw(request, pixels) {
    this.pixels(request, pixels);
    return this.take("ack", (ack) => ack.request === request);
  }
  at(x, y) {
    return this.chunks.get(`${x >> 8},${y >> 8}`)?.pixels.colours[((y & 255) << 8) | (x & 255)];
  }
  // The version of each chunk, as text, to compare clients.
  get state() {
    return [...this.chunks].map(([key, { version, hash }]) => `${key}:${version}:${hash}`).sort().join(" ");
  }
}

// The state of a fresh client: what the server has.
export async function serverState(t, url, options) {
  const client = await BinaryClient.open(t, url, options);
  client.watch();
  await client.watched();
  const { state } = client;
  client.socket.terminate();
  return state;
}
