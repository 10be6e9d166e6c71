// A viewer of a shared room of the canvas (docs/canvas.md, the binary protocol). It comes back with the versions that it has, and checks
// every version and every hash. A drawer draws each of its places once, and again until that is acknowledged.

import { inflateRawSync } from "node:zlib";
import { Pixels, Reader, SIDE, varint } from "../support/canvas_wire.js";
import { Follower } from "./follower.js";

const ACCEPTED = 0;
const AGAIN_MS = 3000;

export class CanvasFollower extends Follower {
  epoch = null;
  chunks = new Map(); // "cx,cy": {version, hash, pixels}
  waiting = new Set(); // keys of chunks that WATCH has not answered
  drawn = new Map(); // request: {pixel: [x, y, colour], sent}, not acknowledged
  acknowledged = new Map(); // request: [x, y, colour]

  constructor(name, base, fleet, session) {
    super(name, `${base}/canvas/main${session ? `?session=${session}` : ""}`, fleet);
  }

  get protocols() {
    return ["fanfare.canvas.v1"];
  }

  onOpen() {}

  onMessage(data, isBinary) {
    if (!isBinary) return;
    const reader = new Reader(data);
    const op = reader.u8();
    if (op === 0x81) this.#welcome(reader);
    else if (op === 0x82) this.#chunk(reader);
    else if (op === 0x83) this.#current(reader);
    else if (op === 0x84) this.#tick(reader);
    else if (op === 0x85) this.#ack(reader);
    else if (op === 0x88) this.fleet.onRefused(`canvas status ${reader.u8()}`);
  }

  #welcome(reader) {
    reader.u8();
    const epoch = reader.u64();
    if (this.epoch !== null && epoch !== this.epoch) {
      this.ledger.tell("another epoch of the canvas");
      this.chunks.clear();
    }
    this.epoch = epoch;
    reader.u64();
    this.width = reader.varint();
    this.height = reader.varint();
    reader.varint();
    this.background = reader.rgb();
    this.#watch();
    for (const request of this.drawn.keys()) this.#send(request);
  }

  #watch() {
    const [columns, rows] = [this.width, this.height].map((size) => Math.ceil(size / SIDE));
    this.waiting = new Set(Array.from({ length: columns * rows }, (_, i) => `${i % columns},${Math.floor(i / columns)}`));
    const epoch = Buffer.alloc(8);
    epoch.writeBigUInt64LE(this.epoch);
    const list = [...this.chunks].flatMap(([key, { version }]) => [...key.split(",").map(Number), ...varint(version)]);
    this.socket.send(Buffer.from([0x02, 0, 0, columns - 1, rows - 1, ...epoch, ...varint(this.chunks.size), ...list]));
  }

  #answered(key) {
    this.waiting.delete(key);
    if (this.waiting.size === 0) this.ready();
  }

  #check(key, { pixels, hash, version }) {
    if (pixels.hash !== hash) this.ledger.fault(`the hash of chunk ${key} in version ${version}`);
    else if (version > 0) this.fleet.published.check(this.ledger, `chunk ${this.epoch}/${key}/${version}`, String(hash));
  }

  #chunk(reader) {
    const key = `${reader.u8()},${reader.u8()}`;
    const chunk = { version: reader.varint(), hash: reader.u64(), pixels: new Pixels(this.background) };
    if (!reader.done) {
      const [cx, cy] = key.split(",").map(Number);
      const colours = new Reader(inflateRawSync(reader.rest()));
      const [columns, rows] = [Math.min(SIDE, this.width - cx * SIDE), Math.min(SIDE, this.height - cy * SIDE)];
      for (let y = 0; y < rows; ++y) for (let x = 0; x < columns; ++x) chunk.pixels.set(y * SIDE + x, colours.rgb());
    }
    const before = this.chunks.get(key);
    if (before && before.version > chunk.version) this.ledger.tell("an older chunk, from an instance that is behind");
    this.chunks.set(key, chunk);
    this.#check(key, chunk);
    this.#answered(key);
  }

  #current(reader) {
    for (let count = reader.varint(); count > 0; --count) {
      const key = `${reader.u8()},${reader.u8()}`;
      const [version, hash] = [reader.varint(), reader.u64()];
      const chunk = this.chunks.get(key);
      if (chunk?.version !== version || chunk?.hash !== hash) this.ledger.fault(`CURRENT of ${key}: ${version}, has ${chunk?.version}`);
      this.#answered(key);
    }
  }

  #tick(reader) {
    reader.varint();
    while (!reader.done) {
      const key = `${reader.u8()},${reader.u8()}`;
      const [version, hash] = [reader.varint(), reader.u64()];
      const chunk = this.chunks.get(key);
      const isNext = chunk && version === chunk.version + 1;
      if (!chunk) this.ledger.fault(`a tick of chunk ${key}, which it does not have`);
      else this.ledger.follow(chunk.version, version, `chunk ${key} version`);
      for (let groups = reader.varint(); groups > 0; --groups) {
        const colour = reader.rgb();
        let index = 0;
        for (let count = reader.varint(); count > 0; --count) {
          index += reader.varint();
          if (isNext) chunk.pixels.set(index, colour);
        }
      }
      if (!isNext) continue;
      Object.assign(chunk, { version, hash });
      this.#check(key, chunk);
      if (this.waiting.has(key)) this.#answered(key); // the ticks after the version that it named
    }
  }

  // Draws a place, which nobody else draws.
  draw(request, pixel) {
    this.drawn.set(request, { pixel, sent: 0 });
    if (this.isReady) this.#send(request);
  }

  #send(request) {
    const drawn = this.drawn.get(request);
    const [x, y, colour] = drawn.pixel;
    drawn.sent = Date.now();
    this.socket.send(Buffer.from([0x01, ...varint(request), 1, x & 255, x >> 8, y & 255, y >> 8, colour >> 16, (colour >> 8) & 255, colour & 255]));
  }

  #ack(reader) {
    const [request, accepted, status] = [reader.varint(), reader.varint(), reader.u8()];
    if (status !== ACCEPTED || accepted !== 1) return this.fleet.onRefused(`pixel, status ${status}`);
    const drawn = this.drawn.get(request);
    if (!drawn && !this.acknowledged.has(request)) return this.ledger.fault(`ACK of ${request}, which was not asked`);
    if (!drawn) return; // it was sent again
    this.drawn.delete(request);
    this.acknowledged.set(request, drawn.pixel);
  }

  // What was refused (the broker is away), or is not answered, is drawn again.
  look(now) {
    super.look(now);
    if (!this.isReady) return;
    for (const [request, { sent }] of this.drawn) if (now - sent > AGAIN_MS) this.#send(request);
  }

  hasReached() {
    return this.isReady && this.drawn.size === 0;
  }

  get state() {
    return [...this.chunks].map(([key, { version, hash }]) => `${key}:${version}:${hash}`).sort().join(" ");
  }

  at(x, y) {
    return this.chunks.get(`${x >> 8},${y >> 8}`)?.pixels.colours[((y & 255) << 8) | (x & 255)];
  }
}
