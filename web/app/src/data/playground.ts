// The playground's own connection, and the frames that passed over it.
import { keyProtocols } from "./key";
import { addressOf } from "./link";
import { Store } from "./store";

export interface Frame {
  id: number;
  way: "out" | "in" | "note" | "bad";
  text: string;
  size: number;
  at: number; // milliseconds since 1970
}

export interface Play {
  state: "closed" | "opening" | "open";
  path: string;
  frames: Frame[]; // newest first
}

export const kFramesMax = 500;
export const play = new Store<Play>({ state: "closed", path: "", frames: [] });

let socket: WebSocket | undefined;
let waiting: string[] = [];
let lastId = 0;

function note(way: Frame["way"], text: string): void {
  const size = way === "note" || way === "bad" ? 0 : new TextEncoder().encode(text).length;
  const frame = { id: ++lastId, way, text, size, at: Date.now() };
  play.update({ frames: [frame, ...play.get().frames].slice(0, kFramesMax) });
}

export function connect(path: string): void {
  disconnect();
  const mine = (socket = new WebSocket(addressOf(path), keyProtocols()));
  play.update({ state: "opening", path });
  mine.onopen = () => {
    note("note", `connected to ${path}`);
    play.update({ state: "open" });
    for (const text of waiting.splice(0)) transmit(text);
  };
  mine.onmessage = (event) => note("in", String(event.data));
  mine.onclose = (event) => {
    if (mine !== socket) return;
    socket = undefined;
    waiting = [];
    const why = `${event.code}${event.reason ? ` ${event.reason}` : ""}`;
    note(event.code === 1000 ? "note" : "bad", play.get().state === "opening" ? `cannot connect to ${path}` : `closed by the server: ${why}`);
    play.update({ state: "closed" });
  };
}

export function disconnect(): void {
  if (!socket) return;
  const old = socket;
  socket = undefined;
  old.close(1000);
  waiting = [];
  note("note", "disconnected");
  play.update({ state: "closed" });
}

function transmit(text: string): void {
  socket!.send(text);
  note("out", text);
}

// Connects first if that is needed.
export function send(path: string, text: string): void {
  if (socket && play.get().path === path && play.get().state === "open") return transmit(text);
  if (!socket || play.get().path !== path) connect(path);
  waiting.push(text);
}

export const clearFrames = (): void => play.update({ frames: [] });
