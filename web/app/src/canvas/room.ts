// One room of the canvas: the connection, and what the panel shows of it. The pixels themselves go to the painter, past React.
import { CanvasClient, CanvasError, type CanvasPixel, type CanvasProof, type CanvasUser, type ConnectionState, type RefusedPixels, type WelcomeMessage } from "@fanfare/client/canvas";
import { keyHeaders, keyOptions } from "../data/key";
import { addressOf } from "../data/link";
import { recheckKey } from "../data/server";
import { Store } from "../data/store";

export interface RoomState {
  connection: ConnectionState;
  problem: string;
  welcome: WelcomeMessage | null;
  proof: CanvasProof;
  usersTotal: number;
  users: CanvasUser[]; // the first of them, this user before all others
  drawn: boolean; // somebody has drawn
  note: string; // why something was not done
  pending: number;
}

export const kUsersShown = 50;
const kShowEveryMs = 200; // a tick changes numbers 60 times a second, which nobody can read
const kStrokesKept = 100;
const kUsersLoadedMax = 2000; // with more of them in the room, the page shows their number only

export class Room {
  readonly client: CanvasClient;
  readonly state: Store<RoomState>;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private loadedFor: WelcomeMessage | null = null; // whose users were asked for
  private reason = ""; // what the server said of the refusal that follows
  private strokes: number[] = []; // pixels of each, so that one step takes back a stroke
  private readonly stop: () => void;

  constructor(
    readonly path: string,
    name: string,
  ) {
    const own = session();
    this.client = new CanvasClient({ url: addressOf(path), name, session: own, color: cursorColour(own), ...keyOptions() });
    this.state = new Store<RoomState>(this.read());
    this.stop = this.client.listen({
      changed: () => this.changed(),
      // What the room wants as proof came as an error before.
      refused: (refused) => {
        if (refused.status !== "proof_required") this.note(refusal(refused, this.reason));
        this.reason = "";
      },
      error: (error) => {
        this.reason = error.message;
        this.note(error.code === "proof_required" ? `${refusal({ status: "proof_required", retryAfterMs: 0 })} It says: ${error.message}` : sentenceOf(error));
      },
    });
    this.client.connect();
  }

  close(): void {
    this.stop();
    clearTimeout(this.timer);
    this.client.close();
  }

  private read(): RoomState {
    const { state, error, welcome, proof, usersTotal, users, pending } = this.client;
    const own = welcome && users.get(welcome.userNumber);
    const others = [...users.values()].filter((user) => user !== own);
    return {
      connection: state, problem: error?.message ?? "", welcome, proof, usersTotal, users: [...(own ? [own] : []), ...others].slice(0, kUsersShown),
      drawn: this.isDrawn(), note: this.state?.get().note ?? "", pending,
    };
  }

  private isDrawn(): boolean {
    if (this.state?.get().drawn || this.client.pending > 0) return true;
    for (const chunk of this.client.chunks) if (chunk.colours) return true;
    return false;
  }

  // A change of the connection shows at once.
  private changed(): void {
    const before = this.state.get();
    this.loadUsers();
    // What was reported before a new connection need not hold any more.
    if (before.welcome !== this.client.welcome) return this.state.set({ ...this.read(), note: "" });
    if (before.connection !== this.client.state) {
      // The key may not be accepted any more, which a browser does not say of a WebSocket.
      if (this.client.state === "waiting" || this.client.state === "closed") recheckKey();
      return this.state.set(this.read());
    }
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.state.set(this.read());
    }, kShowEveryMs);
  }

  // Those that the first list did not name, once for each connection.
  private loadUsers(): void {
    const { client } = this;
    if (client.state !== "connected" || this.loadedFor === client.welcome || client.usersTotal <= client.users.size || client.usersTotal > kUsersLoadedMax) return;
    this.loadedFor = client.welcome;
    client.loadUsers().catch(() => undefined); // the next connection asks again
  }

  note(note: string): void {
    this.state.update({ note });
  }

  // `isNew`: a stroke begins; otherwise these pixels belong to the last one.
  draw(pixels: CanvasPixel[], isNew: boolean): void {
    const taken = this.client.draw(pixels);
    if (this.state.get().note) this.note("");
    if (taken === 0) return;
    if (isNew || this.strokes.length === 0) this.strokes.push(taken);
    else this.strokes[this.strokes.length - 1]! += taken;
    this.strokes.splice(0, this.strokes.length - kStrokesKept);
    if (!this.state.get().drawn) this.state.update({ drawn: true });
  }

  // The last stroke; without one of this visit the last pixel.
  async undo(): Promise<void> {
    const count = this.strokes.pop() ?? 1;
    try {
      const { changed, status, retryAfterMs } = await this.client.undo(count);
      if (status !== "accepted") this.note(refusal({ status, retryAfterMs }));
      else this.note(changed === 0 ? "There is nothing of yours to take back." : "");
    } catch (error) {
      this.note(sentenceOf(error as Error));
    }
  }
}

