// The messages of the subprotocol fanfare.canvas.v1, as docs/canvas.md draws them: bytes to values and back. No state.

export const CANVAS_PROTOCOL = "fanfare.canvas.v1";
/** The side of a chunk. */
export const CHUNK = 256;
/** The most pixels of one PIXELS message. */
export const PIXELS_MAX = 4_096;

/** An index of the palette, or 0xRRGGBB in a room without one. */
export type Colour = number;
export interface CanvasPixel { readonly x: number; readonly y: number; readonly colour: Colour }
/** Chunk columns and rows, inclusive. */
export interface ChunkArea { readonly x0: number; readonly y0: number; readonly x1: number; readonly y1: number }
export interface ChunkHave { readonly cx: number; readonly cy: number; readonly version: number }
/** 64 bits as two numbers of 32. */
export interface CanvasHash { readonly high: number; readonly low: number }

/** `status` of ACK and ERROR, by number. */
export const CANVAS_STATUS = [
  "accepted", "bad_message", "out_of_range", "too_many_pixels", "not_permitted", "storage_full", "too_many_messages", "proof_required", "message_too_big",
] as const;
export type CanvasStatus = (typeof CANVAS_STATUS)[number] | "unknown";

export interface WelcomeMessage {
  readonly type: "welcome";
  readonly epoch: bigint;
  readonly nowMs: number;
  readonly width: number;
  readonly height: number;
  readonly tickMs: number;
  /** 0xRRGGBB. */
  readonly background: number;
  /** 0xRRGGBB each; empty in a room with 24-bit colours. */
  readonly palette: readonly number[];
  readonly userId: string;
  readonly userNumber: number;
  readonly pixelsPerSecond: number;
  readonly pixelsBurst: number;
  readonly cooldownMs: number;
  readonly mayDraw: boolean;
  readonly mayModerate: boolean;
}
export interface ChunkMessage { readonly type: "chunk"; readonly cx: number; readonly cy: number; readonly version: number; readonly hash: CanvasHash; readonly deflated: Uint8Array<ArrayBuffer> }
export interface CurrentMessage { readonly type: "current"; readonly chunks: readonly (ChunkHave & { readonly hash: CanvasHash })[] }
/** Parallel arrays, so that a tick of many pixels makes no objects. */
export interface TickSection { readonly cx: number; readonly cy: number; readonly version: number; readonly hash: CanvasHash; readonly indices: readonly number[]; readonly colours: readonly Colour[] }
export interface TickMessage { readonly type: "tick"; readonly tick: number; readonly sections: readonly TickSection[] }
export interface AckMessage { readonly type: "ack"; readonly request: number; readonly accepted: number; readonly status: CanvasStatus; readonly retryAfterMs: number }
export interface CursorsMessage { readonly type: "cursors"; readonly cursors: readonly { readonly user: number; readonly x: number; readonly y: number }[]; readonly left: readonly number[] }
export interface CanvasUser { readonly number: number; readonly userId: string; readonly name: string; /** 0xRRGGBB. */ readonly colour: number }
export interface PresenceMessage { readonly type: "presence"; readonly total: number; readonly joined: readonly CanvasUser[]; readonly left: readonly number[] }
export interface ErrorMessage { readonly type: "error"; readonly status: CanvasStatus; readonly text: string }
export type CanvasMessage = WelcomeMessage | ChunkMessage | CurrentMessage | TickMessage | AckMessage | CursorsMessage | PresenceMessage | ErrorMessage;

export type Bytes = Uint8Array<ArrayBuffer>;

/** Grows as it is written to. */
export class ByteWriter {
  private bytes: Bytes = new Uint8Array(64);
  private at = 0;

