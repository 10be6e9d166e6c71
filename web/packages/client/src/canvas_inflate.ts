// Raw deflate (RFC 1951) to bytes of a known number. The browser's own decoder works beside the page's thread; where there is none
// (Node before 20.12), the one below does.

export type Inflate = (deflated: Uint8Array<ArrayBuffer>, size: number) => Promise<Uint8Array<ArrayBuffer>>;

/** Rejects if the data are not deflate of exactly `size` bytes. Nothing past that number is kept. */
export const inflate: Inflate = async (deflated, size) => {
  const stream = nativeStream();
  if (!stream) return inflateHere(deflated, size);
  const writer = stream.writable.getWriter();
  // A failure is reported by the reading side.
  writer.write(deflated).then(() => writer.close()).catch(() => undefined);
  const reader = (stream.readable as ReadableStream<Uint8Array>).getReader();
  const out = new Uint8Array(size);
  for (let at = 0; ;) {
    const { done, value } = await reader.read();
    if (done) {
      if (at !== size) throw new RangeError("the chunk is too short");
      return out;
    }
    if (at + value.length > size) {
      void reader.cancel().catch(() => undefined);
      throw new RangeError("the chunk is too long");
    }
    out.set(value, at);
    at += value.length;
  }
};

function nativeStream(): DecompressionStream | null {
  try {
    return typeof DecompressionStream === "function" ? new DecompressionStream("deflate-raw") : null;
  } catch {
    return null;  // it knows gzip only
  }
}

const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const CODE_BITS_MAX = 15;

/** The codes of one alphabet: how many there are of each length, and the symbols in the order of their codes (RFC1951§3.2.2). */
interface Codes { readonly counts: Uint16Array; readonly symbols: Uint16Array }

function codesOf(lengths: ArrayLike<number>): Codes {
  const counts = new Uint16Array(CODE_BITS_MAX + 1);
  for (let i = 0; i < lengths.length; i++) counts[lengths[i] as number]!++;
  counts[0] = 0;
  let left = 1;
  const offsets = new Uint16Array(CODE_BITS_MAX + 2);
  for (let bits = 1; bits <= CODE_BITS_MAX; bits++) {
    left = left * 2 - counts[bits]!;
    if (left < 0) throw new RangeError("deflate: more codes than fit");
    offsets[bits + 1] = offsets[bits]! + counts[bits]!;
  }
  const symbols = new Uint16Array(lengths.length);
  for (let i = 0; i < lengths.length; i++) if (lengths[i]) symbols[offsets[lengths[i] as number]!++] = i;
  return { counts, symbols };
}

const FIXED_LITERALS = (): Codes => codesOf(Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)));
const FIXED_DISTANCES = (): Codes => codesOf(new Array(30).fill(5));

/** The same without the browser's decoder, at once. Throws RangeError. */
export function inflateHere(deflated: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  return new Inflater(deflated, size).run();
}

class Inflater {
  private readonly out: Uint8Array<ArrayBuffer>;
  private at = 0;
  private read = 0;
  private held = 0;
  private heldBits = 0;

  constructor(private readonly input: Uint8Array, size: number) { this.out = new Uint8Array(size); }

  run(): Uint8Array<ArrayBuffer> {
    for (let isLast = false; !isLast;) {
      isLast = this.bits(1) === 1;
      const kind = this.bits(2);
      if (kind === 0) this.stored();
      else if (kind === 1) this.compressed(FIXED_LITERALS(), FIXED_DISTANCES());
      else if (kind === 2) this.dynamic();
      else throw new RangeError("deflate: a block of no known kind");
    }
    if (this.at !== this.out.length) throw new RangeError("the chunk is too short");
    if (this.read < this.input.length) throw new RangeError("deflate: bytes are left over");
    return this.out;
  }

  private bits(count: number): number {
    while (this.heldBits < count) {
      const byte = this.input[this.read++];
      if (byte === undefined) throw new RangeError("deflate: the data end too early");
      this.held |= byte << this.heldBits;
      this.heldBits += 8;
    }
    const value = this.held & (1 << count) - 1;
    this.held >>>= count;
    this.heldBits -= count;
    return value;
  }

  private put(byte: number): void {
    if (this.at === this.out.length) throw new RangeError("the chunk is too long");
    this.out[this.at++] = byte;
  }

  private stored(): void {
    this.held = this.heldBits = 0;
    const length = this.bits(16);
    if ((length ^ 0xffff) !== this.bits(16)) throw new RangeError("deflate: a stored block's length is wrong");
    for (let i = 0; i < length; i++) this.put(this.bits(8));
  }

  private symbol({ counts, symbols }: Codes): number {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let bits = 1; bits <= CODE_BITS_MAX; bits++) {
      code |= this.bits(1);
      const count = counts[bits]!;
      if (code - count < first) return symbols[index + code - first]!;
      index += count;
      first = (first + count) * 2;
      code *= 2;
    }
    throw new RangeError("deflate: no such code");
  }

  private dynamic(): void {
    const [literals, distances, lengths] = [this.bits(5) + 257, this.bits(5) + 1, this.bits(4) + 4];
    const small = new Uint8Array(19);
    for (let i = 0; i < lengths; i++) small[CODE_LENGTH_ORDER[i]!] = this.bits(3);
    const codes = codesOf(small);
    const all = new Uint8Array(literals + distances);
    for (let i = 0; i < all.length;) {
      const symbol = this.symbol(codes);
      if (symbol < 16) {
        all[i++] = symbol;
        continue;
      }
      if (symbol === 16 && i === 0) throw new RangeError("deflate: nothing to repeat");
      const value = symbol === 16 ? all[i - 1]! : 0;
      const times = symbol === 16 ? 3 + this.bits(2) : symbol === 17 ? 3 + this.bits(3) : 11 + this.bits(7);
      if (i + times > all.length) throw new RangeError("deflate: too many lengths");
      all.fill(value, i, i += times);
    }
    this.compressed(codesOf(all.subarray(0, literals)), codesOf(all.subarray(literals)));
  }

  private compressed(literals: Codes, distances: Codes): void {
    for (;;) {
      const symbol = this.symbol(literals);
      if (symbol === 256) return;
      if (symbol < 256) this.put(symbol);
      else this.copy(this.length(symbol), this.distance(this.symbol(distances)));
    }
  }

  // RFC1951§3.2.5: four codes for each number of extra bits.
  private length(symbol: number): number {
    if (symbol > 285) throw new RangeError("deflate: no such length");
    if (symbol === 285) return 258;
    const code = symbol - 257;
    if (code < 8) return code + 3;
    const extra = (code >>> 2) - 1;
    return (4 + (code & 3) << extra) + 3 + this.bits(extra);
  }

  private distance(code: number): number {
    if (code > 29) throw new RangeError("deflate: no such distance");
    if (code < 4) return code + 1;
    const extra = (code >>> 1) - 1;
    return (2 + (code & 1) << extra) + 1 + this.bits(extra);
  }

  private copy(length: number, distance: number): void {
    if (distance > this.at) throw new RangeError("deflate: a distance before the beginning");
    for (; length > 0; length--) this.put(this.out[this.at - distance]!);
  }
}
