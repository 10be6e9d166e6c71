// Draws the canvas: a tile for each chunk, and of the stage only what changed, at most once an animation frame. Cursors lie on a second
// canvas, so that they never make pixels be drawn again.
import type { CanvasChunk, CanvasClient } from "@fanfare/client/canvas";
import { edges, kGridScale, visible, type Box, type Point, type Size, type View } from "./view";

interface Tile {
  readonly left: number;
  readonly top: number;
  readonly canvas: HTMLCanvasElement;
  readonly context: CanvasRenderingContext2D;
  readonly image: ImageData;
  readonly words: Uint32Array;
  dirty: Box | null;
}

export interface Past {
  image: CanvasImageSource;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Colours {
  ground: string;
  missing: string;
  line: string;
  ink: string;
  paper: string;
}

const kSide = 256;
const kLittleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
const kPartMargin = 2; // pixels of the screen around what changed: smoothing reaches so far
const kCursorNamesMax = 40; // with more of them in view, only the pointers are drawn

const packed = (rgb: number): number => (kLittleEndian ? (0xff000000 | ((rgb & 255) << 16) | (rgb & 0xff00) | (rgb >>> 16)) >>> 0 : ((rgb << 8) | 255) >>> 0);

const grow = (box: Box | null, left: number, top: number, right: number, bottom: number): Box =>
  box ? { left: Math.min(box.left, left), top: Math.min(box.top, top), right: Math.max(box.right, right), bottom: Math.max(box.bottom, bottom) } : { left, top, right, bottom };

export class Painter {
  view: View = { x: 0, y: 0, scale: 1 };
  box: Size = { width: 1, height: 1 };
  place: Point | null = null; // the pixel that is chosen
  frames = 0;
  onFrame: () => void = () => undefined;
  private readonly tiles = new Map<CanvasChunk, Tile>();
  private readonly stage: CanvasRenderingContext2D;
  private readonly above: CanvasRenderingContext2D;
  private readonly stop: () => void;
  private words = new Map<number, number>(); // of the room's colours
  private dirty: Box | null = null; // in pixels of the canvas
  private isWhole = true;
  private areCursorsDirty = true;
  private request = 0;
  private past: Past | null = null;

  constructor(
    private readonly client: CanvasClient,
    stage: HTMLCanvasElement,
    above: HTMLCanvasElement,
    private colours: Colours,
  ) {
    this.stage = stage.getContext("2d", { alpha: false })!;
    this.above = above.getContext("2d")!;
    this.stop = client.listen({
      pixels: (chunk, indices) => this.changed(chunk, indices),
      reset: () => this.reset(),
      cursors: () => this.redrawCursors(),
    });
    this.reset();
  }

  close(): void {
    this.stop();
    cancelAnimationFrame(this.request);
  }

  setColours(colours: Colours): void {
    this.colours = colours;
    this.redraw();
  }

  resize(box: Size, ratio: number): void {
    this.box = box;
    for (const { canvas } of [this.stage, this.above]) {
      canvas.width = Math.max(1, Math.round(box.width * ratio));
      canvas.height = Math.max(1, Math.round(box.height * ratio));
    }
    this.redraw();
  }

  setView(view: View): void {
    this.view = view;
    this.redraw();
  }

  choose(place: Point | null): void {
    this.place = place;
    this.redrawCursors();
  }

  // What was, in place of what is; null: what is.
  showPast(past: Past | null): void {
    this.past = past;
    this.redraw();
  }

  redraw(): void {
    this.isWhole = true;
    this.redrawCursors();
  }

  redrawCursors(): void {
    this.areCursorsDirty = true;
    this.schedule();
  }

  // The whole canvas in small. Only chunks that have arrived.
  drawSmall(context: CanvasRenderingContext2D, width: number, height: number): void {
    const size = this.client.welcome;
    if (!size) return;
    context.fillStyle = this.colours.missing;
    context.fillRect(0, 0, width, height);
    const [x, y] = [width / size.width, height / size.height];
    for (const tile of this.tiles.values()) {
      this.flush(tile);
      context.drawImage(tile.canvas, tile.left * x, tile.top * y, tile.canvas.width * x, tile.canvas.height * y);
    }
    const { x: left, y: top, width: wide, height: high } = visible(this.view, this.box);
    context.strokeStyle = this.colours.ink;
    context.lineWidth = 2;
    context.strokeRect(left * x, top * y, wide * x, high * y);
    context.strokeStyle = this.colours.paper;
    context.lineWidth = 1;
    context.strokeRect(left * x, top * y, wide * x, high * y);
  }

