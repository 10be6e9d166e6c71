// Holds the one connection of many tabs, in a SharedWorker, in the tab that leads, or in the page itself.
import type { SocketConstructor } from "./connection.js";
import { ConnectionError } from "./types.js";
import { FORGET_MS, type HubMessage, type HubOptions, type TabMessage } from "./tab_messages.js";
import type { Token, TokenReason } from "./token.js";
import { WireClient } from "./wire_client.js";

export interface HubOutput {
  send(tabs: readonly string[], message: HubMessage): void;
}

interface Tab {
  readonly streams: Set<string>;
  readonly hasToken: boolean;
  heardAtMs: number;
}

/** The hub asks the next tab for a token if one does not answer within this time: it may be frozen. */
export const TOKEN_ANSWER_MS = 3_000;

export class TabHub {
  private readonly tabs = new Map<string, Tab>();
  private wire: WireClient | null = null;
  private readonly tokenAnswers = new Map<number, (answer: Extract<TabMessage, { t: "token" }>) => void>();
  private nextToken = 1;
  private forgetTimer: ReturnType<typeof setInterval> | null = null;

  /** `WebSocket`: the class to use, if it is not the global one. */
  constructor(private readonly output: HubOutput, private readonly WebSocket?: SocketConstructor) {}

  receive(from: string, message: TabMessage): void {
    if (message.t === "attach") return this.attach(from, message.options, message.hasToken);
    const tab = this.tabs.get(from);
    if (!tab || !this.wire) {
      if (message.t !== "bye") this.output.send([from], { t: "unknown" });
      return;
    }
    tab.heardAtMs = Date.now();
    switch (message.t) {
      case "subscribe": {
        tab.streams.add(message.stream);
        for (const event of this.wire.open(message.stream, message.want)) {
          this.output.send([from], { t: "event", stream: message.stream, event });
        }
        return;
      }
      case "unsubscribe": return this.leave(tab, message.stream);
      case "token": return this.tokenAnswers.get(message.id)?.(message);
      case "alive": return this.output.send([from], { t: "alive" });
      case "wake": return this.wire.connection.wake();
      case "bye": return this.drop(from);
    }
  }

  /** The tab is gone. */
  drop(id: string): void {
    const tab = this.tabs.get(id);
    if (!tab) return;
    this.tabs.delete(id);
    for (const stream of [...tab.streams]) this.leave(tab, stream);
    if (this.tabs.size === 0) this.close();
  }

  close(): void {
    this.wire?.stop();
    this.wire = null;
    this.tabs.clear();
    if (this.forgetTimer) clearInterval(this.forgetTimer);
    this.forgetTimer = null;
  }

  private attach(id: string, options: HubOptions, hasToken: boolean): void {
    const known = this.tabs.get(id);
    if (known) for (const stream of [...known.streams]) this.leave(known, stream);
    this.tabs.set(id, { streams: new Set(), hasToken, heardAtMs: Date.now() });
    this.forgetTimer ??= setInterval(() => this.forgetSilent(), FORGET_MS / 3);
    if (this.wire && this.wire.connection.state !== "closed") {
      this.output.send([id], this.state());
      return;
    }
    // What other tabs had on a connection that ended for good, they ask for again.
    const others = [...this.tabs.keys()].filter((tab) => tab !== id);
    this.wire?.stop();
    this.wire = this.makeWire(options, hasToken);
    this.wire.connection.start();
    if (others.length) this.output.send(others, { t: "unknown" });
  }

  private makeWire(options: HubOptions, hasToken: boolean): WireClient {
    const token = hasToken ? { token: (reason: TokenReason) => this.askForToken(reason) } : {};
    const wire: WireClient = new WireClient({ ...options, ...token, WebSocket: this.WebSocket }, {
      changed: () => { if (wire === this.wire) this.output.send([...this.tabs.keys()], this.state()); },
      event: (stream, event) => {
        if (wire !== this.wire) return;
        const tabs = [...this.tabs].filter(([, tab]) => tab.streams.has(stream)).map(([id]) => id);
        if (tabs.length) this.output.send(tabs, { t: "event", stream, event });
      },
    });
    return wire;
  }

  private leave(tab: Tab, stream: string): void {
    if (!tab.streams.delete(stream)) return;
    for (const other of this.tabs.values()) if (other.streams.has(stream)) return;
    this.wire?.close(stream);
  }

  private state(): HubMessage {
    const { state, error } = this.wire?.connection ?? { state: "idle" as const, error: null };
    return { t: "state", state, error: error && { message: error.message, code: error.code }, welcome: this.wire?.welcome ?? null };
  }

  // The tab heard last is asked first, because it is the least likely to be frozen.
  private async askForToken(reason: TokenReason): Promise<string | Token> {
    const tabs = [...this.tabs].filter(([, tab]) => tab.hasToken).sort(([, a], [, b]) => b.heardAtMs - a.heardAtMs);
    let problem = "no tab has a token";
    for (const [id] of tabs) {
      const answer = await this.askTab(id, reason);
      if (answer?.token !== undefined) return answer.token;
      problem = answer?.error ?? "no tab answers with a token";
    }
    throw new ConnectionError(problem);
  }

  private askTab(tab: string, reason: TokenReason): Promise<Extract<TabMessage, { t: "token" }> | null> {
    const id = this.nextToken++;
    return new Promise((resolve) => {
      const finish = (answer: Extract<TabMessage, { t: "token" }> | null): void => {
        clearTimeout(timer);
        this.tokenAnswers.delete(id);
        resolve(answer);
      };
      const timer = setTimeout(() => finish(null), TOKEN_ANSWER_MS);
      this.tokenAnswers.set(id, finish);
      this.output.send([tab], { t: "token?", id, reason });
    });
  }

  private forgetSilent(): void {
    const limit = Date.now() - FORGET_MS;
    for (const [id, { heardAtMs }] of [...this.tabs]) if (heardAtMs < limit) this.drop(id);
  }
}
