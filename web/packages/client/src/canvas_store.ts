// The chunks that a client has, each with its version and hash. Bytes come from the connection; what is wrong is fetched again.
import { ChunkHash } from "./canvas_hash.js";
import type { Inflate } from "./canvas_inflate.js";
import { CHUNK, type ChunkArea, type ChunkHave, type ChunkMessage, type Colour, type CurrentMessage, type TickSection, type WelcomeMessage } from "./canvas_wire.js";

/** Unwatched chunks that are kept, so that coming back to them costs only what changed. */
export const KEPT_CHUNKS_MAX = 64;
/** After so many repairs of a chunk, without one good tick between them, the server is left. */
export const REPAIRS_MAX = 4;

/** A square of the canvas. Read only for users of the client. */
export interface CanvasChunk {
  readonly cx: number;
  readonly cy: number;
  /** Smaller than 256 at the right and lower edge. */
  readonly columns: number;
  readonly rows: number;
  /** Row by row; null while every pixel has the background colour. It does not contain own pixels that the server does not have yet. */
  readonly colours: Uint8Array | Uint32Array | null;
  readonly version: number;
  /** False until it has arrived, and while it is repaired. */
  readonly isGood: boolean;
}

interface Held extends CanvasChunk {
  colours: Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | null;
  version: number;
  isGood: boolean;
  readonly hash: ChunkHash;
  /** What must still come: the answer to WATCH or FETCH, or the inflated bytes. */
  waitsFor: "nothing" | "answer" | "bytes";
  /** Sections that came while the bytes were inflated. */
  readonly queued: TickSection[];
  /** What an earlier inflation still delivers is ignored. */
  generation: number;
  repairs: number;
}

export interface StoreEvents {
  /** `indices` in the chunk, as in a tick; null: all of them. */
  changed(chunk: CanvasChunk, indices: readonly number[] | null): void;
  fetch(cx: number, cy: number): void;
  /** The server's chunks and hashes do not fit. */
  failed(reason: string): void;
}

export type RoomShape = Pick<WelcomeMessage, "epoch" | "width" | "height" | "background" | "palette">;

export class CanvasStore {
  /** Hashes that were compared, and chunks that had to be fetched again. */
  checks = 0;
  repairs = 0;
  readonly background: Colour;
  readonly hasPalette: boolean;
  private readonly chunks = new Map<number, Held>();
  private area: ChunkArea | null = null;

  constructor(readonly shape: RoomShape, private readonly inflate: Inflate, private readonly events: StoreEvents) {
    this.hasPalette = shape.palette.length > 0;
    this.background = this.hasPalette ? Math.max(0, shape.palette.indexOf(shape.background)) : shape.background;
  }

  get all(): Iterable<CanvasChunk> { return this.chunks.values(); }
  get(cx: number, cy: number): CanvasChunk | undefined { return this.chunks.get(cy << 8 | cx); }

  /** The colour at a place of the canvas that has arrived, otherwise undefined. */
  colourAt(x: number, y: number): Colour | undefined {
    const chunk = this.chunks.get(y >>> 8 << 8 | x >>> 8);
    if (!chunk || (!chunk.isGood && !chunk.colours)) return undefined;
    return chunk.colours ? chunk.colours[(y & 255) * chunk.columns + (x & 255)] : this.background;
  }

  /** Watched chunks, and those of them that are as the server has them. */
  count(): { watched: number; good: number } {
    let watched = 0;
    let good = 0;
    for (const chunk of this.chunks.values()) {
      if (!this.isWatched(chunk.cx, chunk.cy)) continue;
      watched++;
      if (chunk.isGood && chunk.waitsFor === "nothing") good++;
    }
    return { watched, good };
  }

  /** Sets what is watched. Returns what the server needs to know of it. `isNew`: the connection is, and knows nothing of an earlier area. */
  watch(area: ChunkArea, isNew: boolean): ChunkHave[] {
    const before = isNew ? null : this.area;
    this.area = area;
    const have: ChunkHave[] = [];
    for (let cy = area.y0; cy <= area.y1; cy++) {
      for (let cx = area.x0; cx <= area.x1; cx++) {
        const chunk = this.chunks.get(cy << 8 | cx) ?? this.make(cx, cy);
        // The last of the map are those that were watched last.
        this.chunks.delete(cy << 8 | cx);
        this.chunks.set(cy << 8 | cx, chunk);
        if (chunk.isGood) have.push({ cx, cy, version: chunk.version });
        if (!before || !isInside(before, cx, cy)) chunk.waitsFor = "answer";
      }
    }
    this.evict();
    return have;
  }

  /** The connection is gone. What was under way will not come; what is good stays, and can be named to the next connection. */
  disconnected(): void {
    for (const chunk of this.chunks.values()) {
      chunk.generation++;
      chunk.queued.length = 0;
      chunk.repairs = 0;
      chunk.waitsFor = "answer";
    }
  }