  private reset(): void {
    this.tiles.clear();
    this.words.clear();
    for (const chunk of this.client.chunks) this.changed(chunk, null);
    this.redraw();
  }

  private word(x: number, y: number): number {
    return this.wordOf(this.client.colourAt(x, y) ?? 0);
  }

  private wordOf(colour: number): number {
    let word = this.words.get(colour);
    if (word === undefined) {
      word = packed(this.client.rgbOf(colour));
      if (this.words.size > 4096) this.words.clear();
      this.words.set(colour, word);
    }
    return word;
  }

  private changed(chunk: CanvasChunk, indices: readonly number[] | null): void {
    if (!chunk.isGood && !chunk.colours) return; // it has not arrived
    const tile = this.tiles.get(chunk);
    if (!tile || indices === null) return this.fill(tile ?? this.make(chunk), chunk);
    const { left, top, words } = tile;
    for (const index of indices) {
      const [x, y] = [index & 255, index >>> 8];
      words[y * chunk.columns + x] = this.word(left + x, top + y);
      this.mark(tile, x, y, x + 1, y + 1);
    }
  }

  private make(chunk: CanvasChunk): Tile {
    const canvas = document.createElement("canvas");
    canvas.width = chunk.columns;
    canvas.height = chunk.rows;
    const image = new ImageData(chunk.columns, chunk.rows);
    const tile: Tile = { left: chunk.cx * kSide, top: chunk.cy * kSide, canvas, context: canvas.getContext("2d", { alpha: false })!, image, words: new Uint32Array(image.data.buffer), dirty: null };
    // Those that the client has forgotten.
    for (const old of this.tiles.keys()) if (this.client.chunk(old.cx, old.cy) !== old) this.tiles.delete(old);
    this.tiles.set(chunk, tile);
    return tile;
  }

  private fill(tile: Tile, { columns, rows, colours }: CanvasChunk): void {
    const { left, top, words } = tile;
    if (this.client.pending > 0) {
      for (let y = 0, at = 0; y < rows; y++) for (let x = 0; x < columns; x++, at++) words[at] = this.word(left + x, top + y);
    } else if (colours) {
      for (let at = 0; at < words.length; at++) words[at] = this.wordOf(colours[at]!);
    } else words.fill(this.word(left, top));
    this.mark(tile, 0, 0, columns, rows);
  }

  private mark(tile: Tile, left: number, top: number, right: number, bottom: number): void {
    tile.dirty = grow(tile.dirty, left, top, right, bottom);
    this.dirty = grow(this.dirty, tile.left + left, tile.top + top, tile.left + right, tile.top + bottom);
    this.schedule();
  }

  private schedule(): void {
    this.request ||= requestAnimationFrame(() => {
      this.request = 0;
      this.frame();
    });
  }

  private frame(): void {
    if (this.isWhole) this.paint(null);
    else if (this.dirty && !this.past) this.paint(this.dirty);
    if (this.areCursorsDirty) this.paintAbove();
    this.isWhole = this.areCursorsDirty = false;
    this.dirty = null;
    this.frames++;
    this.onFrame();
  }

  private flush(tile: Tile): void {
    if (!tile.dirty) return;
    const { left, top, right, bottom } = tile.dirty;
    tile.context.putImageData(tile.image, 0, 0, left, top, right - left, bottom - top);
    tile.dirty = null;
  }

  // `part`: of the canvas, in its pixels. Tiles end on whole pixels of the screen. Otherwise the browser blends the last row of one with
  // what lies below it, and draws it differently if its neighbour is not drawn with it.
  private paint(part: Box | null): void {
    const { stage, view, box, client } = this;
    const size = client.welcome;
    const ratio = stage.canvas.width / box.width;
    const scale = view.scale * ratio;
    const onStage = (part: Box): Box => edges(part, view, scale);
    let clip: Box = { left: 0, top: 0, right: stage.canvas.width, bottom: stage.canvas.height };
    stage.save();
    if (part) {
      const { left, top, right, bottom } = onStage(part);
      clip = { left: left - kPartMargin, top: top - kPartMargin, right: right + kPartMargin, bottom: bottom + kPartMargin };
      stage.beginPath();
      stage.rect(clip.left, clip.top, clip.right - clip.left, clip.bottom - clip.top);
      stage.clip();
    }
    stage.fillStyle = this.colours.ground;
    stage.fillRect(0, 0, stage.canvas.width, stage.canvas.height);
    if (size) {
      stage.imageSmoothingEnabled = scale < 1;
      stage.fillStyle = this.colours.missing;
      const all = onStage({ left: 0, top: 0, right: size.width, bottom: size.height });
      stage.fillRect(all.left, all.top, all.right - all.left, all.bottom - all.top);
      const draw = (image: CanvasImageSource, at: Box) => stage.drawImage(image, at.left, at.top, at.right - at.left, at.bottom - at.top);
      if (this.past) draw(this.past.image, onStage({ left: this.past.x, top: this.past.y, right: this.past.x + this.past.width, bottom: this.past.y + this.past.height }));
      else {
        for (const tile of this.tiles.values()) {
          const { left, top, canvas } = tile;
          const at = onStage({ left, top, right: left + canvas.width, bottom: top + canvas.height });
          if (at.left >= clip.right || at.top >= clip.bottom || at.right <= clip.left || at.bottom <= clip.top) continue;
          this.flush(tile);
          draw(canvas, at);
        }
      }
      stage.setTransform(scale, 0, 0, scale, Math.round(-view.x * scale), Math.round(-view.y * scale));
      if (view.scale >= kGridScale) this.grid(scale, part);
    }
    stage.restore();
  }