  u8(value: number): this {
    if (this.at === this.bytes.length) {
      const bigger = new Uint8Array(this.bytes.length * 2);
      bigger.set(this.bytes);
      this.bytes = bigger;
    }
    this.bytes[this.at++] = value;
    return this;
  }
  u16(value: number): this { return this.u8(value & 255).u8(value >>> 8 & 255); }
  u32(value: number): this { return this.u16(value & 0xffff).u16(value >>> 16); }
  u64(value: bigint): this { return this.u32(Number(value & 0xffffffffn)).u32(Number(value >> 32n & 0xffffffffn)); }
  /** LEB128 of a whole number from 0 to 2^53. */
  varint(value: number): this {
    for (; value >= 128; value = Math.floor(value / 128)) this.u8(value % 128 + 128);
    return this.u8(value);
  }
  rgb(value: number): this { return this.u8(value >>> 16 & 255).u8(value >>> 8 & 255).u8(value & 255); }
  raw(bytes: Uint8Array): this {
    for (const byte of bytes) this.u8(byte);
    return this;
  }
  text(value: string): this {
    const bytes = new TextEncoder().encode(value);
    return this.varint(bytes.length).raw(bytes);
  }
  take(): Bytes { return this.bytes.slice(0, this.at); }
}

/** A message that does not keep to the description. */
export class CanvasFormatError extends Error {
  override readonly name = "CanvasFormatError";
}

/** Every read checks that the bytes are there, and throws CanvasFormatError if not. */
export class ByteReader {
  private at = 0;
  constructor(private readonly bytes: Bytes) {}

  get isAtEnd(): boolean { return this.at === this.bytes.length; }
  u8(): number {
    const value = this.bytes[this.at++];
    if (value === undefined) throw new CanvasFormatError("the message is too short");
    return value;
  }
  u16(): number { return this.u8() | this.u8() << 8; }
  u32(): number { return (this.u16() | this.u16() << 16) >>> 0; }
  u64(): bigint { return BigInt(this.u32()) | BigInt(this.u32()) << 32n; }
  varint(bytesMax = 5): number {
    let value = 0;
    for (let i = 0, scale = 1; i < bytesMax; i++, scale *= 128) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (bytesMax === 5 ? value > 0xffff_ffff : value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
    }
    throw new CanvasFormatError("a number is too large");
  }
  rgb(): number { return this.u8() << 16 | this.u8() << 8 | this.u8(); }
  hash(): CanvasHash {
    const low = this.u32();
    return { high: this.u32(), low };
  }
  rest(): Bytes {
    const rest = this.bytes.subarray(this.at);
    this.at = this.bytes.length;
    return rest;
  }
  text(): string {
    const length = this.varint();
    if (length > this.bytes.length - this.at) throw new CanvasFormatError("the message is too short");
    const part = this.bytes.subarray(this.at, this.at += length);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(part);
    } catch {
      throw new CanvasFormatError("a text is not UTF-8");
    }
  }
  /** Calls `read` so many times. Each must take a byte at least, so a wrong count ends with the message. */
  list<T>(read: () => T): T[] {
    const all: T[] = [];
    for (let count = this.varint(); count > 0; count--) all.push(read());
    return all;
  }
}

/** With a proof, which is JSON text: PROVEN. */
export const encodePixels = (request: number, pixels: readonly CanvasPixel[], hasPalette: boolean, proof?: string): Bytes => {
  const out = new ByteWriter().u8(proof === undefined ? 0x01 : 0x06).varint(request);
  if (proof !== undefined) out.text(proof);
  out.varint(pixels.length);
  for (const { x, y, colour } of pixels) {
    out.u16(x).u16(y);
    if (hasPalette) out.u8(colour);
    else out.rgb(colour);
  }
  return out.take();
};

export const encodeWatch = ({ x0, y0, x1, y1 }: ChunkArea, epoch: bigint, have: readonly ChunkHave[]): Bytes => {
  const out = new ByteWriter().u8(0x02).u8(x0).u8(y0).u8(x1).u8(y1).u64(epoch).varint(have.length);
  for (const { cx, cy, version } of have) out.u8(cx).u8(cy).varint(version);
  return out.take();
};

export const encodeFetch = (cx: number, cy: number): Bytes => new ByteWriter().u8(0x03).u8(cx).u8(cy).take();
/** Null: it has left. */
export const encodeCursor = (place: { readonly x: number; readonly y: number } | null): Bytes => {
  const out = new ByteWriter().u8(0x04);
  return (place ? out.u16(place.x).u16(place.y) : out).take();
};
export const encodeUndo = (request: number, count: number): Bytes => new ByteWriter().u8(0x05).varint(request).varint(count).take();

