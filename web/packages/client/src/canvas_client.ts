// A canvas that is kept equal to the server's: chunks checked by hash, own pixels shown at once, cursors and users. It reconnects as
// the streams do.
import { inflate, type Inflate } from "./canvas_inflate.js";
import { OwnPixels, type RefusedPixels } from "./canvas_own.js";
import { CanvasError, CanvasRequests, type UndoAnswer } from "./canvas_requests.js";
import { CanvasStore, type CanvasChunk } from "./canvas_store.js";
import {
  CANVAS_PROTOCOL, CHUNK, decodeCanvasMessage, encodeCursor, encodeFetch, encodePixels, encodeUndo, encodeWatch,
  type AckMessage, type Bytes, type CanvasPixel, type CanvasUser, type ChunkArea, type Colour, type CursorsMessage, type PresenceMessage, type WelcomeMessage,
} from "./canvas_wire.js";
import { Connection, type ConnectionOptions } from "./connection.js";
import { callSafely, type ConnectionError, type ConnectionState, type Json, type Unsubscribe } from "./types.js";

export interface CanvasOptions extends Omit<ConnectionOptions, "protocols"> {
  /** Shown to others; at most 32 characters. */
  readonly name?: string;
  /** Of the cursor, `rrggbb`. */
  readonly color?: string;
  /** 8 to 64 letters, digits, `-` and `_`, chosen at random and kept: all connections with the same one are one user. */
  readonly session?: string;
  /** Default: the browser's decoder, or the one of this package where there is none. */
  readonly inflate?: Inflate;
  /**
   * For a room that wants a proof with each message that draws, such as a token or a proof of work: any JSON value. `wanted` is what the room said
   * when it last refused one; null: nothing yet. Messages wait for their turn, so they arrive in the order they were drawn. An exception refuses the pixels.
   */
  readonly proof?: (pixels: readonly CanvasPixel[], wanted: string | null) => Json | Promise<Json>;
}

/** Part of a canvas in pixels. */
export interface CanvasArea { readonly x: number; readonly y: number; readonly width: number; readonly height: number }

/** An exception in a callback is reported to `reportError` and harms nobody else. */
export interface CanvasListener {
  /** `state`, `error`, `welcome`, `users` or `proof` changed. */
  changed?(): void;
  /** Indices in the chunk, (y % 256) * 256 + x % 256; null: all. Ask `colourAt` for the colours, because own pixels lie above the chunk's. */
  pixels?(chunk: CanvasChunk, indices: readonly number[] | null): void;
  /** The room has another size, palette or history: everything that was shown of it is void. */
  reset?(): void;
  cursors?(): void;
  /** Own pixels that the server has; with `sync: full` they are on its disk. */
  accepted?(pixels: readonly CanvasPixel[]): void;
  refused?(refused: RefusedPixels): void;
  /** What the server reports without a request. */
  error?(error: CanvasError): void;
}

export interface CanvasProof {
  /** Connected, and every watched chunk has the server's hash. */
  readonly isVerified: boolean;
  readonly watched: number;
  readonly good: number;
  /** Hashes compared so far, and chunks fetched again because one was different. */
  readonly checks: number;
  readonly repairs: number;
}

export const CURSOR_EVERY_MS = 50;
/** A canvas with more pixels is not watched until `watch` is called. */
export const WATCHED_AT_FIRST_MAX = 1_048_576;
/** Chunks in a row, and in a column, of a WATCH: a server refuses more than 4,096 in all. */
export const WATCHED_SIDE_MAX = 64;
const PING = '{"type":"ping"}';

/**
 * ```ts
 * const canvas = new CanvasClient({ url: "ws://localhost:8545/canvas/main", name: "Ada" });
 * canvas.listen({ pixels: (chunk, indices) => paint(chunk, indices) });
 * canvas.connect();
 * ```
 */
export class CanvasClient {
  /** Of the last connection; null before the first one. */
  welcome: WelcomeMessage | null = null;
  readonly users = new Map<number, CanvasUser>();
  usersTotal = 0;
  /** Others' cursors, by the number of the user. */
  readonly cursors = new Map<number, { readonly x: number; readonly y: number }>();
  private store: CanvasStore | null = null;
  private readonly own: OwnPixels;
  private readonly requests: CanvasRequests;
  private readonly connection: Connection;
  private readonly listeners = new Set<CanvasListener>();
  private wanted: CanvasArea | null = null;
  private watched: ChunkArea | null = null;
  private isGreeted = false;
  private cursor: { readonly x: number; readonly y: number } | null = null;
  private sentCursor = this.cursor;
  private cursorTimer: ReturnType<typeof setTimeout> | null = null;
  private proofWanted: string | null = null;
  private proving: Promise<void> = Promise.resolve();

