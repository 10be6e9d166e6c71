// A canvas without a network, as docs/canvas.md describes the server: rooms, ticks, chunks by version, undo, limits. It notes every
// message of a client that breaks the contract.
import { deflateRawSync } from "node:zlib";
import { Scanner, hashOfPixel, pack, type Part } from "./canvas_bytes.js";

export interface CanvasPeer { send(data: Buffer | string): void; close(code?: number, reason?: string): void }
export interface CanvasSession { receive(data: Buffer | string): void; gone(): void }
export interface CanvasCoreOptions {
  readonly width?: number;
  readonly height?: number;
  readonly background?: number;
  readonly palette?: readonly number[];
  readonly pixelsPerSecond?: number;
  readonly pixelsBurst?: number;
  readonly cooldownMs?: number;
  readonly permissions?: number;
  /** Ticks of a chunk that can be sent again. */
  readonly ticksKept?: number;
  /** A chunk is sent as it was when it was last compressed, followed by the ticks after that. */
  readonly keepsFrames?: boolean;
}

interface Drawn { x: number; y: number; colour: number; before: number; user: string; ms: number }
interface Section { version: number; hash: bigint; pixels: Map<number, number> }
interface Chunk { cx: number; cy: number; version: number; colours: Map<number, number>; high: bigint; low: bigint; fresh: Map<number, number>; past: Section[]; frame?: { version: number; bytes: Buffer } }
interface User { number: number; id: string; name: string; colour: number; sessions: number; tokens: number; refilledMs: number; blockedUntilMs: number }

const M = 0xffff_ffffn;
const STATUS = { accepted: 0, bad_message: 1, out_of_range: 2, too_many_pixels: 3, not_permitted: 4, storage_full: 5, proof_required: 7 } as const;

export class CanvasCore {
  readonly width: number;
  readonly height: number;
  readonly palette: readonly number[];
  readonly background: number;
  epoch = 0x1234_5678_9abc_def0n;
  permissions: number;
  /** Messages of clients that break the contract. A test expects none. */
  readonly complaints: string[] = [];
  /** What clients asked as JSON, and how many messages of each op-code came. */
  readonly asked: any[] = [];
  readonly counts: Record<string, number> = {};
  readonly log: Drawn[] = [];
  readonly sessions = new Set<Session>();
  readonly users = new Map<string, User>();
  readonly chunks = new Map<string, Chunk>();
  /** Changes what a session is sent, to show faults; null: it is left out. */
  fault: ((frame: Buffer) => Buffer | null) | null = null;
  refuse: keyof typeof STATUS | null = null;
  /** What the room wants as proof, as JSON text. */
  wants: string | null = null;
  private tickNumber = 0;
  private lastUser = 0;

  constructor(readonly options: CanvasCoreOptions = {}) {
    this.width = options.width ?? 300;
    this.height = options.height ?? 280;
    this.palette = options.palette ?? [];
    this.background = options.background ?? 0xffffff;
    this.permissions = options.permissions ?? 1;
  }

  /** The colour of a pixel that nobody has drawn, as it travels. */
  get blank(): number { return this.palette.length ? this.palette.indexOf(this.background) : this.background; }

  accept(peer: CanvasPeer, query: URLSearchParams = new URLSearchParams()): CanvasSession {
    const key = query.get("session") ?? `#${this.lastUser + 1}`;
    let user = this.users.get(key);
    if (!user) {
      const number = ++this.lastUser;
      user = { number, id: `u${number}`, name: query.get("name") ?? `guest ${number}`, colour: parseInt(query.get("color") ?? "cc8800", 16), sessions: 0, tokens: this.burst, refilledMs: Date.now(), blockedUntilMs: 0 };
      this.users.set(key, user);
    }
    const session = new Session(this, peer, user);
    this.sessions.add(session);
    if (user.sessions++ === 0) this.broadcast(this.presence([user], []), session);
    session.greet();
    return session;
  }

  get burst(): number { return Math.max(this.options.pixelsBurst ?? 100_000, 1); }

  get present(): User[] { return [...this.users.values()].filter(({ sessions }) => sessions > 0); }

