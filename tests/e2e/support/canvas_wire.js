// Bytes of the binary protocol of the canvas (docs/canvas.md), and the pixels of a chunk with their hash.

export const SIDE = 256; // of a chunk

export class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  get done() {
    return this.at >= this.bytes.length;
  }
  u8() {
    return this.bytes.readUInt8(this.at++);
  }
  u16() {
    this.at += 2;
    return this.bytes.readUInt16LE(this.at - 2);
  }
  u64() {
    this.at += 8;
    return this.bytes.readBigUInt64LE(this.at - 8);
  }
  varint() {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }
  rgb() {
    return (this.u8() << 16) | (this.u8() << 8) | this.u8();
  }
  text() {
    const size = this.varint();
    this.at += size;
    return this.bytes.toString("utf8", this.at - size, this.at);
  }
  rest() {
    return this.bytes.subarray(this.at);
  }
}

export const varint = (value) => {
  const bytes = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return [...bytes, value];
};

function mix(value) {
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

// The pixels of a chunk, and their hash, which costs the same for every change.
export class Pixels {
  constructor(background) {
    this.background = background;
    this.colours = new Uint32Array(SIDE * SIDE).fill(background);
    this.sums = new Uint32Array(2);
  }
  #add(index, colour, sign) {
    if (colour === this.background) return;
    const key = mix((Math.imul(index, 0x9e3779b1) + colour) >>> 0);
    this.sums[0] += sign * mix((key ^ 0x27d4eb2f) >>> 0);
    this.sums[1] += sign * mix((key ^ 0x165667b1) >>> 0);
  }
  set(index, colour) {
    this.#add(index, this.colours[index], -1);
    this.#add(index, colour, 1);
    this.colours[index] = colour;
  }
  get hash() {
    return (BigInt(this.sums[1]) << 32n) | BigInt(this.sums[0]);
  }
}
