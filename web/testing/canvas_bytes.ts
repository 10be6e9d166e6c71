// The server's side of fanfare.canvas.v1, written from docs/canvas.md alone, so that the client's codec meets another one.
export type Part = readonly [kind: "u8" | "u16" | "u64" | "varint" | "rgb" | "text" | "raw", value: number | bigint | string | Uint8Array];

/** Bytes of parts such as ["u8", 0x81], ["text", "u1"]. */
export function pack(...parts: Part[]): Buffer {
  return Buffer.concat(parts.map(([kind, value]) => {
    switch (kind) {
      case "u8": return Buffer.of(Number(value));
      case "u16": return Buffer.of(Number(value) % 256, Math.floor(Number(value) / 256));
      case "u64": { const out = Buffer.alloc(8); out.writeBigUInt64LE(BigInt(value as number | bigint)); return out; }
      case "varint": return leb128(BigInt(value as number | bigint));
      case "rgb": return Buffer.of(Number(value) >> 16, Number(value) >> 8 & 255, Number(value) & 255);
      case "text": { const bytes = Buffer.from(String(value)); return Buffer.concat([leb128(BigInt(bytes.length)), bytes]); }
      case "raw": return Buffer.from(value as Uint8Array);
    }
  }));
}

function leb128(value: bigint): Buffer {
  const out: number[] = [];
  do {
    out.push(Number(value & 127n) | (value > 127n ? 128 : 0));
    value >>= 7n;
  } while (value > 0n);
  return Buffer.from(out);
}

/** Reads what a client sent. Every read past the end throws. */
export class Scanner {
  private at = 0;
  constructor(private readonly bytes: Buffer) {}
  u8(): number { return this.bytes.readUInt8(this.at++); }
  u16(): number { return this.bytes.readUInt16LE((this.at += 2) - 2); }
  u64(): bigint { return this.bytes.readBigUInt64LE((this.at += 8) - 8); }
  rgb(): number { return this.bytes.readUIntBE((this.at += 3) - 3, 3); }
  varint(): number {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (shift === 35n) throw new RangeError("a varint of more than 5 bytes");
      const byte = BigInt(this.u8());
      value |= (byte & 127n) << shift;
      if (byte < 128n) return Number(value);
    }
  }
  text(): string {
    const length = this.varint();
    return this.bytes.toString("utf8", this.at, this.at += length);
  }
  get left(): number { return this.bytes.length - this.at; }
  end(): void { if (this.at !== this.bytes.length) throw new RangeError("bytes are left over"); }
}

const M = 0xffff_ffffn;
function mix(v: bigint): bigint {
  v ^= v >> 16n;
  v = v * 0x85ebca6bn & M;
  v ^= v >> 13n;
  v = v * 0xc2b2ae35n & M;
  return v ^ v >> 16n;
}

/** What one pixel adds to the hash of its chunk, as [high, low]. */
export function hashOfPixel(index: number, colour: number): readonly [bigint, bigint] {
  const key = mix(BigInt(index) * 0x9e3779b1n + BigInt(colour) & M);
  return [mix(key ^ 0x165667b1n), mix(key ^ 0x27d4eb2fn)];
}

/** The hash of pixels, given as [index, colour]; those of the background colour are left out by the caller. */
export function hashOf(pixels: Iterable<readonly [number, number]>): bigint {
  let [high, low] = [0n, 0n];
  for (const [index, colour] of pixels) {
    const [h, l] = hashOfPixel(index, colour);
    high = high + h & M;
    low = low + l & M;
  }
  return high << 32n | low;
}