const kReasons: Record<string, string> = {
  too_many_pixels: "That was too fast",
  not_permitted: "You may not draw here",
  storage_full: "The server cannot store more at present. What is there can be seen",
  out_of_range: "That is outside of the canvas",
  proof_required: "The room wants a proof before you draw",
  too_many_messages: "That was too fast",
  connection_lost: "The connection was lost before the server answered. The canvas shows what it has",
};

// `reason`: in the server's own words, if it has said more than the status.
export const refusal = ({ status, retryAfterMs }: Pick<RefusedPixels, "status" | "retryAfterMs">, reason = ""): string =>
  `${kReasons[status] ?? "The server refused it"}${reason && `: ${reason}`}.${retryAfterMs > 0 ? ` Next try in ${wait(retryAfterMs)}.` : ""}`;

export const sentenceOf = (error: Error): string => {
  const waits = error instanceof CanvasError && error.retryAfterMs > 0 ? ` Next try in ${wait(error.retryAfterMs)}.` : "";
  return `${error.message.charAt(0).toUpperCase()}${error.message.slice(1).replace(/[.!?]?$/, ".")}${waits}`;
};

// Never less than the wait.
export const wait = (ms: number): string => {
  const tenths = Math.ceil(ms / 100);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`;
  const seconds = Math.ceil(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} min`;
};

const kSessionKey = "fanfare-canvas-session";
const kNameKey = "fanfare-canvas-name";

// Tabs of this browser are one user, who can take back what he drew before.
function session(): string {
  const fresh = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  try {
    const held = localStorage.getItem(kSessionKey);
    if (held) return held;
    localStorage.setItem(kSessionKey, fresh);
  } catch {
    // it then holds for this page only
  }
  return fresh;
}

// All of them can be told from a white and a black canvas.
const kCursorColours = ["b3261e", "c2570c", "8a6d00", "1d7044", "0b7d83", "1d5fd1", "5b4bc4", "7a4fb5", "b0327f", "6a6456"];
const cursorColour = (own: string): string => kCursorColours[[...own].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 1_000_003, 7) % kCursorColours.length]!;

export function savedName(): string {
  try {
    return localStorage.getItem(kNameKey) ?? "";
  } catch {
    return "";
  }
}
export function saveName(name: string): void {
  try {
    localStorage.setItem(kNameKey, name);
  } catch {
    // it then holds for this page only
  }
}

export interface RoomInfo {
  first_ms: number | null;
  last_ms: number | null;
  pixels: number;
}

export async function roomInfo(path: string): Promise<RoomInfo> {
  const response = await fetch(`${path}/info`, { headers: keyHeaders(), signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return (await response.json()) as RoomInfo;
}

// The canvas, or a part of it, as it was.
export async function pastImage(path: string, atMs: number, part: { x: number; y: number; width: number; height: number } | undefined, signal: AbortSignal): Promise<ImageBitmap> {
  const query = new URLSearchParams({ at: String(Math.round(atMs)), ...(part && { x: String(part.x), y: String(part.y), width: String(part.width), height: String(part.height) }) });
  const response = await fetch(`${path}/image.png?${query}`, { headers: keyHeaders(), signal });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return createImageBitmap(await response.blob());
}
