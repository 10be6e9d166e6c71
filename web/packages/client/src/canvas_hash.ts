// The hash of a chunk: two 32-bit sums over its drawn pixels (docs/canvas.md, "The hash"). A change costs the same for every size.
import { CHUNK, type CanvasHash, type Colour } from "./canvas_wire.js";

function mix(v: number): number {
  v = Math.imul(v ^ v >>> 16, 0x85ebca6b);
  v = Math.imul(v ^ v >>> 13, 0xc2b2ae35);
  return v ^ v >>> 16;
}

/** Sums in place, so that nothing is allocated for a pixel. */
export class ChunkHash implements CanvasHash {
  private highSum = 0;
  private lowSum = 0;

  constructor(private readonly background: Colour) {}

  get high(): number { return this.highSum >>> 0; }
  get low(): number { return this.lowSum >>> 0; }

  /** `index` is (y % 256) * 256 + x % 256. */
  change(index: number, from: Colour, to: Colour): void {
    if (from === to) return;
    if (from !== this.background) this.add(index, from, -1);
    if (to !== this.background) this.add(index, to, 1);
  }

  reset(): void { this.highSum = this.lowSum = 0; }

  equals(other: CanvasHash): boolean { return this.high === other.high && this.low === other.low; }

  /** Of a whole chunk, row by row. */
  sum(colours: ArrayLike<Colour>, columns: number): void {
    this.reset();
    for (let at = 0, row = 0; at < colours.length; row++) {
      for (let column = 0; column < columns; column++, at++) {
        const colour = colours[at] as Colour;
        if (colour !== this.background) this.add(row * CHUNK + column, colour, 1);
      }
    }
  }

  private add(index: number, colour: Colour, sign: 1 | -1): void {
    const key = mix(Math.imul(index, 0x9e3779b1) + colour | 0);
    this.lowSum = this.lowSum + sign * mix(key ^ 0x27d4eb2f) | 0;
    this.highSum = this.highSum + sign * mix(key ^ 0x165667b1) | 0;
  }
}