  presence(joined: readonly User[], left: readonly User[]): Buffer {
    const parts: Part[] = [["u8", 0x87], ["varint", this.present.length], ["varint", joined.length]];
    for (const { number, id, name, colour } of joined) parts.push(["varint", number], ["text", id], ["text", name], ["rgb", colour]);
    return pack(...parts, ["varint", left.length], ...left.map(({ number }): Part => ["varint", number]));
  }

  broadcast(frame: Buffer, except?: Session): void { for (const one of this.sessions) if (one !== except) one.send(frame); }

  chunk(cx: number, cy: number): Chunk {
    const key = `${cx},${cy}`;
    let chunk = this.chunks.get(key);
    if (!chunk) this.chunks.set(key, chunk = { cx, cy, version: 0, colours: new Map(), high: 0n, low: 0n, fresh: new Map(), past: [] });
    return chunk;
  }

  colourAt(x: number, y: number): number {
    const chunk = this.chunk(x >> 8, y >> 8);
    const index = y % 256 * 256 + x % 256;
    return chunk.fresh.get(index) ?? chunk.colours.get(index) ?? this.blank;
  }

  /** Puts a pixel into the next tick. */
  put(x: number, y: number, colour: number, user = "u0"): void {
    this.log.push({ x, y, colour, before: this.colourAt(x, y), user, ms: Date.now() });
    this.chunk(x >> 8, y >> 8).fresh.set(y % 256 * 256 + x % 256, colour);
  }

  undo(user: string, count: number): number {
    let undone = 0;
    for (let i = this.log.length - 1; i >= 0 && undone < count; i--) {
      const one = this.log[i]!;
      if (one.user !== user) continue;
      this.log.splice(i, 1);
      const later = this.log.slice(i).some(({ x, y }) => x === one.x && y === one.y);
      if (later) continue;
      undone++;
      this.chunk(one.x >> 8, one.y >> 8).fresh.set(one.y % 256 * 256 + one.x % 256, one.before);
    }
    return undone;
  }

  /** Sends what was put since the last one, then what waits for it. */
  tick(): void {
    this.tickNumber++;
    const changed = [...this.chunks.values()].filter((chunk) => this.advance(chunk));
    for (const session of this.sessions) {
      const sections = changed.filter((chunk) => session.watches(chunk.cx, chunk.cy)).map((chunk) => this.sectionParts(chunk, chunk.past.at(-1)!)).flat();
      if (sections.length) session.send(pack(["u8", 0x84], ["varint", this.tickNumber], ...sections));
      session.ticked();
    }
  }

  private advance(chunk: Chunk): boolean {
    const pixels = new Map([...chunk.fresh].filter(([index, colour]) => (chunk.colours.get(index) ?? this.blank) !== colour));
    chunk.fresh.clear();
    if (pixels.size === 0) return false;
    for (const [index, colour] of pixels) {
      const before = chunk.colours.get(index) ?? this.blank;
      if (before !== this.blank) this.count(chunk, index, before, -1n);
      if (colour !== this.blank) this.count(chunk, index, colour, 1n);
      chunk.colours.set(index, colour);
    }
    chunk.version++;
    chunk.past.push({ version: chunk.version, hash: this.hash(chunk), pixels });
    chunk.past.splice(0, chunk.past.length - (this.options.ticksKept ?? 8) - 1);
    return true;
  }

  private count(chunk: Chunk, index: number, colour: number, sign: 1n | -1n): void {
    const [high, low] = hashOfPixel(index, colour);
    chunk.high = chunk.high + sign * high & M;
    chunk.low = chunk.low + sign * low & M;
  }

  hash(chunk: Chunk): bigint { return chunk.high << 32n | chunk.low; }

  /** What a client that has `version` lacks, or undefined if too much is forgotten. */
  since(chunk: Chunk, version: number): Section[] | undefined {
    const lacks = chunk.past.filter((section) => section.version > version);
    return lacks.length === chunk.version - version ? lacks : undefined;
  }