  constructor(private readonly options: CanvasOptions) {
    this.connection = new Connection({ ...options, protocols: [CANVAS_PROTOCOL], url: () => this.address() }, {
      changed: () => this.changed(),
      opened: () => undefined,
      received: (text) => this.receivedText(text),
      receivedBytes: (bytes) => this.received(bytes),
      lost: () => this.lost(),
      authenticate: (token) => this.requests.authentication(token),
    }, () => PING);
    this.requests = new CanvasRequests((data) => this.connection.send(data), {
      authenticated: (isAccepted) => this.connection.authenticated(isAccepted),
      error: (error) => {
        if (error.code === "proof_required") this.proofWanted = error.message;
        this.emit((one) => one.error?.(error));
      },
    });
    this.own = new OwnPixels({
      send: (request, pixels) => this.sendPixels(request, pixels),
      nextRequest: () => this.requests.next(),
      changed: (pixels) => this.ownChanged(pixels),
      accepted: (pixels) => this.emit((one) => one.accepted?.(pixels)),
      refused: (refused) => this.emit((one) => one.refused?.(refused)),
    });
  }

  get state(): ConnectionState { return this.connection.state; }
  get error(): ConnectionError | null { return this.connection.error; }
  /** Own pixels that the server has not acknowledged. */
  get pending(): number { return this.own.pending; }
  /** When the next pixel can be drawn, in Unix milliseconds; a time that has passed: now. */
  get nextAtMs(): number { return this.own.nextAtMs; }
  get proof(): CanvasProof {
    const { watched, good } = this.store?.count() ?? { watched: 0, good: 0 };
    const isVerified = this.isGreeted && this.connection.state === "connected" && watched > 0 && good === watched;
    return { isVerified, watched, good, checks: this.store?.checks ?? 0, repairs: this.store?.repairs ?? 0 };
  }

  connect(): void { this.connection.start(); }
  /** Tests the connection now, or makes a delayed attempt now. The browser's own events do this too. */
  wake(): void { this.connection.wake(); }

  close(): void {
    this.connection.close();
    this.lost();
    this.own.clear();
    this.listeners.clear();
  }

  listen(listener: CanvasListener): Unsubscribe {
    this.listeners.add(listener);
    return () => { this.listeners.delete(listener); };
  }

  /** What is seen: only its chunks arrive, and only cursors in them. Cut to the canvas; also before a connection. */
  watch(area: CanvasArea): void {
    this.wanted = area;
    if (this.isGreeted) this.sendWatch(false);
  }

  /** An index of the palette, or 0xRRGGBB; undefined: not known yet. Own pixels count, also before the server has them. */
  colourAt(x: number, y: number): Colour | undefined { return this.own.at(x, y) ?? this.store?.colourAt(x, y); }
  /** All that are known, the watched ones last. */
  get chunks(): Iterable<CanvasChunk> { return this.store?.all ?? []; }
  chunk(cx: number, cy: number): CanvasChunk | undefined { return this.store?.get(cx, cy); }

  /** Of any colour as this room has it, as 0xRRGGBB. */
  rgbOf(colour: Colour): number { return this.hasPalette ? this.welcome?.palette[colour] ?? 0 : colour; }

  /** Shows the pixels at once and sends them. Returns how many were taken: none within a cooldown. What lies outside of the canvas is left out. */
  draw(pixels: readonly CanvasPixel[]): number {
    const { width, height } = this.welcome ?? { width: 0, height: 0 };
    return this.own.draw(pixels.filter(({ x, y }) => Number.isInteger(x) && Number.isInteger(y) && x >= 0 && y >= 0 && x < width && y < height));
  }

  /** Takes back this user's last pixels that are still his. */
  undo(count = 1): Promise<UndoAnswer> { return this.requests.ask((request) => encodeUndo(request, count)); }

  /** Sends a message of the JSON protocol, for example of a moderator, and returns its answer. Rejects with CanvasError or ConnectionError. */
  request(message: { readonly type: string; readonly [field: string]: Json }): Promise<Json> { return this.requests.askText(message); }

