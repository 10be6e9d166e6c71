// The core behind a real port, for browsers and for Node. It can be killed, restarted and made to hang.
import http from "node:http";
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";
import { StreamCore, type CoreOptions } from "./stream_core.js";

export interface Page { readonly type: string; readonly body: string | Buffer }

export class StreamServer {
  port = 0;
  /** The tokens that upgrades brought, in order. */
  readonly tokens: string[] = [];
  /** Upgrades with these tokens only; null: all. */
  accepted: Set<string> | null = null;
  readonly sockets = new Set<WebSocket>();
  private http: http.Server | null = null;
  private readonly raw = new Set<Socket>();

  constructor(readonly core: StreamCore, private readonly pages: (path: string) => Page | null = () => null) {}

  static async start(options: CoreOptions, pages?: (path: string) => Page | null): Promise<StreamServer> {
    const server = new StreamServer(new StreamCore(options), pages);
    await server.listen();
    return server;
  }

  get url(): string { return `ws://127.0.0.1:${this.port}/streams`; }
  get origin(): string { return `http://127.0.0.1:${this.port}`; }

  async listen(): Promise<void> {
    const server = http.createServer((request, response) => {
      const page = this.pages(new URL(request.url ?? "/", "http://x").pathname);
      if (page) response.writeHead(200, { "content-type": page.type }).end(page.body);
      else response.writeHead(404).end();
    });
    server.on("connection", (socket) => {
      this.raw.add(socket);
      socket.once("close", () => this.raw.delete(socket));
    });
    const upgrades = new WebSocketServer({ noServer: true, handleProtocols: (names) => (names.has("fanfare") ? "fanfare" : false) });
    server.on("upgrade", (request, socket, head) => {
      const token = /fanfare\.bearer\.([^, ]+)/.exec(request.headers["sec-websocket-protocol"] ?? "")?.[1];
      if (token !== undefined) this.tokens.push(token);
      if (this.accepted && !this.accepted.has(token ?? "")) return void socket.end("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n");
      upgrades.handleUpgrade(request, socket, head, (peer) => this.serve(peer));
    });
    server.listen(this.port, "127.0.0.1");
    await once(server, "listening");
    this.port = (server.address() as AddressInfo).port;
    this.http = server;
  }

  private serve(peer: WebSocket): void {
    this.sockets.add(peer);
    const session = this.core.accept({ send: (text) => peer.send(text), close: (code, reason) => peer.close(code, reason) });
    peer.on("message", (data) => session.receive(String(data)));
    peer.once("close", () => {
      session.gone();
      this.sockets.delete(peer);
    });
    peer.on("error", () => {});
  }

  /** Ends as a killed process does: every connection is cut, and the port is closed. */
  async kill(): Promise<void> {
    const server = this.http;
    this.http = null;
    if (!server) return;
    for (const session of [...this.core.sessions]) session.gone();
    const closed = once(server, "close");
    server.close();
    for (const socket of this.raw) socket.destroy();
    await closed;
  }

  /** Cuts the connections; the port stays open. */
  cut(): void { for (const socket of this.raw) socket.destroy(); }
}