  sectionParts({ cx, cy }: Chunk, { version, hash, pixels }: Section): Part[] {
    const byColour = groupBy(pixels);
    const parts: Part[] = [["u8", cx], ["u8", cy], ["varint", version], ["u64", hash], ["varint", byColour.size]];
    for (const [colour, all] of byColour) {
      const indices = all.map(([index]) => index).sort((a, b) => a - b);
      parts.push([this.palette.length ? "u8" : "rgb", colour], ["varint", indices.length]);
      indices.forEach((index, i) => parts.push(["varint", i ? index - indices[i - 1]! : index]));
    }
    return parts;
  }

  tickFrame(sections: Part[][]): Buffer { return pack(["u8", 0x84], ["varint", this.tickNumber], ...sections.flat()); }

  chunkFrame(chunk: Chunk): Buffer {
    const head: Part[] = [["u8", 0x82], ["u8", chunk.cx], ["u8", chunk.cy], ["varint", chunk.version], ["u64", this.hash(chunk)]];
    if (chunk.version === 0) return pack(...head);
    const [columns, rows] = [Math.min(256, this.width - chunk.cx * 256), Math.min(256, this.height - chunk.cy * 256)];
    const bytes = this.palette.length ? 1 : 3;
    const raw = Buffer.alloc(columns * rows * bytes);
    for (let y = 0, at = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++, at += bytes) raw.writeUIntBE(chunk.colours.get(y * 256 + x) ?? this.blank, at, bytes);
    }
    return pack(...head, ["raw", deflateRawSync(raw)]);
  }

  /** What is sent for a chunk: the frame of an earlier version with what followed, or a frame of now. */
  answerFrames(chunk: Chunk): Buffer[] {
    const { frame } = chunk;
    const followed = frame && this.options.keepsFrames ? this.since(chunk, frame.version) : undefined;
    if (frame && followed) return [frame.bytes, ...(followed.length ? [this.tickFrame(followed.map((section) => this.sectionParts(chunk, section)))] : [])];
    chunk.frame = { version: chunk.version, bytes: this.chunkFrame(chunk) };
    return [chunk.frame.bytes];
  }

  /** Forgets versions, as a server that crashed without `sync: full`. */
  newEpoch(): void {
    this.epoch++;
    for (const chunk of this.chunks.values()) {
      chunk.past.length = 0;
      delete chunk.frame;
      chunk.version = chunk.version ? 1 : 0;
    }
  }

  /** Null if a client's chunk is this one's; otherwise the first difference. */
  difference(colourAt: (x: number, y: number) => number | undefined): string | null {
    for (let y = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++) {
        const [theirs, ours] = [colourAt(x, y), this.colourAt(x, y)];
        if (theirs !== ours) return `${x},${y}: ${theirs} instead of ${ours}`;
      }
    }
    return null;
  }
}

function groupBy(pixels: Map<number, number>): Map<number, [number, number][]> {
  const groups = new Map<number, [number, number][]>();
  for (const one of pixels) groups.set(one[1], [...(groups.get(one[1]) ?? []), one]);
  return groups;
}

export class Session implements CanvasSession {
  private area: readonly [x0: number, y0: number, x1: number, y1: number] | null = null;
  private acks: Buffer[] = [];
  private isOver = false;

  constructor(private readonly core: CanvasCore, private readonly peer: CanvasPeer, readonly user: User) {}

  send(frame: Buffer): void {
    const sent = this.core.fault ? this.core.fault(frame) : frame;
    if (sent && !this.isOver) this.peer.send(sent);
  }
  sendText(message: object): void { this.peer.send(JSON.stringify(message)); }
  close(code: number, reason = ""): void { this.peer.close(code, reason); }

  greet(): void {
    const { core, user } = this;
    this.send(pack(["u8", 0x81], ["u8", 1], ["u64", core.epoch], ["u64", Date.now()], ["varint", core.width], ["varint", core.height], ["varint", 16], ["rgb", core.background],
      ["varint", core.palette.length], ...core.palette.map((colour): Part => ["rgb", colour]), ["text", user.id], ["varint", user.number],
      ["varint", core.options.pixelsPerSecond ?? 0], ["varint", core.burst], ["varint", core.options.cooldownMs ?? 0], ["u8", core.permissions]));
    this.send(core.presence(core.present.slice(0, 200), []));
  }

