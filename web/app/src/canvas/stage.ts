// What the pointer, the fingers, the pen and the keyboard do on the stage. Owns its two canvases and the painter.
import type { CanvasPixel } from "@fanfare/client/canvas";
import { Painter, type Colours } from "./painter";
import type { Room } from "./room";
import { centredOn, clamp, fit, line, pan, pinch, placeAt, reveal, visible, zoomAt, type Point, type Size, type View } from "./view";

export type Tool = "draw" | "move" | "pick";

const kTapSlopPx = 6; // a finger that moves less has tapped
const kWatchEveryMs = 150;
const kWatchedWhole = 1_048_576; // such a canvas is watched as a whole by itself
const kLargeStep = 10;

interface Stroke {
  kind: "draw" | "move";
  last: Point; // in pixels of the canvas for "draw", of the screen for "move"
  begun: Point; // on the screen
  isWaiting: boolean; // a finger may become the first of two
  isNew: boolean;
}

export class Stage {
  readonly painter: Painter;
  readonly options = {
    tool: "draw" as Tool,
    colour: 0,
    mayDraw: true,
    onPick: (_: number): void => undefined,
    onTool: (_: Tool): void => undefined,
  };
  place: Point | null = null;
  private readonly listeners = new Set<() => void>();
  private readonly pointers = new Map<number, Point>();
  private stroke: Stroke | null = null;
  private isFitted = true;
  private watchTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly ended = new AbortController();
  private readonly observer: ResizeObserver;
  private readonly stopListening: () => void;

  constructor(
    readonly room: Room,
    private readonly element: HTMLDivElement,
  ) {
    const canvases = [document.createElement("canvas"), document.createElement("canvas")] as const;
    for (const one of canvases) one.setAttribute("aria-hidden", "true");
    element.replaceChildren(...canvases);
    this.painter = new Painter(room.client, ...canvases, this.colours());
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(element);
    this.resized();
    this.stopListening = room.client.listen({
      reset: () => { if (this.isFitted) this.fit(); },
      pixels: () => { if (this.place) this.tell(); },
    });
    const on = <K extends keyof HTMLElementEventMap>(name: K, call: (event: HTMLElementEventMap[K]) => void) => element.addEventListener(name, call, { signal: this.ended.signal, passive: false });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.moved(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", (event) => this.up(event, true));
    on("pointerleave", (event) => { if (event.pointerType !== "touch") this.room.client.moveCursor(null); });
    on("wheel", (event) => this.wheel(event));
    on("keydown", (event) => this.key(event));
    on("contextmenu", (event) => event.preventDefault());
  }

  close(): void {
    this.ended.abort();
    this.observer.disconnect();
    this.stopListening();
    clearTimeout(this.watchTimer);
    this.painter.close();
    this.element.replaceChildren();
  }

  readonly onPlace = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  colours(): Colours {
    const style = getComputedStyle(this.element);
    const of = (name: string) => style.getPropertyValue(name).trim();
    return { ground: of("--sunken"), missing: of("--bone"), line: "rgb(128 128 128 / 35%)", ink: of("--ink"), paper: of("--ground") };
  }

  fit(): void {
    this.setView(fit(this.size, this.painter.box));
    this.isFitted = true;
  }
  zoom(factor: number): void {
    const { width, height } = this.painter.box;
    this.setView(zoomAt(this.painter.view, factor, width / 2, height / 2, this.size, this.painter.box));
  }
  goTo(place: Point): void { this.setView(centredOn(this.painter.view, place, this.size, this.painter.box)); }

  private get size(): Size { return this.room.client.welcome ?? { width: 1, height: 1 }; }

  private resized(): void {
    const { clientWidth, clientHeight } = this.element;
    this.painter.resize({ width: Math.max(1, clientWidth), height: Math.max(1, clientHeight) }, devicePixelRatio || 1);
    if (this.isFitted) this.fit();
    else this.setView(clamp(this.painter.view, this.size, this.painter.box));
  }

  private setView(view: View): void {
    this.isFitted = false;
    this.painter.setView(view);
    this.element.dataset["view"] = `${view.x},${view.y},${view.scale}`;
    this.watchSoon();
  }

  private watchSoon(): void {
    const { width, height } = this.size;
    if (width * height <= kWatchedWhole) return;
    this.watchTimer ??= setTimeout(() => {
      this.watchTimer = undefined;
      this.room.client.watch(visible(this.painter.view, this.painter.box));
    }, kWatchEveryMs);
  }

  private choose(place: Point | null): void {
    if (place?.x === this.place?.x && place?.y === this.place?.y) return;
    this.place = place;
    this.painter.choose(place);
    this.tell();
  }
  private tell(): void {
    if (this.place) this.place = { ...this.place };
    for (const listener of this.listeners) listener();
  }

  private pointOf(event: { clientX: number; clientY: number }): Point {
    const { left, top } = this.element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }
  private isOn({ x, y }: Point): boolean { return x >= 0 && y >= 0 && x < this.size.width && y < this.size.height; }

  private down(event: PointerEvent): void {
    const at = this.pointOf(event);
    this.element.focus({ preventScroll: true });
    this.element.setPointerCapture(event.pointerId);
    event.preventDefault();
    this.pointers.set(event.pointerId, at);
    if (this.pointers.size === 2) {
      this.stroke = null; // two fingers move the canvas
      return;
    }
    if (this.pointers.size > 2) return;
    const { tool, mayDraw } = this.options;
    const place = placeAt(this.painter.view, at.x, at.y);
    const isMain = event.button === 0;
    if (isMain && tool === "pick") return this.pick(place);
    const draws = isMain && tool === "draw" && mayDraw;
    this.stroke = { kind: draws ? "draw" : "move", last: draws ? place : at, begun: at, isWaiting: event.pointerType === "touch", isNew: true };
    if (this.isOn(place)) this.choose(place);
    if (draws && !this.stroke.isWaiting) this.put([place]);
  }

  private moved(event: PointerEvent): void {
    const at = this.pointOf(event);
    const place = placeAt(this.painter.view, at.x, at.y);
    if (this.isOn(place)) this.room.client.moveCursor(place);
    else this.room.client.moveCursor(null);
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      if (this.isOn(place)) this.choose(place);
      return;
    }
    if (this.pointers.size === 2) return this.pinched(event.pointerId, at);
    this.pointers.set(event.pointerId, at);
    const { stroke } = this;
    if (!stroke) return;
    if (stroke.kind === "move") {
      this.setView(pan(this.painter.view, at.x - stroke.last.x, at.y - stroke.last.y, this.size, this.painter.box));
      stroke.last = at;
      return;
    }
    if (stroke.isWaiting) {
      if (Math.hypot(at.x - stroke.begun.x, at.y - stroke.begun.y) < kTapSlopPx) return;
      stroke.isWaiting = false;
      this.put([stroke.last]);
    }
    // Every place since the last event, also those that the browser put together.
    for (const one of event.getCoalescedEvents?.() ?? [event]) {
      const point = this.pointOf(one);
      const next = placeAt(this.painter.view, point.x, point.y);
      this.put(line(stroke.last, next));
      stroke.last = next;
    }
    if (this.isOn(place)) this.choose(place);
  }