  takeChunk(message: ChunkMessage): void {
    const { cx, cy } = message;
    this.checkPlace(cx, cy);
    const chunk = this.chunks.get(cy << 8 | cx);
    if (!chunk || !this.isWatched(cx, cy)) return;
    chunk.queued.length = 0;
    const generation = ++chunk.generation;
    if (message.version === 0) return this.loaded(chunk, message, null);
    chunk.waitsFor = "bytes";
    const size = chunk.columns * chunk.rows * (this.hasPalette ? 1 : 3);
    this.inflate(message.deflated, size).then(
      (bytes) => { if (chunk.generation === generation) this.loaded(chunk, message, this.hasPalette ? bytes : fromRgb(bytes)); },
      () => { if (chunk.generation === generation) this.repair(chunk); },
    );
  }

  takeCurrent({ chunks }: CurrentMessage): void {
    for (const { cx, cy, version, hash } of chunks) {
      this.checkPlace(cx, cy);
      const chunk = this.chunks.get(cy << 8 | cx);
      if (!chunk || !this.isWatched(cx, cy)) continue;
      this.checks++;
      if (chunk.isGood && chunk.version === version && chunk.hash.equals(hash)) chunk.waitsFor = "nothing";
      else this.repair(chunk);
    }
  }

  takeSection(section: TickSection): void {
    this.checkPlace(section.cx, section.cy);
    const chunk = this.chunks.get(section.cy << 8 | section.cx);
    if (!chunk) return;
    if (chunk.waitsFor === "bytes") chunk.queued.push(section);
    // Not good: the answer that is awaited has it. A lower version: it came twice, because the area changed to and fro.
    else if (chunk.isGood && section.version > chunk.version) this.apply(chunk, section);
  }

  private apply(chunk: Held, { version, hash, indices, colours }: TickSection): void {
    if (version !== chunk.version + 1) return this.repair(chunk);
    const pixels = (chunk.colours ??= this.blank(chunk));
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i]!;
      const [column, row] = [index & 255, index >>> 8];
      if (column >= chunk.columns || row >= chunk.rows) return this.repair(chunk);
      const at = row * chunk.columns + column;
      chunk.hash.change(index, pixels[at]!, colours[i]!);
      pixels[at] = colours[i]!;
    }
    chunk.version = version;
    chunk.waitsFor = "nothing";
    this.checks++;
    if (chunk.hash.equals(hash)) chunk.repairs = 0;
    else this.repair(chunk);
    this.events.changed(chunk, indices);
  }

  private loaded(chunk: Held, { version, hash }: ChunkMessage, colours: Held["colours"]): void {
    chunk.colours = colours;
    chunk.version = version;
    if (colours) chunk.hash.sum(colours, chunk.columns);
    else chunk.hash.reset();
    chunk.isGood = true;
    chunk.waitsFor = "nothing";
    this.checks++;
    const isRight = chunk.hash.equals(hash);
    this.events.changed(chunk, null);
    if (!isRight) return this.repair(chunk);
    for (const section of chunk.queued.splice(0)) this.takeSection(section);
  }

  private repair(chunk: Held): void {
    chunk.isGood = false;
    chunk.queued.length = 0;
    chunk.generation++;
    chunk.waitsFor = "answer";
    this.repairs++;
    if (++chunk.repairs > REPAIRS_MAX) return this.events.failed("the server's chunks and their hashes do not fit");
    if (this.isWatched(chunk.cx, chunk.cy)) this.events.fetch(chunk.cx, chunk.cy);
  }

  private make(cx: number, cy: number): Held {
    const side = (all: number, chunk: number): number => Math.min(CHUNK, all - chunk * CHUNK);
    return {
      cx, cy, columns: side(this.shape.width, cx), rows: side(this.shape.height, cy), colours: null, version: 0, isGood: false, hash: new ChunkHash(this.background),
      waitsFor: "answer", queued: [], generation: 0, repairs: 0,
    };
  }

  private blank({ columns, rows }: Held): Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer> {
    return (this.hasPalette ? new Uint8Array(columns * rows) : new Uint32Array(columns * rows)).fill(this.background);
  }

  private evict(): void {
    let surplus = this.chunks.size - this.count().watched - KEPT_CHUNKS_MAX;
    for (const [key, chunk] of this.chunks) {
      if (surplus <= 0) return;
      if (this.isWatched(chunk.cx, chunk.cy)) continue;
      chunk.generation++;
      this.chunks.delete(key);
      surplus--;
    }
  }

  private isWatched(cx: number, cy: number): boolean { return this.area !== null && isInside(this.area, cx, cy); }

  private checkPlace(cx: number, cy: number): void {
    if (cx * CHUNK >= this.shape.width || cy * CHUNK >= this.shape.height) throw new RangeError("the server named a chunk outside of the canvas");
  }
}

function isInside({ x0, y0, x1, y1 }: ChunkArea, cx: number, cy: number): boolean { return cx >= x0 && cx <= x1 && cy >= y0 && cy <= y1; }

function fromRgb(bytes: Uint8Array): Uint32Array<ArrayBuffer> {
  const colours = new Uint32Array(bytes.length / 3);
  for (let i = 0, at = 0; i < colours.length; i++, at += 3) colours[i] = bytes[at]! << 16 | bytes[at + 1]! << 8 | bytes[at + 2]!;
  return colours;
}