/** Throws CanvasFormatError. Returns null for an op-code that is not known. `hasPalette`: of the WELCOME before. */
export function decodeCanvasMessage(bytes: Bytes, hasPalette: boolean): CanvasMessage | null {
  const input = new ByteReader(bytes);
  const read = READERS[input.u8()];
  if (!read) return null;
  const message = read(input, hasPalette);
  if (!input.isAtEnd) throw new CanvasFormatError("bytes are left over");
  return message;
}

const READERS: Readonly<Record<number, (input: ByteReader, hasPalette: boolean) => CanvasMessage>> = {
  0x81: readWelcome,
  0x82: (input) => ({ type: "chunk", cx: input.u8(), cy: input.u8(), version: input.varint(10), hash: input.hash(), deflated: input.rest() }),
  0x83: (input) => ({ type: "current", chunks: input.list(() => ({ cx: input.u8(), cy: input.u8(), version: input.varint(10), hash: input.hash() })) }),
  0x84: readTick,
  0x85: (input) => ({ type: "ack", request: input.varint(), accepted: input.varint(), status: readStatus(input), retryAfterMs: input.varint() }),
  0x86: (input) => ({ type: "cursors", cursors: input.list(() => ({ user: input.varint(), x: input.u16(), y: input.u16() })), left: input.list(() => input.varint()) }),
  0x87: readPresence,
  0x88: (input) => ({ type: "error", status: readStatus(input), text: input.text() }),
};

function readStatus(input: ByteReader): CanvasStatus { return CANVAS_STATUS[input.u8()] ?? "unknown"; }

function readWelcome(input: ByteReader): WelcomeMessage {
  const protocol = input.u8();
  if (protocol !== 1) throw new CanvasFormatError(`protocol ${protocol} is not known`);
  const before = { epoch: input.u64(), nowMs: Number(input.u64()), width: input.varint(), height: input.varint(), tickMs: input.varint(), background: input.rgb() };
  if (!isSide(before.width) || !isSide(before.height)) throw new CanvasFormatError("the size of the canvas is out of range");
  const palette = input.list(() => input.rgb());
  if (palette.length > 256) throw new CanvasFormatError("the palette is too long");
  const after = { userId: input.text(), userNumber: input.varint(), pixelsPerSecond: input.varint(), pixelsBurst: input.varint(), cooldownMs: input.varint() };
  const permissions = input.u8();
  return { type: "welcome", ...before, palette, ...after, mayDraw: (permissions & 1) !== 0, mayModerate: (permissions & 2) !== 0 };
}

const isSide = (value: number): boolean => value >= 1 && value <= 65_536;

function readTick(input: ByteReader, hasPalette: boolean): TickMessage {
  const tick = input.varint(10);
  const sections: TickSection[] = [];
  while (!input.isAtEnd) sections.push(readSection(input, hasPalette));
  return { type: "tick", tick, sections };
}

function readSection(input: ByteReader, hasPalette: boolean): TickSection {
  const head = { cx: input.u8(), cy: input.u8(), version: input.varint(10), hash: input.hash() };
  const indices: number[] = [];
  const colours: Colour[] = [];
  for (let groups = input.varint(); groups > 0; groups--) {
    const colour = hasPalette ? input.u8() : input.rgb();
    let index = 0;
    for (let i = 0, count = input.varint(); i < count; i++) {
      const step = input.varint();
      if (i > 0 && step === 0) throw new CanvasFormatError("an index is named twice");
      index += step;
      if (index >= CHUNK * CHUNK) throw new CanvasFormatError("an index is outside of its chunk");
      indices.push(index);
      colours.push(colour);
    }
  }
  return { ...head, indices, colours };
}

function readPresence(input: ByteReader): PresenceMessage {
  const total = input.varint();
  const joined = input.list(() => ({ number: input.varint(), userId: input.text(), name: input.text(), colour: input.rgb() }));
  return { type: "presence", total, joined, left: input.list(() => input.varint()) };
}