  /** A new connection knows at most 200 users, and those who come later. Afterwards it knows all. Rejects as `request` does. */
  async loadUsers(): Promise<void> {
    let after = 0;
    for (let isComplete = false; !isComplete;) {
      const page = await this.requests.users(after);
      for (const user of page.users) this.users.set(user.number, user);
      const last = page.users.at(-1)?.number ?? 0;
      isComplete = page.isComplete || last <= after;
      after = last;
      this.changed();
    }
  }

  /** The latest position goes out, at most every 50 ms. Null: the cursor has left. */
  moveCursor(place: { readonly x: number; readonly y: number } | null): void {
    this.cursor = place ? { x: place.x, y: place.y } : null;
    if (this.cursorTimer === null) this.sendCursor();
  }

  private get hasPalette(): boolean { return this.store?.hasPalette ?? false; }

  private async address(): Promise<string> {
    const { url, name, color, session } = this.options;
    const address = new URL(String(typeof url === "function" ? await url() : url));
    for (const [key, value] of Object.entries({ name, color, session })) if (value) address.searchParams.set(key, value);
    return address.href;
  }

  private received(bytes: Bytes): void {
    try {
      this.take(bytes);
    } catch (error) {
      this.connection.abandon(`the server sent a malformed message: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private take(bytes: Bytes): void {
    const message = decodeCanvasMessage(bytes, this.hasPalette);
    if (!message) return;
    if (message.type === "welcome") return this.greeted(message);
    if (!this.isGreeted) throw new RangeError("no WELCOME before it");
    switch (message.type) {
      case "chunk": this.store?.takeChunk(message); return this.changed();
      case "current": this.store?.takeCurrent(message); return this.changed();
      case "tick": for (const section of message.sections) this.store?.takeSection(section); return this.changed();
      case "ack": return this.acknowledged(message);
      case "cursors": return this.takeCursors(message);
      case "presence": return this.takePresence(message);
      case "error": return this.requests.failed(message);
    }
  }

  private receivedText(text: string): void {
    if (!this.requests.receivedText(text)) this.connection.abandon(`the server does not speak ${CANVAS_PROTOCOL}`);
  }

  private greeted(welcome: WelcomeMessage): void {
    const { store } = this;
    this.welcome = welcome;
    this.isGreeted = true;
    this.users.clear();
    this.usersTotal = 0;
    this.cursors.clear();
    if (!store || !isSameRoom(store, welcome)) {
      if (store && (store.shape.width !== welcome.width || store.shape.height !== welcome.height || store.hasPalette !== welcome.palette.length > 0)) this.own.clear();
      this.store = new CanvasStore(welcome, this.options.inflate ?? inflate, {
        changed: (chunk, indices) => { this.emit((one) => one.pixels?.(chunk, indices)); if (!indices) this.changed(); },
        fetch: (cx, cy) => { this.connection.send(encodeFetch(cx, cy)); },
        failed: (reason) => this.connection.abandon(reason),
      });
      this.watched = null;
      this.emit((one) => one.reset?.());
    }
    this.wanted ??= welcome.width * welcome.height <= WATCHED_AT_FIRST_MAX ? { x: 0, y: 0, width: welcome.width, height: welcome.height } : null;
    this.sendWatch(true);
    this.own.opened(welcome);
    this.sentCursor = null;
    this.sendCursor();
    this.emit((one) => one.cursors?.());
    this.changed();
  }

  private sendWatch(isNew: boolean): void {
    const { store, wanted, watched } = this;
    if (!store || !wanted) return;
    // What is seen may lie beside the canvas. Then the last area that was on it stays watched.
    const area = chunksOf(wanted, store.shape) ?? (isNew ? watched : null);
    if (!area || (!isNew && watched && isEqual(watched, area))) return;
    this.watched = area;
    const have = store.watch(area, isNew);
    this.connection.send(encodeWatch(area, store.shape.epoch, have));
    this.changed();
  }

  private acknowledged(ack: AckMessage): void {
    this.own.acknowledged(ack);
    this.requests.acknowledged(ack);
    this.changed();
  }

  private takeCursors({ cursors, left }: CursorsMessage): void {
    for (const { user, x, y } of cursors) if (user !== this.welcome?.userNumber) this.cursors.set(user, { x, y });
    for (const user of left) this.cursors.delete(user);
    this.emit((one) => one.cursors?.());
  }

  private takePresence({ total, joined, left }: PresenceMessage): void {
    this.usersTotal = total;
    for (const user of joined) this.users.set(user.number, user);
    const hadCursors = this.cursors.size;
    for (const number of left) {
      this.users.delete(number);
      this.cursors.delete(number);
    }
    if (this.cursors.size !== hadCursors) this.emit((one) => one.cursors?.());
    this.changed();
  }

  private sendPixels(request: number, pixels: readonly CanvasPixel[]): boolean {
    const { proof } = this.options;
    if (!proof) return this.connection.send(encodePixels(request, pixels, this.hasPalette));
    if (this.connection.state !== "connected") return false;
    this.proving = this.proving.then(() => this.prove(proof, request, pixels));
    return true;
  }

  // The connection may be another one afterwards. Then the pixels count as lost, and this request is not known any more.
  private async prove(proof: NonNullable<CanvasOptions["proof"]>, request: number, pixels: readonly CanvasPixel[]): Promise<void> {
    try {
      if (!this.own.isSent(request)) return;
      const text = JSON.stringify(await proof(pixels, this.proofWanted)) ?? "null";
      if (this.own.isSent(request)) this.connection.send(encodePixels(request, pixels, this.hasPalette, text));
    } catch (error) {
      this.own.acknowledged({ type: "ack", request, accepted: 0, status: "proof_required", retryAfterMs: 0 });
      this.emit((one) => one.error?.(new CanvasError(`no proof: ${error instanceof Error ? error.message : String(error)}`, "proof_required")));
      this.changed();
    }
  }

  private sendCursor(): void {
    const { cursor, sentCursor } = this;
    if (!this.isGreeted || (cursor?.x === sentCursor?.x && cursor?.y === sentCursor?.y)) return;
    if (!this.connection.send(encodeCursor(cursor))) return;
    this.sentCursor = cursor;
    this.cursorTimer = setTimeout(() => {
      this.cursorTimer = null;
      this.sendCursor();
    }, CURSOR_EVERY_MS);
  }

  private ownChanged(pixels: readonly CanvasPixel[]): void {
    const byChunk = new Map<CanvasChunk, number[]>();
    for (const { x, y } of pixels) {
      const chunk = this.store?.get(x >>> 8, y >>> 8);
      if (!chunk) continue;
      const indices = byChunk.get(chunk) ?? [];
      if (!indices.length) byChunk.set(chunk, indices);
      indices.push((y & 255) * CHUNK + (x & 255));
    }
    for (const [chunk, indices] of byChunk) this.emit((one) => one.pixels?.(chunk, indices));
  }

  private lost(): void {
    this.isGreeted = false;
    if (this.cursorTimer !== null) clearTimeout(this.cursorTimer);
    this.cursorTimer = null;
    this.store?.disconnected();
    this.own.lost();
    this.requests.lost();
    this.cursors.clear();
    this.emit((one) => one.cursors?.());
  }

  private changed(): void { this.emit((one) => one.changed?.()); }

  private emit(call: (listener: CanvasListener) => void): void {
    for (const listener of [...this.listeners]) if (this.listeners.has(listener)) callSafely(() => call(listener));
  }
}

function isSameRoom({ shape }: CanvasStore, { epoch, width, height, background, palette }: WelcomeMessage): boolean {
  return shape.epoch === epoch && shape.width === width && shape.height === height && shape.background === background &&
    shape.palette.length === palette.length && shape.palette.every((colour, i) => colour === palette[i]);
}

/** Null: nothing of it is on the canvas. An area that is too large is cut to its middle. */
function chunksOf({ x, y, width, height }: CanvasArea, size: { readonly width: number; readonly height: number }): ChunkArea | null {
  const [left, top] = [Math.max(0, Math.floor(x)), Math.max(0, Math.floor(y))];
  const [right, bottom] = [Math.min(size.width, Math.ceil(x + width)) - 1, Math.min(size.height, Math.ceil(y + height)) - 1];
  if (!(right >= left && bottom >= top)) return null;
  const [x0, x1] = middle(left >>> 8, right >>> 8);
  const [y0, y1] = middle(top >>> 8, bottom >>> 8);
  return { x0, y0, x1, y1 };
}

function middle(first: number, last: number): [number, number] {
  if (last - first < WATCHED_SIDE_MAX) return [first, last];
  const begin = first + Math.floor((last - first + 1 - WATCHED_SIDE_MAX) / 2);
  return [begin, begin + WATCHED_SIDE_MAX - 1];
}

function isEqual(a: ChunkArea, b: ChunkArea): boolean { return a.x0 === b.x0 && a.y0 === b.y0 && a.x1 === b.x1 && a.y1 === b.y1; }