  private grid(scale: number, part: Box | null): void {
    const { stage, view, box } = this;
    const size = this.client.welcome!;
    const seen = visible(view, box);
    const [left, right] = [Math.max(0, Math.floor(seen.x)), Math.min(size.width, Math.ceil(seen.x + seen.width))];
    const [top, bottom] = [Math.max(0, Math.floor(seen.y)), Math.min(size.height, Math.ceil(seen.y + seen.height))];
    stage.beginPath();
    for (let x = part ? Math.max(left, part.left - 1) : left; x <= (part ? Math.min(right, part.right + 1) : right); x++) {
      stage.moveTo(x, top);
      stage.lineTo(x, bottom);
    }
    for (let y = part ? Math.max(top, part.top - 1) : top; y <= (part ? Math.min(bottom, part.bottom + 1) : bottom); y++) {
      stage.moveTo(left, y);
      stage.lineTo(right, y);
    }
    stage.strokeStyle = this.colours.line;
    stage.lineWidth = 1 / scale;
    stage.stroke();
  }

  private paintAbove(): void {
    const { above, view, box, client, place } = this;
    const ratio = above.canvas.width / box.width;
    above.setTransform(ratio, 0, 0, ratio, 0, 0);
    above.clearRect(0, 0, box.width, box.height);
    if (place) {
      const side = Math.max(view.scale, 6);
      const [x, y] = [(place.x + 0.5 - view.x) * view.scale - side / 2, (place.y + 0.5 - view.y) * view.scale - side / 2];
      above.lineWidth = 4;
      above.strokeStyle = this.colours.paper;
      above.strokeRect(x - 1, y - 1, side + 2, side + 2);
      above.lineWidth = 2;
      above.strokeStyle = this.colours.ink;
      above.strokeRect(x - 1, y - 1, side + 2, side + 2);
    }
    const inView: { x: number; y: number; user: number }[] = [];
    for (const [user, at] of client.cursors) {
      const [x, y] = [(at.x + 0.5 - view.x) * view.scale, (at.y + 0.5 - view.y) * view.scale];
      if (x > -8 && y > -8 && x < box.width + 8 && y < box.height + 8) inView.push({ x, y, user });
    }
    above.font = "500 12px Geist, system-ui, sans-serif";
    for (const { x, y, user } of inView) this.pointer(x, y, user, inView.length <= kCursorNamesMax);
  }

  private pointer(x: number, y: number, number: number, hasName: boolean): void {
    const { above } = this;
    const user = this.client.users.get(number);
    const rgb = user?.colour ?? 0x777777;
    above.beginPath();
    above.moveTo(x, y);
    above.lineTo(x, y + 14);
    above.lineTo(x + 4, y + 10.5);
    above.lineTo(x + 10, y + 10);
    above.closePath();
    above.fillStyle = `#${rgb.toString(16).padStart(6, "0")}`;
    above.fill();
    above.lineWidth = 1.5;
    above.strokeStyle = "#ffffff";
    above.stroke();
    if (!hasName || !user?.name) return;
    const width = above.measureText(user.name).width;
    above.fillRect(x + 9, y + 12, width + 10, 18);
    above.fillStyle = isLight(rgb) ? "#1b1913" : "#ffffff";
    above.fillText(user.name, x + 14, y + 25);
  }
}

export const isLight = (rgb: number): boolean => 0.299 * (rgb >>> 16) + 0.587 * ((rgb >>> 8) & 255) + 0.114 * (rgb & 255) > 140;