  private pinched(id: number, at: Point): void {
    const [a, b] = [...this.pointers.values()] as [Point, Point];
    this.pointers.set(id, at);
    const [c, d] = [...this.pointers.values()] as [Point, Point];
    this.setView(pinch(this.painter.view, [a, b], [c, d], this.size, this.painter.box));
  }

  private up(event: PointerEvent, isCancelled = false): void {
    this.pointers.delete(event.pointerId);
    const { stroke } = this;
    if (stroke?.kind === "draw" && stroke.isWaiting && !isCancelled) this.put([stroke.last]); // a tap
    if (event.pointerType === "touch") this.room.client.moveCursor(null);
    this.stroke = null;
  }

  private put(places: Point[]): void {
    const { stroke } = this;
    const pixels: CanvasPixel[] = places.filter((place) => this.isOn(place)).map(({ x, y }) => ({ x, y, colour: this.options.colour }));
    if (!pixels.length) return;
    this.room.draw(pixels, stroke?.isNew ?? true);
    if (stroke) stroke.isNew = false;
  }

  private pick(place: Point): void {
    const colour = this.isOn(place) ? this.room.client.colourAt(place.x, place.y) : undefined;
    if (colour === undefined) return;
    this.options.onPick(colour);
    this.options.onTool("draw");
  }

  // A wheel zooms; two fingers on a touch pad, which scroll both ways, move.
  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const at = this.pointOf(event);
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    if (event.shiftKey || (event.deltaX !== 0 && !event.ctrlKey)) return this.setView(pan(this.painter.view, -event.deltaX * lines - (event.shiftKey && !event.deltaX ? event.deltaY * lines : 0), event.shiftKey ? 0 : -event.deltaY * lines, this.size, this.painter.box));
    const factor = Math.exp(-Math.min(Math.max(event.deltaY * lines, -200), 200) * (event.ctrlKey ? 0.01 : 0.0025));
    this.setView(zoomAt(this.painter.view, factor, at.x, at.y, this.size, this.painter.box));
  }

  private key(event: KeyboardEvent): void {
    if (event.altKey || ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() !== "z")) return;
    const step = event.shiftKey ? kLargeStep : 1;
    const moves: Record<string, readonly [number, number]> = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const acts: Record<string, () => void> = {
      "Enter": () => this.putHere(), " ": () => this.putHere(), "+": () => this.zoom(1.5), "=": () => this.zoom(1.5), "-": () => this.zoom(1 / 1.5), "0": () => this.fit(),
      "z": () => { if (this.options.mayDraw) void this.room.undo(); }, "d": () => this.options.onTool("draw"), "m": () => this.options.onTool("move"),
      "c": () => { if (this.place) this.pick(this.place); }, "Escape": () => this.choose(null),
    };
    const move = moves[event.key];
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!move && !act) return;
    event.preventDefault();
    if (move) this.step(...move);
    else act!();
  }

  private step(dx: number, dy: number): void {
    const { width, height } = this.size;
    const middle = placeAt(this.painter.view, this.painter.box.width / 2, this.painter.box.height / 2);
    const from = this.place ?? { x: middle.x - dx, y: middle.y - dy };
    const place = { x: Math.min(Math.max(from.x + dx, 0), width - 1), y: Math.min(Math.max(from.y + dy, 0), height - 1) };
    this.choose(place);
    this.room.client.moveCursor(place);
    const view = reveal(this.painter.view, place, this.size, this.painter.box);
    if (view.x !== this.painter.view.x || view.y !== this.painter.view.y) this.setView(view);
  }

  private putHere(): void {
    if (!this.options.mayDraw || !this.place) return;
    this.stroke = null;
    this.put([this.place]);
  }
}
