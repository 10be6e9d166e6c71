// The canvas core behind a real port with the page that the program serves, for browsers. It can be killed and started again on its port.
import http from "node:http";
import { existsSync, readFileSync } from "node:fs";
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import path from "node:path";
import { crc32, deflateSync } from "node:zlib";
import { WebSocketServer } from "ws";
import type { CanvasCore } from "./canvas_core.js";

const TICK_MS = 16;
const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2" };
// The policy of src/gateway/web_page.h.
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'";

export class CanvasServer {
  port = 0;
  /** What `/fanfare.json` says of the canvas. */
  canvas: object | null = { path: "/canvas", rooms: ["main"] };
  /** `/fanfare.json` and upgrades wait for ever. */
  isStuck = false;
  private http: http.Server | null = null;
  private timer: ReturnType<typeof setInterval> | null = null;
  private readonly raw = new Set<Socket>();

  constructor(readonly core: CanvasCore, private readonly folder: string) {}

  get origin(): string { return `http://127.0.0.1:${this.port}`; }

  async listen(): Promise<void> {
    const server = http.createServer((request, response) => this.answer(new URL(request.url ?? "/", "http://x"), response));
    server.on("connection", (socket) => {
      this.raw.add(socket);
      socket.once("close", () => this.raw.delete(socket));
    });
    const upgrades = new WebSocketServer({ noServer: true, handleProtocols: (names) => (names.has("fanfare.canvas.v1") ? "fanfare.canvas.v1" : false) });
    server.on("upgrade", (request, socket, head) => {
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://x");
      if (this.isStuck) return;
      if (pathname !== "/canvas/main") return void socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
      upgrades.handleUpgrade(request, socket, head, (peer) => {
        const session = this.core.accept({ send: (data) => peer.send(data), close: (code, reason) => peer.close(code, reason) }, searchParams);
        peer.on("message", (data, isBinary) => session.receive(isBinary ? data as Buffer : String(data)));
        peer.once("close", () => session.gone());
        peer.on("error", () => {});
      });
    });
    server.listen(this.port, "127.0.0.1");
    await once(server, "listening");
    this.port = (server.address() as AddressInfo).port;
    this.http = server;
    this.timer = setInterval(() => this.core.tick(), TICK_MS);
  }

  private answer({ pathname, searchParams }: URL, response: http.ServerResponse): void {
    if (pathname === "/fanfare.json") {
      if (this.isStuck) return;
      return this.json(response, { version: "0.1.0", networks: [], streams: null, metrics: null, canvas: this.canvas });
    }
    if (pathname === "/canvas/main/info") return this.json(response, { first_ms: this.core.log[0]?.ms ?? null, last_ms: this.core.log.at(-1)?.ms ?? null, pixels: this.core.log.length, users: this.core.present.length });
    if (pathname === "/canvas/main/image.png") return void response.writeHead(200, { "content-type": "image/png" }).end(this.picture(Number(searchParams.get("at") ?? Infinity)));
    const file = path.join(this.folder, pathname === "/" ? "index.html" : path.normalize(pathname));
    if (!existsSync(file)) return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[path.extname(file)] ?? "text/plain", "content-security-policy": POLICY }).end(readFileSync(file));
  }

  private json(response: http.ServerResponse, value: object): void { response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value)); }

  /** As PNG, from what was drawn until then. */
  private picture(atMs: number): Buffer {
    const { width, height, palette, background, log } = this.core;
    const rows = Buffer.alloc((width * 3 + 1) * height);
    const put = (x: number, y: number, rgb: number) => rows.writeUIntBE(rgb, y * (width * 3 + 1) + 1 + x * 3, 3);
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) put(x, y, background);
    for (const { x, y, colour, ms } of log) if (ms <= atMs) put(x, y, palette.length ? palette[colour]! : colour);
    const chunk = (type: string, data: Buffer) => {
      const body = Buffer.concat([Buffer.from(type), data]);
      const out = Buffer.alloc(8);
      out.writeUInt32BE(data.length);
      out.writeUInt32BE(crc32(body), 4);
      return Buffer.concat([out.subarray(0, 4), body, out.subarray(4)]);
    };
    const head = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0]);
    head.writeUInt32BE(width);
    head.writeUInt32BE(height, 4);
    return Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), chunk("IHDR", head), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
  }

  /** Ends as a killed process does: every connection is cut, and the port is closed. */
  async kill(): Promise<void> {
    if (this.timer) clearInterval(this.timer);
    const server = this.http;
    this.http = null;
    if (!server) return;
    for (const session of [...this.core.sessions]) session.gone();
    const closed = once(server, "close");
    server.close();
    for (const socket of this.raw) socket.destroy();
    await closed;
  }

  cut(): void { for (const socket of this.raw) socket.destroy(); }
}