  watches(cx: number, cy: number): boolean {
    return this.area !== null && cx >= this.area[0] && cy >= this.area[1] && cx <= this.area[2] && cy <= this.area[3];
  }

  ticked(): void { for (const ack of this.acks.splice(0)) this.send(ack); }

  gone(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.core.sessions.delete(this);
    if (--this.user.sessions === 0) this.core.broadcast(this.core.presence([], [this.user]));
  }

  receive(data: Buffer | string): void {
    if (this.isOver) return;
    try {
      if (typeof data === "string") this.receiveText(JSON.parse(data));
      else this.receiveBytes(new Scanner(data), data[0] ?? -1);
    } catch (error) {
      this.core.complaints.push(`${error}`);
    }
  }

  private receiveBytes(input: Scanner, code: number): void {
    this.core.counts[code] = (this.core.counts[code] ?? 0) + 1;
    input.u8();
    switch (code) {
      case 0x01: return this.pixels(input, false);
      case 0x06: return this.pixels(input, true);
      case 0x02: return this.watch(input);
      case 0x03: return this.fetch(input);
      case 0x04: return this.cursor(input);
      case 0x05: {
        const [request, count] = [input.varint(), input.varint()];
        input.end();
        this.ack(request, this.core.undo(this.user.id, count), STATUS.accepted, 0);
        return;
      }
      default: throw new RangeError(`the op-code ${code} is not known`);
    }
  }

  private pixels(input: Scanner, isProven: boolean): void {
    const { core, user } = this;
    const request = input.varint();
    const proof = isProven ? input.text() : null;
    const count = input.varint();
    if (count < 1 || count > 4096) throw new RangeError(`PIXELS with ${count} pixels`);
    const all = Array.from({ length: count }, () => [input.u16(), input.u16(), core.palette.length ? input.u8() : input.rgb()] as const);
    input.end();
    if (core.wants !== null && proof !== core.wants) {
      this.send(pack(["u8", 0x88], ["u8", STATUS.proof_required], ["text", `the proof is ${core.wants}`]));
      return this.ack(request, 0, STATUS.proof_required, 0);
    }
    if (core.refuse) return this.ack(request, 0, STATUS[core.refuse], core.refuse === "too_many_pixels" ? 400 : 0);
    let accepted = 0;
    for (const [x, y, colour] of all) {
      if (x >= core.width || y >= core.height || (core.palette.length && colour >= core.palette.length)) return this.ack(request, accepted, STATUS.out_of_range, 0);
      const wait = this.wait(Date.now());
      if (wait > 0) return this.ack(request, accepted, STATUS.too_many_pixels, wait);
      core.put(x, y, colour, user.id);
      accepted++;
    }
    this.ack(request, accepted, STATUS.accepted, 0);
  }

  /** Takes one pixel's right to be drawn, or returns how long to wait for it. */
  private wait(now: number): number {
    const { user, core } = this;
    const { cooldownMs = 0, pixelsPerSecond = 0 } = core.options;
    if (now < user.blockedUntilMs) return user.blockedUntilMs - now;
    if (pixelsPerSecond) {
      user.tokens = Math.min(core.burst, user.tokens + (now - user.refilledMs) * pixelsPerSecond / 1000);
      user.refilledMs = now;
      if (user.tokens < 1) return Math.ceil((1 - user.tokens) * 1000 / pixelsPerSecond);
      user.tokens--;
    }
    if (cooldownMs) user.blockedUntilMs = now + cooldownMs;
    return 0;
  }

  // After the tick with its pixels.
  private ack(request: number, accepted: number, status: number, retryAfterMs: number): void {
    this.acks.push(pack(["u8", 0x85], ["varint", request], ["varint", accepted], ["u8", status], ["varint", retryAfterMs]));
  }

  private watch(input: Scanner): void {
    const { core } = this;
    const area = [input.u8(), input.u8(), input.u8(), input.u8()] as const;
    const epoch = input.u64();
    const have = new Map(Array.from({ length: input.varint() }, () => [`${input.u8()},${input.u8()}`, input.varint()]));
    input.end();
    if (area[2] < area[0] || area[3] < area[1] || area[2] * 256 >= core.width || area[3] * 256 >= core.height) throw new RangeError(`WATCH of ${area}`);
    if (have.size && epoch !== core.epoch) throw new RangeError("WATCH names versions of another epoch");
    const before = this.area;
    this.area = area;
    const current: Part[] = [];
    let count = 0;
    for (let cy = area[1]; cy <= area[3]; cy++) {
      for (let cx = area[0]; cx <= area[2]; cx++) {
        if (before && cx >= before[0] && cy >= before[1] && cx <= before[2] && cy <= before[3]) continue;
        const chunk = core.chunk(cx, cy);
        const version = have.get(`${cx},${cy}`);
        if (version !== undefined && version > chunk.version) throw new RangeError(`WATCH names version ${version} of ${cx},${cy}, which is at ${chunk.version}`);
        const lacks = version === undefined ? undefined : core.since(chunk, version);
        if (version === chunk.version) {
          count++;
          current.push(["u8", cx], ["u8", cy], ["varint", version], ["u64", core.hash(chunk)]);
        } else if (lacks) this.send(core.tickFrame(lacks.map((section) => core.sectionParts(chunk, section))));
        else for (const frame of core.answerFrames(chunk)) this.send(frame);
      }
    }
    if (count) this.send(pack(["u8", 0x83], ["varint", count], ...current));
  }

  private fetch(input: Scanner): void {
    const [cx, cy] = [input.u8(), input.u8()];
    input.end();
    if (!this.watches(cx, cy)) throw new RangeError("FETCH of a chunk that is not watched");
    for (const frame of this.core.answerFrames(this.core.chunk(cx, cy))) this.send(frame);
  }

  private cursor(input: Scanner): void {
    const place = input.left > 0 ? [input.u16(), input.u16()] as const : null;
    input.end();
    const frame = place ? pack(["u8", 0x86], ["varint", 1], ["varint", this.user.number], ["u16", place[0]], ["u16", place[1]], ["varint", 0])
      : pack(["u8", 0x86], ["varint", 0], ["varint", 1], ["varint", this.user.number]);
    for (const one of this.core.sessions) if (one.user !== this.user && (!place || one.watches(place[0] >> 8, place[1] >> 8))) one.send(frame);
  }

  private receiveText(message: any): void {
    if (message.type === "ping") return this.sendText({ type: "pong", id: message.id });
    this.core.asked.push(message);
    if (message.type === "users") {
      const after = Number(message.after?.slice(1) ?? 0);
      const users = this.core.present.filter(({ number }) => number > after).sort((a, b) => a.number - b.number);
      return this.sendText({ type: "users", id: message.id, users: users.slice(0, 200).map(({ id, name, colour }) => ({ user_id: id, name, color: `#${colour.toString(16).padStart(6, "0")}` })), complete: users.length <= 200 });
    }
    if (message.type === "authenticate") return this.sendText({ type: "authenticated", id: message.id });
    if (!(this.core.permissions & 2)) return this.sendText({ type: "error", id: message.id, code: "not_permitted", message: "your role does not grant moderate" });
    if (message.type === "who") {
      const pixels = this.core.log.filter(({ x, y }) => x === message.x && y === message.y).slice(-16).reverse()
        .map(({ user, colour, ms }) => ({ user_id: user, name: [...this.core.users.values()].find(({ id }) => id === user)?.name, color: `#${this.rgb(colour)}`, timestamp: ms }));
      return this.sendText({ type: "history", id: message.id, x: message.x, y: message.y, pixels });
    }
    if (message.type === "undo_user") return this.sendText({ type: "ok", id: message.id, count: this.core.undo(message.user_id, 1e9) });
    this.sendText({ type: "ok", id: message.id, count: 0 });
  }

  private rgb(colour: number): string { return (this.core.palette.length ? this.core.palette[colour]! : colour).toString(16).padStart(6, "0"); }
}
